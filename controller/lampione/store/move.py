"""One store into another, whatever their engines; interrupted at any instant, it goes on.

What is small goes first and at once, with the numbers of nodes and boots as they are. Frames go
node by node through the target's writer, which drops what it has. Then both sides are read and
compared, by node and day; and last the roll-ups, which may be older than any frame, and the numbers
of frames that are no longer kept. Until then the target says that it is not whole.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple, Protocol

from lampione.store import Engine, Frame, StoreError, TelemetryReader
from lampione.store.held import Held

# Table: its columns, of the same meaning in every engine; the order of its rows.
TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "nodes": (("id", "name", "line", "counter", "hello", "hello_at"), "id"),
    "epochs": (("id", "node", "epoch", "boot", "first_seq", "hello_at", "superseded"), "id"),
    "losses": (("node", "first", "last", "at", "why"), "node"),
    "commands": (
        ("id", "node", "order", "state", "final", "counter", "epoch", "frame", "reason", "level",
         "value", "created", "expires", "changed"),
        "id",
    ),
    "configs": (("node", "version", "digest", "sealed", "created", "confirmed"), "node"),
    "rollouts": (
        ("node", "version", "phase", "sent", "trial_s", "first_counter", "epoch", "reason",
         "created", "changed"),
        "node",
    ),
    "stages": (
        ("id", "kind", "author", "created", "changed", "state", "wave", "until", "why", "forgiven",
         "insisted", "rules", "options"),
        "id",
    ),
    "stage_nodes": (
        ("stages", "node", "wave", "phase", "asked", "mark", "reason", "changed", "payload"),
        "stages, node",
    ),
    "audit": (("seq", "at", "operator", "action", "node", "body", "hash"), "seq"),
    "aside": (("id", "at", "kind", "place", "why", "body"), "id"),
    "tags": (("node", "author", "reason", "at", "renewed"), "node"),
    "alarms": (
        ("id", "subject", "node", "shard", "rule", "what", "severity", "active", "since",
         "raised", "changed", "cleared", "count", "value", "limit", "mend", "acked", "acked_by",
         "assignee", "note", "shelved", "members"),
        "id",
    ),
    "alarm_episodes": (("subject", "rule", "begin", "end", "alarm"), "alarm, begin"),
    "alarm_late": (("node", "message", "since"), "since"),
    "notes": (("id", "at", "operator", "body", "seq", "head"), "id"),
    "refusals": (("node", "reason", "count", "last"), "node"),
    "totals": (("name", "value"), "name"),
    "keeping": (("class", "keep_s", "gone"), "class"),
}  # fmt: skip
ROLLUPS = ("level", "start", "measure", "block", "body")
NEWEST = ("block", "type", "body")
_PIECE = 20_000  # frames a commit
_FOLD_EVERY = 400_000
_DAY_S = 86_400

Rows = list[tuple[Any, ...]]


class Carrier(Protocol):
    """What of an engine the other interfaces do not show. Raises StoreError."""

    @property
    def engine(self) -> Engine:
        """The store itself; of a target, where it is made."""
        ...

    def prepare(self) -> None:
        """Make it where there is none, and bring it up to date."""

    def busy(self) -> str | None:
        """Say who else writes to it."""
        ...

    def count(self) -> int:
        """How many frames there are."""
        ...

    def rows(self, table: str) -> Rows:
        """A small table, in order."""
        ...

    def rollups(self) -> Iterator[tuple[Any, ...]]: ...
    def newest(self) -> Rows: ...
    def held(self) -> Iterator[tuple[int, bytes]]:
        """The numbers of each boot, packed."""
        ...

    def begun(self) -> tuple[str, int] | None:
        """(source, the last node that is whole here) of a move that is not over."""
        ...

    def begin(self, source: str, tables: dict[str, Rows]) -> None:
        """Fill the small tables of an empty store, which is not whole from now on."""
        ...

    def reached(self, node: int) -> None: ...
    def finish(
        self,
        rollups: Iterable[tuple[Any, ...]],
        newest: Rows,
        held: Iterable[tuple[int, bytes]],
    ) -> None:
        """Put these in the place of its own; it is whole then."""
        ...

    def put_in_place(self) -> None:
        """Have it where it was asked for."""
        ...

    def close(self) -> None: ...


class Progress(NamedTuple):
    """How far it is. `step`: "copy", "compare" or "finish"."""

    step: str
    frames: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """What this step still takes; None: not known yet."""
        return (self.total - self.frames) / self.rate if self.rate else None


class Moved(NamedTuple):
    """What was done."""

    nodes: int
    frames: int
    copied: int  # now; the others had been there
    resumed: bool


Tell = Callable[[Progress], None]
Digests = dict[int, tuple[int, int]]


def check(source: Carrier, target: Carrier) -> bool:
    """Say whether this goes on with a move; raises StoreError when it may not be."""
    for side, what in ((source, "source"), (target, "target")):
        who = side.busy()
        if who is not None:
            raise StoreError(f"the {what} is in use by {who}: end it first")
    half = source.begun()
    if half is not None:
        raise StoreError(f"{source.engine.url} is not whole: the move from {half[0]} is not over")
    begun = target.begun()
    if begun is not None and begun[0] != source.engine.url:
        raise StoreError(f"the target holds a part of {begun[0]}: go on with that, or empty it")
    if begun is None and target.count() + len(target.rows("nodes")):
        raise StoreError("the target is not empty")
    return begun is not None


def move(source: Carrier, target: Carrier, tell: Tell, now: float) -> Moved:
    """Carry everything over. Raises StoreError; called again, it goes on."""
    resumed = check(source, target)
    source.prepare()
    target.prepare()
    folder = source.engine.folder()  # so that its roll-ups have everything
    try:
        folder.fold(now)
    finally:
        folder.close()
    if resumed:
        _same(source, target)
    else:
        target.begin(source.engine.url, {name: source.rows(name) for name in TABLES})
    names = {row[0]: row[1] for row in source.rows("nodes")}
    total = source.count()
    copied = _copy(source, target, names, total, tell, now)
    frames = _compare(source, target, names, total, tell)
    for side in (source, target):
        who = side.busy()
        if who is not None:
            raise StoreError(f"{side.engine.url} was used by {who} meanwhile: end it, begin again")
    tell(Progress("finish", total, total, 0.0))
    target.finish(source.rollups(), source.newest(), source.held())
    target.put_in_place()
    return Moved(len(names), frames, copied, resumed)


def _same(source: Carrier, target: Carrier) -> None:
    """Raise StoreError when nodes or boots have other numbers than they had."""
    for table in ("nodes", "epochs"):
        if [row[:4] for row in source.rows(table)] != [row[:4] for row in target.rows(table)]:
            raise StoreError(
                f"{source.engine.url} was written to since the move began: empty the target and "
                "begin again"
            )


def _copy(
    source: Carrier,
    target: Carrier,
    names: dict[int, str],
    total: int,
    tell: Tell,
    now: float,
) -> int:
    begun = target.begun()
    after = begun[1] if begun is not None else 0
    began_s = time.monotonic()
    copied = seen = folded = 0
    reader, writer = source.engine.reader(), target.engine.writer()
    folder = target.engine.folder()
    try:
        there = target.count()
        for node in sorted(names):
            if node <= after:
                continue
            frames = (frame for _, frame in reader.frames([names[node]]))
            while piece := list(islice(frames, _PIECE)):
                copied += writer.frames(piece)
                writer.commit()
                seen += len(piece)
                tell(Progress("copy", min(there + copied, total), total, _since(began_s)))
                if seen - folded >= _FOLD_EVERY:
                    folded = seen
                    folder.fold(now)
            target.reached(node)
        folder.fold(now)
        folder.refold(now)
    finally:
        folder.close()
        writer.close()
        reader.close()
    return copied


def _since(began_s: float) -> float:
    return max(time.monotonic() - began_s, 1e-9)


def _compare(
    source: Carrier, target: Carrier, names: dict[int, str], total: int, tell: Tell
) -> int:
    began_s = time.monotonic()
    boots = {row[0]: (row[2], row[3]) for row in source.rows("epochs")}
    compared = 0
    one, other = source.engine.reader(), target.engine.reader()
    try:
        for node in sorted(names):
            mine = digests(one, names[node], boots)
            its = digests(other, names[node], boots)
            for day in sorted(mine.keys() | its.keys()):
                if mine.get(day) != its.get(day):
                    date = time.strftime("%Y-%m-%d", time.gmtime(day * _DAY_S))
                    raise StoreError(
                        f"{names[node]}, {date}: {mine.get(day, (0, 0))[0]} frames in the source, "
                        f"{its.get(day, (0, 0))[0]} in the target, or others"
                    )
            compared += sum(count for count, _ in mine.values())
            tell(Progress("compare", compared, total, _since(began_s)))
    finally:
        one.close()
        other.close()
    return compared


def digests(reader: TelemetryReader, node: str, boots: dict[int, tuple[bytes, int]]) -> Digests:
    """Return by day how many frames a node has, and the sum of their hashes.

    Arrival counts in whole seconds: chunks have no more.
    """
    found: Digests = {}
    for _, frame in reader.frames([node]):
        day = int(frame.received if frame.at is None else frame.at) // _DAY_S
        count, total = found.get(day, (0, 0))
        found[day] = count + 1, (total + _hash(frame, boots[frame.epoch])) % (1 << 64)
    return found


def _hash(frame: Frame, boot: tuple[bytes, int]) -> int:
    text = repr((boot, frame.seq, frame.type, int(frame.received // 1), frame.at, frame.body))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def united(
    mine: Iterable[tuple[int, bytes]], others: Iterable[tuple[int, bytes]]
) -> Iterator[tuple[int, bytes]]:
    """Return the numbers of each boot that either side has."""
    known = dict(mine)
    for epoch, packed in others:
        own = known.get(epoch)
        if own is None or own == packed:
            yield epoch, packed
            continue
        held = Held.unpack(own)
        for first, last in Held.unpack(packed).ranges:
            held.update(range(first, last + 1))
        yield epoch, held.pack()
