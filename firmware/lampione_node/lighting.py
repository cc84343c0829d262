"""What the lamp should show: the pure function of `lampione_light.level`, fed with this node.

Orders are kept on flash, so that a power cut neither relights a lamp on which somebody works nor
lets an order outlive its end. While the clock is unset after a reboot nobody can say whether an
order is over: maintenance and emergency begin their time anew, an override waits for the clock.
"""

import asyncio
import sys
from struct import pack, unpack

from lampione_light.level import (
    AUTHOR,
    ELAPSED,
    EMERGENCY,
    FULL,
    GROUP,
    KIND,
    LENGTH,
    LEVEL,
    MAINTENANCE,
    OVERRIDE,
    RAMP,
    SENSOR,
    Sensed,
    lasts,
    level_at,
)
from lampione_light.tonight import Tonight
from micropython import const

from . import kept

_FILE = "/state/orders"
_ROW = ">BHIII"  # kind, level, author, until (0: the clock was unset), seconds left
_ROW_BYTES = const(15)
_ROWS = const(3)
_LONGEST_MS = const(1048574000)  # 12.1 days; below 2^30, so never on the heap
_LONGEST_RAMP_MS = const(409400)

_RAMP_MS = const(20)  # how often a ramp of an order is looked at
_LOOK_MS = const(1000)
_REST_MS = const(10000)
_LUX = const(20)  # steps of the light sensor
_NO_STEP = const(31)  # of a program: the author is none
_MINUTE = const(60)
_CELL_S = const(10)


class Frugal(Tonight):
    """A program that is worked out anew each noon, and forgotten but for the night: 5 kB.

    Raises ConfigError.
    """

    def __init__(self, config, name: bytes):  # type: ignore[no-untyped-def]
        self._config = config
        self._name = name
        self.take(self._whole())

    def _whole(self):  # type: ignore[no-untyped-def]
        from lampione_light.program import Program

        whole = Program(self._config, self._name)
        package = sys.modules["lampione_light"]
        for name in ("program", "layout", "civil", "sun"):
            sys.modules.pop("lampione_light." + name, None)
            if hasattr(package, name):
                delattr(package, name)
        return whole

    def sun_day(self, now: int) -> tuple:
        """See Tonight."""
        return self._whole().sun_day(now)

    def lighting_day(self, now: int) -> tuple:
        """See Tonight."""
        return self._whole().lighting_day(now)


class Lighting:
    """Answers the lamp, and looks after what it depends on.

    Args:
        lamp: whose source this becomes.
        clock: the node's.
        state: knows the burn hours.
        name: of the node, which draws its delay.
        config: a blob; None: none, which is the design level day and night.
        celsius: returns the temperature of what heats up, or None.

    Attributes:
        ambient, radar: the node's parts, or None.
        sensed: what `lampione_light.level` is told.
        on_presence: called with (level percent, hold s) when somebody walks here, or None.
        wait_ms: when the lamp should ask again.
    """

    def __init__(self, lamp, clock, state, name: bytes, config, celsius):  # type: ignore[no-untyped-def]
        self.lamp = lamp
        self._clock = clock
        self._state = state
        self._name = name
        self._celsius = celsius
        self.ambient = self.radar = self.on_presence = None
        self.sensed = Sensed()
        self._orders = []
        self._doubtful = []  # (order, until) of before the reboot, which the clock has to judge
        self._design = lamp.design_percent, lamp.rated_w  # without a config
        self._level = lamp.level_percent * 100
        self.wait_ms = _REST_MS
        self._second = _MINUTE  # due at once
        self._seen = 0
        self._counted = None
        self.configure(config)
        self._restore()
        lamp.source = self

    def configure(self, config) -> None:  # type: ignore[no-untyped-def]
        """Follow a config from now on; one that is damaged is a fault of the control."""
        try:
            program = Frugal(config, self._name)
            self.sensed.fault = False
        except ValueError:
            config = None
            program = Frugal(None, self._name)
            self.sensed.fault = True
        if config:
            self.lamp.design_percent = max(1, min(100, program.lamp[0]))
            self.lamp.rated_w = program.lamp[3]
            if hasattr(self.lamp.output, "shape"):
                self.lamp.output.shape(*program.lamp[5:8])
        else:
            self.lamp.design_percent, self.lamp.rated_w = self._design
            program.lamp = self._design[:1] + program.lamp[1:]
        self._program = program
        self._twilight = self._reduction = None
        self.sensed.reduction = 0
        self.lamp.order()

    # What the lamp asks

    def level(self, elapsed_ms: int) -> tuple:
        """Return (level, reason, author) of this moment, `elapsed_ms` after the last question."""
        clock = self._clock
        now = clock.now() if clock.quality() else None
        self.wait_ms = _LOOK_MS if self._program.placed else _REST_MS
        for order in self._orders:
            length = order[LENGTH]
            if order[KIND] in (SENSOR, GROUP):
                length += order[RAMP]
            order[ELAPSED] = min(length, order[ELAPSED] + elapsed_ms)
            left = length - order[ELAPSED]
            if order[ELAPSED] < order[RAMP] or left < order[RAMP]:
                left = min(left, _RAMP_MS)
            if left and left < self.wait_ms:
                self.wait_ms = left
        found = level_at(self._program, now, self.sensed, self._orders)
        self._level = found[0]
        going_on = [order for order in self._orders if lasts(order)]
        if len(going_on) < len(self._orders):
            self._orders = going_on
            self._keep()
        return found

    # Orders

    def _find(self, kind: int):  # type: ignore[no-untyped-def]
        for order in self._orders:
            if order[KIND] == kind:
                return order
        return None

    def locked(self) -> bool:
        """Say whether somebody works on the lamp."""
        return self._find(MAINTENANCE) is not None

    def order(self, kind: int, level: int, ramp_ms: int, length_ms: int, author: int) -> bool:
        """Take an order for a level in 0.01 %, in place of the one of its kind.

        Returns False, and does nothing, while the control has a fault. Raises ValueError for a
        level beyond 100 %, a ramp of more than 409.4 s and less than 1 ms or more than 12.1 days.
        """
        if (
            not 0 <= level <= FULL
            or not 0 <= ramp_ms <= _LONGEST_RAMP_MS
            or not 1 <= length_ms <= _LONGEST_MS
        ):
            raise ValueError("lamp: out of range")
        if self.sensed.fault and kind == OVERRIDE:
            return False
        self.lamp.update()
        order = [kind, level, ramp_ms, length_ms, 0, self._level, author]
        self._orders = [one for one in self._orders if one[KIND] != kind]
        self._orders.append(order)
        self._doubtful = [one for one in self._doubtful if one[0][KIND] != kind]
        self._keep()
        self.lamp.order()
        return True

    def end(self, *kinds) -> None:  # type: ignore[no-untyped-def]
        """End the orders of these kinds."""
        self.lamp.update()
        self._orders = [one for one in self._orders if one[KIND] not in kinds]
        self._doubtful = [one for one in self._doubtful if one[0][KIND] not in kinds]
        self._keep()
        self.lamp.order()

    def left_ms(self) -> int:
        """Return how long the order that counts goes on, 0 without one."""
        for kind in (MAINTENANCE, EMERGENCY, OVERRIDE):
            order = self._find(kind)
            if order:
                return order[LENGTH] - order[ELAPSED]
        return 0

    def boost(self, kind: int, level: int, hold_s: int, ramp_ms: int, author: int) -> None:
        """Raise the light: somebody walks here (SENSOR) or nearby (GROUP). Again and again."""
        self.lamp.update()
        order = self._find(kind)
        if not order:
            order = [kind, 0, ramp_ms, 0, 0, 0, 0]
            self._orders.append(order)
        down = order[ELAPSED] - order[LENGTH]
        if down > 0:  # on its way down it turns where it is
            order[ELAPSED] = max(0, order[RAMP] - down)
        order[ELAPSED] = min(order[ELAPSED], order[RAMP])
        order[LENGTH] = order[ELAPSED] + hold_s * 1000
        order[LEVEL] = level
        order[AUTHOR] = author
        self.lamp.order()

    def reach(self) -> int:
        """Return from how many neighbours on either side a wave is followed."""
        return self._program.presence[3]

    def hear(self, kind: int, level_percent: int, hold_s: int, author: int) -> None:
        """Raise the light: somebody walks, here (SENSOR) or nearby (GROUP)."""
        ramp_ms = self._program.presence[2] * 100
        self.boost(kind, min(level_percent, 100) * 100, hold_s, ramp_ms, author)

    def _keep(self) -> None:
        """Write down the orders that a power cut must not end or prolong."""
        rows = b""
        now = self._clock.now() if self._clock.quality() else 0
        known = [(order, 0) for order in self._orders if order[KIND] not in (SENSOR, GROUP)]
        for order, until in self._doubtful:
            known = [one for one in known if one[0] is not order]
            known.append((order, until))
        for order, until in known:
            left_s = (order[LENGTH] - order[ELAPSED] + 999) // 1000
            until = until or (now and now + left_s)
            rows += pack(_ROW, order[KIND], order[LEVEL], order[AUTHOR], until, left_s)
        if rows != self._rows:
            self._rows = rows
            kept.save(_FILE, rows)

    def _restore(self) -> None:
        self._rows = rows = kept.load(_FILE, _ROWS * _ROW_BYTES)
        for at in range(0, len(rows) - _ROW_BYTES + 1, _ROW_BYTES):
            kind, level, author, until, length_s = unpack(_ROW, rows[at : at + _ROW_BYTES])
            if kind in (OVERRIDE, EMERGENCY, MAINTENANCE) and level <= FULL:
                length_ms = min(length_s, _LONGEST_MS // 1000) * 1000
                order = [kind, level, 0, length_ms, 0, level, author]
                if until:
                    self._doubtful.append((order, until))
                if kind != OVERRIDE:
                    self._orders.append(order)
        self._judge()

    def _judge(self) -> None:
        """Once the clock knows the time: end what is over, and let go on what is not."""
        if not self._doubtful or not self._clock.quality():
            return
        now = self._clock.now()
        for order, until in self._doubtful:
            self._orders = [one for one in self._orders if one[KIND] != order[KIND]]
            if until > now:
                order[LENGTH] = min(until - now, order[LENGTH] // 1000) * 1000
                order[ELAPSED] = 0
                self._orders.append(order)
        self._doubtful = []
        self.lamp.order()

    # What is sensed

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Look once a second, for the supervisor."""
        while True:
            check_in()
            self.look()
            await asyncio.sleep_ms(_LOOK_MS)

    def look(self) -> None:
        """Look at the sensors, a second after the last time."""
        self._judge()
        self._second += 1
        if self._second >= _MINUTE:
            self._second = 0
            self.sensed.burn_h = self._state.burn_min // 60
            self.sensed.celsius = self._celsius()
        if self.ambient and self._second % _CELL_S == 0:
            if not self._twilight:
                from lampione_light.twilight import Twilight

                self._twilight = Twilight(self._program.dark_lx, self._program.bright_lx)
                self._twilight.dark = self.sensed.dark
            light = self.ambient.latest()
            self._twilight.step(None if light is None else light // _LUX, _CELL_S)
            self.sensed.dark = self._twilight.dark
        if self.radar:
            self._see()

    def _see(self) -> None:
        traffic = self.radar.traffic
        level, hold_s, _, _ = self._program.presence
        if traffic.seen != self._seen:
            self._seen = traffic.seen
            if level and hold_s:
                self.hear(SENSOR, level, hold_s, _NO_STEP)
                if self.on_presence:
                    self.on_presence(level, hold_s)
        if self._second == 0 and self._program.traffic[0]:
            if not self._reduction:
                from lampione_light.traffic import Reduction

                self._reduction = Reduction(self._program.traffic[0])
            toward, away = traffic.totals
            counted = self._counted
            self._counted = (toward, away) if self.radar.fresh() else None
            if counted and self._counted:
                self._reduction.minute(toward - counted[0], away - counted[1])
            else:
                self._reduction.minute(None, None)
            self.sensed.reduction = self._reduction.classes
