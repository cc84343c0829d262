"""The fleet's columns, chosen and by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.desk.columns import BETWEEN, COLUMNS, ColumnError, column, keys_of, shown
from lampione.desk.fleet import Fleet

from tests.controller.nodes import NOW, node


def test_any_field_is_a_column() -> None:
    assert keys_of("LAeq, rssi  hello.firmware") == ("node", "laeq", "rssi", "hello.firmware")
    assert keys_of(" ") == ()
    rssi = column("rssi")
    assert rssi.head == "rssi dBm"
    assert rssi.cell(node("a-1"), NOW) == "-61"
    firmware = {**node("a-1"), "hello": {"firmware": 4161}}
    assert column("hello.firmware").cell(firmware, NOW) == "1.1.1"
    assert column("no2").cell(node("a-1", no2=9, valid=["sound"]), NOW) == "–"
    with pytest.raises(ColumnError, match="there is no column 'noise'"):
        keys_of("laeq noise")


def test_a_fleet_is_sorted_by_any_field() -> None:
    fleet = Fleet()
    fleet.update([node("a", pm10=3.5), node("b"), node("c", pm10=90.0)])
    fleet.arrange(sort="pm10")
    assert fleet.shown() == ["c", "a", "b"]
    fleet.update([node("b", pm10=40.0)])
    assert fleet.shown() == ["c", "b", "a"]


@given(st.lists(st.sampled_from([c.key for c in COLUMNS] + ["rssi", "state_no2", "uptime"])),
       st.integers(80, 200))  # fmt: skip
def test_what_is_shown_fits(keys: list[str], width: int) -> None:
    wanted = keys_of(" ".join(keys))
    seen = shown(wanted, width)
    assert seen[0].key == "node"
    assert len(seen) == 1 or sum(c.width + BETWEEN for c in seen) - BETWEEN + 3 <= width
    if wanted:
        assert tuple(c.key for c in seen) == wanted[: len(seen)]


def test_gaps_say_what_is_lost_in_seven_letters() -> None:
    cell = column("gaps").cell
    row = node("a")
    assert cell({**row, "missing": 12}, NOW) == "12"
    assert cell({**row, "missing": 12, "lost": 3}, NOW) == "12+3"
    assert cell({**row, "missing": 131_070, "lost": 42}, NOW) == "131k+42"
