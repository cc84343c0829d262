"""A list, worked through: several boards at once, errors of one stopping no other."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lampione_hil.board import BenchError

from lampione.core.client import CoreError
from lampione.core.folder import FolderError
from lampione.provision import record as records
from lampione.provision.commission import EXPECTED, Bench, Stopped, commission
from lampione.provision.errors import ProvisionError
from lampione.provision.hands import Place
from lampione.provision.queue import Queue
from lampione.provision.record import Record
from lampione.provision.rows import Row
from lampione.provision.signoff import Check
from lampione.room.deeds import PROVISION, SIGN_OFF, Tell, to_nobody

_LOOK_S = 0.5  # at what is plugged in
_STOP_S = 30.0  # boards may take to come to a step's end
_DISK = "see to this computer's disk"


class View(Protocol):
    """Who shows how it gets on; called by any thread."""

    def tell(self, name: str, step: str, part: float | None = None) -> None:
        """Say what is being done for a node."""
        ...

    def measured(self, name: str, checks: Sequence[Check]) -> None:
        """Say what its sign-off has measured so far."""
        ...

    def end(self, name: str, text: str, good: bool) -> None:
        """Say what became of it."""
        ...

    def say(self, text: str) -> None:
        """Say something about the run."""
        ...


@dataclass
class Outcome:
    """What a run has done. Nodes by name."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # no board came
    interrupted: bool = False

    @property
    def good(self) -> bool:
        """Whether nothing is left."""
        return not (self.failed or self.stopped or self.missing or self.interrupted)


class Run:
    """One run over the rows that are left.

    Args:
        bench: what boards have in common.
        list_: with its state.
        folder: of the records.
        jobs: boards at a time.
        wait_s: how long to wait for boards that are not there, once nothing else is to be done.
        tell: has the audit hear of each board.
        asked: how often it was asked to end: once, between two steps; twice, at once.
    """

    def __init__(
        self,
        bench: Bench,
        list_: Queue,
        folder: Path,
        view: View,
        *,
        jobs: int,
        wait_s: float,
        tell: Tell = to_nobody,
        asked: Callable[[], int] = lambda: 0,
    ) -> None:
        self._bench = bench
        self._list = list_
        self._folder = folder
        self._view = view
        self._jobs = jobs
        self._wait_s = wait_s
        self._tell = tell
        self._was_asked = asked
        self._left = list_.left()
        self._busy: dict[str, Row] = {}  # by the board's serial number
        self._aside: set[str] = set()  # boards that are no good for any row of this run
        self._ended: queue.SimpleQueue[tuple[str, Row, str]] = queue.SimpleQueue()
        # A board that is somebody's already is not the next one.
        self._owners = {} if bench.replace else records.boards(folder)
        self._asked = ""
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Work until nothing is left that could be done, or it is asked to end.

        Raises ProvisionError when what was done cannot be kept: the boards came to a step's end.
        """
        self._loop()
        if self._to_end():
            self._stop()
        if self._list.unsaved is not None:
            raise ProvisionError(words(self._list.unsaved)[0], f"{_DISK}, then run this again")
        for row in self._left:
            self.outcome.missing.append(row.node)
        return self.outcome

    def _to_end(self) -> int:
        return max(self._was_asked(), self._list.unsaved is not None)

    def _loop(self) -> None:
        idle_since = time.monotonic()
        while (self._left or self._busy) and not self._to_end():
            places = self._bench.hands.find()
            if self._start(places) or self._busy:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= self._wait_s:
                return
            if self._wait_s and self._left and len(self._busy) < self._jobs:
                self._ask_for(self._left[0])
            with contextlib.suppress(queue.Empty):
                self._take(*self._ended.get(timeout=_LOOK_S))

    def _start(self, places: Sequence[Place]) -> bool:
        """Begin what can be begun; say whether anything was."""
        begun = False
        for row in list(self._left):
            if len(self._busy) >= self._jobs:
                break
            place = self._place_for(row, places)
            if place is None:
                continue
            before = self._list.before(row)
            self._left.remove(row)
            self._busy[place.serial_number] = row
            begun = True
            if before != place.serial_number and any(p.serial_number == before for p in places):
                # Two boards of one name would push each other off the broker.
                do = f"unplug that one, then run this again for board {place.serial_number}"
                self._fail(row, None, f"board {before}, which was {row.node}, is plugged in", do)
                self._ended.put((place.serial_number, row, "failed"))
                continue
            self._list.begin(row, place.serial_number)
            threading.Thread(
                target=self._work, args=(row, place), name=f"board {row.node}", daemon=True
            ).start()
        return begun

    def _place_for(self, row: Row, places: Sequence[Place]) -> Place | None:
        free = [p for p in places if p.serial_number not in self._busy]
        wanted = row.board or self._list.before(row)
        for place in free:
            if wanted is not None and wanted in (place.serial_number, place.name, place.port):
                return place
        if row.board is not None:
            return None
        taken = self._list.taken() | self._aside
        return next(
            (
                place
                for place in free
                if place.serial_number not in taken
                and self._owners.get(place.serial_number) in (None, row.node)
            ),
            None,
        )

    def _ask_for(self, row: Row) -> None:
        """Say who is next, once."""
        if row.node != self._asked:
            self._asked = row.node
            which = f"board {row.board}" if row.board else "a board"
            self._view.say(f"next is {row.node}: plug in {which}")

    def _work(self, row: Row, place: Place) -> None:
        end = "failed"
        try:
            end = self._commission(row, place)
        except BaseException as error:  # noqa: BLE001 - a bug of ours must not leave the run waiting
            self._fail(row, None, f"unexpected {type(error).__name__}", "please report it")
        finally:
            self._ended.put((place.serial_number, row, end))

    def _commission(self, row: Row, place: Place) -> str:
        seed = self._bench.seed
        node = seed.node(row.node)
        site = seed.site_of(node)
        record = Record(row.node, site.name, node.profile, place.serial_number)
        board_of = records.board_of(self._folder, row.node)
        shown = ""
        checks: Sequence[Check] = ()

        def told(said: str, part: float | None) -> None:
            nonlocal shown, checks
            if record.step and record.step != shown:
                shown = record.step
                self._list.step(row, shown)
            self._view.tell(row.node, said, part)
            if record.checks is not checks:
                checks = record.checks
                self._view.measured(row.node, checks)

        try:
            commission(self._bench, row, place, board_of, record, told)
            path = records.file(self._folder, record)
        except (Stopped, *EXPECTED, FolderError) as error:
            if self._bench.stop.is_set():
                self._audit(row, record, "stopped")
                self._view.end(row.node, "stopped: run this again to go on", good=False)
                return "stopped"
            why, do = words(error)
            record.why, record.do = why, do
            self._fail(row, record, why, do)
            another = isinstance(error, ProvisionError) and record.step == "who it is"
            return "aside" if another and row.board is None else "failed"
        self._list.done(row, path)
        self._audit(row, record, "done")
        self._view.end(row.node, f"{record.outcome}, {path}", good=True)
        return "done"

    def _fail(self, row: Row, record: Record | None, why: str, do: str) -> None:
        path = None
        try:
            path = None if record is None else records.file(self._folder, record)
        except OSError as error:  # what went wrong with the board is worth more
            do = f"{do} (no record: {error.strerror})"
        self._list.failed(row, why, do, path)
        self._audit(row, record, "failed", why)
        self._view.end(row.node, f"{why}: {do}" if do else why, good=False)

    def _audit(self, row: Row, record: Record | None, result: str, why: str | None = None) -> None:
        board = row.board if record is None else record.board
        step = None if record is None or result == "done" else record.step
        firmware = None if record is None else record.firmware.get("firmware")
        try:
            self._tell(PROVISION, row.node, result=result, board=board, step=step, why=why,
                       firmware=firmware)  # fmt: skip
            if record is not None and record.checks:
                bad = [check.name for check in record.checks if check.verdict == "bad"]
                passed = "passed" if result == "done" else result
                self._tell(SIGN_OFF, row.node, result=passed, board=board,
                           checks=len(record.checks), bad=", ".join(bad) or None)  # fmt: skip
        except (CoreError, TimeoutError) as error:
            self._view.say(f"the audit does not have {row.node}: {error}")

    def _take(self, serial_number: str, row: Row, end: str) -> None:
        """A board has ended."""
        self._busy.pop(serial_number, None)
        if end == "done":
            self.outcome.done.append(row.node)
        elif end == "stopped":
            self.outcome.stopped.append(row.node)
        elif end == "aside":  # the row waits for another board
            self._aside.add(serial_number)
            self._list.put_back(row)
            self._left.insert(0, row)
        else:
            self._aside.add(serial_number)
            self.outcome.failed.append(row.node)

    def _stop(self) -> None:
        """Let boards come to the end of a step; who asks again waits for nothing."""
        self.outcome.interrupted = True
        self._bench.stop.set()
        if self._busy:
            self._view.say("stopping: what is under way comes to the end of a step")
        if self._bench.controller is not None:
            self._bench.controller.abandon()
        end = time.monotonic() + _STOP_S
        while self._busy and self._to_end() < 2 and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                self._take(*self._ended.get(timeout=_LOOK_S))
        self.outcome.stopped += [row.node for row in self._busy.values()]


def words(error: BaseException) -> tuple[str, str]:
    """Return (why, what to do) of an expected error."""
    if isinstance(error, ProvisionError):
        return error.why, error.do
    if isinstance(error, BenchError):
        why, _, do = str(error).rpartition(": ")
        return (why, do) if why else (do, "run this again")
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", _DISK
    return str(error) or type(error).__name__, "run this again"
