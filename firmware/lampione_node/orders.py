"""Orders for the lamp, kept on flash.

A power cut neither relights a lamp on which somebody works nor lets an order outlive its end. While
the clock is unset after a reboot nobody can say whether an order is over: maintenance and emergency
begin their time anew, an override waits for the clock.
"""

from struct import pack, unpack

from lampione_light.level import (
    AUTHOR,
    ELAPSED,
    EMERGENCY,
    FULL,
    GROUP,
    KIND,
    LENGTH,
    LEVEL,
    MAINTENANCE,
    OVERRIDE,
    RAMP,
    SENSOR,
    lasts,
)
from micropython import const

from . import kept

FILE = "/state/orders"
_ROW = ">BHIII"  # kind, level, author, until (0: the clock was unset), seconds left
ROW_BYTES = const(15)
ROWS = const(3)
_LONGEST_MS = const(1048574000)  # 12.1 days; below 2^30, so never on the heap
_LONGEST_RAMP_MS = const(409400)
_RAMP_MS = const(20)  # how often a ramp is looked at


class Orders:
    """The orders in force.

    Args:
        clock: the node's.

    Attributes:
        now: what `lampione_light.level` is asked with.
        failed: the flash refused them.
    """

    def __init__(self, clock) -> None:  # type: ignore[no-untyped-def]
        self._clock = clock
        self.now = []
        self.failed = False
        self._doubtful = []  # (order, until) of before the reboot, which the clock has to judge
        self._undated = False  # what is kept was given without a clock
        self._rows = rows = kept.load(FILE, ROWS * ROW_BYTES)
        for at in range(0, len(rows) - ROW_BYTES + 1, ROW_BYTES):
            kind, level, author, until, length_s = unpack(_ROW, rows[at : at + ROW_BYTES])
            if kind in (OVERRIDE, EMERGENCY, MAINTENANCE) and level <= FULL:
                length_ms = min(length_s, _LONGEST_MS // 1000) * 1000
                order = [kind, level, 0, length_ms, 0, level, author]
                if until:
                    self._doubtful.append((order, until))
                else:
                    self._undated = True
                if kind != OVERRIDE:
                    self.now.append(order)
        self.judge()

    def find(self, kind: int):  # type: ignore[no-untyped-def]
        """Return the order of a kind, or None."""
        for order in self.now:
            if order[KIND] == kind:
                return order
        return None

    def put(self, order: list) -> None:
        """Take an order in place of the one of its kind.

        Raises ValueError for a level beyond 100 %, a ramp of more than 409.4 s and a length of
        less than 1 ms or more than 12.1 days.
        """
        if (
            not 0 <= order[LEVEL] <= FULL
            or not 0 <= order[RAMP] <= _LONGEST_RAMP_MS
            or not 1 <= order[LENGTH] <= _LONGEST_MS
        ):
            raise ValueError("lamp: out of range")
        self._drop((order[KIND],))
        self.now.append(order)
        self._keep()

    def end(self, kinds: tuple) -> None:
        """End the orders of these kinds."""
        self._drop(kinds)
        self._keep()

    def boost(self, kind: int, level: int, hold_s: int, ramp_ms: int, author: int) -> None:
        """Raise the light for so long from now on, once more or anew."""
        order = self.find(kind)
        if not order:
            order = [kind, 0, ramp_ms, 0, 0, 0, 0]
            self.now.append(order)
        left = order[LENGTH] - order[ELAPSED]
        if left < 0:  # on its way down it turns where it is
            order[ELAPSED] = max(0, order[RAMP] + left)
        order[ELAPSED] = min(order[ELAPSED], order[RAMP])
        order[LENGTH] = order[ELAPSED] + max(left, hold_s * 1000)  # it can only raise
        if level >= order[LEVEL]:
            order[LEVEL] = level
            order[AUTHOR] = author

    def left_ms(self) -> int:
        """Return how long the order that counts goes on, 0 without one."""
        for kind in (MAINTENANCE, EMERGENCY, OVERRIDE):
            order = self.find(kind)
            if order:
                return order[LENGTH] - order[ELAPSED]
        return 0

    def pass_time(self, elapsed_ms: int, wait_ms: int) -> int:
        """Let time pass; return after how many ms, `wait_ms` at most, to look again."""
        for order in self.now:
            length = order[LENGTH]
            boosts = order[KIND] in (SENSOR, GROUP)
            if boosts:
                length += order[RAMP]
            order[ELAPSED] = min(length, order[ELAPSED] + elapsed_ms)
            left = length - order[ELAPSED]
            if order[ELAPSED] < order[RAMP] or (boosts and left < order[RAMP]):
                left = min(left, _RAMP_MS)
            if left and left < wait_ms:
                wait_ms = left
        ended = [order[KIND] for order in self.now if not lasts(order)]
        if ended:
            self.now = [order for order in self.now if lasts(order)]
            if ended != [SENSOR] and ended != [GROUP]:
                self._keep()
        return wait_ms

    def judge(self) -> bool:
        """Once the clock knows the time: end what is over, let go on what is not, and date it.

        Returns whether there was anything to judge.
        """
        if not self._clock.quality() or not (self._doubtful or self._undated or self.failed):
            return False
        now = self._clock.now()
        for order, until in self._doubtful:
            self.now = [one for one in self.now if one[KIND] != order[KIND]]
            if until > now:
                order[LENGTH] = min(until - now, order[LENGTH] // 1000) * 1000
                order[ELAPSED] = 0
                self.now.append(order)
        self._doubtful = []
        self._keep()
        return True

    def _drop(self, kinds: tuple) -> None:
        self.now = [one for one in self.now if one[KIND] not in kinds]
        self._doubtful = [one for one in self._doubtful if one[0][KIND] not in kinds]

    def _keep(self) -> None:
        """Write down the orders that a power cut must not end or prolong."""
        rows = b""
        now = self._clock.now() if self._clock.quality() else 0
        known = [(order, 0) for order in self.now if order[KIND] not in (SENSOR, GROUP)]
        for order, until in self._doubtful:
            known = [one for one in known if one[0] is not order]
            known.append((order, until))
        for order, until in known:
            left_s = (order[LENGTH] - order[ELAPSED] + 999) // 1000
            until = until or (now and now + left_s)
            rows += pack(_ROW, order[KIND], order[LEVEL], order[AUTHOR], until, left_s)
        self._undated = bool(rows) and not now
        if rows != self._rows or self.failed:
            self.failed = not kept.save(FILE, rows)
            self._rows = rows
