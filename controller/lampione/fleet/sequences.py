"""Which of a node's numbered frames are here, which are missing, which are lost. No I/O.

A node numbers its frames across boots and draws a new epoch at each boot. A `Line` follows one
such numbering: the watermark (every number up to it is here or lost), spans above it, and the
segments, that is, from which number on which boot wrote. It ends when the node's flash turns out
to be wiped or an older image of itself (a fork): the same numbers then come again with other
contents, and everything is counted anew by what arrives from then on.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

RETIRED_KEPT = 64  # epochs of earlier lines that are remembered
SEGMENTS_KEPT = 64  # boots, beside those that numbers are still waited for from
LOST_KEPT = 64  # spans, beside those beyond the watermark
SEQ_MAX = 16777214  # the last number that the wire can carry


@dataclass(slots=True)
class Spans:
    """A set of whole numbers as disjoint spans, [first, last], both included, rising."""

    spans: list[list[int]] = field(default_factory=list)

    def __contains__(self, number: int) -> bool:
        at = self._before(number)
        return at >= 0 and self.spans[at][1] >= number

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    def _before(self, number: int) -> int:
        """Return the index of the last span that starts at or before the number, or -1."""
        return bisect_right(self.spans, number, key=lambda span: span[0]) - 1

    def add(self, first: int, last: int) -> None:
        """Add a span; overlaps are fine."""
        spans = self.spans
        start = self._before(first)
        if start < 0 or spans[start][1] < first - 1:
            start += 1
        end = start
        while end < len(spans) and spans[end][0] <= last + 1:
            first = min(first, spans[end][0])
            last = max(last, spans[end][1])
            end += 1
        spans[start:end] = [[first, last]]

    def remove(self, number: int) -> bool:
        """Take one number out; say whether it was in."""
        at = self._before(number)
        if at < 0 or self.spans[at][1] < number:
            return False
        first, last = self.spans[at]
        left = [[first, number - 1]] if first < number else []
        right = [[number + 1, last]] if number < last else []
        self.spans[at : at + 1] = left + right
        return True

    def holes(self, first: int, last: int) -> list[list[int]]:
        """Return the spans of [first, last] that are not in the set."""
        found = []
        for start, end in self.spans:
            if start > last:
                break
            if end < first:
                continue
            if start > first:
                found.append([first, start - 1])
            first = end + 1
        if first <= last:
            found.append([first, last])
        return found


class Arrival(Enum):
    """What a frame means to the line."""

    NEW = "new"
    DUPLICATE = "duplicate"  # this number was counted before: tell the node the watermark
    FOUND = "found"  # it was recorded as lost
    ASIDE = "aside"  # of another line, or of no boot that we can place: stored, not counted


class Greeting(Enum):
    """What a hello means to the line."""

    CURRENT = "current"  # of the boot that we know
    NEW_BOOT = "new boot"
    SUSPICIOUS = "suspicious"  # a replay, or a fork: ask with a fresh challenge
    FORK = "fork"  # the answer was right: a new line has begun


@dataclass(slots=True)
class Segment:
    """The numbers from `first` on, up to the next segment's, were written by this boot."""

    epoch: bytes
    boot: int
    first: int
    inferred: bool = False  # from a frame: its hello has not come, `first` may be too high
    after: int = -1  # inferred: the last number known before; a hello that contradicts is a fork


@dataclass(slots=True)
class Line:
    """See the module. Numbers are 1 to 16,777,214."""

    watermark: int = 0
    highest: int = 0  # the last number that is known to have been written
    above: Spans = field(default_factory=Spans)  # here or lost, beyond the watermark
    lost: Spans = field(default_factory=Spans)
    segments: list[Segment] = field(default_factory=list)
    retired: list[bytes] = field(default_factory=list)  # epochs that may not be counted here
    doubted: bool = False  # frames that we asked for do not fit: the next answered hello decides

    @property
    def current(self) -> Segment | None:
        """The boot that speaks now: commands are sealed under its epoch."""
        return self.segments[-1] if self.segments else None

    def is_missing(self, seq: int) -> bool:
        """Say whether this number is waited for."""
        return self.watermark < seq <= self.highest and seq not in self.above

    @property
    def settled(self) -> bool:
        """Say whether the current boot's hello was accepted: until then no watermark is sent."""
        return bool(self.segments) and not self.segments[-1].inferred

    def receive(self, epoch: bytes, boot: int, seq: int) -> Arrival:
        """Count a frame that was opened, and that the same transaction stores."""
        current = self.current
        ours = current is not None and current.epoch == epoch and seq >= current.first
        if not ours and not self._place(epoch, boot, seq):
            if not any(segment.epoch == epoch for segment in self.segments):
                self._retire([epoch])
            return Arrival.ASIDE
        if seq > self.highest:
            self.highest = seq
        if seq == self.watermark + 1:
            self.watermark = seq
            if self.above.spans:
                self._advance()
            return Arrival.NEW
        if seq <= self.watermark or seq in self.above:
            if self.lost.spans and self.lost.remove(seq):
                return Arrival.FOUND
            return Arrival.DUPLICATE
        self.above.add(seq, seq)
        return Arrival.NEW

    def _place(self, epoch: bytes, boot: int, seq: int) -> bool:
        """Say whether this boot wrote this number in this line."""
        segments = self.segments
        if not segments:
            segments.append(Segment(epoch, boot, seq, inferred=True))
            return True
        # The segment that owns the number, and the next one.
        at = bisect_right(segments, seq, key=lambda segment: segment.first) - 1
        owner = segments[at] if at >= 0 else None
        later = segments[at + 1] if at + 1 < len(segments) else None
        if owner is not None and owner.epoch == epoch:
            return True
        if later is not None and later.epoch == epoch and later.inferred:
            later.first = seq
            return True
        if any(segment.epoch == epoch for segment in segments):
            return False
        if epoch in self.retired:
            return False
        if owner is None:
            # Before the first boot that we remember: a flash carries what earlier ones left on it.
            return later is not None and boot < later.boot
        if boot <= owner.boot:
            return False
        # A boot whose hello we missed: the newest, or one between two that we know.
        fits = seq > self.highest if later is None else boot < later.boot
        if fits:
            segments.insert(at + 1, Segment(epoch, boot, seq, inferred=True, after=self.highest))
            self._prune()
        return fits

    def hello(
        self, epoch: bytes, boot: int, first_seq: int, oldest_held: int, *, answered: bool
    ) -> tuple[Greeting, list[list[int]]]:
        """Take a hello that was opened; return what it means and the spans newly lost.

        Args:
            answered: it carries the right answer to a challenge that we drew for this epoch, so
                the node has this epoch now.
        """
        current = self.current
        known = current is not None and current.epoch == epoch
        fits = (
            current is not None
            and known
            and not (current.inferred and first_seq <= current.after)
            and not (answered and self.doubted)
        )
        if current is not None and fits:
            if current.inferred:
                current.first, current.inferred = first_seq, False
            greeting = Greeting.CURRENT
        elif current is None or (
            not known
            and boot > current.boot
            and first_seq > self.highest
            and epoch not in self.retired
        ):
            self.segments.append(Segment(epoch, boot, first_seq))
            self._prune()
            greeting = Greeting.NEW_BOOT
        elif not answered:
            if not known:
                self._retire([epoch])
            return Greeting.SUSPICIOUS, []
        else:
            self._fork(epoch, boot, first_seq, oldest_held)
            return Greeting.FORK, []
        self.highest = max(self.highest, first_seq - 1)
        return greeting, self.lose(self.watermark + 1, oldest_held - 1)

    def _fork(self, epoch: bytes, boot: int, first_seq: int, oldest_held: int) -> None:
        # An image holds what was written before it was taken: those boots stay. When even that
        # proved wrong, the flash is of a past that we know nothing of, and any earlier boot may be.
        kept = [s for s in self.segments if s.boot < boot and s.first < first_seq]
        if self.doubted:
            kept, self.retired, self.doubted = [], [], False
        else:
            self._retire([s.epoch for s in self.segments if s not in kept])
        self.retired = [retired for retired in self.retired if retired != epoch]
        self.segments = [*(s for s in kept if s.epoch != epoch), Segment(epoch, boot, first_seq)]
        self.watermark = max(0, oldest_held - 1)
        self.highest = max(first_seq - 1, self.watermark)
        self.above = Spans()
        self.lost = Spans()

    def _retire(self, epochs: list[bytes]) -> None:
        """Count no frame of these from now on, unless an answered hello says otherwise."""
        fresh = [epoch for epoch in epochs if epoch not in self.retired]
        self.retired = (self.retired + fresh)[-RETIRED_KEPT:]

    def lose(self, first: int, last: int) -> list[list[int]]:
        """The node holds none of [first, last] any more: return those that we lack, now lost."""
        gone = self.above.holes(max(first, self.watermark + 1), last)
        for start, end in gone:
            self.above.add(start, end)
            self.lost.add(start, end)
        if gone:
            self.highest = max(self.highest, last)
            self._advance()
            self._prune()
        return gone

    def _prune(self) -> None:
        """Forget the oldest boots and losses, which no number that is waited for needs.

        A number below the first boot that is kept is below the watermark: whoever sends it again
        sends a duplicate. The store keeps the record of what was lost.
        """
        segments, lost = self.segments, self.lost.spans
        while len(segments) > SEGMENTS_KEPT and segments[1].first <= self.watermark:
            del segments[0]
            while lost and lost[0][1] < segments[0].first:
                del lost[0]
        while len(lost) > LOST_KEPT and lost[0][1] <= self.watermark:
            del lost[0]

    def _advance(self) -> None:
        spans = self.above.spans
        if spans and spans[0][0] == self.watermark + 1:
            self.watermark = spans.pop(0)[1]

    def missing(self) -> list[list[int]]:
        """Return the spans that were written and are neither here nor lost."""
        return self.above.holes(self.watermark + 1, self.highest)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            "watermark": self.watermark,
            "highest": self.highest,
            "above": self.above.spans,
            "lost": self.lost.spans,
            "segments": [
                [s.epoch.hex(), s.boot, s.first, s.inferred, s.after] for s in self.segments
            ],
            "retired": [epoch.hex() for epoch in self.retired],
            "doubted": self.doubted,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Rebuild a line."""
        return cls(
            stored["watermark"],
            stored["highest"],
            Spans(stored["above"]),
            Spans(stored["lost"]),
            [Segment(bytes.fromhex(epoch), *rest) for epoch, *rest in stored["segments"]],
            [bytes.fromhex(epoch) for epoch in stored["retired"]],
            stored["doubted"],
        )
