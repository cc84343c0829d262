"""The rules of hours, judged of the roll-ups: air quality index, noise limits."""

import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lampione.alarms.book import Book
from lampione.alarms.episodes import Pace, episodes
from lampione.alarms.rules import GAP_S, Rule, Verdict, shown, verdict
from lampione.api import Placed
from lampione.core.alarm_reads import HOUR_S, Hours
from lampione.core.zone import fleet_zone
from lampione.fleet.node import Fleet, NodeState
from lampione.rollup.calendar import CalendarError, local
from lampione.store import TelemetryStore


class Hourly:
    """For the core's thread."""

    def __init__(
        self, fleet: Fleet, store: TelemetryStore, book: Book, rules: Sequence[Rule], state: Path
    ) -> None:
        self._fleet = fleet
        self._store = store
        self._book = book
        self.rules = [rule for rule in rules if rule.of == "hour"]
        try:
            self._zone = zoneinfo.ZoneInfo(fleet_zone(state))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            self._zone = zoneinfo.ZoneInfo("UTC")

    def take(
        self, nodes: Mapping[str, int], found: Hours, placed: Mapping[str, Placed], wall: float
    ) -> None:
        """Judge hours of nodes anew, of each from a time on."""
        try:
            hours = local(found.starts, HOUR_S, self._zone).hours
        except CalendarError:  # half an hour beside UTC
            hours = found.starts // HOUR_S % 24
        columns = {"aqi": found.aqi, "laeq": found.laeq}
        places = {number: n for n, number in enumerate(found.nodes.tolist())}
        for rule in self.rules:
            judged = verdict(rule, columns, hours[:, None] if rule.limits else None)
            some: NDArray[np.bool_] = np.asarray(judged.up.any(axis=0))
            for name, since in nodes.items():
                node = self._fleet.nodes.get(name)
                column = None if node is None else places.get(node.id)
                if node is None or column is None:
                    continue
                if not some[column] and (name, rule.name) not in self._book.standing:
                    continue
                place = placed.get(name)
                site, profile = (place["site"], place["profile"]) if place else ("", "")
                if rule.concerns(name, site, profile):
                    self._judge(rule, node, column, judged, found, since, wall)

    def _judge(
        self, rule: Rule, node: NodeState, column: int, judged: Verdict, found: Hours, since: int,
        wall: float,
    ) -> None:  # fmt: skip
        pace = Pace(rule.for_s, rule.clear_s, GAP_S["hour"])
        begin = since // HOUR_S * HOUR_S - pace.memory_s
        before = self._store.episodes(node.name, rule.name, begin)
        held = next((e.begin for _, e in before if e.begin < begin), None)
        up, down, known = (np.asarray(each)[:, column] for each in judged)
        mine = [
            (int(at), bool(u), bool(d))
            for at, u, d, k in zip(found.starts, up, down, known, strict=True)
            if k and at >= begin
        ]
        again = episodes(mine, pace, held)
        self._book.judged(rule, node.name, before, again, wall, node.shard)
        alarm = self._book.standing.get((node.name, rule.name))
        if alarm is not None and again and up.any():
            last = int(np.flatnonzero(up)[-1])
            columns = {"aqi": found.aqi[last], "laeq": found.laeq[last]}
            self._book.shows(alarm, shown(rule, columns, column))
