"""`time` as the ESP32 shows it, on the computer's clock: epoch 2000, ticks that wrap at 2**30.

The wall clock is the simulated RTC's: 2000-01-01 after power-on, kept across resets.
"""

from _wire import info, native, tell

_native = native["time"]
_us = _native.ticks_us
_start_us = _us() - info["ticks_us"]
_rtc = [info["rtc_us"] - info["ticks_us"]]  # RTC minus ticks, µs
_YEARS = 946684800  # seconds from 1970 to 2000
_PERIOD = 1 << 30
_HALF = 1 << 29

sleep = _native.sleep
sleep_ms = _native.sleep_ms
sleep_us = _native.sleep_us


def uptime_us():
    """Microseconds of the board's tick counter, not wrapped."""
    return _us() - _start_us


def ticks_ms():
    return (_us() - _start_us) // 1000 & 0x3FFFFFFF


def ticks_us():
    return _us() - _start_us & 0x3FFFFFFF


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return ticks + delta & 0x3FFFFFFF


def ticks_diff(end, start):
    return (end - start + _HALF & 0x3FFFFFFF) - _HALF


def rtc_us():
    """RTC: microseconds since 2000-01-01."""
    return _rtc[0] + _us() - _start_us


def set_rtc_us(value):
    _rtc[0] = value - uptime_us()
    tell(b"T%d,%d" % (value, uptime_us()))


def time():
    return rtc_us() // 1000000


def time_ns():
    return rtc_us() * 1000


def gmtime(seconds=None):
    return _native.gmtime((time() if seconds is None else int(seconds)) + _YEARS)[:8]


localtime = gmtime


def mktime(date):
    # Not the native one: that reads the computer's time zone.
    y, m, d, hour, minute, second = date[:6]
    m -= 1
    y += m // 12
    m = m % 12 - 1  # March is 1, as the leap day then ends the year
    if m < 1:
        m += 12
        y -= 1
    days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 1) + 2) // 5 + d - 1 - 730425
    return ((days * 24 + hour) * 60 + minute) * 60 + second
