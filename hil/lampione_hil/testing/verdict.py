"""The release verdict: pass, fail or inconclusive, and every reason for it."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
DOCTOR_DAYS = 30
_SHOWN = 4


@dataclass(frozen=True)
class Verdict:
    """verdict; reasons: why it is not a pass; remarks: what whoever releases should know."""

    verdict: str
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as a record keeps it."""
        return {"verdict": self.verdict, "reasons": [*self.reasons], "remarks": [*self.remarks]}


def of_test(test: Mapping[str, Any]) -> str:
    """Return what a test's runs come to: "pass", "fail", "flaky", "broken", "skip".

    A failure once is a failure, however often it passed. Only of a test that is known to be flaky,
    with a reason, it is not: then nobody can tell.
    """
    outcomes = [run["outcome"] for run in test["runs"]]
    if "fail" in outcomes:
        return "flaky" if test["flaky"] else "fail"
    if "broken" in outcomes:
        return "broken"
    return "pass" if "pass" in outcomes else "skip"


def judge(record: Mapping[str, Any], *, signed: bool, today: datetime.date) -> Verdict:
    """Judge a record that has no verdict yet."""
    by: dict[str, list[str]] = {}
    for test in record["tests"]:
        by.setdefault(of_test(test), []).append(test["test"])
    failed = by.get("fail", [])
    unsure: list[str] = []
    if not record["complete"]:
        unsure.append(f"the run did not come to its end: {record['ended']}")
    if not by.get("pass"):
        unsure.append("no test passed: nothing was shown")
    unsure += [f"the bench is broken: {why}" for why in record["broken"]]
    if by.get("broken") and not record["broken"]:
        unsure.append(f"the bench broke under {_named(by['broken'])}")
    if by.get("flaky"):
        unsure.append(f"known to be flaky, and not passed every time: {_named(by['flaky'])}")
    unsure += _partial(record)
    unsure += _calibration(record["rig"]["instruments"])
    unsure += _doctor(record["doctor"], record["rig"], today)
    if not signed:
        unsure.append("nobody signs: this bench has no key; run `lampione hil doctor`")
    reasons = [f"failed: {_named(failed)}"] if failed else []
    verdict = FAIL if failed else INCONCLUSIVE if unsure else PASS
    return Verdict(verdict, (*reasons, *unsure), tuple(_remarks(record, by)))


def _partial(record: Mapping[str, Any]) -> list[str]:
    asked = record["asked"]
    left = len(asked["left_out"])
    every = left + len(record["tests"])
    how = [
        *(["--smoke"] if asked["smoke"] else []),
        *([f"-k {asked['keyword']}"] * bool(asked["keyword"])),
    ]
    if left:
        return [f"a part only: {left} of {every} tests were left out ({', '.join(how) or 'asked'})"]
    if asked["part"]:
        return ["a part only: not all suites were asked for"]
    return []


def _calibration(instruments: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for one in instruments:
        if not one["calibrated"]:
            found.append(f"instrument {one['name']} was never calibrated: no date in the rig file")
        if one["expired"]:
            names = ", ".join(one["expired"])
            found.append(f"instrument {one['name']}: calibration expired of {names}")
    return found


def _doctor(
    doctor: Mapping[str, Any] | None, rig: Mapping[str, Any], today: datetime.date
) -> list[str]:
    again = "run `lampione hil doctor` with this rig"
    if doctor is None:
        return [f"no doctor has looked at this bench: {again}"]
    if doctor["digest"] != rig["digest"]:
        return [f"the rig changed since the doctor looked at it: {again}"]
    day = datetime.date.fromisoformat(doctor["at"][:10])
    if not day <= today <= day + datetime.timedelta(days=DOCTOR_DAYS):
        return [f"the doctor looked at this bench on {day}, not within {DOCTOR_DAYS} days: {again}"]
    bad = [check["name"] for check in doctor["checks"] if check["ok"] is False]
    return [f"the doctor found the bench unsound: {', '.join(bad)}"] if bad else []


def _remarks(record: Mapping[str, Any], by: Mapping[str, list[str]]) -> list[str]:
    found = []
    skipped = len(by.get("skip", []))
    if skipped:
        found.append(f"{skipped} of {len(record['tests'])} tests were skipped: see the coverage")
    firmware = record["firmware"]
    if firmware["revision"].endswith("+"):
        found.append("the firmware differs from its git revision: changes are not committed")
    elif not firmware["revision"]:
        found.append("the firmware's git revision is not known")
    passed = [t["test"] for t in record["tests"] if t["flaky"] and of_test(t) == "pass"]
    if passed:
        found.append(f"known to be flaky, passed this time: {_named(passed)}")
    return found


def _named(tests: Sequence[str]) -> str:
    shown = [test.rpartition("::")[2] for test in tests[:_SHOWN]]
    more = len(tests) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
