"""Rollouts in stages as people read them: bars, words, and names that nothing lacks."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import durations
from lampione.core.staged_answers import DOES
from lampione.desk import staged
from lampione.fleet.stages import Phase, State

PHASES: tuple[str, ...] = get_args(Phase)
COUNTS = st.dictionaries(st.sampled_from(PHASES), st.integers(0, 10_000))


@given(COUNTS, st.integers(0, 60))
def test_a_bar_is_as_wide_as_its_room_and_hides_no_failure(
    counts: dict[str, int], width: int
) -> None:
    bar = staged.bar(counts, width)
    assert len(bar) == (width if sum(counts.values()) else 0)
    assert set(bar) <= set("#!>-")
    if width >= 3:
        failed = sum(counts.get(phase, 0) for phase in staged.FAILED)
        has = sum(counts.get(phase, 0) for phase in staged.HAS_IT)
        assert ("!" in bar) == (failed > 0)
        assert ("#" in bar) == (has > 0)
        if has == sum(counts.values()) > 0:
            assert bar == "#" * width


def test_every_state_and_phase_has_a_glyph_of_its_own_word() -> None:
    assert staged.STATES.keys() == set(get_args(State))
    assert staged.PHASES.keys() == set(PHASES)
    assert staged.DOES.keys() == set(DOES)
    for glyphs in (staged.STATES, staged.PHASES):
        assert all(len(glyph) == 1 for glyph, _ in glyphs.values())


@pytest.mark.parametrize("do", DOES)
@pytest.mark.parametrize("state", get_args(State))
def test_what_is_said_is_in_words(do: str, state: str) -> None:
    rollout: dict[str, Any] = {
        "state": state, "final": state in ("done", "aborted", "reverted"), "wave": 1, "why": "x",
        "until": 100.0, "waves": [{"done": 1, "failed": 2}, {"waiting": 3}], "soak_s": 600.0,
        "stop_percent": 5.0, "at_once": 2, "options": {"trial_s": 300},
    }  # fmt: skip
    assert staged.now_text(rollout, 40.0).startswith(state)
    assert staged.summary(rollout) == "1 of 6, 2 failed"
    assert staged.rules_text(rollout) == (
        "waves of 3 + 3, soak 10m, stops above 5 % failed in a wave, 2 at once, trial 5m"
    )
    assert do == "pause" or staged.consequences(rollout, do)


def test_taking_it_back_from_many_wants_a_word() -> None:
    assert staged.typed({"waves": [{"done": 19, "same": 9}]}, "revert") is None
    assert staged.typed({"waves": [{"done": 19}, {"lost": 1}]}, "revert") == "revert"
    assert staged.typed({"waves": [{"done": 99}]}, "abort") is None


@given(st.integers(0, 10_000 * 86400))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert durations.duration_s(durations.text(seconds)) == seconds
