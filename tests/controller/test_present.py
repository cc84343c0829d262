"""How values look: digits as the wire's resolution deserves, unknown as a dash."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.cli import present
from lampione.cli.fleet import describe

from tests.controller.nodes import NOW, node


@pytest.mark.parametrize(
    ("message", "field", "found", "text"),
    [
        ("report", "laeq", 62.4, "62.4"),
        ("report", "laeq", None, "–"),
        ("report", "humidity", 52.0, "52"),
        ("report", "temperature", -3.0, "-3.0"),
        ("report", "valid", ["sound", "climate"], "sound, climate"),
        ("report", "faults", [], "none"),
        ("report", "lamp_reason", "override", "override"),
        ("report", "ambient_light", 10240.0, "10240"),
        ("health", "rssi", -61, "-61"),
        ("hello", "firmware", 1 << 12 | 2 << 6 | 3, "1.2.3"),
        ("health", "time", 1577836800.0 + 7, "7 s after boot"),
        ("hello", "epoch", "00c0ffee", "00c0ffee"),
        ("report", "of a newer schema", 1.25, "1.2"),
    ],
)
def test_values(message: str, field: str, found: Any, text: str) -> None:
    assert present.value(message, field, found) == text


def test_a_report_is_stale_after_three_of_its_durations() -> None:
    assert not present.is_stale(node("a", at=NOW - 19), NOW)
    assert present.is_stale(node("a", at=NOW - 21), NOW)
    assert not present.is_stale(node("a", at=NOW - 180, duration_s=60), NOW)
    assert present.is_stale(node("a", at=None, state="never"), NOW)


@given(
    st.sampled_from(sorted(present.STATES)),
    st.none() | st.floats(20, 122),
    st.none() | st.integers(0, 100),
    st.integers(0, 16777214),
)
def test_every_cell_of_every_node_is_one_line(
    state: str, laeq: float | None, level: int | None, missing: int
) -> None:
    at = None if state == "never" else NOW
    row = {**node("a", at=at, state=state, laeq=laeq, lamp_level=level), "site": None}
    row["missing"] = missing
    for column in present.COLUMNS:
        text = column.cell(row, NOW)
        assert text
        assert "\n" not in text
        assert column.order(row) == column.order(row)


def test_everything_known_of_a_node_is_described() -> None:
    row = {**node("a", laeq=62.4), "events": [
        {"severity": "info", "code": "boot", "argument": 3, "received": NOW - 70}
    ]}  # fmt: skip
    told = dict(describe(row, NOW))
    report = dict(told["report, 2s ago"])
    assert report["laeq"] == "62.4 dB"
    assert report["no2"] == "–"
    assert set(report) == set(present.FIELDS["report"])
    assert dict(told["hello, never"])["boot"] == "–"
    assert told["event, 1m ago"] == [("info", "boot (3)")]
