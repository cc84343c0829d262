"""Is this node fit for the street? The judgement of what came back; it talks to nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lampione.config.light import Lamp

LEVELS = (0, 50, 100)  # %, asked one after the other
RSSI_LEAST_DBM = -80  # below it reports come late on a rainy day
CLOCK_MOST_S = 3.0  # a report's own second, and the way here
# A driver takes something at 0 %; the lamp's data sheet and the meter allow for the rest.
DARK_MOST = 0.08  # of the rated power
DARK_FLOOR_W = 2.0
FULL_LEAST, FULL_MOST = 0.75, 1.20  # of what is asked for
HALF_LEAST, HALF_MOST = 0.05, 0.95  # of the way from dark to full: gear's curves differ

_NOT_YET = (None, "not sent", "not measured")

Verdict = Literal["good", "note", "bad"]

_STATES = {
    "warming": "it warms up: look again with `lampione show`, gas cells need hours",
    "stale": "its values are late: see to its cable and its supply",
    "stuck": "it always says the same: change it",
    "implausible": "it says what cannot be: see to its cable, else change it",
    "silent": "it answered and does so no more: see to its plug",
    "absent": "it never answered: see that it is there, on the pins of the fleet's file",
}
_FAULTS = {
    "settings damaged": "the node cannot read its settings or its config: run this again",
    "key missing": "the node has no key: run this again",
    "lamp": "the lamp's output does not work: see to its wiring",
    "outbox": "the flash refuses to be written: change the board",
    "task restarted": "a task failed and was started again: `lampione history NODE --message log`",
}


@dataclass(frozen=True)
class Check:
    """One finding; `do` says what to do unless it is good."""

    name: str
    verdict: Verdict
    value: float | str | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    do: str = ""

    def words(self) -> str:
        """Return it in a line."""
        value = "nothing" if self.value is None else f"{self.value} {self.unit}".strip()
        limits = ""
        if self.low is not None or self.high is not None:
            low = "" if self.low is None else f"{self.low:g}"
            high = "" if self.high is None else f"{self.high:g}"
            limits = (
                f" (allowed {low} to {high})"
                if low and high
                else (f" (at least {low})" if low else f" (at most {high})")
            )
        return f"{self.name}: {value}{limits}" + (f": {self.do}" if self.do else "")


@dataclass
class Step:
    """One level of the lamp: what was asked, and what came of it.

    state, reason: of the command; level_percent and power_w as the node then reported.
    """

    asked: int
    state: str = "not sent"
    reason: str | None = None
    level_percent: int | None = None
    power_w: float | None = None


@dataclass
class Evidence:
    """What a node said and did on the bench.

    sensors: that its profile has; states: of each, by its health message.
    lamp: its settings; None: it has none. metered: whether it measures the lamp's power.
    offset_s: its report's time against ours.
    """

    sensors: Sequence[str]
    lamp: Lamp | None
    metered: bool
    identify: str = "not sent"
    steps: list[Step] = field(default_factory=list)
    states: Mapping[str, str] = field(default_factory=dict)
    rssi_dbm: int | None = None
    clock: str | None = None
    offset_s: float | None = None
    faults: Sequence[str] = ()
    firmware: str | None = None


def judge(evidence: Evidence) -> list[Check]:
    """Return every check, in the order in which people look at them."""
    checks = []
    if evidence.lamp is not None:
        good = evidence.identify in ("accepted", "done")
        checks.append(
            Check(
                "identify",
                "good" if good else "bad",
                evidence.identify,
                do="" if good else "the node did not blink: see the command's reason",
            )
        )
        checks += lamp_checks(evidence.steps, evidence.lamp, metered=evidence.metered)
    checks += [_sensor(name, evidence.states.get(name)) for name in evidence.sensors]
    checks += [_radio(evidence.rssi_dbm), *_clock(evidence)]
    for fault in evidence.faults:
        if fault in _FAULTS:
            verdict: Verdict = "note" if fault == "task restarted" else "bad"
            checks.append(Check("fault", verdict, fault, do=_FAULTS[fault]))
    return checks


def so_far(evidence: Evidence) -> list[Check]:
    """Return the checks of what was measured, while there is more to come."""
    return [check for check in judge(evidence) if check.value not in _NOT_YET]


def passed(checks: Sequence[Check]) -> bool:
    """Say whether a node may go out."""
    return bool(checks) and all(check.verdict != "bad" for check in checks)


def expected_percent(asked: int, lamp: Lamp) -> int:
    """Return the level that a lamp shows when `asked` is ordered: limits hold for orders too."""
    if asked == 0:
        return 0
    most = lamp.max_percent
    if lamp.rated_w and 0 < lamp.budget_w < lamp.rated_w:
        most = min(most, lamp.budget_w * 100 // lamp.rated_w)
    return max(lamp.min_percent, min(asked, most))


def lamp_checks(steps: Sequence[Step], lamp: Lamp, *, metered: bool) -> list[Check]:
    """Return what a lamp's levels were, and its power at each."""
    checks = _levels(steps, lamp)
    if metered:
        return checks + _powers(steps, lamp)
    return [*checks, Check("power", "note", "not measured", do="this node has no meter")]


def _levels(steps: Sequence[Step], lamp: Lamp) -> list[Check]:
    checks = []
    for step in steps:
        wanted = expected_percent(step.asked, lamp)
        name = f"lamp at {step.asked} %"
        if step.state not in ("accepted", "done"):
            why = step.state if step.reason is None else f"{step.state}, {step.reason}"
            checks.append(Check(name, "bad", why, do="the node did not take the level"))
            continue
        good = step.level_percent is not None and abs(step.level_percent - wanted) <= 1
        do = "" if good else "no report showed this level: run it again; `lampione show` tells more"
        checks.append(
            Check(name, "good" if good else "bad", step.level_percent, "%", wanted, wanted, do)
        )
    return checks


def _powers(steps: Sequence[Step], lamp: Lamp) -> list[Check]:
    by_level = {step.asked: step.power_w for step in steps}
    dark, half, full = (by_level.get(level) for level in LEVELS)
    checks = []
    rated = float(lamp.rated_w)
    most = max(DARK_FLOOR_W, DARK_MOST * rated) if rated else None
    checks.append(
        _power("power at 0 %", dark, None, most, "the lamp does not go dark: see to its dimming")
    )
    share = expected_percent(100, lamp) / 100
    low = FULL_LEAST * rated * share if rated else (dark or 0.0) + DARK_FLOOR_W
    high = FULL_MOST * rated * share if rated else None
    checks.append(
        _power("power at 100 %", full, low, high, "not this lamp's power: see lamp and rated_w")
    )
    if dark is not None and full is not None and full > dark:
        way = full - dark
        low, high = dark + HALF_LEAST * way, dark + HALF_MOST * way
        checks.insert(
            1, _power("power at 50 %", half, low, high, "the lamp does not dim: see to its wiring")
        )
    return checks


def _power(name: str, value: float | None, low: float | None, high: float | None, do: str) -> Check:
    if value is None:
        return Check(name, "bad", None, "W", do="the meter said nothing: see to its line")
    good = (low is None or value >= low) and (high is None or value <= high)
    low = None if low is None else round(low, 1)
    high = None if high is None else round(high, 1)
    return Check(name, "good" if good else "bad", value, "W", low, high, "" if good else do)


def _sensor(name: str, state: str | None) -> Check:
    if state is None:
        return Check(name, "bad", None, do="the node said nothing of it: run it again")
    if state == "ok":
        return Check(name, "good", state)
    verdict: Verdict = "note" if state == "warming" else "bad"
    return Check(name, verdict, state, do=_STATES.get(state, "see `lampione show`"))


def _radio(rssi_dbm: int | None) -> Check:
    if rssi_dbm is None:
        return Check("radio", "note", "not measured", do="as with a network by cable")
    good = rssi_dbm >= RSSI_LEAST_DBM
    return Check(
        "radio",
        "good" if good else "bad",
        rssi_dbm,
        "dBm",
        RSSI_LEAST_DBM,
        do="" if good else "too weak: see to the antenna and its plug",
    )


def _clock(evidence: Evidence) -> list[Check]:
    known = evidence.clock in ("ntp", "controller")
    checks = [
        Check(
            "clock",
            "good" if known else "bad",
            evidence.clock,
            do="" if known else "nobody set it: see that the controller runs, and run it again",
        )
    ]
    if known and evidence.offset_s is not None:
        good = abs(evidence.offset_s) <= CLOCK_MOST_S
        checks.append(
            Check(
                "clock offset",
                "good" if good else "bad",
                round(evidence.offset_s, 1),
                "s",
                -CLOCK_MOST_S,
                CLOCK_MOST_S,
                do="" if good else "its time is not ours: see to this computer's clock first",
            )
        )
    return checks


def as_data(check: Check) -> dict[str, Any]:
    """Return a check for a record."""
    return {
        "name": check.name,
        "verdict": check.verdict,
        "value": check.value,
        "unit": check.unit,
        "low": check.low,
        "high": check.high,
        "do": check.do,
    }
