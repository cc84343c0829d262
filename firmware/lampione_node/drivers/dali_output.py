"""The lamp's level on a DALI line: what is noted is sent, looked after, and sent again.

No frame is acknowledged, so the gear is asked every 10 s: a lamp that fails shows after 10 s, gear
that lost its power or a frame gets its level again. What it does by itself, when its power comes
back or its line dies, is the design level.
"""

import asyncio
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from . import dali_gear, health
from .dali import GARBLED, NO, arc_of
from .watch import Watch

_FADE_MS = const(200)  # of the gear, and between two levels: a ramp is smooth at 5 frames a second
_LOOK_MS = const(10000)
_METER_MS = const(60000)
_NO_METER_MS = const(600_000)
_AFTER_ERROR_MS = const(1000)
_FRESH_MS = const(45000)
_TRIES = const(3)  # to set gear up, each time it comes (back): several on one address never agree
_FAILED = const(0x03)  # dali_gear.GEAR_FAILED | LAMP_FAILED


def open_dali(machine, part, design_percent):
    """Return the output of the settings' `lamp` part, at the design level as soon as it runs.

    Args:
        part: "tx", "rx"; "uart" where a bridge is there; "address" (0..63) or "group" (0..15)
            where not all gear is meant; "invert_tx", "invert_rx" where a transceiver inverts.
    """
    if "uart" in part:
        from ..buses import uart
        from .dali_bridge import Bridge

        line = Bridge(uart(machine, part, 38400))
    else:
        from .dali_pins import Pins

        line = Pins(machine, part)
    gear = dali_gear.Gear(line, part.get("address"), part.get("group"))
    return DaliOutput(gear, design_percent * 100)


class DaliOutput:
    """An output with `set`, as the lamp takes it, and a task that does the work.

    Attributes:
        energy_wh, power_dw: of the gear's own meter; None: it has none, or does not answer.
    """

    period_s = 20

    def __init__(self, gear, design_level):
        self.gear = gear
        self.watch = Watch(_FRESH_MS)
        self.energy_wh = self.power_dw = None
        self._design = self._level = design_level
        self._linear = False
        self._sent = None  # arc power that the gear has; None: it may have any
        self._heard = False  # it has answered the last question
        self._tries = _TRIES  # left to set it up; 0: it is
        self._status = 0
        self._meter = True
        self._changed = asyncio.Event()
        self._line = asyncio.Lock()  # an answer tells nobody whose it is
        self._look_ms = self._meter_ms = ticks_ms()

    def set(self, level):
        """Note a level in 0.01 %; it is sent within 0.2 s, the latest only."""
        if level != self._level:
            self._level = level
            self._changed.set()

    @property
    def failed(self):
        """Whether lamp or gear have failed; None: unknown."""
        return bool(self._status & _FAILED) if self.watch.fresh() else None

    async def diagnostics(self, bank):
        """Return what the gear says of itself: see d4i_banks. Raises OSError."""
        from . import d4i_banks

        async with self._line:
            return await d4i_banks.diagnostics(self.gear, bank)

    async def meter(self, bank):
        """Return what its meters say: see d4i. Raises OSError."""
        from . import d4i

        async with self._line:
            return await d4i.energy(self.gear, bank)

    async def run(self, check_in):
        """Keep the gear at the level, for the supervisor."""
        while True:
            check_in()
            try:
                async with self._line:
                    wait_ms = await self._turn()
            except OSError:
                self.watch.lost()
                self._gone()
                await asyncio.sleep_ms(_AFTER_ERROR_MS)
                continue
            try:
                await asyncio.wait_for_ms(self._changed.wait(), wait_ms)
            except asyncio.TimeoutError:
                pass

    def _gone(self):
        # it may be another one when it comes back
        self._sent = self.power_dw = None
        self._heard = False
        self._tries = _TRIES

    async def _turn(self):
        """Do what is due; return in how many ms something is again."""
        gear = self.gear
        self._changed.clear()
        arc = arc_of(self._level, self._linear)
        if arc != self._sent:  # the light first, whatever the gear thinks of its settings
            await gear.dapc(arc)
            self._sent = arc
            await asyncio.sleep_ms(_FADE_MS)
        now_ms = ticks_ms()
        if ticks_diff(self._look_ms, now_ms) <= 0:
            self._look_ms = ticks_add(now_ms, _LOOK_MS)
            await self._look()
        elif self._tries and self._heard:
            self._tries -= 1
            self._linear = await gear.linear()
            safe = await gear.be_safe(arc_of(self._design, self._linear))
            if await gear.fade(_FADE_MS) and safe:
                self._tries = 0
            return 0
        elif ticks_diff(self._meter_ms, now_ms) <= 0:
            self._meter_ms = ticks_add(now_ms, _METER_MS if self._meter else _NO_METER_MS)
            if self._heard:
                await self._measure()
        if self._sent is None or (self._tries and self._heard):
            return 0
        now_ms = ticks_ms()
        left_ms = min(ticks_diff(self._look_ms, now_ms), ticks_diff(self._meter_ms, now_ms))
        return max(0, left_ms)

    async def _look(self):
        """See how the gear is, and whether it is where it was sent."""
        gear = self.gear
        status = await gear.ask(dali_gear.STATUS)
        if status is not NO and status != self._status:
            # nothing guards a byte: what is new has to be said twice
            if await gear.ask(dali_gear.STATUS) != status:
                status = GARBLED
        if status is NO:
            self.watch.lost()
            self._gone()
            return
        self._heard = True
        if status == GARBLED:
            self.watch.lost(health.STALE)
            self._sent = None
            return
        self._status = status
        self.watch.seen(status)
        if status & dali_gear.POWER_CYCLED:
            self._sent = None
            self._tries = _TRIES
        elif not status & (_FAILED | dali_gear.LIMITED | dali_gear.FADING):
            at = await gear.ask(dali_gear.ACTUAL_LEVEL)
            if at is not NO and at != GARBLED and at != dali_gear.MASK and at != self._sent:
                self._sent = None

    async def _measure(self):
        from . import d4i

        found = await d4i.energy(self.gear)
        self.power_dw = None
        if found:
            self._meter = True
            self.energy_wh = found[0] if found[0] is not None else self.energy_wh
            self.power_dw = found[1]
        elif self.energy_wh is None:
            self._meter = False
