"""The filter of the fleet: words, comparisons, their opposites; never a crash."""

import contextlib
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione import batch
from lampione.core.shape import node_shape
from lampione.desk.fleet import FilterError, Fleet
from lampione.desk.present import air_band, faults, reported
from lampione.fleet.node import NodeState, fill
from lampione.fleet.sequences import Line
from lampione.live import age
from lampione.live.select import Selector
from lampione.live.state import Live
from lampione.live.words import parse
from lampione.store import Frame
from lampione_protocol import schema

from tests.controller.fake_node import text
from tests.controller.nodes import NOW, node

ROWS = [
    node("bligny-1", laeq=62.4, lamp_level=40, lamp_reason="override"),
    node("lazio-1", laeq=55.0, lamp_level=0, lamp_reason="program", faults=["lamp"]),
    node("umbria-1", at=None, state="never"),
    node("umbria-2", at=NOW - 900, state="offline", laeq=70.0),
]


def shown(words: str, **how: Any) -> list[str]:
    fleet = Fleet(
        {"bligny-1": "Viale Bligny", "lazio-1": "Viale Lazio", "umbria-1": "Viale Umbria"},
        lambda: NOW,
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
        ("laeq>60", "bligny1"),  # what the other says is of a quarter of an hour ago
        ("laeq>50 !override", "lazio1"),
        ("!laeq>60", "lazio1"),  # nothing is known of the rest
        ("laeq>60 or state=never", "bligny1 umbria1"),
        ('"viale b" or (lazio faults has lamp)', "bligny1 lazio1"),
        ("lamp_level=0", "lazio1"),
        ("laeq=unknown", "umbria1 umbria2"),
        ("age>10m", "umbria2"),
        ("missing=0 refused=0 !lost>0 hello.boot=unknown", "bligny1 lazio1 umbria1 umbria2"),
        ("site=*lazio*", "lazio1"),
        ("node!=lazio-1 state=online", "bligny1"),
        ("faults=lamp", "lazio1"),
        ("faults", "lazio1 umbria2"),
        ("!faults", "bligny1 umbria1"),
        ("health.rssi<-60", "bligny1 lazio1 umbria2"),
    ],
)
def test_who_is_shown(words: str, found: str) -> None:
    assert shown(words) == found.split()


def test_a_node_with_an_alarm_or_a_lock_is_among_the_faults() -> None:
    assert shown("", faults_only=True, troubled={"bligny-1"}) == ["bligny1", "lazio1", "umbria2"]


@pytest.mark.parametrize(
    "words", ["nosuch=1", "laeq>loud", "laeq>", "health.laeq=1", "lamp_reason>3"]
)
def test_what_is_wrong_is_said_and_changes_nothing(words: str) -> None:
    fleet = Fleet()
    fleet.update(ROWS)
    fleet.arrange(words="online")
    with pytest.raises(FilterError):
        fleet.arrange(words=words)
    assert (fleet.words, len(fleet)) == ("online", 2)


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    fleet = Fleet(now=lambda: NOW)
    fleet.update(ROWS)
    with contextlib.suppress(FilterError):
        fleet.arrange(words=text)
    assert 0 <= len(fleet) <= len(ROWS)


def test_what_grows_old_leaves() -> None:
    now = NOW
    fleet = Fleet(now=lambda: now)
    fleet.update([node("a-1", laeq=70.0)])
    fleet.arrange(words="laeq>60")
    now += 60
    assert fleet.aged()
    assert not fleet.aged()
    assert fleet.shown() == ["a-1"]
    now += 600
    assert fleet.aged()
    assert fleet.shown() == []
    fleet.arrange(words="state=online")
    now += 60
    assert not fleet.aged()


LEVELS = st.none() | st.sampled_from([0, 40, 100])
SAID = st.fixed_dictionaries(
    {
        "laeq": st.none() | st.integers(550, 700),
        "lamp_level": LEVELS,
        "lamp_reason": st.none() | st.integers(0, 8),
        "temperature": st.none() | st.integers(-20, 20),
        "valid": st.sampled_from([0, 8, 511]),
        "faults": st.sampled_from([0, 1, 4]),
        "clock": st.sampled_from([0, 3]),
        "duration_s": st.none() | st.sampled_from([60, 300]),
    }
)
NODES = st.lists(
    st.tuples(
        st.none() | SAID,
        st.sampled_from([0, 100, 190, 250, 4000]),  # seconds ago that it was sent
        st.sampled_from([0, 500]),  # seconds on the node before
        st.none() | st.integers(0, 6),  # the state of a sensor
    ),
    min_size=1,
    max_size=6,
)
ASKED = st.recursive(
    st.sampled_from(
        [
            "n-1", "bligny", "online", "never", "override", "faults", "laeq>60", "laeq<=62.5",
            "!laeq>60", "laeq!=61", "laeq=unknown", "laeq!=unknown", "temperature<-0.5",
            "lamp_level=40", "lamp_reason=program", "lamp_reason!=override", "faults has lamp",
            'faults="settings damaged"', "faults!=lamp", "state=silent", "site=*lazio*",
            "site!=viale*", "age>3m", "health_age<45m", "quiet<2m", "missing=0", "refused>0",
            "state_no2=stuck", "health.rssi=-61", "hello.config_version=7", "boot=unknown",
        ]
    ),
    lambda inner: (
        st.builds("({} {})".format, inner, inner)
        | st.builds("({} or {})".format, inner, inner)
        | st.builds("not {}".format, inner)
    ),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(NODES, ASKED)
def test_the_screen_and_the_core_say_the_same(nodes: list[Any], question: str) -> None:
    sites = {f"n-{n}": ("Viale Bligny", "Viale Lazio")[n % 2] for n in range(0, len(nodes), 2)}
    now = time.time()
    live, rows, states = Live(), [], []
    live.add([(n + 1, f"n-{n}") for n in range(len(nodes))])
    for n, (said, ago_s, kept_s, sensor) in enumerate(nodes):
        state = NodeState(n + 1, f"n-{n}", "test", b"", Line(), 0)
        if said is not None:
            received = now - ago_s
            began = int(received - kept_s) - 60
            start = began - schema.EPOCH_2020
            body = text(schema.REPORT, **said, start=start)
            state.report = Frame(
                1, 1, schema.REPORT, received, began if said["clock"] else None, body
            )
            when = int(received - kept_s)
            body = text(
                schema.HEALTH, state_no2=sensor, rssi=-61, clock=3, time=when - schema.EPOCH_2020
            )
            state.health = Frame(1, 2, schema.HEALTH, received, when, body)
            state.last_seen = received
            state.hello_body, state.hello_at = text(schema.HELLO, config_version=n), received
            state.refusals = {"seal": n % 2}
        states.append(state)
        rows.append(node_shape(state))
    fill(live, states)
    asked = parse(question)
    troubled = {"n-2"}
    core = Selector(live).select(asked, now, sites=sites, troubled=troubled)
    screen = Fleet(sites, lambda: now)
    screen.troubled = troubled
    screen.update(rows)
    screen.arrange(words=question)
    assert screen.shown() == [row["node"] for row in core["rows"]]


@given(
    st.lists(
        st.tuples(
            st.floats(1.7e9, 1.8e9),
            st.none() | st.integers(1_700_000_000, 1_800_000_000),
            st.none() | st.integers(1, 510),
        ),
        min_size=1,
    )
)
def test_of_all_nodes_at_once_the_age_is_that_of_each(
    said: list[tuple[float, int | None, int | None]],
) -> None:
    durations = np.array([batch.UNKNOWN if s is None else s for _, _, s in said], np.int32)
    received = np.array([at for at, _, _ in said])
    begun = np.array([begun or 0 for _, begun, _ in said], np.int64)
    assert age.all_said_at(received, begun, durations).tolist() == [age.said_at(*s) for s in said]
    assert age.all_said_at(received, begun).tolist() == [age.said_at(*s[:2], None) for s in said]
    assert age.all_quiet_after(durations).tolist() == [age.quiet_after(s) for _, _, s in said]


def test_a_value_that_does_not_count_is_not_shown() -> None:
    row = node("a-1", laeq=62.4, pm2_5=9.0, o3=90, valid=["sound", "o3"])
    assert reported(row, "laeq") == 62.4
    assert reported(row, "pm2_5") is None
    assert reported(row, "lamp_level") is None
    assert air_band(row) == 5  # 180 µg/m³ of ozone
    assert air_band(node("a-1")) is None
    row["health"]["state_no2"] = "stuck"
    assert faults(row) == ["no2 stuck"]
