"""`socket` on the virtual clock: TCP to the hub, whatever the address, with its way in time.

What comes is known up to the horizon of the clock. What is sent may be answered after there and
back at the soonest, so the horizon comes that near.
"""

import errno
import io
import struct

import _vtime
from _vtime import clock, wait_until
from _wire import ask, info, tell

_READABLE, _WRITABLE, _FAILED = 1, 4, 8  # as select has them
_POLL, _CLOSE = 3, 4
_EHOSTUNREACH = 118  # lwIP's number
_count = [0]


def linked():
    """Whether the station has joined its access point."""
    return ask(b"n%d" % _vtime.uptime_us(), 4)[0] == 2


def address_of(host):
    """Return the address of a host: every name has one here."""
    parts = host.split(".")
    if len(parts) == 4 and all(p.isdigit() and int(p) < 256 for p in parts):
        return host
    return "10.20.0.2"


class Socket(io.IOBase):
    """A TCP socket, or a UDP one that nobody hears."""

    def __init__(self, af=2, type=1, proto=0):
        self._stream = type == 1
        self._id = -1  # of its connection
        self._timeout_us = -1  # 0: never waits; -1: for ever
        self._closed = False
        self._flags = 0
        self._known = -1  # the grant that what is known belongs to
        self._at = None

    def _ask(self, what, length=0, data=b""):
        """Return what was counted and the reply; remember the state."""
        if clock[0] > clock[1]:
            wait_until(clock[0])  # what came since the horizon is not known yet
        head = struct.pack("<3BHQ", 111, ord(what), self._id, length, clock[0])
        reply = ask(head + data, 12 + length)
        self._flags, count, at = struct.unpack_from("<2hq", reply)
        self._known = clock[5]
        self._at = None if at < 0 else at
        return count, reply

    def _tell(self, what, data=b""):
        tell(struct.pack("<3BHQ", 111, ord(what), self._id, 0, _vtime.uptime_us()) + data)

    def _near(self):
        clock[1] = max(clock[0], min(clock[1], clock[0] + 2 * info["latency_us"]))
        self._known = -1

    def ready_us(self):
        """Return when something can be read, or the connection fails; None: it is not known."""
        if self._id < 0:
            return None
        if self._known != clock[5]:
            at = clock[4]
            if self._known >= 0 and (at < 0 or at > clock[0]):
                self._at = None if at < 0 else at
                return self._at
            self._ask("l")
        return self._at

    def write_us(self):
        """Return when something can be sent, in the same way."""
        if self._id < 0 or self._flags & _WRITABLE:
            return clock[0]
        at = self.ready_us()
        return clock[0] if self._flags & _WRITABLE else at

    def _wait(self, ready_us):
        """Wait until it is ready. Raises OSError when that takes too long."""
        until = clock[0] + self._timeout_us if self._timeout_us >= 0 else -1
        while True:
            at = ready_us()
            if at is not None and at <= clock[0]:
                return
            if 0 <= until <= clock[0]:
                raise OSError(errno.ETIMEDOUT if self._timeout_us else errno.EAGAIN)
            soonest = clock[0] + 3600000000 if at is None else at
            wait_until(soonest if until < 0 else min(soonest, until), True)

    def connect(self, address):
        address_of(address[0])
        if not linked():
            raise OSError(_EHOSTUNREACH)
        if not self._stream:
            return
        if self._id >= 0:
            raise OSError(errno.EISCONN)
        self._id = _count[0] = _count[0] + 1 & 0xFF
        self._tell("c")
        self._near()
        if not self._timeout_us:
            raise OSError(errno.EINPROGRESS)
        self._wait(self.write_us)
        if self._flags & _FAILED:
            raise OSError(errno.ECONNRESET)

    def write(self, data):
        if self._id < 0:
            raise OSError(errno.ENOTCONN)
        data = data.encode() if isinstance(data, str) else data
        if self._timeout_us:
            self._wait(self.write_us)
        count, _ = self._ask("s", 0, bytes(memoryview(data)[:4096]))
        if count < 0:
            raise OSError(errno.ECONNRESET)
        if count:
            self._near()
        return count or None

    def readinto(self, buf, length=None):
        if self._id < 0:
            raise OSError(errno.ENOTCONN)
        if self._timeout_us:
            self._wait(self.ready_us)
        length = min(len(buf), 4096, len(buf) if length is None else length)
        count, reply = self._ask("r", length)
        if count == -2:
            raise OSError(errno.ECONNRESET)
        if count < 0:
            return None
        memoryview(buf)[:count] = memoryview(reply)[12 : 12 + count]
        return count

    def recv(self, length):
        buf = bytearray(length)
        count = self.readinto(buf)
        if count is None:
            raise OSError(errno.EAGAIN)
        return bytes(buf[:count])

    def read(self, length=-1):
        if length < 0:
            found = b""
            while True:
                part = self.read(4096)
                if not part:
                    return found or part
                found += part
        buf = bytearray(length)
        count = self.readinto(buf)
        return None if count is None else bytes(buf[:count])

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            one = self.read(1)
            if not one:
                break
            line += one
        return line

    def send(self, data):
        count = self.write(data)
        if count is None:
            raise OSError(errno.EAGAIN)
        return count

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self.send(view) :]

    def sendto(self, data, address):
        if not linked():
            raise OSError(_EHOSTUNREACH)
        return len(data)

    def recvfrom(self, length):
        self._wait(lambda: None)

    def bind(self, address):
        raise OSError(errno.EOPNOTSUPP)

    listen = accept = bind

    def setsockopt(self, level, option, value):
        pass

    def setblocking(self, flag):
        self._timeout_us = -1 if flag else 0

    def settimeout(self, seconds):
        self._timeout_us = -1 if seconds is None else int(seconds * 1000000)

    def makefile(self, mode="rb", buffering=0):
        return self

    def close(self):
        if self._id >= 0:
            self._tell("x")
            self._near()
            self._id = -1

    def ioctl(self, request, argument):
        if request == _POLL:
            if self._id < 0:
                return 0
            self._ask("l")
            return self._flags & (argument | 24)
        if request == _CLOSE:
            self.close()
            return 0
        return -errno.EINVAL

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
