"""`time` as the ESP32 shows it: epoch 2000, ticks that wrap at 2**30.

The ticks are the computer's, or virtual (`_vtime`). The wall clock is the simulated RTC's:
2000-01-01 after power-on, kept across resets.
"""

import micropython
from _wire import info, native, tell
from micropython import const

if info["virtual"]:
    import _vtime

    look_us = _vtime.look_us
    sleep = _vtime.sleep
    sleep_ms = _vtime.sleep_ms
    sleep_us = _vtime.sleep_us
    ticks_ms = _vtime.ticks_ms
    ticks_us = _vtime.ticks_us
    uptime_us = _vtime.uptime_us
    wait_until = _vtime.wait_until
else:
    sleep = native["time"].sleep
    sleep_ms = native["time"].sleep_ms
    sleep_us = native["time"].sleep_us
    _us = native["time"].ticks_us
    _base_us = info["ticks_us"]
    _start_us = _us()
    _ppb = info["ppb"]

    # The ticks are the crystal's; sleeps are not, and nobody can tell.
    def uptime_us():
        """Microseconds of the board's tick counter, not wrapped."""
        us = _us() - _start_us
        if _ppb:
            us += us * _ppb // 1000000000
        return us + _base_us

    def ticks_ms():
        return uptime_us() // 1000 & 0x3FFFFFFF

    def ticks_us():
        return uptime_us() & 0x3FFFFFFF


ticks_cpu = ticks_us
_rtc = [info["rtc_us"] - info["ticks_us"]]  # RTC minus ticks, µs
_YEARS = 946684800  # seconds from 1970 to 2000
_HALF = const(1 << 29)


@micropython.native
def ticks_add(ticks, delta):
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return ticks + delta & 0x3FFFFFFF


@micropython.viper
def ticks_diff(end: int, start: int) -> int:
    return (end - start + _HALF & 0x3FFFFFFF) - _HALF


@micropython.native
def rtc_us():
    """RTC: microseconds since 2000-01-01."""
    return _rtc[0] + uptime_us()


def set_rtc_us(value):
    now = uptime_us()
    _rtc[0] = value - now
    tell(b"T%d,%d" % (value, now))


def time():
    return rtc_us() // 1000000


def time_ns():
    return rtc_us() * 1000


def gmtime(seconds=None):
    return native["time"].gmtime((time() if seconds is None else int(seconds)) + _YEARS)[:8]


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
