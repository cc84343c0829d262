"""With the wall clock: pipes that tell a board's poller what its UARTs have to read."""

import os
from collections.abc import Callable, Mapping
from typing import Protocol

from lampione_hil.virtual.uart import UartLine


class Owner(Protocol):
    """What it needs of the board."""

    uarts: dict[int, UartLine]

    def now_us(self) -> int:
        """The world's clock in microseconds."""
        ...


class UartPipes:
    """One pipe a UART, with a byte in it while there is something to be read."""

    def __init__(self, board: Owner, after: Callable[[float, Callable[[], None]], None]) -> None:
        self._board = board
        self._after = after
        self._ends: dict[int, tuple[int, int]] = {}
        self._told: set[int] = set()  # those whose pipe says that something can be read
        self._wake_us: dict[int, int] = {}

    def open(self) -> Mapping[int, int]:
        """Make the pipes of a boot; return the ends to read from."""
        self._ends = {number: pipe() for number in self._board.uarts}
        return {number: ends[0] for number, ends in self._ends.items()}

    def close(self) -> None:
        """The board's process has ended."""
        for ends in self._ends.values():
            for end in ends:
                os.close(end)
        self._ends = {}
        self._told.clear()

    def moved(self, number: int) -> None:
        """Tell the board what can be read, and look again in time."""
        line = self._board.uarts[number]
        if number in self._ends and bool(line.waiting) != (number in self._told):
            read_end, write_end = self._ends[number]
            if line.waiting:
                os.write(write_end, b"!")
                self._told.add(number)
            else:
                os.read(read_end, 1)
                self._told.remove(number)
        next_us = line.next_us()
        if next_us is not None and next_us < self._wake_us.get(number, next_us + 1):
            self._wake_us[number] = next_us
            self._after((next_us - self._board.now_us()) / 1e6, lambda: self._wake(number))

    def _wake(self, number: int) -> None:
        self._wake_us.pop(number, None)
        self._board.uarts[number].advance(self._board.now_us())
        self.moved(number)


def pipe() -> tuple[int, int]:
    """Return a pipe's ends, neither of which ever waits."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
