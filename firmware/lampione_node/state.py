"""The few numbers that outlive a power cut, in one file.

    [boot 2][last accepted command counter 4][acknowledged frame 4][burn minutes 4][CRC-32 4]

Written beside and renamed over, so that a power cut leaves the old file or the new one. A lost
or damaged file costs little: the epoch is new at every boot, so neither a nonce nor a command
depends on these numbers alone.
"""

import os
from binascii import crc32
from struct import pack, unpack

from micropython import const

_FORMAT = ">HIII"
_BYTES = const(14)
_BOOT_MAX = const(65534)


class State:
    """`boot`, `counter`, `acked`, `burn_min`; `save` after a change. `failed`: flash refused it.

    Args:
        path: of the file; its folder is made when missing.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.boot = 0
        self.counter = 0
        self.acked = 0
        self.burn_min = 0  # how long the lamp has burnt, in minutes
        self.failed = False
        try:
            with open(path, "rb") as file:
                data = file.read(_BYTES + 4)
            if crc32(data[:_BYTES]) == int.from_bytes(data[_BYTES:], "big"):
                self.boot, self.counter, self.acked, self.burn_min = unpack(_FORMAT, data[:_BYTES])
        except (OSError, ValueError):
            pass

    def start(self) -> None:
        """Count a boot and write it down, before anything is sealed under it."""
        self.boot = self.boot + 1 if self.boot < _BOOT_MAX else 1
        self.save()

    def save(self) -> None:
        """Commit the numbers to flash. A flash that refuses is no reason to stop."""
        data = pack(_FORMAT, self.boot, self.counter, self.acked, self.burn_min)
        temporary = self._path + ".new"
        for _ in range(2):
            try:
                with open(temporary, "wb") as file:
                    file.write(data + crc32(data).to_bytes(4, "big"))
                os.rename(temporary, self._path)
                self.failed = False
                return
            except OSError:
                self.failed = True
            try:
                os.mkdir(self._path.rsplit("/", 1)[0])
            except OSError:
                pass
