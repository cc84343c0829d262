"""The few numbers that outlive a power cut, in one file.

    [boot 2][last accepted command counter 4][acknowledged frame 4][burn minutes 4][energy Wh 4]

A lost or damaged file costs little: the epoch is new at every boot, so neither a nonce nor a
command depends on these numbers alone.
"""

from struct import pack, unpack

from micropython import const

from . import kept

_FORMAT = ">HIIII"
_BYTES = const(18)
_BOOT_MAX = const(65534)


class State:
    """The numbers; `save` after a change. `failed`: flash refused it.

    Attributes:
        boot, counter, acked: see the module.
        burn_min: how long the lamp has burnt, in minutes.
        energy_wh: what it has taken meanwhile, by its level where nobody measures it.

    Args:
        path: of the file; its folder is made when missing.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.failed = False
        data = kept.load(path, _BYTES)
        # An older firmware knew fewer numbers.
        self.boot, self.counter, self.acked, self.burn_min, self.energy_wh = unpack(
            _FORMAT, data + bytes(_BYTES - len(data))
        )

    def start(self) -> None:
        """Count a boot and write it down, before anything is sealed under it."""
        self.boot = self.boot + 1 if self.boot < _BOOT_MAX else 1
        self.save()

    def save(self) -> None:
        """Commit the numbers to flash. A flash that refuses is no reason to stop."""
        self.failed = not kept.save(
            self._path,
            pack(_FORMAT, self.boot, self.counter, self.acked, self.burn_min, self.energy_wh),
        )
