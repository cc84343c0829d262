"""Frames on a byte stream, as a serial line: COBS and a CRC-32. Bytes in, frames out, no I/O.

    0x00, COBS(frame, CRC-32 of the frame, most significant byte first), 0x00

COBS (Cheshire and Baker, 1999) leaves no zero inside a frame, so a zero is where one ends, and a
reader that comes late, or after rubbish, finds the next one. The zero in front ends whatever
stood on the line before. CRC-32 is that of IEEE 802.3, as `binascii.crc32` has it.
"""

from binascii import crc32

from lampione_protocol.errors import FramingError

_CRC_BYTES = 4
_RUN = 254  # most bytes without a zero that one code byte announces


def wrap(frame: "bytes | bytearray") -> bytes:
    """Return a frame as it goes over the line. Raises FramingError when it is empty."""
    if not frame:
        raise FramingError("empty frame")
    text = bytes(frame) + (crc32(frame) & 0xFFFFFFFF).to_bytes(_CRC_BYTES, "big")
    out = bytearray(1)
    start = 0
    size = len(text)
    while start <= size:
        end = text.find(b"\0", start)
        if end < 0:
            end = size
        if end - start >= _RUN:  # a full run stands for no zero behind it
            end = start + _RUN
            out.append(_RUN + 1)
            out += text[start:end]
            if end == size:
                break
            start = end
        else:
            out.append(end - start + 1)
            out += text[start:end]
            start = end + 1
    out.append(0)
    return bytes(out)


class Decoder:
    """Finds frames in whatever a line brings, in `limit` + 4 bytes of memory.

    Args:
        limit: the longest frame taken, in bytes.

    Attributes:
        damaged: frames refused since their CRC or their form was wrong, and runs of rubbish.
        too_long: frames refused for their length.
    """

    def __init__(self, limit: int):
        self.damaged = 0
        self.too_long = 0
        self._buf = bytearray(limit + _CRC_BYTES)
        self._restart()

    def _restart(self) -> None:
        self._size = 0  # bytes of `_buf` that hold the frame so far
        self._run = 0  # bytes still to come before the next code byte
        self._owes_zero = False  # the last run ends in a zero, unless the frame ends there
        self._skip = False  # too long: wait for the next zero

    def _put(self, byte: int) -> None:
        if self._size == len(self._buf):
            self._skip = True
            self.too_long += 1
        else:
            self._buf[self._size] = byte
            self._size += 1

    def _finish(self) -> "bytes | None":
        """Return the frame that ends here, or None; count it when it is damaged."""
        end = self._size - _CRC_BYTES
        begun = self._size or self._owes_zero or self._run
        frame = None
        if not self._skip and begun:
            if end > 0 and not self._run:
                frame = bytes(self._buf[:end])
                if crc32(frame) & 0xFFFFFFFF != int.from_bytes(self._buf[end : self._size], "big"):
                    frame = None
            if frame is None:
                self.damaged += 1
        self._restart()
        return frame

    def feed(self, data: "bytes | bytearray | memoryview") -> list:
        """Return the frames, as bytes, that end within `data`. What is wrong is counted."""
        frames = []
        for byte in data:
            if byte == 0:
                frame = self._finish()
                if frame is not None:
                    frames.append(frame)
            elif self._skip:
                pass
            elif self._run:
                self._run -= 1
                self._put(byte)
            else:
                if self._owes_zero:
                    self._put(0)
                self._run = byte - 1
                self._owes_zero = byte <= _RUN
        return frames
