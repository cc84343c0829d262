"""Configs of lighting programs, made by hand."""

from collections.abc import Mapping, Sequence
from struct import pack

from lampione_light import layout
from lampione_light.program import CLOCK, SUNRISE, SUNSET

MILAN = (4546420, 919000, 60, 1)
TROMSO = (6964960, 1895600, 60, 1)
ALERT = (8250180, -6234810, -300, 0)
NODE = "bligny-1"

Step = tuple[int, int, int, int]
"""Anchor, minutes, percent, ramp in s."""

EVENING: tuple[Step, ...] = (
    (SUNSET, 0, 100, 0),
    (CLOCK, 22 * 60, 70, 300),
    (CLOCK, 0, 40, 600),
    (CLOCK, 5 * 60 + 30, 100, 300),
    (SUNRISE, -20, 70, 60),
)

LAMP = {
    "design": 100, "minimum": 10, "maximum": 100, "rated_w": 60, "budget_w": 0,
    "curve": 0, "start_mv": 0, "end_mv": 1000, "spread_s": 0, "dwell_s": 0,
    "hot": 127, "hottest": 127, "hot_percent": 100,
}  # fmt: skip


def section(number: int, content: bytes) -> bytes:
    return bytes([number]) + len(content).to_bytes(2, "big") + content


def config(
    site: tuple[int, int, int, int] | None = MILAN,
    plans: Mapping[int, Sequence[Step]] | None = None,
    rules: Sequence[tuple[int, int, int, int, int, int]] = (),
    night: tuple[int, int, int, int, int] | None = None,
    extra: Mapping[int, bytes] | None = None,
    lamp: Mapping[str, int] | None = None,
) -> bytes:
    """Return a config; without anything one plan for every night in Milan."""
    found = bytes([layout.FORMAT])
    forms = layout.FORMATS
    if site is not None:
        found += section(layout.SITE, pack(forms[layout.SITE], *site))
    values = {**LAMP, **(lamp or {})}
    assert len(values) == len(LAMP), lamp
    found += section(layout.LAMP, pack(forms[layout.LAMP], *values.values()))
    if night is not None:
        found += section(layout.NIGHT, pack(forms[layout.NIGHT], *night))
    for number, steps in ({0: EVENING} if plans is None else plans).items():
        rows = b"".join(pack(forms[layout.PLAN], *step) for step in steps)
        found += section(layout.PLAN, bytes([number]) + rows)
    found += section(layout.RULES, b"".join(pack(forms[layout.RULES], *rule) for rule in rules))
    for number, content in (extra or {}).items():
        found += section(number, content)
    return found
