"""UART on the virtual clock: what will come is looked at beforehand, and read from here."""

import errno
import struct

import micropython
from _buses import UART as Wired
from _vtime import clock, uptime_us
from _wire import ask, copy
from micropython import const

# An answer brings along up to 8 pieces of what will come: how many, the bytes beyond them; when
# there is a look to take; their times, sizes; and then so many bytes.
_LOOK = "<2Hq8q8H"
_PEEK = const(256)
_FIRST = const(3)  # where these begin
_SIZES = const(11)
_NOTHING = (0, 0, -1)
_HEAD = struct.calcsize(_LOOK)
_LONG = _HEAD + _PEEK
_FAR = const(1 << 61)
_POLL = const(3)


class UART(Wired):
    def __init__(self, id, baudrate=9600, *args, **settings):
        self._question = bytearray(12)
        self._reply = bytearray(_LONG)
        self._forget(True)
        super().__init__(id, baudrate, *args, **settings)
        self.ready_us = self._ready_us

    def _forget(self, fresh=False):
        self._world = -1  # the generation of the world that what is known belongs to
        self._known = _NOTHING
        self._quiet = 0  # until then there is nothing to be read
        self._next = self._came = 0  # pieces and bytes that have come
        if fresh:
            self._taken = 0  # bytes read since the last look

    @micropython.native
    def _look(self, us):
        """Know what can be read now; return how many bytes."""
        known = self._known
        world = clock[3]
        if self._world == world:
            i = self._next
            n = known[0]
            if i < n:
                came = self._came
                while i < n and known[_FIRST + i] <= us:
                    came += known[_SIZES + i]
                    i += 1
                self._next = i
                self._came = came
            if i < n or not 0 <= known[2] <= us:
                return self._came - self._taken
        self._world = world
        if not self._there:
            return 0
        question = self._question
        struct.pack_into("<2BHQ", question, 0, 81, self._id, self._taken, us)
        ask(question, _LONG, self._reply)
        self._known = known = struct.unpack_from(_LOOK, self._reply)
        self._taken = 0
        here = known[0] and known[_FIRST] <= us
        self._next = 1 if here else 0
        self._came = came = known[_SIZES] if here else 0
        return came

    @micropython.native
    def _ready_us(self):
        us = clock[0]
        at = self._quiet
        if us < at and self._world == clock[3]:
            return at
        if self._look(us):
            self._quiet = 0
            return us
        known = self._known
        at = known[_FIRST + self._next] if self._next < known[0] else known[2]
        self._quiet = at = _FAR if at < 0 else at
        return at

    def any(self):
        return self._look(uptime_us()) + self._known[1]

    @micropython.native
    def readinto(self, buf, length=None):
        us = uptime_us()
        length = len(buf) if length is None else min(length, len(buf))
        done = 0
        while done < length:
            n = self._look(us)
            if not n:
                break
            if n > length - done:
                n = length - done
            taken = self._taken
            copy(buf, done, self._reply, _HEAD + taken, n)
            done += n
            self._taken = taken + n
        return done or None

    def ioctl(self, request, argument):
        if request == _POLL:
            return (argument & 1 if self.any() else 0) | argument & 4
        return -errno.EINVAL
