"""Keeps the node's tasks running, and feeds the watchdog only while all of them do."""

import asyncio
import random
from time import ticks_diff, ticks_ms

from micropython import const

# Bounds of the wait before a task starts again, in ms.
_FIRST_MS = const(1000)
_LONGEST_MS = const(60_000)
# A report of an error has at most this many characters.
_TEXT = const(60)


def backoff_ms(attempt: int, first_ms: int = _FIRST_MS, longest_ms: int = _LONGEST_MS) -> int:
    """Return how long to wait before try `attempt` (0, 1, ...) in ms.

    Anything from half of first_ms to first_ms * 2**attempt, never above longest_ms: the nodes
    that lost the same broker come back spread out, and none at once.
    """
    least = first_ms // 2
    most = min(longest_ms, first_ms << min(attempt, 16))
    return least + (random.getrandbits(16) * (most - least) >> 16)


class _Task:
    def __init__(self, supervisor, bit: int, name: str, function, period_s):
        self.supervisor = supervisor
        self.bit = bit
        self.name = name
        self.function = function
        self.period_ms = int(period_s * 1000)
        self.restarts = 0
        self.late = False
        self.seen_ms = ticks_ms()
        self.running = None

    def check_in(self) -> None:
        self.seen_ms = ticks_ms()
        self.late = False
        self.supervisor._seen(self.bit)


class Supervisor:
    """Runs coroutine functions for ever.

    Each is called with `check_in`, a function that it has to call at least once a period. The
    watchdog `wdt` is fed only when every task has checked in since it was fed last, so its
    time-out must be longer than the longest period. A task that waits to be started again
    counts as checked in: a broken sensor does not reset the node, a task that hangs does.

    `on_fault(name, text, restarts)` hears of every error and, once, of a task that is late.
    `on_tick()` is called about once a shortest period (so that the clock sees its ticks wrap).
    """

    def __init__(self, wdt=None, on_fault=None, on_tick=None, first_ms: int = _FIRST_MS):
        self._wdt = wdt
        self._on_fault = on_fault
        self._on_tick = on_tick
        self._first_ms = first_ms
        self._tasks = []
        self._missing = 0
        self._resting = 0
        self._stopping = False
        self.restarts = 0

    def add(self, name: str, function, period_s) -> None:
        """Add a task that checks in at least every `period_s` seconds; before run()."""
        self._tasks.append(_Task(self, 1 << len(self._tasks), name, function, period_s))

    def counts(self) -> dict:
        """Return how often each task was started again, by name."""
        return {task.name: task.restarts for task in self._tasks}

    async def run(self) -> None:
        """Run all tasks until stop(), or until this is cancelled."""
        self._missing = (1 << len(self._tasks)) - 1
        tick_ms = min([task.period_ms for task in self._tasks])
        try:
            for task in self._tasks:
                task.running = asyncio.create_task(self._keep(task))
            while not self._stopping:
                await asyncio.sleep_ms(tick_ms)
                if self._on_tick:
                    self._on_tick()
                for task in self._tasks:
                    if not task.late and not self._resting & task.bit:
                        # Once late it is not looked at again, so the ticks cannot wrap.
                        task.late = ticks_diff(ticks_ms(), task.seen_ms) > task.period_ms
                        if task.late:
                            self._report(task, "late")
        finally:
            self.stop()

    def stop(self) -> None:
        """Cancel all tasks; run() returns within a tick."""
        self._stopping = True
        for task in self._tasks:
            if task.running and task.running is not asyncio.current_task():
                task.running.cancel()

    def _seen(self, bit: int) -> None:
        self._missing &= ~bit
        if not self._missing & ~self._resting:
            self._missing = (1 << len(self._tasks)) - 1
            if self._wdt:
                self._wdt.feed()

    def _report(self, task, text: str) -> None:
        try:
            if self._on_fault:
                self._on_fault(task.name, text[:_TEXT], task.restarts)
        except Exception:
            pass

    async def _keep(self, task) -> None:
        attempt = 0
        while True:
            task.check_in()
            started_ms = ticks_ms()
            text = "ended"
            try:
                await task.function(task.check_in)
            except asyncio.CancelledError:
                if self._stopping:
                    raise
                text = "cancelled"  # by what it waited for, not by us
            except Exception as error:
                text = repr(error)
            # A run that held for longer than the longest wait starts the count anew.
            if ticks_diff(ticks_ms(), started_ms) > _LONGEST_MS:
                attempt = 0
            task.restarts += 1
            self.restarts += 1
            self._resting |= task.bit
            self._report(task, text)
            self._seen(task.bit)
            await asyncio.sleep_ms(backoff_ms(attempt, self._first_ms))
            self._resting &= ~task.bit
            attempt += 1
