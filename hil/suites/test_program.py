"""The night: lit from sunset to sunrise by the almanac, by steps of the local clock between."""

from struct import pack
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, set_clock
from lampione_hil.testing.uplink import Uplink
from lampione_light import civil, layout

FULL = 65535
EARLY_S = 120


def section(number: int, *content: bytes) -> bytes:
    """Return a section of a config."""
    body = b"".join(content)
    return bytes([number]) + pack(">H", len(body)) + body


# Milan; by the sun; 100 % from sunset, 60 % at 23:00 of the clock on the wall, dark at sunrise.
CONFIG = (
    bytes([layout.FORMAT])
    + section(layout.SITE, pack(">iihB", 4_546_420, 919_000, 60, 1))
    + section(layout.NIGHT, bytes([0]))
    + section(
        layout.PLAN,
        bytes([0]),
        pack(">BhBH", 1, 0, 100, 0),
        pack(">BhBH", 0, 23 * 60, 60, 0),
    )
)
# NOAA, zenith 90.833 degrees: UTC of 2026.
SUNSETS = (((3, 29), (17, 47, 17)), ((6, 21), (19, 15, 30)), ((12, 21), (15, 42, 33)))
SUNRISES = (((3, 29), (5, 9, 30)), ((6, 21), (3, 34, 36)), ((12, 21), (7, 0, 2)))
# 23:00 on the wall, in UTC: summer time ended on 25 October.
STEPS = (((6, 21), (21, 0, 0)), ((10, 24), (21, 0, 0)), ((10, 25), (22, 0, 0)))


def second(date: tuple[int, int], time: tuple[int, int, int]) -> int:
    """Return seconds since 2020 of a UTC time of 2026."""
    hours, minutes, seconds = time
    day = civil.day_of(2026, *date)
    return int(day * 86_400 + hours * 3600 + minutes * 60 + seconds)


def percent(made: Any) -> float:
    """Return the output in percent."""
    return 100 * float(made.pwm_duty(LAMP_PIN)) / FULL


def changes_s(
    made: Any, clock: Clock, uplink: Uplink, at: int, before: float, after: float, limit_s: int
) -> float | None:
    """Set the clock to two minutes before; return how much later than `at` the light changes."""
    set_clock(uplink, made, at - EARLY_S)
    began_s = clock.now_s()
    clock.run_for(EARLY_S - limit_s - 10)
    if abs(percent(made) - before) > 0.1:
        return None
    clock.wait(lambda: abs(percent(made) - before) > 0.1, "the light's change", 2 * limit_s + 30)
    return clock.now_s() - began_s - EARLY_S if abs(percent(made) - after) < 0.1 else None


@pytest.mark.needs("uplink", "pwm", "clock")
def test_sun_and_clock(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Sunset and sunrise of three days within a minute of NOAA's; a step at 23:00 of the wall's
    clock in summer, on the last night of summer time and on the first of winter's."""
    made = node(parts={"lamp": LAMP}, config=CONFIG)
    uplink.wait_hello(made)
    for name, days, before, after, limit_s in (
        ("sunset", SUNSETS, 0, 100, 60),
        ("23:00", STEPS, 100, 60, 3),
        ("sunrise", SUNRISES, 60, 0, 60),
    ):
        for date, time in days:
            at = second(date, time)
            late_s = changes_s(made, clock, uplink, at, before, after, limit_s)
            label = f"{name} of {date[1]}.{date[0]}."
            measure(label, late_s, low=-limit_s, high=limit_s, unit="s late")
