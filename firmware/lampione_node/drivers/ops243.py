"""OmniPreSense OPS243-A, a 24 GHz radar that measures speeds (UM-003-A, AN-010).

It is set to km/h, magnitudes, JSON, both directions, one decimal, 20,000 samples a second in
buffers of 1024 (steps of 0.44 km/h, up to 223 km/h). JSON, because a part that lost its settings
then shows it with its next line: a bare number, in m/s. Nothing is saved in the part.
"""

from .lines import tenths
from .radar import Radar

# 19200 as delivered; a saved setting may say another.
_RATES = (19200, 57600, 9600, 115200)
_QUERY = b"\rU?"  # the return ends what noise may have begun
_SAME = 50  # 6 s: the magnitude of an echo is never still


def _number(line, at, end):
    while at < end and (line[at] == 32 or line[at] == 34):  # blanks, quotes
        at += 1
    while end > at and (line[end - 1] == 32 or line[end - 1] == 34):
        end -= 1
    return tenths(line, at, end)


def _numbers(line, key):
    """Return the tenths of a key's value: a number, a text, or an array of either."""
    at = line.find(key)
    if at < 0:
        return ()
    at = line.find(b":", at) + 1
    while line[at] == 32:
        at += 1
    many = line[at] == 91
    end = line.find(b"]", at) if many else len(line) - 1
    at += many
    found = []
    while True:
        comma = line.find(b",", at, end)
        found.append(_number(line, at, end if comma < 0 else comma))
        if comma < 0 or not many:
            return found
        at = comma + 1


def pairs(line):
    """Return [(speed in 0.1 km/h, + inbound; magnitude or None), ...] of a line; [] for rubbish.

    Lines are `speed`, `magnitude,speed`, `time,magnitude,speed`, or JSON.
    """
    if line[:1] == b"{":
        if line[-1:] != b"}":
            return []
        speeds = _numbers(line, b'"speed"')
        magnitudes = _numbers(line, b'"magnitude"')
    else:
        words = line.split(b",")
        speeds = [tenths(words[-1].strip())]
        magnitudes = [tenths(words[-2].strip())] if len(words) > 1 else ()
    if None in speeds or None in magnitudes or len(magnitudes) not in (0, len(speeds)):
        return []
    outbound = b'"outbound"' in line
    found = []
    for i in range(len(speeds)):
        speed = -abs(speeds[i]) if outbound else speeds[i]
        found.append((speed, (magnitudes[i] + 5) // 10 if magnitudes else None))
    return found


def _answer(line):
    return b"km" in line if b'"Units"' in line else None


class Ops243(Radar):
    """The radar on a ready-made serial line; `minimum_kmh`: slower ones are not reported."""

    def __init__(self, uart, minimum_kmh: int = 2):
        slow = b"R>%d\r" % minimum_kmh  # in the unit that is set
        # UK after the formats: its answer says that they are set.
        setup = (b"OM", b"OJ", b"R|", b"F1", b"S2", b"S>", b"UK", slow)
        super().__init__(uart, _RATES, _SAME, _QUERY, _answer, setup, pairs)
