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
    rom = 0
    try:
        import vfs

        rom = len(vfs.rom_ioctl(2, 0)) if vfs.rom_ioctl(1) > 0 else 0
    except (ImportError, AttributeError, TypeError):
        pass  # an image of MicroPython without such a partition
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


def rom_hash(size):
    import hashlib

    import vfs

    print(hashlib.sha256(vfs.rom_ioctl(2, 0)[:size]).digest().hex())


class _Rom:
    # The ROM partition as a file that is written once, from its beginning.
    def __init__(self, size):
        import vfs

        try:
            vfs.umount("/rom")
        except OSError:
            pass
        _files.append(self)
        self.ioctl = vfs.rom_ioctl
        self.at = 0
        if self.ioctl(3, 0, size) < 0:
            raise OSError("the ROM partition cannot be erased")

    def write(self, data):
        if self.ioctl(4, 0, self.at, data) < 0:
            raise OSError("the ROM partition cannot be written")
        self.at += len(data)

    def close(self):
        self.ioctl(5, 0)


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
