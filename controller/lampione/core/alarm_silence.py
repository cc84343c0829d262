"""Nodes of which nothing is heard: by arrival, those with one cause together."""

from collections import Counter
from typing import Any

import numpy as np

from lampione.alarms.book import Book
from lampione.alarms.rules import Rule
from lampione.alarms.silence import Group, causes
from lampione.api import BrokerStatus
from lampione.fleet.node import Fleet
from lampione.live.places import Places
from lampione.live.state import NEVER

OFFLINE_S = 120.0  # the broker says that it left: it may be restarting
GATHER_S = 90.0  # so long one waits for its neighbours before it counts as alone


class Silence:
    """For the core's thread. Without a connection to the broker nobody is silent but we."""

    def __init__(self, fleet: Fleet, book: Book, rule: Rule | None, places: Places) -> None:
        self._fleet = fleet
        self._book = book
        self._rule = rule
        self._places = places
        self._noticed: dict[str, tuple[float, float]] = {}  # since, when it was noticed
        self._ever: dict[Group, set[str]] = {}  # members of a cause, also those that are back
        self._groups: dict[str, list[Group]] = {}
        self._sizes: Counter[Group] = Counter()
        self._placed: Any = None
        self._heard = 0

    def load(self, now: float) -> None:
        """Go on from the alarms that stand."""
        self._placed = None
        self._noticed = {}
        self._ever = {}
        for alarm in self._book.standing.values():
            if alarm.active and self._rule is not None and alarm.rule == self._rule.name:
                for name in alarm.members or ([alarm.node] if alarm.node else []):
                    node = self._fleet.nodes.get(name)
                    if node is not None:
                        self._noticed[name] = node.last_seen or alarm.since, now - GATHER_S

    def tick(self, wall: float, broker: BrokerStatus) -> None:
        """Look who is silent."""
        rule = self._rule
        if rule is None or not broker["connected"]:
            return
        live = self._fleet.live()
        heard_of = live.present & (live.seen > 0)
        resumed = broker["since"] or wall
        quiet = wall - np.maximum(live.seen, resumed) > live.quiet_after()
        left = ~live.reachable() & (wall - np.maximum(live.claimed_at, resumed) > OFFLINE_S)
        silent = heard_of & (quiet | left)
        for name, (since, _) in self._noticed.items():  # until it is heard, whoever was away
            node = self._fleet.nodes.get(name)
            if node is not None and live.seen[node.id] <= since:
                silent[node.id] = True
        names = [live.names[row] for row in np.flatnonzero(silent).tolist()]
        if not names and not self._noticed:
            return
        now = {name: self._noticed.get(name) for name in names}
        rows = dict(zip(names, np.flatnonzero(silent).tolist(), strict=True))
        back = dict.fromkeys(self._noticed.keys() - now.keys(), wall)
        self._noticed = {
            name: known or (float(live.seen[rows[name]]), wall) for name, known in now.items()
        }
        self._group(int(np.count_nonzero(heard_of)))
        for name in back:
            node = self._fleet.nodes.get(name)
            back[name] = wall if node is None or node.last_seen is None else node.last_seen
        self._judge(rule, back, wall)

    def _judge(self, rule: Rule, back: dict[str, float], wall: float) -> None:
        book = self._book
        mine = {
            alarm.subject: alarm
            for alarm in book.standing.values()
            if alarm.rule == rule.name and alarm.active
        }
        standing = {
            Group(*subject.split(" ", 1)) for subject, alarm in mine.items() if alarm.node is None
        }
        since = {name: at for name, (at, _) in self._noticed.items()}
        found = causes(since, self._groups, self._sizes, standing)
        for name, at in back.items():
            if name in mine:
                book.end(name, rule.name, at, wall)
        for group in standing - found.causes.keys():
            members = sorted(self._ever.pop(group, set()).union(mine[str(group)].members))
            book.members(str(group), rule.name, members, wall)  # history knows all of them
            for name in found.alone.keys() & members:  # its neighbours may be next
                self._noticed[name] = self._noticed[name][0], wall
            ends = max((back[name] for name in members if name in back), default=wall)
            book.end(str(group), rule.name, ends, wall)
        for group, silent in found.causes.items():
            for name in silent:
                if name in mine:  # it was alone until now
                    book.end(name, rule.name, wall, wall)
            book.begin(
                rule, str(group), min(silent.values()), wall, node=None,
                shard=self._shard(silent), members=sorted(silent),
                what=f"{group} is silent",
            )  # fmt: skip
            book.members(str(group), rule.name, sorted(silent), wall)
            self._ever.setdefault(group, set()).update(silent)
        for name, at in found.alone.items():
            if name in mine or wall - self._noticed[name][1] >= GATHER_S:
                book.begin(rule, name, at, wall, node=name, shard=self._shard([name]))

    def _shard(self, members: Any) -> str:
        node = self._fleet.nodes.get(next(iter(members)))
        return node.shard if node is not None else ""

    def _group(self, heard: int) -> None:
        """Know who is with whom; again when the fleet is another."""
        placed = self._places.placed()
        if placed is self._placed and heard == self._heard:
            return
        self._placed, self._heard = placed, heard
        live = self._fleet.live()
        states = live.states(0.0)
        self._groups = {}
        for name, node in self._fleet.nodes.items():
            if states[node.id] == NEVER:
                continue
            place: Any = placed.get(name, {})
            given = [(kind, place.get(kind)) for kind in ("feeder", "radio", "site")]
            self._groups[name] = [
                *(Group(kind, str(value)) for kind, value in given if value),
                Group("shard", node.shard),
            ]
        self._sizes = Counter(group for groups in self._groups.values() for group in groups)
