"""The alarms that stand: what begins, ends, and turns out to have been otherwise."""

import re
import shlex
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione.alarms.book import Alarm, Book, NoAlarmError
from lampione.alarms.built_in import SILENT, every
from lampione.alarms.episodes import Episode
from lampione.alarms.rules import SEVERITIES
from lampione.cli import parser

HOT = next(rule for rule in every() if rule.name == "hot")


def book() -> Book:
    numbers = count(1)
    return Book(lambda: next(numbers))


def only(made: Book) -> Alarm:
    (alarm,) = made.standing.values()
    return alarm


def test_what_happens_again_is_counted_until_it_is_history() -> None:
    made = book()
    made.begin(HOT, "a-1", 10, 12, node="a-1", value="81 °C")
    made.begin(HOT, "a-1", 11, 13, node="a-1")
    assert (only(made).count, only(made).since) == (1, 10)
    made.end("a-1", "hot", 20, 21)
    made.begin(HOT, "a-1", 30, 31, node="a-1")
    assert (only(made).count, only(made).active, only(made).id) == (2, True, 1)
    made.acknowledge(1, "anna", 32)
    assert only(made).acked_by == "anna"
    made.end("a-1", "hot", 40, 41)  # cleared and acknowledged
    assert not made.standing
    with pytest.raises(NoAlarmError, match="no alarm 1 "):
        made.acknowledge(1, "anna", 42)
    made.begin(HOT, "a-1", 50, 51, node="a-1")
    assert (only(made).count, only(made).id) == (1, 2)


def test_what_is_acknowledged_and_happens_again_while_it_stands() -> None:
    made = book()
    made.begin(SILENT, "feeder f1", 10, 12, node=None, members=["a", "b"])
    made.members("feeder f1", "silent", ["b"], 13)
    assert only(made).members == ("b",)
    made.acknowledge(1, "anna", 14)
    made.unacknowledge(1, 15)
    made.write(1, 16, assignee="bruno", shelved=99.0)
    assert (only(made).assignee, only(made).shelved, only(made).acked) == ("bruno", 99.0, None)
    made.acknowledge(1, "anna", 17)
    made.end("feeder f1", "silent", 20, 21)
    assert made.changed[1].cleared == 20
    assert not made.changed[1].standing


def test_every_rule_says_what_it_is() -> None:
    rules = every()
    assert len({rule.name for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.severity in SEVERITIES
        assert rule.what
        assert rule.mend, rule.name
        for command in re.findall("`lampione (.*?)`", rule.mend):
            parser.parse(shlex.split(command))  # it is there to be typed: SystemExit if it is wrong


TIMES = st.lists(st.integers(0, 60), max_size=12, unique=True).map(sorted)


def pairs(times: list[int]) -> list[Episode]:
    found = [Episode(a, b) for a, b in zip(times[::2], times[1::2], strict=False)]
    return [*found, Episode(times[-1], None)] if len(times) % 2 else found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(TIMES.map(pairs), st.booleans()), max_size=6))
def test_judged_again_the_episodes_are_those_and_no_others(
    judged: list[tuple[list[Episode], bool]],
) -> None:
    made = book()
    stored: dict[int, tuple[int, int | None]] = {}
    for now, (after, seen) in enumerate(judged, 100):
        before = [(its, Episode(begin, end)) for begin, (its, end) in sorted(stored.items())]
        made.judged(HOT, "a-1", before, after, now, "test")
        for its, _, _, was, begin, end in made.spans:
            stored.pop(was, None)
            if begin is not None:
                stored[begin] = its, end
        made.spans.clear()
        assert [Episode(begin, end) for begin, (_, end) in sorted(stored.items())] == after
        standing = list(made.standing.values())
        holds = bool(after) and after[-1].end is None
        assert [alarm.active for alarm in standing] in ([holds], [] if not holds else [True])
        for alarm in standing:
            mine = [begin for begin, (its, _) in stored.items() if its == alarm.id]
            assert (alarm.count, alarm.since) == (len(mine), max(mine))
            if seen:
                made.acknowledge(alarm.id, "anna", now)
