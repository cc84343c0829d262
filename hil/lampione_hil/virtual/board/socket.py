"""`socket` with the ESP32's tuple addresses. TCP goes through the simulated access point.

The access point is a relay in the supervisor: while the Wi-Fi is out, it holds what is under
way, so a connection stalls as it would in the air, and no new one comes up.
"""

import errno
import io
import struct
from time import uptime_us

from _wire import ask, info, native

if info["virtual"]:
    from _vsocket import Socket, address_of, linked

_native = native["socket"]
_select = native["select"]

AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
TCP_NODELAY = 1
SOL_SOCKET = _native.SOL_SOCKET
SO_REUSEADDR = _native.SO_REUSEADDR
SO_BROADCAST = _native.SO_BROADCAST

_EHOSTUNREACH = 118  # lwIP's number
_POLL, _CLOSE, _FILENO = 3, 4, 10


def _linked():
    if info["virtual"]:
        return linked()
    return ask(b"n%d" % uptime_us(), 4)[0] == 2


def _packed(address):
    host, port = address[:2]
    return _native.getaddrinfo(host, port, _native.AF_INET, _native.SOCK_STREAM)[0][-1]


def _tuple(packed):
    return (".".join(str(b) for b in packed[4:8]), packed[2] << 8 | packed[3])


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    if not _linked():
        raise OSError(-202)
    if info["virtual"]:
        found = (address_of(host), port)
    else:
        try:
            found = _tuple(_packed((host, port)))
        except OSError:
            raise OSError(-202) from None
    return [(AF_INET, type or SOCK_STREAM, proto, "", found)]


class _Real(io.IOBase):
    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0, _own=None):
        self._s = _own if _own is not None else _native.socket(_native.AF_INET, type)
        self._stream = type == SOCK_STREAM
        self._blocking = True
        self._look = None
        s = self._s
        self.read = s.read
        self.readinto = s.readinto
        self.readline = s.readline
        self.write = s.write
        self.recv = s.recv
        self.send = s.send
        self.fileno = s.fileno
        self.listen = s.listen

    def connect(self, address):
        if not _linked():
            raise OSError(_EHOSTUNREACH)
        packed = _packed(address)
        if not self._stream:
            self._s.connect(packed)
            return
        self._s.setblocking(True)
        self._s.connect(_packed(("127.0.0.1", info["relay_port"])))
        # The way to the access point must not add a delay of its own.
        self._s.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        head = bytes.fromhex(info["relay_key"]) + struct.pack("B", self._blocking)
        self._s.write(head + bytes(packed[4:8]) + bytes(packed[2:4]))
        if not self._blocking:
            self._s.setblocking(False)
            raise OSError(errno.EINPROGRESS)
        if self._s.recv(1) != b"\x01":
            raise OSError(errno.ECONNRESET)

    def bind(self, address):
        self._s.bind(_packed(address))

    def accept(self):
        other, packed = self._s.accept()
        return _Real(AF_INET, SOCK_STREAM, 0, other), _tuple(packed)

    def sendall(self, data):
        view = memoryview(data)
        while view:
            n = self._s.write(view)
            if n is None:
                raise OSError(errno.EAGAIN)
            view = view[n:]

    def sendto(self, data, address):
        if not _linked():
            raise OSError(_EHOSTUNREACH)
        return self._s.sendto(data, _packed(address))

    def recvfrom(self, length):
        data, packed = self._s.recvfrom(length)
        return data, _tuple(packed)

    def setsockopt(self, level, option, value):
        if level == SOL_SOCKET:
            self._s.setsockopt(level, option, value)

    def setblocking(self, flag):
        self._blocking = bool(flag)
        self._s.setblocking(flag)

    def settimeout(self, seconds):
        self._blocking = seconds != 0
        self._s.settimeout(seconds)

    def makefile(self, mode="rb", buffering=0):
        return self

    def close(self):
        self._s.close()

    def ioctl(self, request, argument):
        if request == _FILENO:
            return self._s.fileno()
        if request == _POLL:
            if self._look is None:
                self._look = _select.poll()
                self._look.register(self._s, argument)
            else:
                self._look.modify(self._s, argument)
            for _, events in self._look.ipoll(0):
                return events
            return 0
        if request == _CLOSE:
            self._s.close()
            return 0
        return -errno.EINVAL

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


socket = Socket if info["virtual"] else _Real
