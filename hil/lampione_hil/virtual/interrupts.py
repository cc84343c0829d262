"""What a board's peripherals do without its program: questions to a thread in its process.

With the wall clock only. A wired board's thread (board/_irq.py) answers as the chip's hardware and
its interrupts would, while the program goes on.
"""

import contextlib
import selectors
import socket
from collections import deque
from collections.abc import Callable

# A device that stretches the clock for longer holds the bus: the controller gives up.
PATIENCE_S = 0.5
QUESTION = 512  # bytes of every question, since both sides must know them beforehand
Then = Callable[[bytes], None]
After = Callable[[float, Callable[[], None]], None]


class Interrupts:
    """The supervisor's end. Answers come in the order of the questions."""

    def __init__(self, selector: selectors.BaseSelector, after: After, end: socket.socket) -> None:
        self._selector = selector
        self._after = after
        self._end = end
        self._asked: deque[list[Then]] = deque()  # emptied where patience has run out
        selector.register(end, selectors.EVENT_READ, self._hear)

    def tell(self, message: bytes) -> None:
        """Say something that needs no answer."""
        with contextlib.suppress(OSError):
            self._end.send(message.ljust(QUESTION, b"\0"))

    def ask(self, message: bytes, then: Then) -> None:
        """Ask; `then` gets the answer, or nothing when there is none in time."""
        waiting = [then]
        self._asked.append(waiting)
        self.tell(message)
        self._after(PATIENCE_S, lambda: _answer(waiting, b""))

    def close(self) -> None:
        """The board has ended: nobody answers any more."""
        self._selector.unregister(self._end)
        self._end.close()
        for waiting in list(self._asked):
            _answer(waiting, b"")
        self._asked.clear()

    def _hear(self, _: int) -> None:
        try:
            data = self._end.recv(65536)
        except OSError:
            return
        if data and self._asked:
            _answer(self._asked.popleft(), data)


def _answer(waiting: list[Then], data: bytes) -> None:
    """Answer once, whoever comes first: the board, its end, or the end of patience."""
    while waiting:
        waiting.pop()(data)
