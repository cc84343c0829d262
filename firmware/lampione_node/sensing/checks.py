"""What no sensor can tell alone: each finding is an Event when it begins and when it ends.

A finding begins when its condition held for a while without a break, and ends when the contrary
did: hysteresis in time. Where a value is unknown nothing is counted either way. The Event's
severity is WARNING at the beginning and INFO at the end.

finding            condition                                                begins, ends after
lamp failure       what DALI gear says of its lamp and itself                        at once
                   without it: level of 20 % or more, but less power than a quarter
                   of what the level asks of the rated power, or than 2 W where
                   that is unknown                                                    3, 3 min
day burning        5 W or more although the level is 0, or in 500 lx or more        15, 15 min
lamp cycling       out by itself three times in ten minutes; not once in ten         at once
light disagrees    24 h never above 50 lx, or never below; until it saw both         at once
traffic disagrees  ten vehicles or more, but LA10 less than 2 dB above LA90         10, 10 min
knocked            stands 2 degrees otherwise, an interval after an impact            at once
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from ..post import (
    DAY_BURNING,
    ERROR,
    INFO,
    KNOCKED,
    LAMP_CYCLING,
    LAMP_FAILURE,
    LIGHT_DISAGREES,
    TRAFFIC_DISAGREES,
    WARNING,
)

# Places in a Report, and steps in a unit
_DURATION = const(1)
_LA10 = const(12)
_LA90 = const(14)
_TOWARD = const(17)
_AMBIENT = const(22)
_LUX = const(20)
_LEVEL = const(23)
_POWER = const(25)
_WATT = const(2)

_STEPS = const(2)  # one long interval alone proves nothing
_LOOK_MS = const(10_000)
_MINUTE_S = const(60)
_FAILURE_S = const(180)
_BURNING_S = const(900)
_DISAGREES_S = const(600)
_DAY_S = const(86_400)
_CYCLES = const(3)
_CYCLING_S = const(600)
_LIT_DW = const(20)  # 2 W: above a driver's stand-by
_DAYLIGHT = const(10_000)  # 500 lx
_NIGHT = const(1000)  # 50 lx: dawn and dusk lie between the two in a quarter of an hour
_AFTER = const(2)  # the first interval that ends after an impact has both sides of it in it
_KNOCK_STEPS = const(4)  # 2 degrees


class Finding:
    """A condition with hysteresis in time.

    Args:
        begins_s, ends_s: how long it must hold, or be away, without a break and for two steps at
            least; 0: at once.
    """

    def __init__(self, begins_s: int, ends_s: int):
        self._needs_s = ends_s, begins_s
        self.active = False
        self._held_s = self._steps = 0

    def step(self, holds, seconds: int) -> bool:
        """Take `holds` (None: unknown) of the last `seconds`; return whether `active` changed."""
        if holds is None or holds == self.active:
            self._held_s = self._steps = 0
            return False
        self._held_s += seconds
        self._steps += 1
        needs_s = self._needs_s[bool(holds)]
        if self._held_s < needs_s or (needs_s and self._steps < _STEPS):
            return False
        self._held_s = self._steps = 0
        self.active = holds
        return True


class Checks:
    """Compares what the parts say.

    Args:
        post: takes the Events.
        lamp: its level and rated power are compared with the power; None: no lamp.
        energy: the energy meter's part, or None; `power_dw` in 0.1 W, None while unknown.
        tilt: the tilt sensor's part, or None; `steps` (half degrees in the last interval, or
            None), `fills` (intervals so far), `impact_ms` (ticks of the last impact, or None).
    """

    def __init__(self, post, lamp, energy, tilt):
        self._post = post
        self._lamp = lamp
        self._energy = energy
        self._tilt = tilt
        self._failure = Finding(_FAILURE_S, _FAILURE_S)
        self._gear = Finding(0, 0)
        self._burning = Finding(_BURNING_S, _BURNING_S)
        self._cycling = Finding(0, 0)
        self._light = Finding(0, 0)
        self._traffic = Finding(_DISAGREES_S, _DISAGREES_S)
        self._bright = self._dark = False
        self._light_s = 0
        self._outs = []  # ticks of when it went out by itself
        self._was_lit = None
        self._was_level = self._level = None
        self._upright = self._knock_fills = self._impact_ms = None

    def _tell(self, finding, holds, seconds: int, code: int, argument: int) -> None:
        if finding.step(holds, seconds):
            self._post.event(code, WARNING if holds else INFO, argument)

    def report(self, values: list) -> None:
        """Look at a Report's values, before it is sent."""
        seconds = values[_DURATION]
        level = values[_LEVEL]
        power = values[_POWER]
        light = values[_AMBIENT]
        watts = 0 if power is None else power // _WATT
        failed = burns = None
        # The power is the interval's mean, the level that of its end: they belong together only
        # where the level stood.
        stood = level == self._level
        self._level = level
        if power is not None and level is not None and stood:
            asked = self._lamp.rated_w * level // 100 // 4 or 2
            if self._lamp.output.failed is None:  # else the gear knows better
                failed = level >= 20 and power < asked * _WATT
            burns = power >= 5 * _WATT and (level == 0 or (light or 0) >= _DAYLIGHT)
        self._tell(self._failure, failed, seconds, LAMP_FAILURE, watts)
        self._tell(self._burning, burns, seconds, DAY_BURNING, watts)
        self._sees_day(light, seconds)
        vehicles = values[_TOWARD]
        heard = None
        if vehicles is not None and values[_LA10] is not None and values[_LA90] is not None:
            vehicles += values[_TOWARD + 1] or 0
            # 5 steps a dB; a minute's ten vehicles, a shorter interval's share of them
            heard = vehicles * _MINUTE_S >= 10 * seconds and values[_LA10] - values[_LA90] < 10
        self._tell(self._traffic, heard, seconds, TRAFFIC_DISAGREES, vehicles or 0)

    def _sees_day(self, light, seconds: int) -> None:
        if light is None:
            return
        if light > _NIGHT:
            self._bright = True
        else:
            self._dark = True
        self._light_s += seconds
        stuck = None
        if self._bright and self._dark:
            stuck = False
            if self._light_s >= _DAY_S:
                self._light_s = 0
                self._bright = self._dark = False
        elif self._light_s >= _DAY_S:
            stuck = True
        self._tell(self._light, stuck, seconds, LIGHT_DISAGREES, light // _LUX)

    async def run(self, check_in) -> None:
        """Look at the lamp's power and the tilt every 10 s, for the supervisor."""
        while True:
            check_in()
            self.look()
            await asyncio.sleep_ms(_LOOK_MS)

    def look(self) -> None:
        """Look once."""
        lamp = self._lamp
        power = self._energy.power_dw if self._energy else None
        if lamp and power is not None:
            self._cycles(power >= _LIT_DW, lamp.level_percent)
        if lamp and lamp.output.failed is not None:
            self._tell(self._gear, lamp.output.failed, 0, LAMP_FAILURE, (power or 0) // 10)
        if self._tilt:
            self._knocked()

    def _cycles(self, lit: bool, level: int) -> None:
        now = ticks_ms()
        outs = self._outs
        if level != self._was_level:  # it was asked to
            self._was_level = level
            self._was_lit = None
        if self._was_lit and not lit and level:
            outs.append(now)
        self._was_lit = lit
        while outs and (len(outs) > _CYCLES or ticks_diff(now, outs[0]) > _CYCLING_S * 1000):
            outs.pop(0)
        many = True if len(outs) >= _CYCLES else None if outs else False
        self._tell(self._cycling, many, _LOOK_MS // 1000, LAMP_CYCLING, len(outs))

    def _knocked(self) -> None:
        tilt = self._tilt
        impact_ms = tilt.impact_ms
        if impact_ms != self._impact_ms:
            self._impact_ms = impact_ms
            self._knock_fills = tilt.fills
        steps = tilt.steps
        if steps is None:
            return
        if self._knock_fills is None:
            self._upright = steps
        elif tilt.fills - self._knock_fills >= _AFTER:
            self._knock_fills = None
            if self._upright is not None and abs(steps - self._upright) >= _KNOCK_STEPS:
                self._post.event(KNOCKED, ERROR, abs(steps - self._upright))
            self._upright = steps
