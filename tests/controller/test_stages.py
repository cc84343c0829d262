"""Rollouts in stages: what may be under way, when it stops, and that a restart changes nothing."""

import copy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lampione.fleet.stages import (
    MOVING,
    OVER,
    PENDING,
    WAVES_MAX,
    Member,
    Rules,
    Stages,
    StagesRefused,
    sizes,
)


@pytest.mark.parametrize(
    ("total", "canary", "waves", "found"),
    [
        (20, 0, [], [20]),
        (20, 2, [], [2, 18]),
        (20, 2, ["10%", "50%", "100%"], [2, 8, 10]),
        (20, 0, ["5", "5"], [5, 5, 10]),
        (3, 5, ["50%"], [3]),
        (7, 1, ["10%", "3"], [1, 3, 3]),
        (0, 0, ["10%"], []),
    ],
)
def test_sizes(total: int, canary: int, waves: list[str], found: list[int]) -> None:
    assert sizes(total, canary, waves) == found


@pytest.mark.parametrize("wave", ["", "0", "0%", "101%", "-1", "x", "1.5"])
def test_what_is_no_wave(wave: str) -> None:
    with pytest.raises(ValueError, match=r"is no wave|all of them"):
        sizes(10, 0, [wave])


def test_too_many_waves() -> None:
    with pytest.raises(ValueError, match="20 at most"):
        sizes(1000, 0, ["1"] * WAVES_MAX)


def started(count: int, canary: int = 0, waves: tuple[str, ...] = (), **rules: Any) -> Stages:
    stages = Stages(Rules(**rules))
    stages.add(Member(f"n-{n}") for n in range(count))
    stages.begin((), sizes(count, canary, waves), 0.0)
    return stages


def well(_: Member) -> None:
    return None


def go(stages: Stages, now: float, **outcomes: bool) -> list[str]:
    """Begin what may begin; end it at once where an outcome is given; return who began."""
    found = []
    while (step := stages.next_step()) is not None:
        member = step.member
        if step.do == "begin":
            found.append(member.node)
            stages.begun(member, 7, now)
            name = member.node.replace("-", "_")
            if name in outcomes:
                stages.ended(member, now, took=outcomes[name], reason=None)
        else:
            stages.asked(member, now)
    stages.tick(now, well)
    return found


def test_a_canary_a_soak_then_the_others() -> None:
    stages = started(4, 1, soak_s=60)
    assert go(stages, 0, n_0=True) == ["n-0"]
    assert (stages.state, stages.until) == ("soaking", 60)
    assert go(stages, 59) == []
    stages.tick(60, well)
    assert go(stages, 60, n_1=True, n_2=True, n_3=True) == ["n-1", "n-2", "n-3"]
    assert (stages.state, stages.count("done")) == ("done", 4)


def test_a_failing_canary_stops_it_and_people_go_on_in_spite_of_it() -> None:
    stages = started(4, 1)
    go(stages, 0, n_0=False)
    assert (stages.state, stages.why) == ("stopped", "1 of 1 nodes of wave 1 failed")
    assert go(stages, 1) == []
    stages.resume()
    go(stages, 2)
    assert go(stages, 2, n_1=True, n_2=True, n_3=False) == ["n-1", "n-2", "n-3"]
    assert str(stages.state) == "stopped"  # another wave, another failure
    stages.retry(3)
    assert go(stages, 3, n_0=True, n_3=True) == ["n-0", "n-3"]
    assert stages.state == "done"


def test_a_retry_forgives_nothing() -> None:
    stages = started(3, at_once=1)
    go(stages, 0, n_0=False)
    stages.resume()
    stages.retry(1)
    assert go(stages, 1, n_1=True, n_2=True, n_0=False) == ["n-1", "n-2", "n-0"]
    assert stages.state == "stopped"


def test_nodes_that_were_skipped_are_no_evidence() -> None:
    stages = started(3, 1)
    step = stages.next_step()
    assert step is not None
    stages.skipped(step.member, "it was offline", 0)
    go(stages, 0)
    assert (stages.state, stages.why) == ("stopped", "no node has taken it yet")
    stages.resume()
    go(stages, 1)
    assert go(stages, 1, n_1=True, n_2=True) == ["n-1", "n-2"]
    assert stages.state == "done"


def test_a_node_that_falls_silent_during_the_soak_counts() -> None:
    stages = started(4, 2, soak_s=60, stop_percent=40)
    go(stages, 0, n_0=True, n_1=True)
    stages.tick(60, lambda m: "it has gone offline since" if m.node == "n-1" else None)
    assert (stages.state, stages.members["n-1"].phase) == ("stopped", "lost")
    stages.revert(61)
    back = []
    while (step := stages.next_step()) is not None:
        assert step.do == "back"
        back.append(step.member.node)
        stages.asked(step.member, 61, 8)
    assert back == ["n-0", "n-1"]
    for name in back:
        stages.ended(stages.members[name], 62, took=True, reason=None)
    stages.tick(62, well)
    assert {m.phase for m in stages.members.values()} == {"reverted", "left"}
    assert stages.state == "reverted"


def test_what_takes_too_long_has_failed_and_is_stopped_and_may_have_taken_it_after_all() -> None:
    stages = started(2, 1, wait_s=100)
    go(stages, 0)
    stages.tick(100, well)
    assert stages.state == "stopped"
    step = stages.next_step()
    assert step is not None
    assert (step.do, step.member.phase) == ("stop", "failed")
    stages.asked(step.member, 100)
    stages.ended(step.member, 101, took=True, reason=None)
    assert step.member.phase == "done"


def test_no_more_at_once_than_was_said() -> None:
    stages = started(5, at_once=2)
    assert go(stages, 0) == ["n-0", "n-1"]
    stages.ended(stages.members["n-0"], 1, took=True, reason=None)
    assert go(stages, 1) == ["n-2"]


class Machine(RuleBasedStateMachine):
    """Nodes answer in any order, people do anything, and the machine may be restored anywhere."""

    @initialize(
        count=st.integers(1, 8),
        canary=st.integers(0, 3),
        waves=st.lists(st.sampled_from(["1", "3", "25%", "50%", "100%"]), max_size=3),
        soak_s=st.sampled_from([0.0, 60.0]),
        stop=st.sampled_from([0.0, 20.0, 50.0, 100.0]),
        at_once=st.integers(0, 3),
    )
    def begin(
        self, count: int, canary: int, waves: list[str], soak_s: float, stop: float, at_once: int
    ) -> None:
        self.now = 0.0
        self.counts = sizes(count, canary, waves)
        self.stages = Stages(Rules(soak_s, stop, at_once, 100.0))
        self.stages.add(Member(f"n-{n}") for n in range(count))
        self.stages.begin((), self.counts, 0.0)
        self.asks: set[str] = set()  # nodes of which an outcome is waited for

    def both(self, do: Any) -> None:
        """Do it here and to what was restored from what is kept: the outcome is the same."""
        other = restored(self.stages)
        results: list[tuple[Any, str | None]] = []
        for stages in (self.stages, other):
            try:
                results.append((do(stages), None))
            except StagesRefused as refused:
                results.append((None, str(refused)))
        assert kept(self.stages) == kept(other)
        assert results[0][1] == results[1][1]

    @rule(by=st.sampled_from([0.0, 1.0, 50.0, 100.0]), ill=st.integers(-1, 7))
    def time_passes(self, by: float, ill: int) -> None:
        self.now += by
        self.both(lambda s: s.tick(self.now, lambda m: "ill" if m.node == f"n-{ill}" else None))

    @rule(skip=st.booleans())
    def step(self, skip: bool) -> None:
        step = self.stages.next_step()
        if step is None:
            return
        name = step.member.node
        if step.do == "begin":
            assert self.stages.state == "running"
            assert step.member.wave == self.stages.wave
            wave = [m for m in self.stages.members.values() if m.wave == step.member.wave]
            failed = sum(m.phase in ("failed", "lost") for m in wave) - self.stages.forgiven
            touched = sum(m.phase != "skipped" for m in wave)
            assert failed <= 0 or failed * 100 <= self.stages.rules.stop_percent * touched

        def do(stages: Stages) -> None:
            again = stages.next_step()
            assert again is not None
            assert again.do == step.do
            member = stages.members[name]  # another order is as good
            if skip and step.do != "stop":
                stages.skipped(member, "offline", self.now)
            elif step.do == "begin":
                stages.begun(member, 1, self.now)
            else:
                stages.asked(member, self.now)

        self.both(do)

    @rule(number=st.integers(0, 7), took=st.booleans(), same=st.booleans(), late=st.booleans())
    def outcome(self, number: int, took: bool, same: bool, late: bool) -> None:
        members = self.stages.members
        names = [n for n in members if late or members[n].phase in MOVING]
        if names:
            name = names[number % len(names)]
            self.both(
                lambda s: s.ended(
                    s.members[name], self.now, took=took, reason="so", same=took and same
                )
            )

    @rule(what=st.sampled_from(["pause", "resume", "abort", "retry", "revert"]))
    def people(self, what: str) -> None:
        def do(stages: Stages) -> None:
            method = getattr(stages, what)
            method(self.now) if what in ("abort", "retry", "revert") else method()

        self.both(do)

    @precondition(lambda self: self.stages.state not in OVER)
    @rule(take=st.booleans())
    def it_comes_to_an_end(self, take: bool) -> None:
        stages = restored(self.stages)
        now = self.now
        for _ in range(400):
            now += 50
            if stages.state == "paused" or stages.state == "stopped":
                stages.resume()
            while (step := stages.next_step()) is not None:
                if step.do == "begin":
                    stages.begun(step.member, 1, now)
                else:
                    stages.asked(step.member, now)
            for member in list(stages.members.values()):
                if member.phase in MOVING:
                    took = take or member.phase == "reverting"
                    stages.ended(member, now, took=took, reason=None)
            stages.tick(now, well)
            if stages.state in OVER:
                break
        assert stages.state in OVER
        assert not stages.count(*PENDING)

    @invariant()
    def no_more_under_way_than_may_be(self) -> None:
        if not hasattr(self, "stages"):
            return
        stages = self.stages
        going = [m for m in stages.members.values() if m.phase == "going"]
        assert all(m.wave <= stages.wave for m in going)
        limit = stages.rules.at_once or len(stages.members)
        assert len(going) <= limit
        assert all(
            m.phase in ("waiting", "left") for m in stages.members.values() if m.wave > stages.wave
        )
        if stages.state in OVER:
            assert not stages.count(*PENDING)
        for key, found in stages._index.items():
            for member in found.values():
                assert (member.phase, member.asked, member.wave) == key
        assert sum(map(len, stages._index.values())) == len(stages.members)


def kept(stages: Stages) -> Any:
    head = (stages.state, stages.wave, stages.until, stages.why, stages.forgiven, stages.insisted)
    return head, {
        m.node: (m.wave, m.phase, m.asked, m.mark, m.reason, m.changed)
        for m in stages.members.values()
    }


def restored(stages: Stages) -> Stages:
    """Return what a new process makes of what is kept."""
    state, wave, until, why, forgiven, insisted = kept(stages)[0]
    other = Stages(stages.rules, state, wave, until, why, forgiven, insisted)
    other.add(copy.copy(member) for member in stages.members.values())
    return other


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMachine = Machine.TestCase


class AtLength(Machine):
    """The same for long."""


AtLength.TestCase.settings = settings(max_examples=1500, stateful_step_count=60, deadline=None)
TestAtLength = pytest.mark.soak(AtLength.TestCase)
