"""`select` on the virtual clock: a look at the descriptors first, then the clock.

A stream that becomes ready at a time it knows itself (a microphone, a UART) says so through
`ready_us()` (None: not before the world changes); every other descriptor is looked at again every
10 ms.
"""

import _vtime
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
        self._timed = {}

    def register(self, stream, mask=POLLIN | POLLOUT):
        if hasattr(stream, "ready_us"):
            self._timed[id(stream)] = (stream, mask)
        else:
            self._real.register(stream, mask)
            self._any_real += 1

    def modify(self, stream, mask):
        if id(stream) in self._timed:
            self._timed[id(stream)] = (stream, mask)
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
        until = None if timeout is None or timeout < 0 else _vtime.look_us() + timeout * 1000
        while True:
            now = _vtime.look_us()
            soonest = now + _FAR_US if until is None else until
            found = []
            if self._any_real:
                found.extend(self._real.poll(0))
                soonest = min(soonest, now + _STEP_US)
            for stream, mask in self._timed.values():
                events = mask & POLLOUT if hasattr(stream, "write") else 0
                at = stream.ready_us() if mask & POLLIN else None
                if at is not None:
                    if at <= now:
                        events |= POLLIN
                    elif at < soonest:
                        soonest = at
                if events:
                    found.append((stream, events))
            if found or (until is not None and now >= until):
                return found
            _vtime.wait_until(soonest, True)
