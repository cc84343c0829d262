"""Flash as a block device on an image file, with power cuts at an exact write or erase.

The control file beside the image (see `flash.py` on the host for its layout) holds the counts
and says at which write or erase the power goes. Bits only fall until their block is erased, as
in NOR flash. A block that was erased more often than the flash endures keeps some bits low.
"""

import struct

import _wire

BLOCK = 4096
_BLANK = b"\xff" * 128
_WORN = (b"\xfe" + b"\xff" * 255) * (BLOCK // 256)  # what an erase of a worn block leaves
_HEAD = 40  # bytes of the control file before the counters of each block


class Flash:
    """Extended block device (erase, then program ranges) of `size` bytes.

    A ROM partition may lie behind it: the same methods reach the blocks from `blocks` on.
    """

    def __init__(self, size, endurance=0):
        self._image = open(_wire.FLASH, "r+b")
        self._control = open(_wire.CONTROL, "r+b")
        self._endurance = endurance
        self.blocks = size // BLOCK
        self._head = bytearray(24)
        self._count = bytearray(8)
        self._old = bytearray(128)

    def readblocks(self, block, buf, offset=0):
        self._image.seek(block * BLOCK + offset)
        self._image.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            for number in range(block, block + len(buf) // BLOCK):
                self.erase(number)
            offset = 0
        view = memoryview(buf)
        done = 0
        while done < len(buf):
            length = min(len(buf) - done, BLOCK - offset)
            self._program(block, offset, view[done : done + length])
            done += length
            block += 1
            offset = 0

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return BLOCK
        if op == 6:
            self.erase(arg)
        return 0

    def _look(self):
        """Return (cut at write, cut at erase, kept per mille, writes, erases, overwrites)."""
        self._control.seek(16)
        self._control.readinto(self._head)
        return struct.unpack("<6I", self._head)

    def _add(self, block, writes, erases, overwrites, one_write, one_erase):
        self._control.seek(28)
        self._control.write(struct.pack("<3I", writes, erases, overwrites))
        at = _HEAD + 8 * block
        self._control.seek(at)
        self._control.readinto(self._count)
        n_writes, n_erases = struct.unpack("<2I", self._count)
        self._control.seek(at)
        self._control.write(struct.pack("<2I", n_writes + one_write, n_erases + one_erase))
        return n_erases

    def _program(self, block, offset, view):
        cut, _, kept, writes, erases, overwrites = self._look()
        place = block * BLOCK + offset
        if len(self._old) != len(view):
            self._old = bytearray(len(view))
        self._image.seek(place)
        self._image.readinto(self._old)
        if self._old != (_BLANK if len(view) == 128 else b"\xff" * len(view)):
            overwrites += 1
            view = bytes([a & b for a, b in zip(self._old, view)])
        torn = cut == writes + 1
        if torn:
            view = view[: len(view) * kept // 1000]
        self._image.seek(place)
        self._image.write(view)
        self._add(block, writes + 1, erases, overwrites, 1, 0)
        if torn:
            _wire.die(b"K")

    def erase(self, block):
        _, cut, kept, writes, erases, overwrites = self._look()
        torn = cut == erases + 1
        before = self._add(block, writes, erases + 1, overwrites, 0, 1)
        worn = self._endurance and before >= self._endurance
        blank = _WORN if worn else b"\xff" * BLOCK
        self._image.seek(block * BLOCK)
        self._image.write(blank[: BLOCK * kept // 1000] if torn else blank)
        if torn:
            _wire.die(b"K")
