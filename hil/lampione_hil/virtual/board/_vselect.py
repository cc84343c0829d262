"""`select` on the virtual clock: a look at the descriptors first, then the clock.

A stream that becomes ready at a time it knows itself (the microphone) says so through
`ready_us()`; every other descriptor is looked at again at each grant.
"""

import _vtime
from _wire import native

_select = native["select"]
POLLIN = _select.POLLIN
POLLOUT = _select.POLLOUT
POLLERR = _select.POLLERR
POLLHUP = _select.POLLHUP
_STEP_US = 10000  # how often real descriptors are looked at, virtual time


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
            found = []
            soonest = until
            if self._any_real:
                found.extend(self._real.poll(0))
                step = _vtime.look_us() + _STEP_US
                if soonest is None or step < soonest:
                    soonest = step
            for stream, mask in self._timed.values():
                at = stream.ready_us()
                if not mask & POLLIN:
                    continue
                if at <= _vtime.look_us():
                    found.append((stream, POLLIN))
                elif soonest is None or at < soonest:
                    soonest = at
            now = _vtime.look_us()
            if found or (until is not None and now >= until):
                return found
            _vtime.wait_until(now + 3600000000 if soonest is None else soonest)
