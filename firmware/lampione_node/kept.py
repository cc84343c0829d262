"""Small files that survive a power cut: written beside and renamed over, with a CRC-32 behind."""

import os
from binascii import crc32


def load(path: str, most: int) -> bytes:
    """Return the content of a file of `most` bytes or fewer; nothing when it is lost or damaged."""
    try:
        with open(path, "rb") as file:
            data = file.read(most + 4)
        if len(data) >= 4 and crc32(data[:-4]) == int.from_bytes(data[-4:], "big"):
            return data[:-4]
    except (OSError, ValueError):
        pass
    return b""


def save(path: str, data: bytes) -> bool:
    """Keep the content; its folder is made when missing. Return whether the flash took it."""
    temporary = path + ".new"
    for _ in range(2):
        try:
            with open(temporary, "wb") as file:
                file.write(data + crc32(data).to_bytes(4, "big"))
            os.rename(temporary, path)
            return True
        except OSError:
            pass
        try:
            os.mkdir(path.rsplit("/", 1)[0])
        except OSError:
            pass
    return False
