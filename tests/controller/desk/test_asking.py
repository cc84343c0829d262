"""The filter of the fleet: words, comparisons, their opposites; never a crash."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.desk.asking import AskingError, filters
from lampione.desk.fleet import Fleet
from lampione.desk.present import air_band, faults, reported

from tests.controller.nodes import NOW, node

ROWS = [
    node("bligny-1", laeq=62.4, lamp_level=40, lamp_reason="override"),
    node("lazio-1", laeq=55.0, lamp_level=0, lamp_reason="program", faults=["lamp"]),
    node("umbria-1", at=None, state="never"),
    node("umbria-2", at=NOW - 900, state="offline", laeq=70.0),
]


def shown(words: str, **how: Any) -> list[str]:
    fleet = Fleet(
        {"bligny-1": "Viale Bligny", "lazio-1": "Viale Lazio", "umbria-1": "Viale Umbria"}
    )
    for name, value in how.items():
        setattr(fleet, name, value)
    fleet.update(ROWS)
    fleet.arrange(words=words)
    return [name.split("-")[0] + name[-1] for name in fleet.shown()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", "bligny1 lazio1 umbria1 umbria2"),
        ("viale off", ""),
        ("OFF", "umbria2"),
        ("!online !never", "umbria2"),
        ("laeq>60", "bligny1 umbria2"),
        ("laeq>60 !override", "umbria2"),
        ("!laeq>60", "lazio1 umbria1"),
        ("lamp_level=0", "lazio1"),
        ("laeq=unknown", "umbria1"),
        ("site=*lazio*", "lazio1"),
        ("node!=lazio-1 state=online", "bligny1"),
        ("faults=lamp", "lazio1"),
        ("faults", "lazio1 umbria2"),
        ("!faults", "bligny1 umbria1"),
        ("health.rssi<-60", "bligny1 lazio1 umbria1 umbria2"),
        ("lamp_reason>3", ""),
    ],
)
def test_who_is_shown(words: str, found: str) -> None:
    assert shown(words) == found.split()


def test_a_node_with_an_alarm_or_a_lock_is_among_the_faults() -> None:
    assert shown("", faults_only=True, troubled={"bligny-1"}) == ["bligny1", "lazio1", "umbria2"]


@pytest.mark.parametrize("words", ["nosuch=1", "laeq>loud", "laeq>", "health.laeq=1"])
def test_what_is_wrong_is_said_and_changes_nothing(words: str) -> None:
    fleet = Fleet()
    fleet.update(ROWS)
    fleet.arrange(words="online")
    with pytest.raises(AskingError):
        fleet.arrange(words=words)
    assert (fleet.words, len(fleet)) == ("online", 2)


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        found = filters(text, lambda row: bool(faults(row)))
    except AskingError:
        return
    for row in ROWS:
        for passes in found:
            assert passes({**row, "site": ""}) in (True, False)


def test_a_value_that_does_not_count_is_not_shown() -> None:
    row = node("a-1", laeq=62.4, pm2_5=9.0, o3=90, valid=["sound", "o3"])
    assert reported(row, "laeq") == 62.4
    assert reported(row, "pm2_5") is None
    assert reported(row, "lamp_level") is None
    assert air_band(row) == 5  # 180 µg/m³ of ozone
    assert air_band(node("a-1")) is None
    row["health"]["state_no2"] = "stuck"
    assert faults(row) == ["no2 stuck"]
