"""Work that goes on beside a front end, and what comes of it, handed over when it looks."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol


class Answer(NamedTuple):
    """What came of a question. `error` is for people; None: it was answered."""

    result: Any
    error: str | None = None
    kind: str | None = None  # of the error: `api.ErrorKind`, "no core", or an exception's name


class Cancelled(Exception):
    """Whoever asked for this work wants it no more."""


Start = Callable[[Callable[[], None]], object]
"""Begins work: in a thread of its own, or in tests at once."""


def in_thread(work: Callable[[], None]) -> None:
    """Begin work in a thread that ends with the program."""
    threading.Thread(target=work, name="desk", daemon=True).start()


class Job:
    """Work under way. `tell` and `check` are for the work, `cancel` for whoever asked for it."""

    def __init__(self, told: Callable[[Any], None]) -> None:
        self._told = told
        self._cancelled = threading.Event()
        self._stream: Iterator[Any] | None = None

    @property
    def cancelled(self) -> bool:
        """Say whether it is to end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the work to end; it is done when its answer has come."""
        self._cancelled.set()

    def tell(self, item: Any) -> None:
        """Say how far it is. Raises Cancelled."""
        self.check()
        self._told(item)

    def check(self) -> None:
        """Raise Cancelled when it is to end."""
        if self.cancelled:
            raise Cancelled


Work = Callable[[Job], Any]


class Undertaking(Protocol):
    """Work that must not end with the screen unasked."""

    def going(self) -> str | None:
        """Say what goes on, and what becomes of it when the screen ends; None: nothing."""
        ...

    def stop(self) -> None:
        """Ask it to end in good order."""
        ...


class Works:
    """Starts work; what it says waits until `deliver`, which the front end calls."""

    def __init__(self, start: Start = in_thread) -> None:
        self._start = start
        self._waiting: deque[Callable[[], None]] = deque()

    def run(
        self,
        work: Work,
        done: Callable[[Answer], None],
        each: Callable[[Any], None] = lambda _: None,
    ) -> Job:
        """Begin. `each` gets what the work tells, `done` what came of it, both in `deliver`."""
        job = Job(lambda item: self._waiting.append(lambda: each(item)))

        def run() -> None:
            try:
                answer = Answer(work(job))
            except Cancelled:
                answer = Answer(None, "it was ended", "cancelled")
            except Exception as error:  # noqa: BLE001 - whoever asked shows it
                text = str(error) or type(error).__name__
                answer = Answer(None, text, getattr(error, "kind", type(error).__name__))
            self._waiting.append(lambda: done(answer))

        self._start(run)
        return job

    def deliver(self) -> bool:
        """Hand over what has come; say whether there was anything."""
        count = len(self._waiting)
        for _ in range(count):
            self._waiting.popleft()()
        return count > 0
