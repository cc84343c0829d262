"""The serial line to the host: framed bytes over the board's own USB.

Ctrl-C is a byte as any other inside a frame. Where it cannot be part of one (no frame begins with
it, and the first byte inside a frame is always the same) it is somebody who wants the REPL.
"""

import select
import sys

from lampione_protocol import bench, stream
from lampione_protocol.codec import encode
from micropython import const

_CTRL_C = const(3)
_MOST = const(1024)  # bytes taken at a time, so that rubbish without end stops nothing


class Line:
    """Takes frames, sends frames."""

    def __init__(self, source, sink):  # type: ignore[no-untyped-def]
        self._source = source
        self._sink = sink
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._decoder = stream.Decoder(bench.FRAME_MAX)
        self._first = bench.head(1, 1)[0]
        self._byte = bytearray(1)
        self._count = 0  # bytes since the last zero
        self._ours = True  # they can be a frame

    def wait(self, ms):
        """Return the frames that have come within `ms`. Raises KeyboardInterrupt."""
        frames = []
        for _ in range(_MOST):
            if not self._poll.poll(ms):
                break
            if not self._source.readinto(self._byte):
                break
            self._watch(self._byte[0])
            frames += self._decoder.feed(self._byte)
            if frames:
                break
            ms = 0
        return frames

    def _watch(self, byte):
        if not byte:
            self._count = 0
            self._ours = True
            return
        self._count += 1
        if self._count == 2:
            self._ours = byte == self._first
        if byte == _CTRL_C and (self._count == 1 or not self._ours):
            raise KeyboardInterrupt

    def send(self, kind, ask, values):
        """Send a message."""
        frame = bench.head(kind, ask) + encode(bench.fields_of(kind) or (), values)
        self._sink.write(stream.wrap(frame))


def standard():
    """Return the line on the board's own console."""
    return Line(sys.stdin.buffer, sys.stdout.buffer)
