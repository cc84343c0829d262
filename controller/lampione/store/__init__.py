"""What the core needs of a store. SQLite (`store.sqlite`) or PostgreSQL (`store.postgres`).

A store has one writer, the core's thread. What it writes counts after `commit` only; when that
raises, nothing of it does. Reading (`TelemetryReader`) happens elsewhere, on connections of its
own, and so do folding (`Folder`) and upkeep (`Keeper`), each in one thread at a time.

The numerous messages (`SERIES`) come in batches and are folded into denser forms later; whoever
reads sees all of them at every instant. docs/store.md has the picture.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione.alarms.book import Alarm, Span
from lampione.alarms.episodes import Episode
from lampione.api import CommandState, EpochRow, History, Lost, Refused
from lampione.batch import Columns
from lampione.room.audit import Deed, Entry
from lampione.room.tags import Tag

__all__ = [
    "BLOCK",
    "SERIES",
    "Engine",
    "Folded",
    "Folder",
    "Frame",
    "Keeper",
    "RollupTable",
    "Series",
    "Space",
    "StoreError",
    "StoredConfig",
    "StoredMember",
    "StoredNode",
    "StoredNote",
    "StoredRollout",
    "StoredStages",
    "TelemetryReader",
    "TelemetryStore",
]

SERIES = (schema.REPORT, schema.HEALTH, schema.HOUR, schema.RAW)
BLOCK = 1024  # nodes that are folded and rolled up together; block b: ids from b * BLOCK on


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


class Frame(NamedTuple):
    """One frame, opened. (epoch, seq) is its identity; `epoch` as `epoch_id` numbers it."""

    epoch: int
    seq: int
    type: int
    received: float
    at: int | None  # Unix seconds, by the node's clock
    body: bytes


@dataclass
class StoredNode:
    """What is known of a node when the core starts."""

    id: int
    name: str
    line: str | None  # JSON
    counter: int
    hello: bytes | None
    hello_at: float | None


class StoredConfig(NamedTuple):
    """A config of a node. `confirmed`: when it was known to run for good, None: not yet."""

    node: int
    version: int
    digest: bytes
    sealed: bytes
    created: float
    confirmed: float | None


class StoredRollout(NamedTuple):
    """The last rollout to a node, see `fleet.rollout`."""

    node: int
    version: int
    phase: str
    sent: int
    trial_s: int
    first_counter: int
    epoch: bytes | None
    reason: str | None
    created: float
    changed: float


class StoredStages(NamedTuple):
    """A rollout in stages, see `fleet.stages`."""

    id: int
    kind: str
    author: str
    created: float
    changed: float
    state: str
    wave: int
    until: float | None
    why: str | None
    forgiven: int
    insisted: int
    rules: str  # JSON
    options: str  # JSON


class StoredMember(NamedTuple):
    """A node of a rollout in stages."""

    node: int
    wave: int
    phase: str
    asked: int
    mark: int
    reason: str | None
    changed: float


class StoredNote(NamedTuple):
    """What one shift left to the next. seq, head: of the audit's last entry then."""

    id: int
    at: float
    operator: str
    body: str
    seq: int
    head: bytes


class TelemetryStore(Protocol):
    """The writer. Raises StoreError from every method that touches the disk."""

    def nodes(self) -> list[StoredNode]: ...
    def add_node(self, name: str) -> StoredNode: ...
    def epoch_id(self, node: int, epoch: bytes, boot: int) -> int: ...
    def greet(self, node: int, epoch: int, first_seq: int, at: float, body: bytes) -> None:
        """A hello was accepted."""

    def supersede(self, node: int, epoch: int) -> None:
        """Every epoch of the node but this one belongs to a flash that is no more."""

    def frames(self, frames: list[Frame]) -> int:
        """Store; return how many were new."""
        ...

    def lines(self, lines: Iterable[tuple[str, int]]) -> None:
        """(JSON, node) of each line that changed."""

    def lose(self, node: int, spans: list[list[int]], at: float, why: str) -> None: ...
    def find(self, node: int, seq: int) -> None:
        """A number that was lost is here after all."""

    def counter(self, node: int, counter: int) -> None: ...
    def add_command(self, node: int, state: CommandState) -> int: ...
    def save_command(
        self, state: CommandState, epoch: bytes | None, frame: bytes | None
    ) -> None: ...
    def open_commands(self) -> list[tuple[CommandState, bytes | None, bytes | None]]:
        """Every command that is not final, with the epoch and bytes that it was sealed as."""
        ...

    def add_config(self, config: StoredConfig, keep: int) -> None:
        """Keep a config, and of the node's the last `keep`, and those that it may run."""

    def config(self, node: int, version: int) -> StoredConfig | None: ...
    def last_config(self, node: int) -> int:
        """The version made last; 0: none."""
        ...

    def confirm_config(self, node: int, version: int, at: float) -> None: ...
    def confirmed_before(self, node: int, version: int) -> int | None:
        """The version confirmed last that says something else than this one."""
        ...

    def save_rollout(self, rollout: StoredRollout) -> None: ...
    def rollouts(self) -> list[StoredRollout]: ...
    def add_stages(self, stages: StoredStages, keep: int) -> int:
        """Begin to keep a rollout in stages; return its number. Of those that are over the last
        `keep` stay."""
        ...

    def save_stages(self, stages: StoredStages) -> None: ...
    def stages(self, limit: int) -> list[StoredStages]:
        """Newest first."""
        ...

    def add_members(self, stages: int, members: Iterable[tuple[StoredMember, bytes]]) -> None:
        """Each with what it is to get."""

    def save_members(self, stages: int, members: Iterable[StoredMember]) -> None: ...
    def members(self, stages: int) -> list[StoredMember]: ...
    def payload(self, stages: int, node: int) -> bytes | None: ...
    def forget_payloads(self, stages: int, nodes: Iterable[int]) -> None: ...
    def add_deeds(self, deeds: Sequence[Deed]) -> None:
        """Add entries to the audit, `room.audit`: one chain, whoever else adds some."""

    def audit_head(self) -> tuple[int, bytes]:
        """Number and hash of the audit's last entry."""
        ...

    def tags(self) -> list[Tag]: ...
    def save_tag(self, node: int, tag: Tag) -> None: ...
    def drop_tag(self, node: int) -> None: ...
    def add_note(self, note: StoredNote) -> StoredNote:
        """Keep a note; it gets its number and the audit's head."""
        ...

    def refused(self, counts: dict[tuple[str, str], int], at: float) -> None:
        """{(node or "", reason): how many more}."""

    def refusals(self) -> list[Refused]: ...
    def add_totals(self, totals: dict[str, int]) -> None: ...
    def totals(self) -> dict[str, int]: ...
    def lost_counts(self) -> dict[int, int]:
        """Numbers lost, by node."""
        ...

    def latest(self, kind: int, nodes: Sequence[int] | None = None) -> dict[int, Frame]:
        """The newest frame of a type by node id, of `nodes` or of all that have one."""
        ...

    def alarm_number(self) -> int: ...
    def save_alarms(self, alarms: Sequence[Alarm], spans: Sequence[Span]) -> None:
        """Keep alarms as they are now, and what changed of their episodes, in that order."""

    def standing_alarms(self) -> list[Alarm]: ...
    def episodes(self, subject: str, rule: str, since: int) -> list[tuple[int, Episode]]:
        """(alarm, episode) that did not end before then, in order."""
        ...

    def add_late(self, late: Iterable[tuple[str, str, int]]) -> None:
        """(node, message, since) to be judged again; of several the earliest counts."""

    def late(self) -> list[tuple[str, str, int]]: ...
    def drop_late(self, judged: Iterable[tuple[str, str]]) -> None: ...
    def fence(self, holder: str, terms: Mapping[str, int]) -> None:
        """From now on commit only while these leases stand, see `store.leases`; others may have
        written what is theirs. Not within a transaction."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class Series(NamedTuple):
    """A piece of many messages of one type: rows by node, then time."""

    nodes: NDArray[np.uint32]  # ids
    at: NDArray[np.int64]  # Unix seconds by the node's clock, by arrival where it had none
    timed: NDArray[np.bool_]  # the node had the time
    received: NDArray[np.int64]  # Unix seconds
    epochs: NDArray[np.uint32]  # ids of its boots
    seqs: NDArray[np.uint32]
    columns: Columns  # numbers alone; `sound` is of the whole message


class RollupTable(NamedTuple):
    """One measure of many buckets and nodes."""

    starts: NDArray[np.int64]  # of the buckets, Unix seconds, rising
    nodes: NDArray[np.uint32]  # ids, rising
    arrays: dict[str, NDArray[Any]]  # as the block has them, [bucket, node] and on


class TelemetryReader(Protocol):
    """Questions that may take a while; one thread at a time."""

    def history(
        self,
        node: str,
        message: str,
        since: float,
        until: float,
        fields: list[str] | None,
        limit: int,
    ) -> History: ...
    def series(
        self,
        kind: int,
        since: float,
        until: float,
        nodes: Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
    ) -> Iterator[Series]:
        """Messages of a type with `since <= at < until`, of some nodes or of all.

        In pieces of some ten thousand, which together are what the store held at one instant:
        take them to the end, or close. `fields`: the columns that are wanted, default all.
        Raises KeyError for a field that does not exist; a name of no node has no rows.
        """
        ...

    def frames(self, nodes: Sequence[str] | None = None) -> Iterator[tuple[int, Frame]]:
        """Every frame with its node, node by node, in whatever form it is stored, of one instant.

        What was folded came at whole seconds.
        """
        ...

    def rollups(
        self,
        level: int,
        since: float,
        until: float,
        measure: str,
        nodes: Sequence[str] | None = None,
    ) -> RollupTable:
        """Buckets of `rollup.LEVELS` with `since <= start < until`; what is not yet folded is
        not in them. Without `nodes`: every node of the store."""
        ...

    def names(self) -> dict[int, str]:
        """Every node's name by its id."""
        ...

    def events(
        self, node: str | None, since: float, limit: int
    ) -> list[tuple[str, float, int | None, bytes]]:
        """(node, received, at, body), newest first."""
        ...

    def commands(self, node: str | None, limit: int) -> list[CommandState]: ...
    def audit(
        self, node: str | None, operator: str | None, since: float, before: int | None, limit: int
    ) -> list[Entry]:
        """Entries, newest first; `before`: this number."""
        ...

    def audit_after(self, seq: int, limit: int) -> list[Entry]:
        """Entries from the next after `seq` on, rising."""
        ...

    def alarms(self, which: str, node: str | None, since: float, limit: int) -> list[Alarm]:
        """Of `store.alarms.WHICH`, changed since then, newest first; of a node also those of
        which it is a member."""
        ...

    def notes(self, since: float, limit: int) -> list[StoredNote]:
        """Hand-over notes, newest first."""
        ...

    def losses(self, node: str) -> list[Lost]: ...
    def epochs(self, node: str) -> list[EpochRow]: ...
    def size_bytes(self) -> int: ...
    def close(self) -> None: ...


class Folded(NamedTuple):
    """What a fold did."""

    frames: int
    chunks: int  # written


class Folder(Protocol):
    """Makes batches dense, beside the writer. Raises StoreError; call again, nothing is lost."""

    def fold(self, now: float, stop: Callable[[], bool] = lambda: False) -> Folded:
        """Fold every batch there is into chunks and roll-ups; `stop` is asked between steps."""
        ...

    def refold(self, now: float, stop: Callable[[], bool] = lambda: False) -> Folded:
        """Gather the hours of days that are over into days."""
        ...

    def close(self) -> None: ...


class Space(NamedTuple):
    """What one class of data takes."""

    rows: int
    bytes: int


class Keeper(Protocol):
    """Looks after a store beside its writer. Raises StoreError."""

    def space(self) -> dict[str, Space]:
        """By class of data."""
        ...

    def retain(
        self, policy: Mapping[str, float | None], now: float, stop: Callable[[], bool]
    ) -> dict[str, int]:
        """Delete what is older than a class may be, seconds, None: kept; return how many rows."""
        ...

    def policy(self) -> dict[str, float | None]:
        """How long each class of `retention.CLASSES` is kept, seconds, None: for ever."""
        ...

    def set_policy(self, policy: Mapping[str, float | None]) -> None:
        """Keep some classes otherwise from now on."""

    def check(self, *, full: bool = False) -> list[str]:
        """What is wrong, in words; empty: nothing. `full`: every roll-up is made again."""
        ...

    def vacuum(self, stop: Callable[[], bool], *, alone: bool = False) -> int:
        """Give free space back to the disk, step by step; return how many bytes.

        `alone`: nobody else uses the store.
        """
        ...

    def backup(
        self,
        path: Path,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Copy the store, as it was at one instant, to a file that is not there yet.

        `progress` hears of the part that is done.
        """
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """One database; each call opens it anew."""

    @property
    def url(self) -> str: ...
    def writer(self) -> TelemetryStore:
        """Make the database where there is none, and bring it up to date."""
        ...

    def reader(self) -> TelemetryReader: ...
    def folder(self) -> Folder: ...
    def keeper(self) -> Keeper: ...
