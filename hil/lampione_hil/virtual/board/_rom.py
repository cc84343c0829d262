"""`vfs` with the ROM partition that a board has whose table names one: code that runs in the flash.

As on the ESP32 it is an object that is memory (read only there) and a block device: it is erased
and written by its blocks, `rom_ioctl` only finds it. It lies behind the blocks of the file system.
Its bytes are mapped into memory on the chip; here they are read into the heap, which is larger by
as much.
"""

import vfs
from _flash import BLOCK
from _wire import info

VfsFat = vfs.VfsFat
VfsLfs1 = vfs.VfsLfs1
VfsLfs2 = vfs.VfsLfs2
VfsRom = vfs.VfsRom
mount = vfs.mount
umount = vfs.umount

_SEGMENTS, _SEGMENT = 1, 2
_COUNT, _SIZE, _ERASE = 4, 5, 6
_EINVAL = 22


class Partition(bytearray):
    def start(self, flash):
        self.flash = flash
        self._map()
        return self

    def _map(self):
        self.flash.readblocks(self.flash.blocks, self)

    def readblocks(self, block, buf, offset=0):
        self._inside(block * BLOCK + offset, len(buf))
        self.flash.readblocks(self.flash.blocks + block, buf, offset)

    def writeblocks(self, block, buf, offset=None):
        self._inside(block * BLOCK + (offset or 0), len(buf))
        self.flash.writeblocks(self.flash.blocks + block, buf, offset)
        self._map()

    def ioctl(self, op, arg):
        if op == _COUNT:
            return len(self) // BLOCK
        if op == _SIZE:
            return BLOCK
        if op == _ERASE:
            self._inside(arg * BLOCK, BLOCK)
            self.flash.erase(self.flash.blocks + arg)
            self._map()
        return 0

    def _inside(self, at, length):
        if not 0 <= at <= len(self) - length:
            raise OSError(_EINVAL)


_partition = Partition(info["rom_bytes"])


def start(flash):
    """Map the partition behind the file system of `flash`, and mount what lies there."""
    try:
        mount(VfsRom(memoryview(_partition.start(flash))), "/rom")
    except (OSError, ValueError):
        pass  # nothing was deployed there, or not whole


def rom_ioctl(op, *arguments):
    """Answer as the ESP32's own: it tells of the partition, and writes nothing."""
    if op == _SEGMENTS:
        return 1
    if op == _SEGMENT and arguments:
        return _partition
    return -_EINVAL
