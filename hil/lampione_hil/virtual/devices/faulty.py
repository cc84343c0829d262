"""The ways in which any part on I2C can go wrong."""

import zlib

from lampione_hil.virtual.devices.base import I2CDevice


class FaultyI2CDevice(I2CDevice):
    """A part with registers and without a checksum.

    Faults: "stuck" repeats the last reading, "crc" damages every byte that it sends, "silent"
    acknowledges nothing, "brownout" (at once, and over) takes its power away for a moment,
    "implausible" senses what cannot be.
    """

    kinds = ("stuck", "crc", "silent", "brownout", "implausible")

    def __init__(self) -> None:
        self._damaged = 0
        self._take("")
        self.power_up(0.0)

    def fault(self, kind: str) -> None:
        """See I2CDevice."""
        if kind not in ("", *self.kinds):
            raise ValueError(f"{self.name} has no fault {kind!r}: {', '.join(self.kinds)}")
        if kind == "brownout":
            self.power_up(0.0)
            kind = ""
        self._take(kind)

    def _take(self, kind: str) -> None:
        self.stuck = kind == "stuck"  # it repeats its last reading
        self.silent = kind == "silent"  # it acknowledges nothing
        self.implausible = kind == "implausible"  # it senses what cannot be
        self._damages = kind == "crc"

    def sent(self, data: bytes) -> bytes:
        """Return what arrives of `data`: with "crc" one bit of each byte is wrong."""
        if not self._damages:
            return data
        self._damaged += 1
        dice = zlib.crc32(self._damaged.to_bytes(4, "big")).to_bytes(4, "big")
        return bytes(byte ^ 1 << (dice[i % 4] + i & 7) for i, byte in enumerate(data))


def noise(*numbers: int) -> float:
    """Return a number drawn from the normal distribution; the same for the same arguments.

    The sum of twelve even draws less six, by which no state has to be kept.
    """
    seed = b"".join(n.to_bytes(8, "big", signed=True) for n in numbers)
    total = 0
    for part in range(3):
        total += sum(zlib.crc32(seed, part).to_bytes(4, "big"))
    return (total + 6) / 256 - 6
