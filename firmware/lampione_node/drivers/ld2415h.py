"""HLK-LD2415H, a 24 GHz radar that measures speeds: `V+001.9` in km/h, + inbound; 9600 baud.

It is set to both directions, 11 lines a second, km/h, no correction of the angle. It keeps its
settings, so they are written only where they differ.
"""

from .lines import tenths
from .radar import Radar

_QUERY = b"CF\x07\0\0\0\0\0\0\0\0\0\0"
_SAME = 500  # 45 s: only a machine could move so evenly before a radar without magnitudes


def pairs(line):
    """Return [(speed in 0.1 km/h, + inbound; 0)] of a line; () for rubbish and for standstill."""
    if len(line) != 7 or line[0] != 86 or line[1] not in b"+-":  # V
        return ()
    speed = tenths(line, 1)
    return [(speed, 0)] if speed else ()


class Ld2415h(Radar):
    """The radar on a ready-made serial line. It says no magnitude: 0 in every reading.

    Args:
        minimum_kmh: 1 to 9; slower ones are not reported.
        sensitivity: 0 to 9.
    """

    def __init__(self, uart, minimum_kmh: int = 2, sensitivity: int = 5):
        setup = (
            b"CF\x01" + bytes((minimum_kmh, 0, sensitivity)) + b"\r\n",
            b"CF\x02\0\x01\0\r\n",
        )
        settings = b"X1:0%d X2:00 X3:0%d X4:00 X5:01 X6:00 " % (minimum_kmh, sensitivity)

        def answer(line):
            return line.startswith(settings) if line[:3] == b"X1:" else None

        super().__init__(uart, (9600,), _SAME, _QUERY, answer, setup, pairs)
