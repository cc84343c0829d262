"""Waits for what a stream brings (a serial line, I2S), without waste.

A wait makes no tasks of its own, as asyncio.wait_for() does, two at each use: a radar's line or a
microphone's buffer comes many times a second. One task ends all waits that take too long.
"""

import asyncio
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

_LONGEST_MS = const(60000)

_waits = []  # [deadline (None: it has passed), task]
_bell = [None, 0, None]  # the task that ends waits, when it wakes, the loop's queue that it is in


async def _ring() -> None:
    core = asyncio.core
    while _waits:
        now = ticks_ms()
        soonest = _LONGEST_MS
        for wait in _waits:
            deadline, task = wait
            if deadline is None:
                continue
            left = ticks_diff(deadline, now)
            if left > 0:
                soonest = min(soonest, left)
            elif task.data is core._io_queue:  # else it has something to read already
                wait[0] = None
                core._io_queue.remove(task)
                core._task_queue.push(task)
        _bell[1] = ticks_add(now, soonest)
        await asyncio.sleep_ms(soonest)


def _watch(wait) -> None:
    queue = asyncio.core._task_queue
    if _bell[2] is not queue:  # another event loop's are forgotten
        _waits.clear()
    _waits.append(wait)
    if len(_waits) == 1 and (_bell[2] is not queue or _bell[0].done()):
        _bell[:] = asyncio.create_task(_ring()), wait[0], queue
    elif ticks_diff(wait[0], _bell[1]) < 0:
        queue.remove(_bell[0])
        queue.push(_bell[0], wait[0])
        _bell[1] = wait[0]


def readable(stream, timeout_ms):
    """Wait until something can be read; return False where nothing came in time. To be awaited."""
    wait = [ticks_add(ticks_ms(), timeout_ms), asyncio.current_task()]
    _watch(wait)
    try:
        # as asyncio.StreamReader does, which would cost another kilobyte
        yield asyncio.core._io_queue.queue_read(stream)
        return wait[0] is not None
    finally:
        _waits.remove(wait)


async def read_some(uart, buf, timeout_ms: int) -> int:
    """Return how many bytes were read into `buf` (a memoryview); 0 when none came in time."""
    if not await readable(uart, timeout_ms):
        return 0
    return uart.readinto(buf) or 0


def drop(uart, buf) -> None:
    """Throw away what lies in the receiver."""
    while uart.any():
        uart.readinto(buf)
