"""The order of the fleet: small steps give what a sort would have given."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.desk.columns import COLUMNS
from lampione.desk.fleet import Fleet

from tests.controller.nodes import NOW, node

NAMES = [f"n{i}" for i in range(12)]
rows = st.builds(
    lambda name, laeq, level, state, at: node(
        name, at=at, state=state, laeq=laeq, lamp_level=level, lamp_reason="program"
    ),
    st.sampled_from(NAMES),
    st.none() | st.sampled_from([40.0, 50.5, 61.2]),
    st.none() | st.sampled_from([0, 40, 100]),
    st.sampled_from(["online", "offline", "silent", "never"]),
    st.sampled_from([NOW - 60, NOW - 5, NOW]),
)


def shown(fleet: Fleet) -> list[str]:
    return [fleet.at(n)["node"] for n in range(len(fleet))]


@settings(max_examples=150)
@given(
    st.lists(st.lists(rows, max_size=6), max_size=8),
    st.sampled_from([c.key for c in COLUMNS]),
    st.booleans(),
    st.sampled_from(["", "n1", "online", "n off"]),
)
def test_updates_keep_the_order(
    batches: list[list[Any]], sort: str, descending: bool, words: str
) -> None:
    fleet = Fleet({n: f"Via {n}" for n in NAMES})
    fleet.arrange(sort=sort, descending=descending, words=words)
    for batch in batches:
        fleet.update(batch)
        stepwise = shown(fleet)
        assert [fleet.index(n) for n in stepwise] == list(range(len(stepwise)))
        fleet.arrange()
        assert stepwise == shown(fleet)


def test_a_changed_row_is_named_and_an_unmoved_order_said() -> None:
    fleet = Fleet()
    fleet.update([node("a", laeq=50.0), node("b", laeq=60.0)])
    assert fleet.update([node("b", laeq=61.0)]) == ({1}, False)
    assert fleet.at(1)["report"]["laeq"] == 61.0
    fleet.arrange(sort="laeq")
    assert shown(fleet) == ["b", "a"]
    assert fleet.update([node("a", laeq=70.0)]) == (set(), True)
    assert shown(fleet) == ["a", "b"]


def test_the_filter_wants_all_words() -> None:
    fleet = Fleet({"a": "Viale Bligny", "b": "Viale Lazio"})
    fleet.update([node("a", state="offline"), node("b")])
    fleet.arrange(words="VIALE off")
    assert shown(fleet) == ["a"]
    assert fleet.total == 2
    fleet.update([node("b", state="offline")])
    assert shown(fleet) == ["a", "b"]
    fleet.update([node("a")])
    assert shown(fleet) == ["b"]
    fleet.arrange(words="")
    assert len(fleet) == 2


def test_ten_thousand_nodes_are_not_sorted_for_every_report() -> None:
    fleet = Fleet()
    fleet.update([node(f"n{i}", laeq=30.0 + i % 700 / 10) for i in range(10_000)])
    fleet.arrange(sort="laeq")
    sorts = fleet.sorts
    for i in range(0, 2_000, 20):
        fleet.update([node(f"n{n}", laeq=80.0) for n in range(i, i + 20)])
    assert fleet.sorts == sorts
    assert fleet.moves <= 2_000
    assert fleet.at(0)["report"]["laeq"] == 99.9
