"""One order for many nodes: in words before, sent to each, and what became of it."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lampione.desk.desk import Desk
from lampione.desk.text import age
from lampione.desk.work import Answer, Job

AT_ONCE = 32  # under way at the same time, of one terminal
EXPIRES_S = 120.0
_GOOD = ("accepted", "done")


class Choice(NamedTuple):
    """What can be ordered of many.

    key: to press. asks: what has to be said first: "level", "for" (minutes), or nothing.
    says: what it does, {lamps}, {level} and {until} put in.
    """

    key: str
    op: str
    name: str
    asks: tuple[str, ...]
    says: str


CHOICES = (
    Choice("l", "level", "level", ("level", "for"),
           "{lamps} to {level} % for {for_}, until {until}; then the program goes on"),
    Choice("r", "resume", "resume", (), "{lamps} back to the program"),
    Choice("i", "identify", "identify", (), "{lamps} blink for half a minute"),
    Choice("e", "emergency", "emergency light", ("for",),
           "{lamps} as bright as they may for {for_}, until {until}"),
    Choice("m", "maintenance", "maintenance", ("for",),
           "{lamps} dark, above every program, for {for_}, until {until}"),
    Choice("d", "read", "read the level", (), "{lamps} say their level"),
    Choice("c", "clean", "clean the dust sensor", (), "{lamps} blow the dust out, ten seconds"),
    Choice("b", "reboot", "reboot", (), "{lamps} start anew, within seconds"),
)  # fmt: skip
TYPED_FROM = 5  # nodes: so many are not started anew, lit or made dark by one key
HARSH = frozenset(("reboot", "emergency", "maintenance"))


def lamps(nodes: Sequence[str], sites: Mapping[str, Any]) -> str:
    """Say which lamps: `bligny-1`, `4 lamps of Viale Lazio`, `12 lamps of 3 sites`."""
    if len(nodes) == 1:
        return nodes[0]
    named = {sites[node]["name"] for node in nodes if node in sites}
    if not named:
        return f"{len(nodes)} lamps"
    where = named.pop() if len(named) == 1 else f"{len(named)} sites"
    return f"{len(nodes)} lamps of {where}"


def order_of(choice: Choice, level: int | None = None, minutes: float | None = None) -> Any:
    """Return the core's Order."""
    order: dict[str, Any] = {"op": choice.op}
    if "level" in choice.asks:
        order["level"] = level
    if "for" in choice.asks and minutes is not None:
        order["for_s"] = round(minutes * 60)
    if choice.op == "identify":
        order["for_s"] = 30
    return order


def words(
    choice: Choice, order: Mapping[str, Any], nodes: Sequence[str], sites: Mapping[str, Any],
    now: float,
) -> str:  # fmt: skip
    """Say what an order will do, in numbers."""
    seconds = order.get("for_s", 0)
    until = time.strftime("%H:%M", time.localtime(now + seconds))
    return choice.says.format(
        lamps=lamps(nodes, sites), level=order.get("level"), for_=age(seconds), until=until
    )


def _taken(state: Mapping[str, Any]) -> bool:
    """Say whether a node has said yes: what lasts for hours must not keep the others waiting."""
    return bool(state["state"] == "accepted")


class Sending:
    """An order on its way to many: `states` by node, as they come.

    A node that has no state yet waits for its turn.
    """

    def __init__(self, desk: Desk, nodes: Sequence[str], order: Mapping[str, Any]) -> None:
        self._desk = desk
        self._order = dict(order)
        self._left: Iterator[str] = iter(nodes)
        self._jobs: dict[str, Job] = {}
        self.nodes = list(nodes)
        self.states: dict[str, Any] = {}

    def begin(self) -> None:
        """Send to the first ones; the others follow as these answer."""
        for _ in range(AT_ONCE):
            self._next()

    def _next(self) -> None:
        node = next(self._left, None)
        if node is None:
            return

        def each(state: Any) -> None:
            self.states[node] = state

        def done(answer: Answer) -> None:
            if answer.error is not None:
                self.states[node] = {"state": "refused", "reason": answer.error, "final": True}
            self._next()

        self._jobs[node] = self._desk.follow(
            "send", each, done, until=_taken,
            node=node, command=self._order, expires_s=EXPIRES_S,
        )  # fmt: skip

    @property
    def over(self) -> bool:
        """Say whether each has answered."""
        return all(
            self.states.get(node, {}).get("final") or self._said_yes(node) for node in self.nodes
        )

    def _said_yes(self, node: str) -> bool:
        return bool(self.states.get(node, {}).get("state") == "accepted")

    def counts(self) -> dict[str, int]:
        """Return how many are in which state; "waits": it was not sent yet."""
        found = Counter(self.states.get(node, {}).get("state", "waits") for node in self.nodes)
        return dict(found)

    def failed(self) -> dict[str, str]:
        """Return why it came to nothing, by node."""
        return {
            node: str(state.get("reason") or state["state"])
            for node, state in self.states.items()
            if state.get("final") and state["state"] not in _GOOD
        }

    def told(self) -> str:
        """Say how it stands, in one line."""
        counts = self.counts()
        parts = [f"{counts[state]} {state}" for state in sorted(counts)]
        failed = self.failed()
        if failed:
            node, why = next(iter(failed.items()))
            parts.append(f"{node}: {why}")
        return ", ".join(parts)
