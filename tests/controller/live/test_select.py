"""The live state of many nodes, and questions about it, beside the same in plain Python."""

import math
import operator
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.api import Selected
from lampione.core.shape import state_of
from lampione.fleet.node import NodeState
from lampione.fleet.sequences import Line
from lampione.live import words
from lampione.live.select import Selector
from lampione.live.state import STATES, Live
from lampione.store import Frame
from lampione_protocol import schema

from tests.controller.fake_node import text

NOW = schema.EPOCH_2020 + 200_000_000


def report(ago_s: float = 60, received_ago_s: float | None = None, **values: Any) -> Frame:
    """Return a report of a minute that ended `ago_s` ago."""
    start = int(NOW - ago_s) - 60
    body = text(
        schema.REPORT,
        **{
            "start": start - schema.EPOCH_2020,
            "duration_s": 60,
            "clock": 3,
            "valid": 0x1FF,
            **values,
        },
    )
    received = NOW - (ago_s if received_ago_s is None else received_ago_s)
    return Frame(1, 1, schema.REPORT, received, start, body)


def beyond(frame: Frame) -> Frame:
    """Return the same with a humidity of 126 %, which the protocol refuses."""
    names = [field[0] for field in schema.REPORT_FIELDS]
    before = sum(field[2] for field in schema.REPORT_FIELDS[: names.index("humidity")])
    bits = int.from_bytes(frame.body, "big") & ~(1 << len(frame.body) * 8 - before - 7)
    return frame._replace(body=bits.to_bytes(len(frame.body), "big"))


class Town:
    """A live state of reports by name."""

    def __init__(self, reports: dict[str, Frame | None]) -> None:
        self.live = Live()
        self.names = list(reports)
        self.live.add([(n + 1, name) for n, name in enumerate(reports)])
        given_ = {n + 1: frame for n, frame in enumerate(reports.values()) if frame}
        self.live.report.take(list(given_), list(given_.values()))
        ids = list(range(1, len(reports) + 1))
        seen = [frame.received if frame else 0.0 for frame in reports.values()]
        nothing = [0] * len(ids)
        self.live.know(
            ids, seen=seen, claimed=[-1] * len(ids), claimed_at=nothing, missing=nothing,
            lost=nothing, refused=nothing,
        )  # fmt: skip
        self.selector = Selector(self.live)

    def ask(self, question: str | None = None, **how: Any) -> Selected:
        asked = None if question is None else words.parse(question)
        return self.selector.select(asked, NOW, **how)

    def nodes(self, question: str, **how: Any) -> list[str]:
        return [row["node"] for row in self.ask(question, **how)["rows"]]


@pytest.fixture(scope="module")
def town() -> Town:
    return Town(
        {
            "porta-1": report(laeq=651, lamp_level=0, pm2_5=61, faults=0b1, temperature=-55),
            "porta-2": report(laeq=600, lamp_level=70, pm2_5=20, temperature=184),
            "romana-1": report(laeq=None, lamp_level=0, lamp_reason=1),
            "stuck": report(laeq=900, lamp_level=5, valid=0),
            "romana-2": report(ago_s=900, laeq=900, lamp_level=0),
            "kept": report(ago_s=900, received_ago_s=1, laeq=900, lamp_level=0),
            "unsound": beyond(report(laeq=700, lamp_level=0)),
            "new": None,
        }
    )


def test_questions(town: Town) -> None:
    assert town.nodes("laeq>65 and lamp_level=0") == ["porta-1"]
    assert town.nodes("laeq>=60") == ["porta-1", "porta-2"]
    assert town.nodes("laeq<65.05") == ["porta-2"]
    assert town.nodes("not laeq>65") == ["porta-2"]
    assert town.nodes("temperature = -5.5 or temperature=18.4") == ["porta-1", "porta-2"]
    assert town.nodes("temperature=18.41") == []
    assert town.nodes("temperature!=18.41") == ["porta-1", "porta-2"]
    assert town.nodes("node=PORTA-*") == ["porta-1", "porta-2"]
    assert town.nodes('faults has "settings damaged" or faults has sensor') == ["porta-1"]
    assert town.nodes('faults="settings damaged"') == ["porta-1"]
    assert town.nodes("porta laeq>65") == ["porta-1"]
    assert town.nodes("PORTA !laeq>65") == ["porta-2"]
    assert town.nodes("silent") == ["romana-2"]
    assert town.nodes("faults") == ["porta-1", "romana-2"]
    assert town.nodes("faults !silent", troubled={"new"}) == ["new", "porta-1"]
    assert town.nodes("report.laeq>1e9") == []
    assert town.nodes("laeq<1e9") == ["porta-1", "porta-2"]


def test_what_is_not_of_now_is_unknown(town: Town) -> None:
    assert "romana-2" not in town.nodes("lamp_level=0")
    # It came a moment ago, and is of a quarter of an hour ago.
    assert "kept" not in town.nodes("lamp_level=0")
    unknown = {"romana-1", "stuck", "romana-2", "kept", "unsound", "new"}
    assert set(town.nodes("laeq=unknown")) == unknown
    assert town.nodes("lamp_level=5") == ["stuck"]
    rows = {row["node"]: row for row in town.ask("age>5m", fields=["laeq"])["rows"]}
    assert set(rows) == {"romana-2", "kept"}
    assert rows["kept"]["laeq"] is None
    assert rows["kept"]["state"] == "online"
    assert rows["romana-2"]["state"] == "silent"
    assert town.nodes("state=never") == ["new"]
    assert town.nodes("quiet<10s") == ["kept"]


def test_summary_and_order(town: Town) -> None:
    found = town.ask(None, fields=["laeq"], sort="laeq", top=1)
    assert (found["nodes"], found["matched"]) == (8, 8)
    assert [row["node"] for row in found["rows"]] == ["porta-1"]
    summary = found["summary"]["laeq"]
    assert (summary["known"], summary["least"], summary["greatest"]) == (2, 60, 65.1)
    assert summary["mean"] == pytest.approx(10 * math.log10((10**6.51 + 10**6.0) / 2))
    least = town.ask(None, sort="laeq", ascending=True)["rows"]
    assert [row["node"] for row in least][:2] == ["porta-2", "porta-1"]
    assert town.nodes("laeq>0", sort="node") == ["porta-2", "porta-1"]
    sites = {"porta-1": "Porta Romana", "porta-2": "Via Bligny"}
    assert [
        row["site"] for row in town.ask('site="porta r*"', sites=sites)["rows"]
    ] == ["Porta Romana"]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "mistake"),
    [
        ("noise>3", "there is no field 'noise'"),
        ("laeq>loud", "'loud' is none"),
        ("laeq>unknown", "unknown goes with = and !="),
        ("laeq has sound", "laeq has no flags"),
        ("faults=sound", "faults is one of settings damaged"),
        ("lamp_reason>program", "no order"),
        ("state=asleep", "state is one of never"),
        ("age>soon", "not a duration"),
        ("node<b", "no order"),
        ("laeq>nan", "too large"),
    ],
)
def test_mistakes_are_named(town: Town, question: str, mistake: str) -> None:
    with pytest.raises(words.WordsError, match=mistake):
        town.ask(question)
    with pytest.raises(words.WordsError):
        town.ask(None, sort="noise")


LEVELS = st.none() | st.integers(200, 210)
OPERATORS = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(LEVELS, min_size=1, max_size=30),
    st.sampled_from(sorted(OPERATORS)),
    st.integers(1990, 2120),
    st.booleans(),
    st.integers(0, 12),
)
def test_as_plain_python_says(
    levels: list[int | None], name: str, hundredths: int, ascending: bool, top: int
) -> None:
    town = Town({f"n-{n}": report(laeq=level) for n, level in enumerate(levels)})
    found = town.ask(f"laeq{name}{hundredths / 100}", sort="laeq", ascending=ascending, top=top)
    right = [
        (n, level)
        for n, level in enumerate(levels)
        if level is not None and OPERATORS[name](level * 10, hundredths)
    ]
    assert found["matched"] == len(right)
    order = sorted(right, key=lambda each: each[1] if ascending else -each[1])
    assert [row["node"] for row in found["rows"]] == [f"n-{n}" for n, _ in order[:top]]


@settings(max_examples=100, deadline=None)
@given(
    st.none() | st.floats(0, 1000),
    st.none() | st.booleans(),
    st.floats(0, 1000),
    st.none() | st.integers(1, 510),
)
def test_states_are_those_of_one_node(
    seen_ago: float | None, claimed: bool | None, claimed_ago: float, duration: int | None
) -> None:
    """`shape.state_of` says the same of each."""
    import time

    now = time.time()
    node = NodeState(1, "a", "test", b"", Line(), 0)
    node.claimed, node.claimed_at = claimed, now - claimed_ago
    if duration is not None:
        node.report = report(duration_s=duration)
    node.last_seen = None if seen_ago is None else now - seen_ago
    town = Town({"a": node.report})
    town.live.know(
        [1],
        seen=[node.last_seen or 0],
        claimed=[-1 if claimed is None else claimed],
        claimed_at=[node.claimed_at],
        missing=[0],
        lost=[0],
        refused=[0],
    )
    limit = max(200, 3 * (duration or 0))
    if seen_ago is None or abs(seen_ago - limit) > 1:
        assert STATES[town.live.states(now)[1]] == state_of(node)


def test_rows_are_added_and_overwritten() -> None:
    rng = random.Random(1)
    live = Live()
    last: dict[int, int] = {}
    for number in range(1, 400, 7):
        live.add([(number, f"n-{number}")])
        ids = rng.sample(range(1, number + 1), min(number, 9))
        last.update({one: 200 + rng.randrange(900) for one in ids})
        live.report.take(ids, [report(laeq=last[one]) for one in ids])
    laeq = live.report.columns["laeq"]
    assert {one: int(laeq[one]) for one in last} == last
