"""A feed while no controller runs: what its store last knew, once, and marked with its age."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lampione.core.client import CoreError
from lampione.core.lookup import WHY, Lookup
from lampione.desk.feed import Box, Item
from lampione.desk.text import age

_KINDS = (
    ("sites", "places"),
    ("nodes", "nodes"),
    ("status", "status"),
    ("tags", "tags"),
    ("alarms", "alarms"),  # the active ones
)


class LastKnown:
    """See `feed.Feed`. Raises what `Lookup` does."""

    def __init__(self, state: Path) -> None:
        self._lookup = Lookup(state)
        self._box = Box()
        self._thread = threading.Thread(target=self._fill, name="feed-last-known", daemon=True)

    def start(self) -> None:
        """Begin to put everything there is."""
        self._thread.start()

    def _fill(self) -> None:
        old = self._lookup.age_s
        when = "nothing is known yet" if old is None else f"last known, {age(old)} old"
        self._box.put("link", f"no controller: {when}")
        self._box.put("who", {"operator": None, "role": "view", "why": WHY})
        for kind, op in _KINDS:
            with suppress(CoreError):  # a kind that this version does not keep
                self._box.put(kind, self._lookup.call(op))

    def stop(self) -> None:
        """Let go of the store."""
        if self._thread.ident is not None:
            self._thread.join(5)
        self._lookup.close()

    def drain(self) -> list[Item]:
        """Return what has come since the last look."""
        return self._box.drain()

    def call(self, op: str, **parameters: Any) -> Any:
        """Answer from the store. Raises CoreError."""
        return self._lookup.call(op, **parameters)

    def stream(self, op: str, **parameters: Any) -> Iterator[Any]:
        """Nothing comes. Raises CoreError."""
        return self._lookup.stream(op, **parameters)
