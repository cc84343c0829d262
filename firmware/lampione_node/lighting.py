"""What the lamp should show: the pure function of `lampione_light.level`, fed with this node."""

import asyncio
import gc
from time import ticks_add, ticks_diff, ticks_ms

from lampione_light.level import MAINTENANCE, OVERRIDE, SENSOR, Sensed, level_at
from lampione_light.tonight import Tonight
from micropython import const

from .forget import forget
from .orders import Orders
from .rare import rare

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
        gc.collect()
        from lampione_light.program import Program

        whole = Program(self._config, self._name)
        forget(
            "lampione_light.program",
            "lampione_light.layout",
            "lampione_light.civil",
            "lampione_light.sun",
        )
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
        orders: in force.
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
        self.orders = Orders(clock)
        self._design = lamp.design_percent, lamp.rated_w  # without a config
        self._level = lamp.level_percent * 100
        self.wait_ms = _REST_MS
        self._second = _MINUTE  # due at once
        self._seen = 0
        self._counted = None
        self.configure(config)
        lamp.source = self

    @rare
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
        wait_ms = _LOOK_MS if self._program.placed else _REST_MS
        self.wait_ms = self.orders.pass_time(elapsed_ms, wait_ms)
        found = level_at(self._program, now, self.sensed, self.orders.now)
        self._level = found[0]
        return found

    # Orders

    def locked(self) -> bool:
        """Say whether somebody works on the lamp."""
        return self.orders.find(MAINTENANCE) is not None

    def order(self, kind: int, level: int, ramp_ms: int, length_ms: int, author: int) -> bool:
        """Take an order for a level in 0.01 %, in place of the one of its kind.

        Returns False, and does nothing, for an override while the control has a fault. Raises
        ValueError, see Orders.
        """
        if self.sensed.fault and kind == OVERRIDE:
            return False
        self.lamp.update()
        self.lamp.identify(0)  # no signal lights a lamp on which somebody works
        self.orders.put([kind, level, ramp_ms, length_ms, 0, self._level, author])
        self.lamp.order()
        return True

    def end(self, *kinds) -> None:  # type: ignore[no-untyped-def]
        """End the orders of these kinds."""
        self.lamp.update()
        self.orders.end(kinds)
        self.lamp.order()

    def reach(self) -> int:
        """Return from how many neighbours on either side a wave is followed."""
        return self._program.presence[3]

    def hear(self, kind: int, level_percent: int, hold_s: int, author: int) -> None:
        """Raise the light: somebody walks, here (SENSOR) or nearby (GROUP)."""
        ramp_ms = self._program.presence[2] * 100
        self.lamp.update()
        self.orders.boost(kind, min(level_percent, 100) * 100, hold_s, ramp_ms, author)
        self.lamp.order()

    # What is sensed

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Look once a second, for the supervisor."""
        due_ms = ticks_ms()
        while True:
            check_in()
            self.look()
            due_ms = ticks_add(due_ms, _LOOK_MS)
            wait_ms = ticks_diff(due_ms, ticks_ms())
            if not 0 <= wait_ms <= _LOOK_MS:  # held up: seconds that were missed are not made up
                due_ms = ticks_ms()
                wait_ms = 0
            await asyncio.sleep_ms(wait_ms)

    def look(self) -> None:
        """Look at the sensors, a second after the last time."""
        if self.orders.judge():
            self.lamp.order()
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
