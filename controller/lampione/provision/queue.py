"""What of a list is done, what failed and why, and who is next. Outlives an interruption.

Beside `fifty.toml` lies `fifty.state.json`, written beside and renamed after every change. A row
that was changed since counts as not done.
"""

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from lampione import private
from lampione.provision.errors import ProvisionError
from lampione.provision.rows import Row

State = Literal["waiting", "begun", "done", "failed"]
FORMAT = 1


@dataclass
class Entry:
    """What became of a row.

    row: its digest. step: where it failed or was interrupted; why, do: in words.
    board: the serial number of the board that it got. record: the path of the last record.
    """

    node: str
    row: str
    state: State = "waiting"
    board: str | None = None
    step: str | None = None
    why: str = ""
    do: str = ""
    record: str | None = None
    attempts: int = 0
    changed: float = 0.0

    @property
    def words(self) -> str:
        """Where it is, in words."""
        if self.state == "begun":
            return f"interrupted at {self.step}" if self.step else "interrupted"
        if self.state == "failed" and self.step:
            return f"failed at {self.step}"
        return self.state


def state_file(path: Path) -> Path:
    """Return where the state of a list is kept."""
    return path.with_name(path.stem + ".state.json")


class Queue:
    """A list and its state; safe for several threads. Without a path nothing is kept.

    unsaved: why the state file does not hold the last change; who works the list off has to end.
    """

    def __init__(self, rows: Sequence[Row], path: Path | None = None) -> None:
        """Take up what was done. Raises ProvisionError for a state that cannot be read."""
        self.rows = list(rows)
        self._path = None if path is None else state_file(path)
        self._lock = threading.Lock()
        known = {} if self._path is None else _load(self._path)
        self.unsaved: OSError | None = None
        named = {row.node for row in rows}
        # Of rows that were taken out: they may come back.
        self._others = [entry for node, entry in known.items() if node not in named]
        self._entries: dict[str, Entry] = {}
        for row in rows:
            entry = known.get(row.node)
            if entry is None:
                entry = Entry(row.node, row.digest())
            elif entry.row != row.digest():  # to be done again; its board may be plugged in still
                entry = Entry(row.node, row.digest(), board=entry.board, attempts=entry.attempts)
            self._entries[row.node] = entry

    def entries(self) -> list[Entry]:
        """Return every row's entry, in the list's order."""
        with self._lock:
            return [Entry(**asdict(self._entries[row.node])) for row in self.rows]

    def left(self) -> list[Row]:
        """Return the rows that are not done, the next one first."""
        with self._lock:
            return [row for row in self.rows if self._entries[row.node].state != "done"]

    def words(self) -> str:
        """Say how much is done, and who is next."""
        left = self.left()
        done = len(self.rows) - len(left)
        if not left:
            return f"all {done} are done"
        board = left[0].board or self.before(left[0])
        which = f"board {board}" if board else "the next board plugged in"
        return f"{done} of {len(self.rows)} done; next is {left[0].node}, {which}"

    def before(self, row: Row) -> str | None:
        """Return the serial number of the board that a row had in a run before."""
        with self._lock:
            return self._entries[row.node].board

    def taken(self) -> set[str]:
        """Return the serial numbers of boards that are somebody's: by the list, or by a run."""
        with self._lock:
            named = {row.board for row in self.rows if row.board}
            return named | {e.board for e in self._entries.values() if e.board}

    def begin(self, row: Row, board: str | None) -> None:
        """Say that a row's board is being worked on."""
        with self._changed(row) as entry:
            entry.state, entry.board, entry.attempts = "begun", board, entry.attempts + 1
            entry.step, entry.why, entry.do = None, "", ""

    def step(self, row: Row, step: str) -> None:
        """Say where a row is."""
        with self._changed(row) as entry:
            entry.step = step

    def done(self, row: Row, record: Path | None) -> None:
        """Say that a row is done."""
        with self._changed(row) as entry:
            entry.state, entry.step = "done", None
            entry.record = None if record is None else str(record)

    def failed(self, row: Row, why: str, do: str, record: Path | None) -> None:
        """Say that a row failed, and is left for the next run."""
        with self._changed(row) as entry:
            entry.state, entry.why, entry.do = "failed", why, do
            entry.record = None if record is None else str(record)

    def put_back(self, row: Row) -> None:
        """Say that a row waits for another board."""
        with self._changed(row) as entry:
            entry.state, entry.board, entry.step = "waiting", None, None

    @contextlib.contextmanager
    def _changed(self, row: Row) -> Iterator[Entry]:
        with self._lock:
            entry = self._entries[row.node]
            yield entry
            entry.changed = time.time()
            if self._path is not None:
                try:
                    _save(self._path, [*self._entries.values(), *self._others])
                except OSError as error:
                    self.unsaved = error


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a list against a second run. Raises ProvisionError, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProvisionError(
                f"{path} is being worked on already",
                "let that run end, or end it with Ctrl-C; `lampione provision status` tells",
            ) from None
        yield
    finally:
        os.close(descriptor)


def _load(path: Path) -> dict[str, Entry]:
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != FORMAT:
            raise ValueError("version")
        return {one["node"]: _entry(one) for one in document["nodes"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ProvisionError(
            f"{path} cannot be read", "restore it, or remove it to begin the list from the start"
        ) from None


def _entry(one: dict[str, Any]) -> Entry:
    found = Entry(**one)
    texts = (found.node, found.row, found.why, found.do)
    known = (found.board, found.step, found.record)
    if not (
        all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in known)
        and type(found.attempts) is int
        and found.state in get_args(State)
    ):
        raise ValueError(found.node)
    return found


def _save(path: Path, entries: Iterable[Entry]) -> None:
    text = json.dumps({"version": FORMAT, "nodes": [asdict(e) for e in entries]}, indent=1)
    private.put(path, f"{text}\n".encode(), 0o666)
