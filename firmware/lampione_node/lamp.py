"""The lamp: shows the level that its source asks for, the design level without one, or a signal.

Whatever happens the level falls back to the design level: at boot it is the first that the output
gets, and a fault of the control drops the source. Levels are percent for people and 0.01 % inside,
so that a ramp is smooth.
"""

import asyncio

from micropython import const

# Why the level is what it is: the wire's numbers, beside those of lampione_light.level
_DESIGN = const(0)
_FAULT = const(4)
_IDENTIFY = const(8)

_TICKS = const(0x3FFFFFFF)
_BLINK_MS = const(500)
_BLINK_LOW = const(1000)  # 10 %: a signal is no reason to turn a street dark
_BLINK_MAX_MS = const(600000)
_RETRY_MS = const(1000)
_REST_MS = const(10000)  # looks at the clock at least so often: far below its wrap


class Lamp:
    """A lamp on an output.

    Attributes:
        level_percent, reason, author: what it shows since the last update().
        error: what the source raised, so that the design level is shown; or None.
        source: None, or whose `level(elapsed_ms)` returns (level, reason, author) and whose
            `wait_ms` says when it wants to be asked again.
        output: what it drives.
        design_percent: what it falls back to.
        rated_w: what it takes at 100 %, 0: unknown.
    """

    def __init__(self, output, ticks_ms, design_percent=100, source=None):
        """Set the design level (0..100) at once.

        Args:
            output: its `set(level)` takes 0.01 % and never raises.
            ticks_ms: a clock in ms that may wrap at 2^30 or any larger power of two.
        """
        self.output = output
        self.source = source
        self._ticks_ms = ticks_ms
        self._last = ticks_ms()
        self.design_percent = design_percent
        self.rated_w = 0
        self._blink = 0
        self._fault = False
        self._shown = -1
        self.error = None
        self._changed = asyncio.Event()
        self.update()

    def identify(self, for_ms=5000):
        """Blink, so that someone in the street sees which lamp it is; ends by itself.

        Raises ValueError for more than ten minutes.
        """
        if not 0 <= for_ms <= _BLINK_MAX_MS:
            raise ValueError("lamp: out of range")
        self.update()
        self._blink = for_ms
        self.order()

    def set_fault(self, fault):
        """Say whether the control has a fault: with one, the design level and nothing else."""
        self._fault = bool(fault)
        if fault:
            self.source = None
            self._blink = 0
        self.order()

    def order(self):
        """Say that the source wants something else now."""
        self.update()
        self._changed.set()

    def update(self):
        """Bring the output up to date; return after how many ms it wants to be called again."""
        now = self._ticks_ms()
        elapsed = (now - self._last) & _TICKS
        self._last = now
        self._blink = max(0, self._blink - elapsed)
        wait = _REST_MS
        level = self.design_percent * 100
        self.reason = _FAULT if self._fault else _DESIGN
        self.author = 0
        source = self.source
        if source:
            try:
                level, self.reason, self.author = source.level(elapsed)
                wait = source.wait_ms
                self.error = None
            except Exception as error:  # whatever it is, it costs no light
                self.reason = _FAULT
                self.error = error
                wait = _RETRY_MS
        if self._blink:
            self.reason = _IDENTIFY
            # counted from the end, so that it ends with the low half
            high = (self._blink - 1) // _BLINK_MS & 1
            level = 10000 if high else _BLINK_LOW
            wait = min(wait, (self._blink - 1) % _BLINK_MS + 1)
        self.level_percent = (level + 50) // 100
        if level != self._shown:
            self.output.set(level)
            self._shown = level
        return min(wait, _REST_MS)

    async def step(self):
        """Update, then wait until the next update is due or an order has come; 10 s at most."""
        self._changed.clear()
        wait = self.update()
        try:
            await asyncio.wait_for_ms(self._changed.wait(), wait)
        except asyncio.TimeoutError:
            pass
