"""What a store last knew, for front ends while no controller runs: it answers, and does nothing.

It holds the folder only while it reads; a controller may start at any time, and what is said here
stays as old as it was.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lampione.broker_url import BrokerUrl
from lampione.core.answers import Answers
from lampione.core.client import CoreError, NoCore
from lampione.core.core import Core
from lampione.core.folder import StateFolder
from lampione.core.requests import Bad
from lampione.core.upkeep import Upkeep
from lampione.room.who import needed
from lampione.store import Engine, TelemetryReader
from lampione.store.engine import open_engine

_SHARD = "last-known"
_NOT_HERE = frozenset(("watch", "follow", "enter", "cancel"))
WHY = "no controller runs: this is the last known state"


class _Answers(Answers):
    """Answers from memory that nobody changes, and from one connection."""

    def __init__(self, core: Core, engine: Engine) -> None:
        super().__init__(core, engine.reader, Upkeep(engine, lambda: False))
        self._reader = engine.reader()

    async def in_core(self, question: Callable[[], Any]) -> Any:
        return question()

    async def _read(self, question: Callable[[TelemetryReader], Any]) -> Any:
        return question(self._reader)


class Lookup:
    """See the module. What a `Client` answers of what can be looked at, for any thread.

    Attributes:
        as_of: Unix seconds of the last that was heard of any node; None: nothing ever was.

    Args:
        state: a controller's folder. Raises NoCore where there is no store in it, FolderError
            where a controller has it, KeyFileError, StoreError.
    """

    def __init__(self, state: Path) -> None:
        folder = StateFolder(state)
        where = folder.store
        if where == folder.database and not folder.database.exists():
            raise NoCore(f"no controller has ever run on {state}: start `lampione serve`")
        engine = open_engine(where)
        self._lock = threading.Lock()
        with folder.owned():
            # Never started: it connects to nobody.
            nowhere = BrokerUrl.parse("mqtt://127.0.0.1")
            self._core = Core(folder, engine.writer(), nowhere, _SHARD, reader=engine.reader)
            self._core.store.rollback()
            self._answers = _Answers(self._core, engine)
        seen = [node.last_seen for node in self._core.fleet.nodes.values() if node.last_seen]
        self.as_of = max(seen, default=None)

    def __enter__(self) -> "Lookup":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self._core.stop()

    @property
    def age_s(self) -> float | None:
        """How old it is."""
        return None if self.as_of is None else max(0.0, time.time() - self.as_of)

    def call(self, op: str, *, timeout_s: float | None = None, **parameters: Any) -> Any:
        """Answer as a controller would. Raises CoreError, for whatever does something too."""
        del timeout_s
        if op in _NOT_HERE or needed(op, parameters) != "view":
            raise CoreError("refused", f"{WHY}, and nothing can be done; start `lampione serve`")
        answer = getattr(self._answers, op, None)
        if answer is None:
            raise CoreError("unknown", f"there is no operation {op!r}")
        try:
            with self._lock:
                return asyncio.run(answer({"op": op, **parameters}))
        except Bad as bad:
            raise CoreError(*bad.args) from None

    def stream(self, op: str, **parameters: Any) -> Iterator[Any]:
        """Nothing comes. Raises CoreError."""
        del op, parameters
        raise CoreError("refused", f"{WHY}, and nothing comes; start `lampione serve`")
