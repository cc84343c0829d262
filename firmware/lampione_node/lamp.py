"""The lamp: a level that follows the design, an override with an end, or a signal.

Whatever happens the level falls back to the design level: an override always ends, a fault ends
it at once, and at boot the design level is the first that the PWM gets. Levels are percent for
people and 0.01 % inside, so that a ramp is smooth.
"""

import asyncio

from micropython import const

# Why the level is what it is: the wire's numbers
DESIGN = const(0)
OVERRIDE = const(3)
FAULT = const(4)
IDENTIFY = const(8)

_LONGEST_RAMP_MS = const(409400)
_LONGEST_OVERRIDE_MS = const(1048574000)  # 12.1 days; below 2^30, so never on the heap

_PWM_HZ = const(1000)  # of the filter before the 0-10 V input
_TICKS = const(0x3FFFFFFF)
_STEP_MS = const(20)  # of a ramp
_BLINK_MS = const(500)
_BLINK_LOW = const(1000)  # 10 %: a signal is no reason to turn a street dark
_REST_MS = const(10000)  # looks at the clock at least so often: far below its wrap


def duty_u16(level):
    """Return the PWM duty for a level in 0.01 %: 0-10 V, linear."""
    return (level * 65535 + 5000) // 10000


def open_pwm(machine, part, design_percent):
    """Return the output of the settings' `lamp` part ("pin"), at the design level already."""
    return machine.PWM(
        machine.Pin(part["pin"]), freq=_PWM_HZ, duty_u16=duty_u16(design_percent * 100)
    )


def level_at(elapsed, start, target, ramp, length, base):
    """Return the level `elapsed` ms after an override began.

    From `start` in a straight line to `target` during `ramp` ms, there until `length` ms, then
    `base`. Levels in 0.01 %; the line has steps of 10 ms.
    """
    if elapsed >= length:
        return base
    if elapsed < ramp:
        return start + (target - start) * (elapsed // 10) // (ramp // 10 or 1)
    return target


class Lamp:
    """A lamp on an output with `duty_u16`.

    Attributes:
        level_percent, reason: what it shows since the last update().
    """

    def __init__(self, pwm, ticks_ms, design_percent=100):
        """Set the design level (0..100) at once.

        Args:
            pwm: the output.
            ticks_ms: a clock in ms that may wrap at 2^30 or any larger power of two.
        """
        self._pwm = pwm
        self._ticks_ms = ticks_ms
        self._last = ticks_ms()
        self._base = _checked(design_percent, 0, 100) * 100
        self._start = self._target = 0
        self._ramp = self._length = self._elapsed = 0
        self._blink = 0
        self._fault = False
        self._duty = -1
        self._changed = asyncio.Event()
        self.update()

    def set_override(self, level_percent, ramp_ms, for_ms):
        """Go to a level (0..100) within `ramp_ms`, and back to the design level after `for_ms`.

        Returns False, and does nothing, while there is a fault. Raises ValueError for a ramp of
        more than 409.4 s, and for an override of less than 1 ms or more than 12.1 days.
        """
        _checked(level_percent, 0, 100)
        _checked(ramp_ms, 0, _LONGEST_RAMP_MS)
        _checked(for_ms, 1, _LONGEST_OVERRIDE_MS)
        if self._fault:
            return False
        self._start = self._advance()
        self._target = level_percent * 100
        self._ramp = ramp_ms
        self._length = for_ms
        self._elapsed = 0
        self._order()
        return True

    def resume(self):
        """End the override, if there is one."""
        self._length = self._elapsed = 0
        self._order()

    def identify(self, for_ms=5000):
        """Blink, so that someone in the street sees which lamp it is; ends by itself."""
        self._advance()
        self._blink = _checked(for_ms, 0, 600000)
        self._order()

    def set_fault(self, fault):
        """Say whether the control has a fault: with one, the design level and nothing else."""
        self._fault = bool(fault)
        if fault:
            self._length = self._elapsed = self._blink = 0
        self._order()

    def override_left_ms(self):
        """Return how long the override goes on, 0 without one."""
        return self._length - self._elapsed

    def update(self):
        """Bring the output up to date; return after how many ms it wants to be called again."""
        level = self._advance()
        left = self._length - self._elapsed
        if self._blink:
            self.reason = IDENTIFY
            # counted from the end, so that it ends with the low half
            high = (self._blink - 1) // _BLINK_MS & 1
            level = 10000 if high else _BLINK_LOW
            wait = (self._blink - 1) % _BLINK_MS + 1
        elif left:
            self.reason = OVERRIDE
            wait = left
            if self._elapsed < self._ramp:
                wait = min(left, _STEP_MS)
        else:
            self.reason = FAULT if self._fault else DESIGN
            wait = _REST_MS
        self.level_percent = (level + 50) // 100
        duty = duty_u16(level)
        if duty != self._duty:
            self._pwm.duty_u16(duty)
            self._duty = duty
        return min(wait, _REST_MS)

    async def step(self):
        """Update, then wait until the next update is due or an order has come; 10 s at most."""
        self._changed.clear()
        wait = self.update()
        try:
            await asyncio.wait_for_ms(self._changed.wait(), wait)
        except asyncio.TimeoutError:
            pass

    def _advance(self):
        # what was counted down never meets the clock's wrap: only differences do
        now = self._ticks_ms()
        elapsed = (now - self._last) & _TICKS
        self._last = now
        self._elapsed = min(self._length, self._elapsed + elapsed)
        self._blink = max(0, self._blink - elapsed)
        return level_at(
            self._elapsed, self._start, self._target, self._ramp, self._length, self._base
        )

    def _order(self):
        self.update()
        self._changed.set()


def _checked(value, low, high):
    if low <= value <= high:
        return value
    raise ValueError("lamp: out of range")
