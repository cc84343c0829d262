"""What can be rolled out in stages, and what became of it on one node."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from lampione.fleet.node import NodeState


class Untouched(Exception):
    """A node was left as it is; the text says why."""


class Outcome(NamedTuple):
    """What became of one node.

    same: there was nothing to change.
    replaced: it is somebody else's now, which says nothing of ours.
    """

    took: bool
    reason: str | None
    same: bool = False
    replaced: bool = False


class Kind(Protocol):
    """What can be rolled out. A mark is what it knows one attempt at one node by."""

    @property
    def name(self) -> str: ...
    @property
    def moved(self) -> set[str]:
        """Nodes whose outcome may be another than before; the caller clears it."""
        ...

    def keep(self, node: NodeState, payload: bytes) -> bytes:
        """What a node is to get, as it may be kept."""
        ...

    def begin(self, node: NodeState, kept: bytes, options: Mapping[str, Any]) -> int:
        """Raises Untouched."""
        ...

    def outcome(self, node: NodeState, mark: int) -> Outcome | None: ...
    def stop(self, node: NodeState, mark: int) -> None: ...
    def back(self, node: NodeState, mark: int, options: Mapping[str, Any]) -> int:
        """Raises Untouched."""
        ...

    def ill(self, node: NodeState, mark: int) -> str | None: ...
    def progress(self, node: NodeState, mark: int) -> str | None: ...
