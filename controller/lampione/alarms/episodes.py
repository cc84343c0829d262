"""When a condition held: from samples in the order of their time to episodes.

A condition begins with the first of the samples beyond the limit, once they were so for `for_s`,
and ends with the first of those back within, once they were so for `clear_s`. A sample between the
two limits ends a beginning and an ending alike. Samples further apart than `gap_s` do not add up.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IDLE, PENDING, ACTIVE, CLEARING = range(4)

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Pace(NamedTuple):
    """How long it takes, seconds."""

    for_s: int = 0
    clear_s: int = 0
    gap_s: int = 900

    @property
    def memory_s(self) -> int:
        """How far back a sample can matter for what one after it begins or ends."""
        return max(self.for_s, self.clear_s) + self.gap_s


class Episode(NamedTuple):
    """Unix seconds; `end` None: it holds."""

    begin: int
    end: int | None


Sample = tuple[int, bool, bool]
"""Time, beyond the limit, back within."""


def episodes(samples: Iterable[Sample], pace: Pace, since: int | None = None) -> list[Episode]:
    """Return the episodes of samples in the order of their time.

    `since`: before the first of them one holds that began then.
    """
    found: list[Episode] = []
    phase, mark, begin, last = IDLE, 0, 0, None
    if since is not None:
        phase, begin = ACTIVE, since
    for at, up, down in samples:
        fresh = last is None or at - last > pace.gap_s
        last = at
        if phase in (IDLE, PENDING):
            if not up:
                phase = IDLE
                continue
            if phase == IDLE or fresh:
                phase, mark = PENDING, at
            if at - mark >= pace.for_s:
                phase, begin = ACTIVE, mark
        else:
            if not down:
                phase = ACTIVE
                continue
            if phase == ACTIVE or fresh:
                phase, mark = CLEARING, at
            if at - mark >= pace.clear_s:
                phase = IDLE
                found.append(Episode(begin, mark))
    if phase in (ACTIVE, CLEARING):
        found.append(Episode(begin, None))
    return found


class Changes(NamedTuple):
    """What samples changed: of rule `rules[i]` and row `rows[i]`, at `at[i]`."""

    rules: Ints
    rows: Ints
    at: Ints  # when it began, or ended
    begins: Mask
    samples: Ints  # which of the samples showed it


class Judge:
    """The same for many rules and nodes at once, sample by sample as they come.

    Attributes:
        phase, mark, last: [rule, row].
    """

    def __init__(self, paces: Sequence[Pace]) -> None:
        self.rules = len(paces)
        self._paces = np.array(paces, np.int64).reshape(self.rules, 3)
        self.phase = np.zeros((self.rules, 0), np.int8)
        self.mark = np.zeros((self.rules, 0), np.int64)
        self.last = np.zeros((self.rules, 0), np.int64)

    def grow(self, rows: int) -> None:
        """Make room."""
        more = rows - self.phase.shape[1]
        if more > 0:
            self.phase = np.pad(self.phase, ((0, 0), (0, more)))
            self.mark = np.pad(self.mark, ((0, 0), (0, more)))
            self.last = np.pad(self.last, ((0, 0), (0, more)))

    def take(self, rows: Ints, at: Ints, up: Mask, down: Mask, known: Mask) -> Changes:
        """Take one sample of each of some rows, none twice; masks are [rule, sample]."""
        phase, mark, last = self.phase[:, rows], self.mark[:, rows], self.last[:, rows]
        for_s, clear_s, gap_s = (self._paces[:, n, None] for n in range(3))
        fresh = at - last > gap_s
        waiting = phase <= PENDING
        starts = waiting & up
        ends = ~waiting & down
        first = (starts & ((phase == IDLE) | fresh)) | (ends & ((phase == ACTIVE) | fresh))
        mark = np.where(first & known, at, mark)
        span = at - mark
        begun = starts & (span >= for_s) & known
        ended = ends & (span >= clear_s) & known
        then = np.where(
            waiting,
            np.where(begun, ACTIVE, np.where(starts, PENDING, IDLE)),
            np.where(ended, IDLE, np.where(ends, CLEARING, ACTIVE)),
        )
        self.phase[:, rows] = np.where(known, then, phase)
        self.mark[:, rows] = mark
        self.last[:, rows] = np.where(known, at, last)
        rules, samples = np.nonzero(begun | ended)
        return Changes(rules, rows[samples], mark[rules, samples], begun[rules, samples], samples)

    def put(self, rule: int, row: int, samples: Sequence[Sample], found: Sequence[Episode],
            pace: Pace) -> None:  # fmt: skip
        """Have one rule and row stand as after these samples and their episodes."""
        active = bool(found) and found[-1].end is None
        phase, mark = (ACTIVE, found[-1].begin) if active else (IDLE, 0)
        run: int | None = None  # the first of the last run that begins or ends something
        later: int | None = None
        for at, up, down in reversed(samples):
            if not (down if active else up) or (later is not None and later - at > pace.gap_s):
                break
            if not active and found and at <= (found[-1].end or 0):
                break
            run = later = at
        if run is not None:
            phase, mark = (CLEARING if active else PENDING), run
        self.phase[rule, row], self.mark[rule, row] = phase, mark
        if samples:
            self.last[rule, row] = samples[-1][0]
