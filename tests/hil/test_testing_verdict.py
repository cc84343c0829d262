"""The release verdict: when it is a pass, and what keeps it from one."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.testing.verdict import Verdict, judge, of_test

from tests.hil.records import DIGEST, ran, record

TODAY = datetime.date(2026, 5, 4)
PASSED = ran("test_a", "pass")
OUTCOMES = st.sampled_from(["pass", "fail", "skip", "broken"])
TESTS = st.lists(
    st.builds(
        lambda outcomes, flaky: ran("test_x", *outcomes, flaky=flaky),
        st.lists(OUTCOMES, min_size=1, max_size=4),
        st.sampled_from(["", "the moon"]),
    ),
    max_size=5,
)


def judged(*tests: dict[str, Any], signed: bool = True, **changes: Any) -> Verdict:
    return judge(record(*tests, **changes), signed=signed, today=TODAY)


def test_a_pass_has_no_reasons() -> None:
    assert judged(PASSED) == Verdict("pass", (), ())
    assert judged(PASSED, ran("test_b", "skip")).remarks == (
        "1 of 2 tests were skipped: see the coverage",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"complete": False, "ended": "it was killed"}, "did not come to its end: it was killed"),
        ({"broken": ["left: the cable is out"]}, "the bench is broken: left: the cable is out"),
        ({"doctor": None}, "no doctor has looked at this bench: run `lampione hil doctor`"),
        ({"signed": False}, "this bench has no key; run `lampione hil doctor`"),
    ],
)
def test_what_makes_it_inconclusive(changes: dict[str, Any], said: str) -> None:
    found = judged(PASSED, **changes)
    assert found.verdict == "inconclusive"
    assert said in found.reasons[0]
    assert judged(PASSED, ran("test_b", "fail"), **changes).verdict == "fail"


@pytest.mark.parametrize(
    ("doctor", "said"),
    [
        ({"digest": "other"}, "the rig changed since the doctor looked at it"),
        ({"at": "2026-03-01T00:00:00+00:00"}, "on 2026-03-01, not within 30 days"),
        ({"at": "2026-06-01T00:00:00+00:00"}, "on 2026-06-01, not within 30 days"),
        ({"checks": [{"name": "power cuts", "ok": False}]}, "unsound: power cuts"),
    ],
)
def test_a_doctor_that_does_not_count(doctor: dict[str, Any], said: str) -> None:
    whole = {"digest": DIGEST, "at": "2026-05-01T09:00:00+00:00", "checks": [], **doctor}
    found = judged(PASSED, doctor=whole)
    assert found.verdict == "inconclusive"
    assert said in found.reasons[0]


def test_calibration_counts() -> None:
    ear = {"name": "ear", "calibrated": {"pwm": "2024-05-01"}, "expired": ["pwm"]}
    rig = {**record()["rig"], "instruments": [ear]}
    assert "ear: calibration expired of pwm" in judged(PASSED, rig=rig).reasons[0]
    rig["instruments"] = [{**ear, "calibrated": {}, "expired": []}]
    assert "ear was never calibrated" in judged(PASSED, rig=rig).reasons[0]
    rig["instruments"] = [{**ear, "expired": []}]
    assert judged(PASSED, rig=rig).verdict == "pass"


def test_a_part_is_no_release() -> None:
    asked = {**record()["asked"], "keyword": "boot", "left_out": ["test_it.py::test_b"]}
    found = judged(PASSED, asked=asked)
    assert found.verdict == "inconclusive"
    assert found.reasons == ("a part only: 1 of 2 tests were left out (-k boot)",)
    asked = {**record()["asked"], "part": True}
    assert judged(PASSED, asked=asked).reasons == ("a part only: not all suites were asked for",)


def test_a_failure_once_is_a_failure_unless_it_is_known() -> None:
    assert of_test(ran("test_a", "pass", "fail", "pass")) == "fail"
    assert of_test(ran("test_a", "pass", "fail", "pass", flaky="the moon")) == "flaky"
    found = judged(PASSED, ran("test_b", "pass", "fail", flaky="the moon"))
    assert found.verdict == "inconclusive"
    assert found.reasons == ("known to be flaky, and not passed every time: test_b",)
    found = judged(PASSED, ran("test_b", "pass", flaky="the moon"))
    assert (found.verdict, found.remarks) == (
        "pass",
        ("known to be flaky, passed this time: test_b",),
    )


@given(TESTS, st.booleans(), st.booleans())
def test_a_pass_is_earned(tests: list[dict[str, Any]], signed: bool, complete: bool) -> None:
    found = judged(*tests, signed=signed, complete=complete)
    outcomes = [(run["outcome"], test["flaky"]) for test in tests for run in test["runs"]]
    failed = ("fail", "") in outcomes
    assert (found.verdict == "fail") == failed
    assert (found.verdict == "pass") == (not found.reasons)
    if found.verdict == "pass":
        assert signed
        assert complete
        assert {outcome for outcome, _ in outcomes} <= {"pass", "skip"}
        assert any(outcome == "pass" for outcome, _ in outcomes)


@given(TESTS, TESTS)
def test_more_tests_never_mend_a_failure(
    some: list[dict[str, Any]], more: list[dict[str, Any]]
) -> None:
    if judged(*some).verdict == "fail":
        assert judged(*some, *more).verdict == "fail"
