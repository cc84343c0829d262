"""A DALI line at two pins: the RMT sends, an interrupt stamps every edge.

Pins follow the line unless inverted: an idle line is high. Every frame is heard as it is sent,
so that a line without power, or a transceiver that does nothing, is no lamp that obeys.
"""

import asyncio
from array import array
from time import ticks_diff, ticks_us

import esp32
from micropython import const

from .dali import GARBLED, NO, TICKS_HZ, backward, forward

_RMT_HZ = const(80_000_000)
_EDGES = const(64)  # 34 of a frame, 18 of its answer
_FRAME_MS = const(15)  # until the last edge is through: 14.2
_ANSWER_MS = const(37)  # and an answer, 12.4 later at most and 7.5 long
_SETTLE_MS = const(15)  # 13.5 ms from the last edge to the next frame
_ECHO_US = const(15500)  # later than any edge of a frame, before any of an answer


class Pins:
    """The line of a part's settings: "tx", "rx", and "invert_tx", "invert_rx" where they are."""

    def __init__(self, machine, part):
        low = 1 if part.get("invert_tx") else 0
        self._low = low
        self._idle = 0 if part.get("invert_rx") else 1
        self._rmt = esp32.RMT(
            part.get("rmt", 0),
            pin=machine.Pin(part["tx"]),
            clock_div=_RMT_HZ // TICKS_HZ,
            idle_level=not low,
        )
        self._rx = machine.Pin(part["rx"], machine.Pin.IN)
        self._both = machine.Pin.IRQ_RISING | machine.Pin.IRQ_FALLING
        self._edges = array("i", bytes(4 * _EDGES))
        self._count = 0
        self._on_edge = self._edge  # bound once: an interrupt has no memory

    def _edge(self, _pin):
        n = self._count
        if n < _EDGES:
            self._edges[n] = ticks_us()
            self._count = n + 1

    async def send(self, address, data, answer=False, twice=False):
        """Send a forward frame; return the byte of its answer, NO or GARBLED.

        54 ms with an answer, 32 without, 64 twice. Raises OSError where the line is dead.
        """
        if twice:
            await self._send(address << 8 | data, False)
        return await self._send(address << 8 | data, answer)

    async def _send(self, frame, answer):
        rx = self._rx
        if rx.value() != self._idle:
            raise OSError("DALI: no power on the line")
        self._count = 0
        rx.irq(self._on_edge, self._both)
        try:
            self._rmt.write_pulses(forward(frame), self._low)
            await asyncio.sleep_ms(_ANSWER_MS if answer else _FRAME_MS)
        finally:
            rx.irq(None)
        count = self._count
        edges = self._edges
        if not count:
            raise OSError("DALI: the line does not follow")
        found = NO
        if answer:
            echo = 0
            while echo < count and ticks_diff(edges[echo], edges[0]) < _ECHO_US:
                echo += 1
            found = GARBLED if count == _EDGES else backward(edges, echo, count, ticks_diff)
        await asyncio.sleep_ms(_SETTLE_MS)
        return found
