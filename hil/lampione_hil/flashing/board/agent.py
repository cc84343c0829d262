# What flashing runs on the board, at its raw prompt. Every function says on its lines what it did.

import gc
import os
import sys

import machine

machine.WDT(timeout=3600000)  # or the one of whatever ran before ends the work
# What an interrupt leaves open would be written to whenever the collector comes by it.
_files = globals().get("_files", [])
_buf = bytearray(4096)


def _open(path, mode):
    file = open(path, mode)
    _files.append(file)
    return file


def _close():
    while _files:
        _files[-1].close()
        _files.pop()


_close()
gc.collect()


def facts():
    about = sys.implementation
    name = getattr(about, "_machine", "")
    try:
        packed = bool(__import__("deflate"))
    except ImportError:
        packed = False
    try:
        rom = len(memoryview(_partition()))
    except (ImportError, AttributeError, TypeError):
        rom = 0  # a MicroPython that knows none, or a flash that has none
    disk = os.statvfs("/")
    about = (sys.platform, name, tuple(about.version[:3]), getattr(about, "_mpy", 0))
    about += (sys.version, sys.path, machine.unique_id().hex(), disk[0], disk[3], packed)
    about += (rom,)
    print(repr(about))


def _hash(path):
    import hashlib

    sha = hashlib.sha256()
    view = memoryview(_buf)
    with open(path, "rb") as file:
        while True:
            n = file.readinto(_buf)
            if not n:
                break
            sha.update(view[:n])
    return sha.digest().hex()


def look(paths):
    paths = list(paths)
    while paths:
        path = paths.pop()
        try:
            stat = os.stat(path)
        except OSError:
            continue
        if stat[0] & 0x4000:
            for one in os.ilistdir(path):
                paths.append(path + "/" + one[0])
        else:
            print(stat[6], _hash(path), path)


def _partition():
    # The ROM partition: memory, and a block device. A number below 0 where there is none.
    import vfs

    return vfs.rom_ioctl(2, 0)


def rom_hash(size):
    import hashlib

    print(hashlib.sha256(memoryview(_partition())[:size]).digest().hex())


class _Rom:
    # The ROM partition as a file that is written once, from its beginning.
    def __init__(self, size):
        import vfs

        try:
            vfs.umount("/rom")
        except OSError:
            pass
        self.blocks = _partition()
        self.size = self.blocks.ioctl(5, 0)
        self.at = 0
        for block in range((size + self.size - 1) // self.size):
            self.blocks.ioctl(6, block)

    def write(self, data):
        self.blocks.writeblocks(self.at // self.size, data, self.at % self.size)
        self.at += len(data)


def room(gone, folders):
    for path in gone:
        os.remove(path)
    for path in folders:
        try:
            os.mkdir(path)
        except OSError as error:
            if error.errno != 17:
                raise


def copy(pairs):
    view = memoryview(_buf)
    for there, here in pairs:
        old, new = _open(there, "rb"), _open(here, "wb")
        while True:
            n = old.readinto(_buf)
            if not n:
                break
            new.write(view[:n])
        _close()
        print("ok")


def _read(n):
    data = bytearray(n)
    view = memoryview(data)
    done = 0
    while done < n:
        done += sys.stdin.buffer.readinto(view[done:])
    return bytes(data)


def take(files):
    # A block: five characters, its kind and how long it is, then its bytes without any 3.
    view = b""
    for path, left in files:
        file = _open(path, "wb") if path[0] == "/" else _Rom(left)
        while left:
            if not view:
                view = _block()
            n = min(left, len(view))
            file.write(view[:n])
            view = view[n:]
            left -= n
        _close()


def _block():
    print("ok")
    kind = _read(5)
    data = _read(int(kind[1:], 16))
    data = data.replace(b"\x1da", b"\x03").replace(b"\x1db", b"\x1d")
    if kind[:1] == b"z":
        import io

        import deflate

        data = deflate.DeflateIO(io.BytesIO(data), deflate.RAW, 12).read()
    return memoryview(data)


def rename(pairs):
    for there, here in pairs:
        os.rename(there, here)
