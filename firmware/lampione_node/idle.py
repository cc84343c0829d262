"""How much of its time the computer has nothing to do."""

import asyncio
from time import ticks_diff, ticks_ms, ticks_us

from micropython import const

_LEAST_MS = const(10_000)


class Idle:
    """Measures the event loop's waits, from now on."""

    def __init__(self):
        queue = asyncio.core._io_queue
        self._wait = queue.wait_io_event
        self._idle_us = self._idle_ms = 0
        self._since_ms = ticks_ms()
        queue.wait_io_event = self._measured

    def _measured(self, dt):
        began = ticks_us()
        self._wait(dt)
        idle_us = self._idle_us + ticks_diff(ticks_us(), began)
        self._idle_ms += idle_us // 1000
        self._idle_us = idle_us % 1000

    def take_percent(self) -> "int | None":
        """Return the share since the last call, 0 to 100; to be asked at least once a week.

        None within 10 s of it: too little to tell.
        """
        now = ticks_ms()
        all_ms = ticks_diff(now, self._since_ms)
        if all_ms < _LEAST_MS:
            return None
        share = self._idle_ms * 25 // (all_ms // 4 + 1)
        self._since_ms = now
        self._idle_ms = 0
        return min(100, share)
