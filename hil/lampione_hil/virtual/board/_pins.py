"""Pins: digital, PWM and analogue."""

import time

from _wire import ask, info, tell

if info["virtual"]:
    from _vtime import handlers


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if not isinstance(id, int) or not 0 <= id <= 48:
            raise ValueError("invalid pin")
        self.id = id
        self._out = False
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if mode != -1:
            was = self._out
            self._out = mode in (Pin.OUT, Pin.OPEN_DRAIN)
            if was and not self._out:
                tell(b"f%d" % self.id)
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return ask(b"g%d,%d" % (self.id, time.uptime_us()), 1)[0]
        tell(b"p%d,%d,%d" % (self.id, 1 if level else 0, time.uptime_us()))

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3):
        """Virtual clock: from parts on a line of their own (see RMT), where a program waits.

        Wall clock: from a wire to another board, out of a thread.
        """
        if not info["virtual"]:
            if not info["wired"]:
                raise NotImplementedError("pin interrupts need a wire, or the virtual clock")
            import _irq

            _irq.pin(self.id, handler, trigger, self)
            return
        handlers[self.id] = None if handler is None else (handler, trigger, self)

    def __repr__(self):
        return "Pin(%d)" % self.id


def number(pin):
    """Number of a Pin, or of None (-1), or of a number."""
    return -1 if pin is None else pin.id if isinstance(pin, Pin) else int(pin)


class PWM:
    """LEDC channel. Duty is 16 bits; the lamp's level hangs on it."""

    def __init__(self, dest, *, freq=5000, duty=None, duty_u16=None, duty_ns=None, invert=0):
        self._pin = number(dest)
        self._freq = freq
        self._duty = 0
        self.init(freq=freq, duty=duty, duty_u16=duty_u16, duty_ns=duty_ns)

    def init(self, *, freq=None, duty=None, duty_u16=None, duty_ns=None, invert=0):
        if freq is not None:
            if not 1 <= freq <= 40000000:
                raise ValueError("frequency must be from 1Hz to 40MHz")
            self._freq = freq
        if duty is not None:
            self._duty = _duty(duty, 1023) * 65535 // 1023
        elif duty_u16 is not None:
            self._duty = _duty(duty_u16, 65535)
        elif duty_ns is not None:
            self._duty = min(65535, duty_ns * self._freq * 65535 // 1000000000)
        self._tell()

    def _tell(self):
        tell(b"P%d,%d,%d,%d" % (self._pin, self._freq, self._duty, time.uptime_us()))

    def freq(self, hz=None):
        if hz is None:
            return self._freq
        self.init(freq=hz)

    def duty_u16(self, duty=None):
        if duty is None:
            return self._duty
        self.init(duty_u16=duty)

    def duty(self, duty=None):
        if duty is None:
            return self._duty * 1023 // 65535
        self.init(duty=duty)

    def duty_ns(self, duty=None):
        if duty is None:
            return self._duty * 1000000000 // (65535 * self._freq)
        self.init(duty_ns=duty)

    def deinit(self):
        self._duty = 0
        self._tell()


def _duty(value, top):
    if not 0 <= value <= top:
        raise ValueError("duty must be from 0 to %d" % top)
    return value


class ADC:
    """Analogue input; the world says the voltage."""

    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __init__(self, pin, *, atten=3):
        self._pin = number(pin)

    def read_uv(self):
        return int(bytes(ask(b"a%d" % self._pin, 8)))

    def read_u16(self):
        return max(0, min(65535, self.read_uv() * 65535 // 3300000))

    def atten(self, value):
        pass
