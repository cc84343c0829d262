"""`time` on the virtual clock: it moves only where the program waits, 2 µs a look otherwise.

The supervisor grants time up to a horizon; a board goes on by itself until it wants to wait past
that. The same program therefore always sees the same times.
"""

from _wire import ask, hear, info, native, tell

_native = native["time"]
_now = [info["ticks_us"], info["ticks_us"], 0, 0]  # now, horizon, watchdog bites at, its time-out
_rtc = [info["rtc_us"] - info["ticks_us"]]
_YEARS = 946684800
_HALF = 1 << 29


def wait_until(until_us):
    """Let virtual time pass until `until_us`, or until the watchdog bites."""
    bites = _now[2] and _now[2] < until_us
    target_us = _now[2] if bites else until_us
    while target_us > _now[1]:
        _now[0] = max(_now[0], _now[1])
        try:
            reply = ask(b"W%d" % target_us, 16)
        except KeyboardInterrupt:
            tell(b"w")
            hear(bytearray(16))
            raise
        _now[1] = int(bytes(reply))
    if bites:
        bite()
    if until_us > _now[0]:
        _now[0] = until_us


def bite():
    from _wire import die

    _now[0] = _now[2]
    die(b"R3,%d" % _now[0])


def watch(timeout_us):
    """Feed the watchdog: it bites `timeout_us` from now."""
    _now[2] = _now[0] + timeout_us


def uptime_us():
    _now[0] += 2
    return _now[0]


def look_us():
    return _now[0]


def ticks_ms():
    return uptime_us() // 1000 & 0x3FFFFFFF


def ticks_us():
    return uptime_us() & 0x3FFFFFFF


ticks_cpu = ticks_us


def sleep_us(us):
    if us > 0:
        wait_until(_now[0] + us)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def ticks_add(ticks, delta):
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return ticks + delta & 0x3FFFFFFF


def ticks_diff(end, start):
    return (end - start + _HALF & 0x3FFFFFFF) - _HALF


def rtc_us():
    return _rtc[0] + uptime_us()


def set_rtc_us(value):
    _rtc[0] = value - uptime_us()
    tell(b"T%d,%d" % (value, _now[0]))


def time():
    return rtc_us() // 1000000


def time_ns():
    return rtc_us() * 1000


def gmtime(seconds=None):
    return _native.gmtime((time() if seconds is None else int(seconds)) + _YEARS)[:8]


localtime = gmtime


def mktime(date):
    y, m, d, hour, minute, second = date[:6]
    m -= 1
    y += m // 12
    m = m % 12 - 1
    if m < 1:
        m += 12
        y -= 1
    days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 1) + 2) // 5 + d - 1 - 730425
    return ((days * 24 + hour) * 60 + minute) * 60 + second
