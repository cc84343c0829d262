"""A serial line without waste: waits for bytes, never for the clock."""

import asyncio


def _readable(stream):
    # as asyncio.StreamReader does, which would cost another kilobyte
    yield asyncio.core._io_queue.queue_read(stream)


async def read_some(uart, buf, timeout_ms: int) -> int:
    """Return how many bytes were read into `buf` (a memoryview); 0 when none came in time."""
    try:
        await asyncio.wait_for_ms(_readable(uart), timeout_ms)
    except asyncio.TimeoutError:
        return 0
    return uart.readinto(buf) or 0


def drop(uart, buf) -> None:
    """Throw away what lies in the receiver."""
    while uart.any():
        uart.readinto(buf)
