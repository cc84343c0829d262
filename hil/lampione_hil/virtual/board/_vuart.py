"""UART on the virtual clock: what will come is looked at beforehand, and read from here."""

import errno
import struct

import _vtime
from _buses import UART as Wired
from _wire import ask

_PEEK = 128  # bytes of what waits that an answer brings along
_HEAD = 18
_FAR = 1 << 61
_POLL = 3


class UART(Wired):
    def __init__(self, id, baudrate=9600, *args, **settings):
        self._question = bytearray(12)
        self._reply = bytearray(_HEAD + _PEEK)
        self._peeked = memoryview(self._reply)[_HEAD:]
        self._forget(True)
        super().__init__(id, baudrate, *args, **settings)
        self.ready_us = self._ready_us

    def _forget(self, fresh=False):
        self._world = -1  # the generation of the world that what is known belongs to
        self._at = self._then = (
            _FAR  # when what waits has come or there is a look to take; when next
        )
        self._left = 0  # bytes that wait then
        if fresh:
            self._taken = 0  # of them, since the last look

    def _look(self, us):
        """Know what can be read now; return how many bytes."""
        if self._world != _vtime.clock[3] or us >= (self._then if self._left else self._at):
            self._world = _vtime.clock[3]
            if not self._there:
                return 0
            struct.pack_into("<2BHQ", self._question, 0, 81, self._id, self._taken, us)
            ask(self._question, 0, self._reply)
            self._taken = 0
            self._left, at, then = struct.unpack_from("<H2q", self._reply)
            self._at = _FAR if at < 0 else at
            self._then = _FAR if then < 0 else then
        return self._left if us >= self._at else 0

    def _ready_us(self):
        us = _vtime.clock[0]
        return us if self._look(us) else self._at

    def any(self):
        return self._look(_vtime.uptime_us())

    def readinto(self, buf, length=None):
        us = _vtime.uptime_us()
        length = len(buf) if length is None else min(length, len(buf))
        view = None
        done = 0
        while done < length and self._look(us):
            n = min(length - done, self._left, _PEEK - self._taken)
            if view is None:
                view = memoryview(buf)
            view[done : done + n] = self._peeked[self._taken : self._taken + n]
            done += n
            self._taken += n
            self._left -= n
            if self._taken == _PEEK or not self._left:
                self._left = 0
                self._at = us  # there is a look to take
        return done or None

    def ioctl(self, request, argument):
        if request == _POLL:
            return (argument & 1 if self.any() else 0) | argument & 4
        return -errno.EINVAL
