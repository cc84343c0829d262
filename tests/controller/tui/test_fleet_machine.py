"""Whatever reports, sorts, filters, alarms and marks came: the order is that of all rows."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from lampione.desk.asking import asker
from lampione.desk.columns import COLUMNS
from lampione.desk.fleet import Fleet
from lampione.live.words import parse

from tests.controller.nodes import NOW, node

NAMES = [f"n{n:03}" for n in range(200)]
SITES = {name: f"Viale {'Lazio' if n % 3 else 'Bligny'}" for n, name in enumerate(NAMES)}
BY_KEY = {column.key: column for column in COLUMNS}
WORDS = ("", "n1", "online lazio", "!online", "laeq>60", "!laeq>60 n0", "faults", "!faults",
         "lamp_level=40", "site=*bligny*", "laeq=unknown",
         "laeq>60 or n1", "age>30s")  # fmt: skip
reports = st.builds(
    lambda laeq, level, state, at: {
        "laeq": laeq, "lamp_level": level, "lamp_reason": "program", "state": state, "at": at,
    },
    st.none() | st.sampled_from([40.0, 60.5, 71.2]),
    st.none() | st.sampled_from([0, 40, 100]),
    st.sampled_from(["online", "offline", "silent", "never"]),
    st.sampled_from([NOW - 60, NOW - 5, NOW]),
)  # fmt: skip


class FleetMachine(RuleBasedStateMachine):
    """The rows beside a dictionary that is sorted and filtered anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(now=lambda: NOW)
        self.rows: dict[str, Any] = {}
        self.sites: dict[str, str] = {}

    def take(self, nodes: list[str], said: Any) -> None:
        rows = [node(name, **said) for name in nodes]
        self.fleet.update(rows)
        self.rows.update((row["node"], row) for row in rows)

    @rule(names=st.lists(st.sampled_from(NAMES), max_size=4), said=reports)
    def some_report(self, names: list[str], said: Any) -> None:
        self.take(names, said)

    @rule(first=st.integers(0, 120), count=st.integers(60, 80), said=reports)
    def many_report(self, first: int, count: int, said: Any) -> None:
        self.take(NAMES[first : first + count], said)

    @rule(sort=st.sampled_from(sorted(BY_KEY)), descending=st.booleans())
    def sort(self, sort: str, descending: bool) -> None:
        self.fleet.arrange(sort=sort, descending=descending)

    @rule(words=st.sampled_from(WORDS))
    def filter(self, words: str) -> None:
        self.fleet.arrange(words=words)

    @rule(troubled=st.sets(st.sampled_from(NAMES), max_size=5), only=st.booleans())
    def trouble(self, troubled: set[str], only: bool) -> None:
        self.fleet.troubled, self.fleet.faults_only = troubled, only
        self.fleet.arrange()

    @rule()
    def sites_are_known(self) -> None:
        self.sites = SITES
        self.fleet.stand(SITES)

    @rule(names=st.sets(st.sampled_from(NAMES), max_size=5))
    def mark(self, names: set[str]) -> None:
        self.fleet.marks ^= names

    @invariant()
    def the_order_is_that_of_all_rows(self) -> None:
        fleet = self.fleet
        passes = asker(parse(fleet.words), fleet.faulty, lambda: NOW) if fleet.words else None
        rows = [{**row, "site": self.sites.get(name, "")} for name, row in self.rows.items()]
        passing = [
            row for row in rows
            if (not fleet.faults_only or fleet.faulty(row)) and (passes is None or passes(row))
        ]  # fmt: skip
        order = BY_KEY[fleet.sort].order
        passing.sort(key=lambda row: (order(row), row["node"]), reverse=fleet.descending)
        assert [fleet.at(n) for n in range(len(fleet))] == passing
        shown = fleet.shown()
        assert shown == [row["node"] for row in passing]
        assert [fleet.index(name) for name in shown] == list(range(len(shown)))
        assert all(fleet.index(name) is None for name in set(NAMES) - set(shown))
        states = [row["state"] for row in rows]
        assert fleet.counts() == {state: states.count(state) for state in set(states)}
        assert fleet.total == len(rows)


TestFleetMachine = FleetMachine.TestCase
TestFleetMachine.settings = settings(max_examples=25, stateful_step_count=20)
