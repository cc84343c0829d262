"""`select` on the virtual clock: a look at the descriptors first, then the clock.

A stream that becomes ready at a time it knows itself (a microphone, a UART, a socket) says so
through `ready_us()` (None: not before the world changes), a socket also through `write_us()`; every
other descriptor is looked at again every 10 ms.
"""

from _vtime import clock, wait_until
from _wire import native

_select = native["select"]
POLLIN = _select.POLLIN
POLLOUT = _select.POLLOUT
POLLERR = _select.POLLERR
POLLHUP = _select.POLLHUP
_STEP_US = 10000  # how often real descriptors are looked at, virtual time
_FAR_US = 3600000000


class poll:
    def __init__(self):
        self._real = _select.poll()
        self._any_real = 0
        self._timed = {}  # id -> stream, ready_us and write_us when asked, POLLOUT if always so

    def register(self, stream, mask=POLLIN | POLLOUT):
        if hasattr(stream, "ready_us"):
            out = mask & POLLOUT if hasattr(stream, "write") else 0
            write_us = stream.write_us if out and hasattr(stream, "write_us") else None
            if write_us:
                out = 0
            ready_us = stream.ready_us if mask & POLLIN else None
            self._timed[id(stream)] = (stream, ready_us, write_us, out)
        else:
            self._real.register(stream, mask)
            self._any_real += 1

    def modify(self, stream, mask):
        if id(stream) in self._timed:
            self.register(stream, mask)
        else:
            self._real.modify(stream, mask)

    def unregister(self, stream):
        if id(stream) in self._timed:
            del self._timed[id(stream)]
        else:
            self._real.unregister(stream)
            self._any_real -= 1

    def poll(self, timeout=-1):
        return list(self.ipoll(timeout))

    def ipoll(self, timeout=-1):
        until = -1 if timeout is None or timeout < 0 else clock[0] + timeout * 1000
        found = []
        while True:
            now = clock[0]
            soonest = now + _FAR_US if until < 0 else until
            if self._any_real:
                found.extend(self._real.poll(0))
                soonest = min(soonest, now + _STEP_US)
            for stream, ready_us, write_us, events in self._timed.values():
                if ready_us:
                    at = ready_us()
                    if at is not None:
                        if at <= now:
                            events |= POLLIN
                        elif at < soonest:
                            soonest = at
                if write_us:
                    at = write_us()
                    if at is not None:
                        if at <= now:
                            events |= POLLOUT
                        elif at < soonest:
                            soonest = at
                if events:
                    found.append((stream, events))
            if found or 0 <= until <= now:
                return found
            wait_until(soonest, True)
