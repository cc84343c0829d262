"""A part that sends frames by itself: the next whole one, out of whatever comes."""

from time import ticks_add, ticks_diff, ticks_ms

from . import health
from .line import drop, read_some


def shift(buf, n: int, fits) -> int:
    """Drop bytes at the start of buf[:n] until a frame may begin there; return how many are left.

    `fits(buf, start, end)`: whether these can be the first bytes of a frame, its checksum included
    where they are as many. A whole frame was found where len(buf) is returned.
    """
    for start in range(n):
        if fits(buf, start, n):
            n -= start
            if start:
                buf[:n] = buf[start : start + n]
            return n
    return 0


class Stream:
    """Frames of `size` bytes on a ready-made UART; `fits` as for shift, `watch` is told.

    A frame is due within `timeout_ms`. `buf` holds the last.
    """

    def __init__(self, uart, watch, size, fits, timeout_ms):
        self.uart = uart
        self._watch = watch
        self.buf = bytearray(size)
        self._view = memoryview(self.buf)
        self._fits = fits
        self._timeout_ms = timeout_ms

    async def next(self) -> int:
        """Wait for a frame that begins from now on.

        Return OK, SILENT when nothing came in time, STALE when it was no whole frame.
        """
        buf = self.buf
        drop(self.uart, buf)
        state = health.SILENT
        n = 0
        end_ms = ticks_add(ticks_ms(), self._timeout_ms)
        while n < len(buf):
            left_ms = ticks_diff(end_ms, ticks_ms())
            if left_ms <= 0:
                self._watch.lost(state)
                return state
            got = await read_some(self.uart, self._view[n:], left_ms)
            if got:
                state = health.STALE
                n = shift(buf, n + got, self._fits)
        return health.OK
