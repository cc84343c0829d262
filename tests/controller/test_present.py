"""How values look: digits as the wire's resolution deserves, unknown as a dash."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.api import Event
from lampione.desk import present
from lampione.desk.columns import COLUMNS
from lampione.desk.describe import describe
from lampione.desk.event_words import told

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


@pytest.mark.parametrize(
    ("code", "severity", "argument", "text"),
    [
        ("sensor state", "warning", 5 << 4 | 5, "radar silent"),
        ("sensor state", "info", 0, "particulates ok"),
        ("sensor state", "info", 15 << 4 | 15, "code 15 code 15"),
        ("lamp failure", "warning", 0, "lamp failure (0 W)"),
        ("lamp failure", "info", 61, "lamp failure ended"),
        ("wind", "warning", 1, "wind"),
        ("wind", "info", 0, "wind ended"),
        ("impact", "warning", 1250, "impact (1.25 g)"),
        ("tilted", "warning", 11, "tilted (5.5 °)"),
        ("noise peak", "warning", 1034, "noise peak (103.4 dB)"),
        ("boot", "info", 2, "boot (watchdog)"),
        ("refused frames", "warning", 3_000_017, "17 frames refused (seal)"),
        ("task restarted", "warning", 4, "task restarted (4)"),
        ("code 77", "error", None, "code 77"),
    ],
)
def test_events_are_told(code: str, severity: str, argument: int | None, text: str) -> None:
    event: Event = {
        "node": "a",
        "at": NOW,
        "received": NOW,
        "code": code,
        "severity": severity,
        "argument": argument,
    }
    assert told(event) == text


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
    for column in COLUMNS:
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
    assert told["events"] == [("1m ago", "boot (deep sleep)")]
