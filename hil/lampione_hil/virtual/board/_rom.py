"""`vfs` with the ROM partition that some images of MicroPython have: code that runs in the flash.

The partition lies behind the blocks of the file system. Its bytes are mapped into memory on the
chip; here they are read into the heap, which is larger by as much.
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

_SEGMENTS, _SEGMENT, _PREPARE, _WRITE, _COMPLETE = 1, 2, 3, 4, 5
_EINVAL = 22
_LEAST_WRITE = 4

_flash = []
_view = bytearray(info["rom_bytes"])


def start(flash):
    """Map the partition behind the file system of `flash`, and mount what lies there."""
    _flash.append(flash)
    flash.readblocks(flash.blocks, _view)
    try:
        mount(VfsRom(_view), "/rom")
    except (OSError, ValueError):
        pass  # nothing was deployed there, or not whole


def rom_ioctl(op, *arguments):
    """Answer as the port's own: sizes and bytes, or a negative error number."""
    if op == _SEGMENTS:
        return 1
    if not arguments or arguments[0] != 0:
        return -_EINVAL
    flash = _flash[0]
    if op == _SEGMENT:
        return memoryview(_view)
    if op == _PREPARE:
        if not 0 <= arguments[1] <= len(_view):
            return -_EINVAL
        for block in range((arguments[1] + BLOCK - 1) // BLOCK):
            flash.erase(flash.blocks + block)
    elif op == _WRITE:
        offset, data = arguments[1:]
        if not 0 <= offset <= len(_view) - len(data):
            return -_EINVAL
        flash.writeblocks(flash.blocks + offset // BLOCK, data, offset % BLOCK)
    elif op != _COMPLETE:
        return -_EINVAL
    flash.readblocks(flash.blocks, _view)
    return _LEAST_WRITE if op == _PREPARE else 0
