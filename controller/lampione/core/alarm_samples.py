"""The rules of one message, judged of every node as its samples come; late ones are told apart."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione import batch, values
from lampione.alarms.episodes import ACTIVE, IDLE, Episode, Judge, Pace, episodes
from lampione.alarms.rules import GAP_S, KINDS, Mask, Of, Rule, needed, shown, verdict
from lampione.store import Frame, Series

AHEAD_S = 300
"""A sample's time further than this ahead of its arrival cannot be right: arrival counts then."""

Ints = NDArray[np.int64]


def times(at: Ints, timed: Mask, received: Ints) -> Ints:
    """Return the samples' times that count."""
    return np.where(timed & (at <= received + AHEAD_S), at, received)


class Change(NamedTuple):
    """A rule of a node (its row) begins or ends."""

    rule: Rule
    row: int
    at: int
    begins: bool
    value: str


class Taken(NamedTuple):
    """What a batch came to. late: rows, and from when on they are to be judged again."""

    changes: list[Change]
    late: dict[int, int]


class _Sample(NamedTuple):
    at: int
    epoch: int
    seq: int
    up: Mask  # [rule]
    down: Mask
    known: Mask


class Samples:
    """See the module. `keep` rows' samples are kept beside, until they were judged again."""

    def __init__(self, of: Of, rules: Sequence[Rule]) -> None:
        self.of = of
        self.kind = KINDS[of]
        self.rules = [rule for rule in rules if rule.of == of]
        self.paces = [Pace(rule.for_s, rule.clear_s, GAP_S[of]) for rule in self.rules]
        self.memory_s = max((pace.memory_s for pace in self.paces), default=0)
        self.fields = sorted(needed(self.rules))
        self.judge = Judge(self.paces)
        self._applies = np.zeros((len(self.rules), 0), np.bool_)
        self._narrow = any(rule.nodes or rule.sites or rule.profiles for rule in self.rules)
        self._last = np.zeros((3, 0), np.int64)  # time, epoch, number of each node's last
        self.kept: dict[int, list[_Sample]] = {}

    def grow(self, rows: int) -> None:
        """Make room."""
        more = rows - self._last.shape[1]
        if more > 0:
            self.judge.grow(rows)
            self._applies = np.pad(
                self._applies, ((0, 0), (0, more)), constant_values=not self._narrow
            )
            self._last = np.pad(self._last, ((0, 0), (0, more)))

    def concern(self, row: int, node: str, site: str, profile: str) -> None:
        """Take note of a node."""
        if self._narrow:
            self._applies[:, row] = [rule.concerns(node, site, profile) for rule in self.rules]

    def keep(self, row: int) -> None:
        """From now on keep a node's samples: what is stored is being read."""
        self.kept.setdefault(row, [])

    def _judged(self, columns: batch.Columns, rows: Ints) -> tuple[Mask, Mask, Mask]:
        found = [verdict(rule, columns) for rule in self.rules]
        shape = (len(self.rules), len(rows))
        up, down, known = (
            np.stack([each[n] for each in found]) if found else np.zeros(shape, np.bool_)
            for n in range(3)
        )
        known &= self._applies[:, rows]
        known &= columns.sound
        return up & known, down & known, known

    def take(self, frames: Sequence[tuple[int, Frame]]) -> Taken:
        """Judge what came: (row, frame)."""
        if not frames or not self.rules:
            return Taken([], {})
        rows = np.array([row for row, _ in frames], np.int64)
        received = np.array([int(frame.received // 1) for _, frame in frames], np.int64)
        said = np.array([frame.at or 0 for _, frame in frames], np.int64)
        timed = np.array([frame.at is not None for _, frame in frames], np.bool_)
        at = times(said, timed, received)
        epochs = np.array([frame.epoch for _, frame in frames], np.int64)
        seqs = np.array([frame.seq for _, frame in frames], np.int64)
        self.grow(int(rows.max()) + 1)
        order = np.lexsort((seqs, epochs, at, rows))
        rows, at, epochs, seqs = rows[order], at[order], epochs[order], seqs[order]
        bodies = [frames[n][1].body for n in order.tolist()]
        columns = batch.decode(values.FIELDS[self.kind], bodies, self.fields)
        up, down, known = self._judged(columns, rows)
        last = self._last[:, rows]
        late = (at < last[0]) | (
            (at == last[0])
            & ((epochs < last[1]) | ((epochs == last[1]) & (seqs <= last[2])))
        )  # fmt: skip
        found: dict[int, int] = {}
        for row, when in zip(rows[late].tolist(), at[late].tolist(), strict=True):
            found[row] = min(when, found.get(row, when))
        for row in found:
            self.keep(row)
        if self.kept:
            for n in np.flatnonzero(np.isin(rows, list(self.kept))).tolist():
                self.kept[int(rows[n])].append(
                    _Sample(
                        int(at[n]), int(epochs[n]), int(seqs[n]), up[:, n], down[:, n], known[:, n]
                    )
                )
        changes: list[Change] = []
        nth = _rank(rows)
        for turn in range(int(nth.max()) + 1):
            some = np.flatnonzero((nth == turn) & ~late)
            if not len(some):
                continue
            self._last[:, rows[some]] = at[some], epochs[some], seqs[some]
            for rule, row, when, begins, n in zip(
                *self.judge.take(rows[some], at[some], up[:, some], down[:, some], known[:, some]),
                strict=True,
            ):
                value = shown(self.rules[rule], columns, int(some[n])) if begins else ""
                changes.append(Change(self.rules[rule], int(row), int(when), bool(begins), value))
        return Taken(changes, found)

    def stand(self, frames: Mapping[int, Frame], active: Mapping[tuple[int, str], int]) -> set[int]:
        """Begin where the store stands: the last frame of each row, and what is active since when.

        Return the rows whose last sample says otherwise: they are to be judged again.
        """
        self.kept.clear()
        self.judge.phase[:] = IDLE
        numbers = {rule.name: n for n, rule in enumerate(self.rules)}
        for (row, name), since in active.items():
            number = numbers.get(name)
            if number is not None:
                self.judge.phase[number, row], self.judge.mark[number, row] = ACTIVE, since
        if not frames or not self.rules:
            return set()
        rows = np.array(list(frames), np.int64)
        held = list(frames.values())
        received = np.array([int(frame.received // 1) for frame in held], np.int64)
        timed = np.array([frame.at is not None for frame in held], np.bool_)
        at = times(np.array([frame.at or 0 for frame in held], np.int64), timed, received)
        fields = values.FIELDS[self.kind]
        columns = batch.decode(fields, [frame.body for frame in held], self.fields)
        up, down, known = self._judged(columns, rows)
        self._last[:, rows] = (
            at, [frame.epoch for frame in held], [frame.seq for frame in held]
        )  # fmt: skip
        self.judge.last[:, rows] = np.where(known, at, 0)
        holds = self.judge.phase[:, rows] == ACTIVE
        doubted = ((up & ~holds) | (down & holds)).any(axis=0)
        return {int(row) for row in rows[doubted]}

    def anew(
        self, row: int, since: int, stored: Sequence[_Sample], standing: Sequence[int | None]
    ) -> list[list[Episode]]:
        """Return the episodes of each rule from what is stored and kept, from `since` on.

        Args:
            standing: of each rule, since when what held at `since` had held.

        The judge goes on from there.
        """
        both = {(s.epoch, s.seq): s for s in [*stored, *self.kept.get(row, [])] if s.at >= since}
        samples = sorted(both.values(), key=lambda s: s[:3])
        found: list[list[Episode]] = []
        for n, pace in enumerate(self.paces):
            mine = [(s.at, bool(s.up[n]), bool(s.down[n])) for s in samples if s.known[n]]
            of_rule = episodes(mine, pace, standing[n])
            self.judge.put(n, row, mine, of_rule, pace)
            found.append(of_rule)
        if samples:
            newest = samples[-1]
            if newest[:3] > tuple(self._last[:, row].tolist()):
                self._last[:, row] = newest[:3]
        return found

    def samples_of(self, series: Series) -> dict[int, list[_Sample]]:
        """Return what was read, by row."""
        rows = series.nodes.astype(np.int64)
        if not len(rows):
            return {}
        self.grow(int(rows.max()) + 1)
        at = times(series.at, series.timed, series.received)
        up, down, known = self._judged(series.columns, rows)
        found: dict[int, list[_Sample]] = {}
        for n, (row, when, epoch, seq) in enumerate(
            zip(rows.tolist(), at.tolist(), series.epochs.tolist(), series.seqs.tolist(),
                strict=True)
        ):  # fmt: skip
            found.setdefault(row, []).append(
                _Sample(when, epoch, seq, up[:, n], down[:, n], known[:, n])
            )
        return found


def _rank(rows: Ints) -> NDArray[Any]:
    """Return of sorted rows how many of the same stand before each."""
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    return np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
