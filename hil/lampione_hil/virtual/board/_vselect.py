"""`select` on the virtual clock: a look at the descriptors first, then the clock.

A stream that becomes ready at a time it knows itself (a microphone, a UART, a socket) says so
through `ready_us()` (None: not before the world changes), a socket also through `write_us()`; every
other descriptor is looked at again every 10 ms.
"""

import micropython
from _vtime import clock, wait_until
from _wire import native
from micropython import const

_select = native["select"]
POLLIN = _select.POLLIN
POLLOUT = _select.POLLOUT
POLLERR = _select.POLLERR
POLLHUP = _select.POLLHUP
_STEP_US = const(10000)  # how often real descriptors are looked at, virtual time
_FAR_US = const(3600000000)


class poll:
    # Little is allocated in here: it is the program's memory, and its collections take time.
    def __init__(self):
        self._real = _select.poll()
        self._any_real = 0
        # stream, ready_us and write_us when asked, POLLOUT if always so, (stream, what is ready)
        self._timed = []
        self._found = []

    @micropython.native
    def _entry(self, stream):
        for entry in self._timed:
            if entry[0] is stream:
                return entry
        return None

    @micropython.native
    def register(self, stream, mask=POLLIN | POLLOUT):
        if not hasattr(stream, "ready_us"):
            self._real.register(stream, mask)
            self._any_real += 1
            return
        # Entries are kept with their stream and go with it: a node connects all night.
        kinds = getattr(stream, "polled", None)
        if kinds is None:
            kinds = stream.polled = {}
        entry = kinds.get(mask)
        if entry is None:
            ready_us = stream.ready_us if mask & POLLIN else None
            write_us = out = None
            if mask & POLLOUT and hasattr(stream, "write"):
                write_us = getattr(stream, "write_us", None)
                out = None if write_us else POLLOUT
            entry = kinds[mask] = (stream, ready_us, write_us, out or 0, [stream, 0])
        timed = self._timed
        for i in range(len(timed)):
            if timed[i][0] is stream:
                timed[i] = entry
                return
        timed.append(entry)

    @micropython.native
    def modify(self, stream, mask):
        if self._entry(stream):
            self.register(stream, mask)
        else:
            self._real.modify(stream, mask)

    @micropython.native
    def unregister(self, stream):
        entry = self._entry(stream)
        if entry:
            self._timed.remove(entry)
        else:
            self._real.unregister(stream)
            self._any_real -= 1

    def poll(self, timeout=-1):
        return [tuple(pair) for pair in self.ipoll(timeout)]

    @micropython.native
    def ipoll(self, timeout=-1):
        """Return what is ready, in a list and pairs that the next call changes."""
        until = -1 if timeout is None or timeout < 0 else clock[0] + timeout * 1000
        found = self._found
        found.clear()
        while True:
            now = clock[0]
            soonest = now + _FAR_US if until < 0 else until
            if self._any_real:
                found.extend(self._real.poll(0))
                if now + _STEP_US < soonest:
                    soonest = now + _STEP_US
            for entry in self._timed:
                events = entry[3]
                ready_us = entry[1]
                if ready_us:
                    at = ready_us()
                    if at is not None:
                        if at <= now:
                            events |= POLLIN
                        elif at < soonest:
                            soonest = at
                write_us = entry[2]
                if write_us:
                    at = write_us()
                    if at is not None:
                        if at <= now:
                            events |= POLLOUT
                        elif at < soonest:
                            soonest = at
                if events:
                    pair = entry[4]
                    pair[1] = events
                    found.append(pair)
            if found or 0 <= until <= now:
                return found
            wait_until(soonest, True)
