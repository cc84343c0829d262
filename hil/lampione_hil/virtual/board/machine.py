"""`machine` of a virtual ESP32: what is connected to it is the world's affair."""

import struct
import sys
import time

from _buses import I2C, UART, SoftI2C  # noqa: F401
from _pins import ADC, PWM, Pin  # noqa: F401
from _pins import number as _number
from _sound import I2S  # noqa: F401
from _wire import ask as _ask
from _wire import die, info, tell

if info["virtual"]:
    from _vtime import watch
    from _vuart import UART  # noqa: F401, F811
if info["wired"]:
    from _irq import I2CTarget  # noqa: F401

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_RTC_BYTES = 2048
_freq = [160000000]
_CALL_US = 15  # from one pulse's end until a program asks for the next
_pulse_ends = {}


def reset():
    die(b"R2,%d" % time.uptime_us())


def deepsleep(time_ms=0):
    die(b"Z%d,%d" % (time_ms, time.uptime_us()))


def lightsleep(time_ms=0):
    time.sleep_ms(time_ms)


def soft_reset():
    tell(b"t%d" % time.uptime_us())
    sys.exit()


def reset_cause():
    return info["cause"]


def unique_id():
    return bytes.fromhex(info["unique_id"])


def freq(hz=None):
    if hz is None:
        return _freq[0]
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq[0] = hz


def idle():
    time.sleep_us(100)


def time_pulse_us(pin, level, timeout=1000000):
    """Of a PWM at the other end of a wire: exact, and over when the pulse is.

    A program that asks for one pulse after the other does so in time, as on a chip, however long
    this computer keeps it (0.3 s at most).
    """
    pin = _number(pin)
    hz, duty, level_now = struct.unpack("<IHB", _ask(b"j%d" % pin, 7))
    if not 0 < duty < 65535:
        time.sleep_us(timeout)
        return -1 if level_now == level else -2
    now = time.uptime_us()
    ended = _pulse_ends.get(pin, now)
    if now - ended < 300000:
        now = ended + _CALL_US
    period = 1000000 / hz
    high = period * duty / 65535
    length = high if level else period - high
    at = (now - (0 if level else high)) % period  # since the pulse of this period began
    wait = 0 if at < length else period - at
    width = length - at if at < length else length
    if wait + width > timeout:
        time.sleep_us(timeout)
        return -2 if wait > timeout else -1
    until = now + wait + width
    _pulse_ends[pin] = until
    time.sleep_us(int(max(0, until - time.uptime_us() - 200)))
    while time.uptime_us() < until:
        pass
    return int(width + 0.5)


def disable_irq():
    return 0


def enable_irq(state):
    pass


class RTC:
    """The clock that a reset keeps and a power cut does not, and memory likewise.

    Weekday: Monday is 0.
    """

    def datetime(self, date=None):
        if date is None:
            us = time.rtc_us()
            y, month, d, hour, minute, second, weekday, _ = time.gmtime(us // 1000000)
            return (y, month, d, weekday, hour, minute, second, us % 1000000)
        y, month, d, _, hour, minute, second, us = date
        time.set_rtc_us(time.mktime((y, month, d, hour, minute, second)) * 1000000 + us)

    def init(self, date):
        self.datetime(date)

    def memory(self, data=None):
        if data is None:
            kept = _ask(b"r", 2 + _RTC_BYTES)
            return bytes(kept[2 : 2 + kept[0] + 256 * kept[1]])
        data = bytes(data, "utf-8") if isinstance(data, str) else bytes(data)
        if len(data) > _RTC_BYTES:
            raise ValueError("buffer too long")
        _ask(b"m" + data, 1)


class WDT:
    """Watchdog. Once made it cannot be stopped; what feeds it late finds the board reset."""

    def __init__(self, id=0, timeout=5000):
        if timeout < 1:
            raise ValueError("WDT timeout too short")
        self._us = timeout * 1000
        if not info["virtual"]:
            tell(b"D%d" % timeout)
        self.feed()

    def feed(self):
        if info["virtual"]:
            watch(self._us)
        else:
            tell(b"F")
