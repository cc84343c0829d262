"""What the controller notices by itself: forged frames, losses, configs, its broker, its store."""

from collections.abc import Callable, Mapping

import numpy as np

from lampione.alarms.book import Book
from lampione.alarms.rules import Rule
from lampione.api import BrokerStatus, ConfigState
from lampione.fleet.node import Fleet

BROKER_S = 15.0  # without a connection
FORGED_S = 600.0  # without another, and it is over
_FORGED = frozenset(("seal", "counter", "version"))


class Noticed:
    """Begins and ends the alarms of it. `clock`: Unix seconds."""

    def __init__(
        self, fleet: Fleet, book: Book, rules: Mapping[str, Rule], clock: Callable[[], float]
    ) -> None:
        self._fleet = fleet
        self._book = book
        self._rules = rules
        self._clock = clock
        self._forged: dict[str, float] = {}
        self._lost = np.zeros(0, np.int64)
        self._failed: tuple[float, str] | None = None

    def load(self) -> None:
        """Take what stands from the book."""
        self._forged = {
            alarm.subject: alarm.changed
            for alarm in self._book.standing.values()
            if alarm.active and alarm.rule == "forged"
        }
        self._lost = self._fleet.live().lost.copy()

    def _shard(self, name: str) -> str:
        node = self._fleet.nodes.get(name)
        return node.shard if node is not None else ""

    def refused(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Frames under these names were refused: {(node, reason): how often}."""
        rule = self._rules.get("forged")
        if rule is None:
            return
        now = self._clock()
        for (name, reason), count in counts.items():
            if reason in _FORGED and name in self._fleet.nodes:
                self._forged[name] = now
                self._book.begin(rule, name, now, now, node=name, shard=self._shard(name),
                                value=f"{reason}, {count} at first")  # fmt: skip

    def config_ended(self, state: ConfigState) -> None:
        """A rollout of a config is over."""
        rule = self._rules.get("config")
        if rule is None:
            return
        name, now = state["node"], self._clock()
        asked = state["reason"] == "as asked"
        if state["phase"] in ("refused", "damaged", "reverted") and not asked:
            self._book.begin(rule, name, now, now, node=name, shard=self._shard(name),
                            value=f"{state['phase']}: {state['reason']}")  # fmt: skip
        elif state["phase"] == "confirmed" or asked:
            self._book.end(name, rule.name, now, now)

    def failed(self, why: str) -> None:
        """The store failed: said when it works again."""
        if self._failed is None:
            self._failed = self._clock(), why

    def tick(self, wall: float, broker: BrokerStatus, started: float) -> None:
        """Look at what goes by the time."""
        self._broker(broker, started, wall)
        self._losses(wall)
        for name, last in list(self._forged.items()):
            if wall - last > FORGED_S:
                del self._forged[name]
                self._book.end(name, "forged", last, wall)
        if self._failed is not None and "store" in self._rules:
            at, why = self._failed
            self._failed = None
            self._book.happened(self._rules["store"], "controller", at, wall, node=None,
                                shard=min(self._fleet.shards, default=""), value=why)  # fmt: skip

    def _broker(self, broker: BrokerStatus, started: float, wall: float) -> None:
        rule = self._rules.get("broker")
        if rule is None:
            return
        since = broker["since"] or started
        if broker["connected"]:
            self._book.end("broker", rule.name, since, wall)
        elif wall - since > BROKER_S:
            self._book.begin(rule, "broker", since, wall, node=None, value=broker["error"],
                            shard=min(self._fleet.shards, default=""))  # fmt: skip

    def _losses(self, wall: float) -> None:
        rule = self._rules.get("lost")
        live = self._fleet.live()
        before = np.pad(self._lost, (0, max(0, len(live.lost) - len(self._lost))))
        more = live.lost - before
        self._lost = live.lost.copy()
        if rule is None:
            return
        for row in np.flatnonzero(more > 0).tolist():
            name = live.names[row]
            self._book.happened(rule, name, wall, wall, node=name, shard=self._shard(name),
                               value=str(int(more[row])))  # fmt: skip
