"""One front end's desk: what it knows of its controller, kept up to date by `take`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lampione.desk.feed import Feed, Item
from lampione.desk.fleet import Fleet
from lampione.desk.present import troubled
from lampione.desk.work import Answer, Job, Start, Undertaking, Work, Works, in_thread

TOPICS = frozenset(("nodes", "sites", "status", "link", "alarms", "tags", "who"))
NOT_YET = "connecting"
STREETS = "streets.geojson"


class Desk:
    """See the module. Everything is called in one thread, that of the front end.

    Attributes:
        fleet: the nodes.
        sites: `api.Placed` by node.
        status: `api.Status`, None before the first came.
        link: why there is no connection; None: there is one.
        alarms: `api.Alarm` by its id: those that are active or not acknowledged.
        tags: `api.Tag` by node: the lamps that are locked.
        who: `api.Entered`, None before the controller said.
        places, moved: what `take` changed in the fleet's order, for the grid.
        state: the controller's folder.
        streets: the GeoJSON file under the map.
        undertakings: what must not end with the screen unasked.

    Args:
        now: Unix seconds.
        start: begins work beside the front end.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        now: Callable[[], float] = time.time,
        state: Path | None = None,
        streets: Path | None = None,
        start: Start = in_thread,
    ) -> None:
        self._feed = feed
        self._works = Works(start)
        self.now = now
        self.state = state
        self.streets = streets or (None if state is None else state / STREETS)
        self.fleet = Fleet(now=now)
        self.sites: dict[str, Any] = {}
        self.status: dict[str, Any] | None = None
        self.link: str | None = NOT_YET
        self.alarms: dict[int, Any] = {}
        self.tags: dict[str, Any] = {}
        self.who: dict[str, Any] | None = None
        self.places: set[int] = set()
        self.moved = False
        self.undertakings: list[Undertaking] = []

    def start(self) -> None:
        """Begin to listen."""
        self._feed.start()

    def stop(self) -> None:
        """End; what is under way is asked to."""
        for one in self.undertakings:
            one.stop()
        self._feed.stop()

    def going(self) -> list[str]:
        """Return what is under way, in words."""
        return [words for one in self.undertakings if (words := one.going())]

    @property
    def role(self) -> str:
        """What this front end may do: view, operate or configure."""
        return "view" if self.who is None else str(self.who["role"])

    def take(self) -> frozenset[str]:
        """Take what has come, and hand over answers; return the topics that changed."""
        self.places, self.moved = set(), False
        changed = {topic for item in self._feed.drain() if (topic := self._note(item))}
        if changed & {"alarms", "tags"}:
            self._trouble()
        self.moved |= self.fleet.aged()
        self._works.deliver()
        return frozenset(changed)

    def _trouble(self) -> None:
        """Have the fleet know which nodes have an alarm or a lock."""
        self.fleet.troubled = troubled(self.alarms.values(), self.tags.values())
        if self.fleet.asks_for_faults:
            self.fleet.arrange()
            self.moved = True

    def _note(self, item: Item) -> str | None:
        kind, what = item
        if kind == "nodes":
            self.places, moved = self.fleet.update(what)
            self.moved |= moved
        elif kind == "sites":
            self.sites = what
            self.fleet.stand({node: place["name"] for node, place in what.items()})
            self.moved = True
        elif kind == "link":
            self.link = what
        elif kind == "status":
            self.status = what
        elif kind == "broker":
            if self.status is None:
                return None
            self.status = {**self.status, "broker": what}
            return "status"
        elif kind == "alarms":
            for alarm in what:
                if alarm["active"] or not alarm["acknowledged"]:
                    self.alarms[alarm["id"]] = alarm
                else:
                    self.alarms.pop(alarm["id"], None)
        elif kind == "tags":
            self.tags = {tag["node"]: tag for tag in what}
        elif kind == "who":
            self.who = what
        return kind

    def ask(self, op: str, done: Callable[[Answer], None], **parameters: Any) -> Job:
        """Ask the controller; `done` gets the answer in a later `take`."""
        return self._works.run(lambda _: self._feed.call(op, **parameters), done)

    def call(self, op: str, **parameters: Any) -> Any:
        """Ask the controller and wait: for work that `run` began. Raises CoreError."""
        return self._feed.call(op, **parameters)

    def follow(
        self,
        op: str,
        each: Callable[[Any], None],
        done: Callable[[Answer], None] = lambda _: None,
        until: Callable[[Any], bool] = lambda _: False,
        **parameters: Any,
    ) -> Job:
        """Ask for what comes in steps; `each` gets each, the last thing said too.

        until: what is enough; the rest is not waited for.
        """

        def run(job: Job) -> None:
            items = self._feed.stream(op, **parameters)
            try:
                for item in items:
                    job.tell(item)
                    if until(item):
                        return
            finally:
                items.close()  # type: ignore[attr-defined]

        return self._works.run(run, done, each)

    def run(
        self,
        work: Work,
        done: Callable[[Answer], None],
        each: Callable[[Any], None] = lambda _: None,
    ) -> Job:
        """Do something beside the front end that may take long: see `Works.run`."""
        return self._works.run(work, done, each)
