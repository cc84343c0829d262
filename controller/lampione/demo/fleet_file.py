"""The demo's fleet: Milan's, as its virtual boards are."""

import re
from pathlib import Path

from lampione_hil.put import put

HEALTH_S = (15, 900)
_GASES = "gases = { i2c = 0, scl = 9, sda = 8"


def health_interval_s(interval_s: int) -> int:
    """Return the demo's interval of health messages for one of reports."""
    least, most = HEALTH_S
    return max(least, min(15 * interval_s, most))


def adapted(text: str, interval_s: int) -> str:
    """Return a fleet's file with these intervals, for microphones and gas cells of the bench.

    These microphones hear as they should, and these gas cells have long been warm.
    """
    text = re.sub(r"(?m)^report_interval_s = \d+", f"report_interval_s = {interval_s}", text)
    health_s = health_interval_s(interval_s)
    text = re.sub(r"(?m)^health_interval_s = \d+", f"health_interval_s = {health_s}", text)
    return text.replace(', eq = "ics43434"', "").replace(_GASES, _GASES + ", warm_min = 0")


def write(source: Path, path: Path, interval_s: int) -> None:
    """Make the demo's own file of a fleet's. Raises OSError."""
    text = adapted(source.read_text(encoding="utf-8"), interval_s)
    put(path, text.encode())
