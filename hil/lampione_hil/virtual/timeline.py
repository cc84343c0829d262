"""Virtual time on a bench: who may run, and how far.

One board runs at a time: the one that wants to go on the earliest. It may run as far as nobody
else can still reach: what another board does now comes to it `WINDOW_US` later at the soonest,
for it has to go over the network to the hub and on from there. What lies between boards (the hub,
the access point) is events, which have their turn before any board that is later.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import Protocol

# One way between a board and the hub. A wide one makes for few turns, one above a street's Wi-Fi
# and a line to the town's broker for wrong times.
LATENCY_US = 10_000
WINDOW_US = 2 * LATENCY_US


class Runner(Protocol):
    """A board, as the timeline sees it."""

    def asks_us(self) -> int | None:
        """When it wants to go on; None: it is computing."""
        ...

    @property
    def idle(self) -> bool:
        """Whether it takes no part: off, or at its prompt."""
        ...

    def grant(self, until_us: int) -> None:
        """Let it run up to a time."""


class Timeline:
    """The clock of a bench, with what will happen.

    Attributes:
        now_us: up to here everything has happened.
        window_us: how much later what a board does may come to another. Whoever joins boards by
            a faster way than the network makes it smaller.
    """

    def __init__(self, runners: Callable[[], Iterable[Runner]]) -> None:
        self.now_us = 0
        self.window_us = WINDOW_US
        self._runners = runners
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._until_us = 0
        self._done: Callable[[], None] | None = None

    def at(self, us: int, call: Callable[[], None]) -> None:
        """Call `call` at a time; those of the same time in the order they were asked for."""
        heapq.heappush(self._events, (us, next(self._order), call))

    def run(self, until_us: int, done: Callable[[], None]) -> None:
        """Let time pass up to `until_us`, then call `done`."""
        self._until_us = until_us
        self._done = done
        self.advance()

    def stop(self) -> None:
        """Leave what is under way."""
        self._done = None

    def advance(self) -> None:
        """Let the next one have its turn, if nobody has it now."""
        while self._done is not None:
            first: Runner | None = None
            first_us = second_us = self._until_us + 1
            for runner in self._runners():
                if runner.idle:
                    continue
                at_us = runner.asks_us()
                if at_us is None:
                    return
                if at_us < first_us:
                    first, first_us, second_us = runner, at_us, first_us
                elif at_us < second_us:
                    second_us = at_us
            event_us = self._events[0][0] if self._events else self._until_us + 1
            if event_us <= min(first_us, self._until_us):
                self.now_us = max(self.now_us, event_us)
                heapq.heappop(self._events)[2]()
            elif first is not None:
                self.now_us = max(self.now_us, first_us)
                first.grant(self._horizon_us(second_us, event_us))
                return
            else:
                self.now_us = self._until_us
                done, self._done = self._done, None
                done()

    def _horizon_us(self, second_us: int, event_us: int) -> int:
        return min(self._until_us, second_us + self.window_us, event_us + self.window_us // 2)
