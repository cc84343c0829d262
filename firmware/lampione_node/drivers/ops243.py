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
        return []
    at = line.find(b":", at) + 1
    while line[at] == 32:
        at += 1
    if line[at] == 91:
        return _array(line, at)
    comma = line.find(b",", at)
    return [_number(line, at, len(line) - 1 if comma < 0 else comma)]


def _array(line, at):
    end = line.find(b"]", at)
    found = []
    while at >= 0:
        comma = line.find(b",", at + 1, end)
        found.append(_number(line, at + 1, end if comma < 0 else comma))
        at = comma
    return found


def pairs(line):
    """Return [(speed in 0.1 km/h, + inbound; magnitude or None), ...] of a line; [] for rubbish.

    Lines are `speed`, `magnitude,speed`, `time,magnitude,speed`, or JSON.
    """
    if line.startswith(b"{"):
        if not line.endswith(b"}"):
            return []
        found = _numbers(line, b'"speed"')
        magnitudes = _numbers(line, b'"magnitude"')
    else:
        words = line.split(b",")
        found = [tenths(words[-1].strip())]
        magnitudes = [tenths(words[-2].strip())] if len(words) > 1 else ()
    if None in found or None in magnitudes or (magnitudes and len(magnitudes) != len(found)):
        return []
    for i in range(len(found)):
        speed = found[i]
        if b'"outbound"' in line:
            speed = -abs(speed)
        found[i] = speed, (magnitudes[i] + 5) // 10 if magnitudes else None
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
