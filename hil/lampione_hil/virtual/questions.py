"""The supervisor's end of a board's wire: questions come in packets, replies go through a pipe.

A packet keeps its bounds; a reply's length is known beforehand, and a pipe takes less of the
computer. See board/_wire.py for the other end.
"""

import os
import socket
import struct

WIRE, REPLIES = 4, 14  # the board's descriptors
_MOST_BYTES = 65536
_PATIENCE = struct.pack("@ll", 0, 5000)  # 5 ms, as struct timeval has it


def packets() -> tuple[socket.socket, socket.socket]:
    """Return two ends that packets go between."""
    kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
    try:
        return socket.socketpair(socket.AF_UNIX, kind)
    except OSError:  # no packet streams here: datagrams keep their bounds too
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


class Questions:
    """What a board asks.

    Attributes:
        ends: what the board gets, {its descriptor: number here}; to be closed when it has them.
    """

    def __init__(self) -> None:
        self._asked, far = packets()
        self._asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        replies, self._replies = os.pipe()
        self.ends = {WIRE: far.detach(), REPLIES: replies}

    def fileno(self) -> int:
        """Return what a selector watches."""
        return self._asked.fileno()

    def next(self) -> bytes | None:
        """Return the next message; b"": the board has ended; None: nothing came for 5 ms."""
        try:
            return self._asked.recv(_MOST_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def reply(self, data: bytes) -> None:
        """Answer the last question."""
        try:
            os.write(self._replies, data)
        except OSError:  # it has ended
            return

    def close(self) -> None:
        """Hear no more."""
        self._asked.close()
        os.close(self._replies)
