"""What radars on a serial line have in common: found, set up, asked whether they still are.

An empty street says nothing. So the part is asked for its settings every 10 s: the answer tells
silence from absence, and shows a part that forgot its settings. Until a part has said that it is
set up nothing that it says is believed, since it may mean another unit.

Faults show: nothing comes, or nothing that can be read, after 15 s; no part at all after 2 s; the
same reading again and again after `same` of them. A part that comes back is found within 10 s.
"""

import asyncio
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from . import health
from .lines import Lines
from .watch import Watch

_ASK_MS = const(10000)
_ANSWER_MS = const(1000)  # how long an answer may take, and a call of measure()
_TRIES = const(2)  # of a query at one rate, and of telling a part its settings
_PAUSE_MS = const(50)  # after a command
_FRESH_MS = const(15000)
_FASTEST = const(2500)  # 0.1 km/h: nothing on a road is faster


class Radar:
    """A radar on a ready-made serial line.

    Args:
        rates: baud rates at which the part may be, the likeliest first.
        same: so many equal readings in a row are stuck.
        query: what the part answers at all times.
        answer: of a line, whether the part is set up; None when it is no answer to the query.
        setup: the commands that set the part up.
        readings: of a line, a list of its pairs (speed, magnitude), strongest first. A magnitude
            of None says that the part has lost its settings.
    """

    def __init__(self, uart, rates, same: int, query, answer, setup, readings):
        self._uart = uart
        self._lines = Lines(uart)
        self._rates = rates
        self._query = query
        self._answer = answer
        self._setup = setup
        self._readings = readings
        self._rate = 0  # its index
        self._tries = 0  # queries without an answer
        self._ask_ms = ticks_ms()
        self._told = 0  # how often the part has been told its settings
        self._sure = False  # and has said that it has them
        self._busy = False  # there were readings since the last answer
        self.watch = Watch(_FRESH_MS, same)

    async def measure(self):
        """Return [(ms, speed, magnitude), ...] of the next line; (): nothing moves; or None.

        ms: of time.ticks_ms, when the line had come. speed: radial, in 0.1 km/h, + inbound.
        magnitude: in the part's own unit, 0 where it has none. At most 2 s.
        """
        self._ask()
        line = await self._lines.next(_ANSWER_MS)
        if line:
            good = self._answer(line)
            if good is None:
                found = self._readings(line)
                if found:
                    return self._judge(found)
            else:
                await self._answered(good)
        return () if self._sure and self.watch.fresh() else None

    def _ask(self) -> None:
        now_ms = ticks_ms()
        if ticks_diff(now_ms, self._ask_ms) < 0:
            return
        if self._tries:
            self.watch.lost(health.STALE if self._lines.heard else health.SILENT)
            if self._tries == _TRIES:
                self._tries = 0
                self._told = 0
                self._sure = False
                self._rate = (self._rate + 1) % len(self._rates)
        if not self._sure and not self._tries:
            self._uart.init(baudrate=self._rates[self._rate])
        self._tries += 1
        self._lines.heard = False
        self._ask_ms = ticks_add(now_ms, _ANSWER_MS)
        # At a rate that may be wrong the part is sent no more than this.
        self._uart.write(self._query)

    async def _answered(self, good) -> None:
        self._tries = 0
        self._sure = good and self._told > 0
        self._ask_ms = ticks_add(ticks_ms(), _ASK_MS)
        if self._sure:
            self._told = 1
            if not self._busy:
                self.watch.seen(ticks_ms())  # never twice the same: an idle street is not stuck
            self._busy = False
        elif self._told < _TRIES:
            self._told += 1
            for command in self._setup:
                self._uart.write(command)
                await asyncio.sleep_ms(_PAUSE_MS)
            self._ask_ms = ticks_ms()
        else:  # it does not listen; telling it for ever would wear its flash out
            self.watch.lost(health.STALE)

    def _judge(self, found):
        if not self._sure:
            return None
        if found[0][1] is None:
            self._told = 0
            self._sure = False
            self._ask_ms = ticks_ms()
            return None
        self._busy = True
        if not self.watch.seen(found[0], -_FASTEST <= found[0][0] <= _FASTEST):
            return None
        ms = ticks_ms()
        for i in range(len(found)):
            found[i] = (ms,) + found[i]
        return found
