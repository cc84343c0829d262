"""What the core needs of a store. SQLite is the one behind it (`store.sqlite`).

A store has one writer, the core's thread. What it writes counts after `commit` only; when that
raises, nothing of it does. Reading (`TelemetryReader`) happens elsewhere, on connections of its
own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from lampione.api import CommandState, EpochRow, History, Lost, Refused
from lampione.store.migrate import StoreError

__all__ = [
    "Frame",
    "StoreError",
    "StoredConfig",
    "StoredNode",
    "StoredRollout",
    "TelemetryReader",
    "TelemetryStore",
]


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
    def refused(self, counts: dict[tuple[str, str], int], at: float) -> None:
        """{(node or "", reason): how many more}."""

    def refusals(self) -> list[Refused]: ...
    def add_totals(self, totals: dict[str, int]) -> None: ...
    def totals(self) -> dict[str, int]: ...
    def lost_counts(self) -> dict[int, int]:
        """Numbers lost, by node."""
        ...

    def latest(self, node: int, kind: int) -> Frame | None:
        """The newest frame of a type."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


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
    def events(
        self, node: str | None, since: float, limit: int
    ) -> list[tuple[str, float, int | None, bytes]]:
        """(node, received, at, body), newest first."""
        ...

    def commands(self, node: str | None, limit: int) -> list[CommandState]: ...
    def losses(self, node: str) -> list[Lost]: ...
    def epochs(self, node: str) -> list[EpochRow]: ...
    def size_bytes(self) -> int: ...
    def close(self) -> None: ...
