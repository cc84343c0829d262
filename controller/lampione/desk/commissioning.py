"""Boards becoming nodes, as a screen follows it: the list, the boards, a run, what it measured."""

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.firmware import CompileError

from lampione import private, seeds
from lampione.broker_url import BrokerUrl, BrokerUrlError
from lampione.config.model import Wifi
from lampione.core.client import CoreError
from lampione.core.folder import make_private
from lampione.desk import boards, configs
from lampione.desk.boards import Connected
from lampione.desk.commission_rows import Item, Toned, checks_of, items_of
from lampione.desk.desk import Desk
from lampione.desk.text import clean
from lampione.desk.work import Answer, Job
from lampione.provision import rows as lists
from lampione.provision import session
from lampione.provision import wifi as wifis
from lampione.provision.errors import ProvisionError
from lampione.provision.queue import Entry, Queue, held
from lampione.provision.run import Outcome, Run
from lampione.provision.signoff import Check, as_data
from lampione.room.deeds import FLASH

LAST = "commission.list"  # in the controller's folder: the list that was worked on last
WAIT_S = 24 * 3600.0  # boards are plugged in one after the other, all day
_NUMBER = re.compile(r"\d[\d.]*")


class Commissioning:
    """See the module. Everything is called in the front end's thread.

    Attributes:
        path: of the list; None: there is none yet.
        items: its rows. summary: how much is done, who is next.
        boards: that are plugged in; None: nobody looked yet.
        lacking: the node whose network has to be said before a run begins.
        running: a run goes on. flashing: by the board's serial number, what is done to it.
        said: (tone, text) of what was said last about the run.

    Args:
        changed: called when something is to be shown anew.
        fleet: the fleet's file.
    """

    def __init__(self, desk: Desk, changed: Callable[[], None], fleet: Path | None = None) -> None:
        self._desk = desk
        self._changed = changed
        self._fleet = fleet
        self._state = desk.state or Path()
        self.order = session.Order(
            self._state, labels=self._state / "labels", wait_s=WAIT_S, jobs=session.JOBS
        )
        self.path: Path | None = None
        self.items: list[Item] = []
        self.summary = ""
        self.boards: list[Connected] | None = None
        self.lacking: str | None = None
        self.running = False
        self.flashing: dict[str, str] = {}
        self.said: Toned = ("", "")
        self._asked = 0
        self._looking = False
        self._wifi: Wifi | None = None
        desk.undertakings.append(self)

    def going(self) -> str | None:
        """See work.Undertaking."""
        at = [item.node for item in self.items if item.going]
        if self.running:
            names = f": {', '.join(at)}" if at else ""
            return (
                f"{len(at)} boards are being commissioned{names}. They come to the end of a step; "
                "the list goes on with them the next time."
            )
        if self.flashing:
            return (
                f"{len(self.flashing)} boards are being flashed: they run what they ran before, or "
                "the new firmware, whole."
            )
        return None

    def stop(self) -> None:
        """Ask the run to end between two steps; who asks twice waits for nothing."""
        self._asked += self.running

    @property
    def words(self) -> str:
        """How much is done, and who is next; in a run, how many boards are at work."""
        if not self.running:
            return self.summary
        done = sum(not item.going and item.entry.state == "done" for item in self.items)
        failed = sum(not item.going and item.entry.state == "failed" for item in self.items)
        at_work = sum(item.going for item in self.items)
        bad = f", {failed} failed" if failed else ""
        return f"{done} of {len(self.items)} done{bad}, {at_work} at work"

    def look(self) -> None:
        """Look what is plugged in, unless somebody looks already."""
        if self._looking:
            return
        self._looking = True

        def seen(answer: Answer) -> None:
            self._looking = False
            if answer.error is not None:
                self.said = ("bad", answer.error)
            elif answer.result != self.boards:
                self.boards = answer.result
            else:
                return
            self._changed()

        self._desk.run(lambda _: boards.connected(self.order.records_folder), seen)

    def open(self, text: str | None = None, said: Toned = ("", "")) -> None:
        """Take up a list; without a name the one that was worked on last, if any.

        said: what then stands there.
        """

        def load(_: Job) -> tuple[Path, list[Item], str, str | None] | None:
            path = self._last() if text is None else Path(text).expanduser().absolute()
            if path is None:
                return None
            queue, seed = self._load(path)
            lacking = session.lacking(self.order, seed, queue.left())
            if text is not None:
                make_private(self._state)
                private.put(self._state / LAST, f"{path}\n".encode(), 0o600)
            return path, items_of(queue), queue.words(), lacking[0] if lacking else None

        def loaded(answer: Answer) -> None:
            if answer.error is not None:
                self.said = ("bad", answer.error)
            elif answer.result is not None:
                before = {item.node: item for item in self.items}
                self.path, self.items, self.summary, self.lacking = answer.result
                for item in self.items:
                    if item.node in before:
                        item.trail = before[item.node].trail
                self.said = said
            self._changed()

        if not self.running:
            self._desk.run(load, loaded)

    def check_file(self, text: str) -> None:
        """Raise ValueError for a name that no list can have."""
        if Path(text.strip()).suffix.lower() not in (".toml", ".csv"):
            raise ValueError("its name must end in .toml or .csv")

    def wifi_file(self, text: str) -> None:
        """Take the network from a file of mode 0600. Raises ValueError."""
        path = Path(text.strip()).expanduser()
        try:
            self._wifi = wifis.read(path)
        except ProvisionError as error:
            raise ValueError(str(error)) from None
        self.lacking = None

    def wifi(self, ssid: str, password: str) -> None:
        """Take the network that somebody typed. Raises ValueError, which never quotes it."""
        try:
            self._wifi = wifis.checked({"ssid": ssid.strip(), "password": password}, "that")
        except ProvisionError as error:
            raise ValueError(str(error)) from None
        self.lacking = None

    def cable(self) -> None:
        """Nodes have a network without Wi-Fi."""
        self.order = replace(self.order, no_wifi=True)
        self.lacking = None

    def broker(self, text: str) -> None:
        """Say how nodes reach the broker; "": as the controller does. Raises ValueError."""
        try:
            url = BrokerUrl.parse(text.strip()) if text.strip() else None
        except BrokerUrlError as error:
            raise ValueError(str(error)) from None
        self.order = replace(self.order, broker=text.strip() if url else None)

    def begin(self) -> None:
        """Work through what is left, until it is done or asked to stop."""
        if self.path is None or self.running:
            return
        path, order, network = self.path, self.order, self._wifi
        self.running, self._asked = True, 0
        self.said = ("note", "it begins")

        def ask(node: str) -> Wifi:
            if network is None:
                raise ProvisionError(f"{node} has no network", "say which: w")
            return network

        def work(job: Job) -> Outcome:
            with held(path):
                queue, seed = self._load(path)
                with session.prepared(order, seed, queue, ask) as bench:
                    view = _Told(job, queue)
                    return Run(
                        bench, queue, order.records_folder, view,
                        jobs=order.jobs, wait_s=order.wait_s, tell=self._tell,
                        asked=lambda: self._asked,
                    ).run()  # fmt: skip

        self._desk.run(work, self._over, self._take)
        self._changed()

    def flash(self, board: Connected) -> None:
        """Bring a board's firmware up to date; it stays who it is."""
        if board.board in self.flashing or self.running:
            return
        self.flashing[board.board] = "begins"

        def work(job: Job) -> str:
            def told(step: str, part: float) -> None:
                job.tell(f"{step} {round(part * 100)} %" if part else step)

            try:
                done = boards.bring_up_to_date(board.port, told)
            except (BenchError, CompileError) as error:
                untold = self._untold(board, result="failed", why=str(error))
                raise RuntimeError(f"{error}{untold}") from None
            return done.words() + self._untold(board, result="done", firmware=done.firmware)

        def each(text: str) -> None:
            self.flashing[board.board] = text
            self._changed()

        def done(answer: Answer) -> None:
            self.flashing.pop(board.board, None)
            bad = answer.error is not None
            self.said = (
                "bad" if bad else "good",
                f"{board.shown}: {answer.error or answer.result}",
            )
            self._changed()

        self._desk.run(work, done, each)
        self._changed()

    def _tell(self, action: str, node: str | None = None, **detail: Any) -> None:
        """Have the audit hear of it, if a controller runs."""
        if self._desk.link is None:
            self._desk.call("deed", action=action, node=node, detail=detail)

    def _untold(self, board: Connected, **detail: Any) -> str:
        """Have the audit hear of a flash; return why it did not."""
        try:
            self._tell(FLASH, board.node, board=board.board, **detail)
        except (CoreError, TimeoutError) as error:
            return f"; the audit does not have it: {error}"
        return ""

    def item(self, node: str) -> Item | None:
        """Return a row."""
        return next((item for item in self.items if item.node == node), None)

    def _take(self, told: tuple[Any, ...]) -> None:
        kind, node, what, more = told
        item = self.item(node)
        if kind == "say":
            self.said = ("note", clean(what))
        elif item is not None and kind == "begin":
            item.going, item.trail, item.part, item.entry = True, [], None, more
            item.checks = ()
            self.said = ("", "")
        elif item is not None and kind == "tell":
            step = clean(what)
            if not item.trail or _NUMBER.sub("", item.trail[-1]) != _NUMBER.sub("", step):
                item.trail.append(step)
            item.trail[-1], item.part = step, more
        elif item is not None and kind == "measured":
            item.checks = more
        elif item is not None:
            item.going = False
            item.entry, item.checks, self.summary, after = more
            for other in self.items:
                other.next = other.node == after
        self._changed()

    def _over(self, answer: Answer) -> None:
        self.running = False
        for item in self.items:
            item.going = False
        if answer.error is not None:
            self.said = ("bad", answer.error)
        else:
            self.said = _words(answer.result)
        self.open(str(self.path), self.said)
        self._changed()

    def _last(self) -> Path | None:
        with contextlib.suppress(OSError):
            return Path((self._state / LAST).read_text("utf-8").strip())
        return None

    def _load(self, path: Path) -> tuple[Queue, seeds.Seed]:
        seed = seeds.load(configs.fleet_file(self._state, self._fleet))
        return Queue(lists.load(path, seed), path), seed


class _Told:
    """See run.View: hands what a run's threads say to the front end."""

    def __init__(self, job: Job, queue: Queue) -> None:
        self._job = job
        self._queue = queue
        self._begun: set[str] = set()

    def _entry(self, name: str) -> Entry:
        return next(entry for entry in self._queue.entries() if entry.node == name)

    def tell(self, name: str, step: str, part: float | None = None) -> None:
        """See run.View."""
        if name not in self._begun:
            self._begun.add(name)
            self._job.tell(("begin", name, "", self._entry(name)))
        self._job.tell(("tell", name, step, part))

    def measured(self, name: str, checks: Sequence[Check]) -> None:
        """See run.View."""
        self._job.tell(("measured", name, "", [as_data(check) for check in checks]))

    def end(self, name: str, text: str, good: bool) -> None:
        """See run.View."""
        del good  # the entry has it
        self._begun.discard(name)
        entry = self._entry(name)
        left = self._queue.left()
        after = left[0].node if left else None
        more = (entry, checks_of(entry), self._queue.words(), after)
        self._job.tell(("end", name, text, more))

    def say(self, text: str) -> None:
        """See run.View."""
        self._job.tell(("say", "", text, None))


def _words(outcome: Outcome) -> Toned:
    done = f"{len(outcome.done)} done in this run"
    if outcome.interrupted:
        return "warn", f"stopped, {done}: b goes on where it was"
    if outcome.failed:
        return "bad", f"{len(outcome.failed)} failed, {done}: put them right, then b tries again"
    return (
        ("good", done) if outcome.good else ("warn", f"{done}; {len(outcome.missing)} had no board")
    )
