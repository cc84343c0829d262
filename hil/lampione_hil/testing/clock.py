"""The board's time, the only time that a test has."""

import time
from collections.abc import Callable
from typing import TypeVar

from lampione_hil.board import BoardTimeoutError
from lampione_hil.virtual import VirtualBench

T = TypeVar("T")
LOOK_S = 0.05  # between two looks at what is waited for, at first
LOOK_SHARE = 0.02  # and of what has been waited for already: looking costs more than waiting
PUMP_S = 5.0  # how long a peer may take to answer, in virtual time


class Clock:
    """Lets time pass on the test's boards and waits for what they do.

    Virtual: time passes in `run_for` and `wait` only. Wall: it passes anyway.
    """

    def __init__(self, bench: VirtualBench | None, kind: str) -> None:
        self.kind = kind
        self.step_s = PUMP_S
        self.pumps: list[Callable[[], None]] = []  # peers that live in this process
        self.last_words: Callable[[], str] = str
        self._bench = bench
        self._began = time.monotonic()

    @property
    def virtual(self) -> bool:
        """Whether time passes only when the test lets it."""
        return self.kind == "virtual" and self._bench is not None

    def now_s(self) -> float:
        """Return the time since the test began, in seconds of its boards."""
        if self.virtual and self._bench is not None:
            return self._bench.run_for(0)
        return time.monotonic() - self._began

    def run_for(self, seconds: float) -> float:
        """Let time pass; return what `now_s` then says."""
        end = self.now_s() + seconds
        while True:
            left = end - self.now_s()
            if left <= 1e-9:
                return self.now_s()
            step = self.step_s if self.virtual else LOOK_S
            self._pass(min(left, step) if self.pumps else left)

    def wait(self, test: Callable[[], T], what: str, within_s: float = 10.0) -> T:
        """Wait until `test()` is true; return what it returned.

        Raises BoardTimeoutError that names `what`, with the end of the board's console.
        """
        end = self.now_s() + within_s
        while True:
            for pump in self.pumps:
                pump()
            found = test()
            if found:
                return found
            left = end - self.now_s()
            if left <= 1e-9:
                words = self.last_words()
                raise BoardTimeoutError(f"{what} not within {within_s:g} s{words}")
            look = max(LOOK_S, LOOK_SHARE * (within_s - left)) if self.virtual else LOOK_S
            self._pass(min(left, look, self.step_s))

    def _pass(self, seconds: float) -> None:
        if self.virtual and self._bench is not None:
            self._bench.run_for(seconds)
        else:
            time.sleep(seconds)
        for pump in self.pumps:
            pump()
