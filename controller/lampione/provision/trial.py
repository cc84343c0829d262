"""The sign-off's conversation: what a node is asked through the controller, and what it shows."""

import math
import time
from collections.abc import Callable, Sequence

from lampione.config.light import Lamp
from lampione.provision.controller import Controller, Row
from lampione.provision.signoff import LEVELS, Evidence, Step

_BLINK_S = 2
_HOLD_S = 120  # an order ends by itself, should we be interrupted
METER_S = 7.0  # the meter is read every five seconds, and takes its time
_SLACK_S = 20.0  # beyond what is due
WARM_S = 45.0  # then a part that still warms up is noted as such
_AWAKE_S = 4.0  # then a part that does not answer is dead
_SLOW = ("no2", "o3")
_READ_S = 2.0  # from one look at the sensors to the next, at most

Told = Callable[[str], None]


def sign_off(
    controller: Controller,
    node: str,
    sensors: Sequence[str],
    lamp: Lamp | None,
    *,
    told: Told,
    measured: Callable[[Evidence], None] = lambda _: None,
    warm_s: float = WARM_S,
    meter_s: float = METER_S,
) -> Evidence:
    """Ask a node that has said hello for everything; return what came.

    Args:
        sensors: of its profile.
        lamp: its settings; None: it has none.
        told: hears what is being done. measured: sees the evidence whenever there is more.
        warm_s: how long sensors may take to be ready.
        meter_s: how old the meter's word may be.

    Raises ProvisionError when the controller ends, or the node no longer reports.
    """
    metered = "energy" in sensors
    evidence = Evidence(sensors, lamp, metered)
    if lamp is not None:
        told("blinking")
        state = controller.order(node, {"op": "identify", "for_s": _BLINK_S}, to_end=True)
        evidence.identify = _said(state)
        measured(evidence)
        for level, word in zip(LEVELS, ("dark", "half", "full"), strict=True):
            told(f"lamp {word}")
            evidence.steps.append(_level(controller, node, level, meter_s if metered else 0.0))
            measured(evidence)
        controller.order(node, {"op": "resume"})
    told("sensors")
    _sensors(controller, node, evidence, warm_s, measured)
    row = controller.row(node) or {}
    report = row.get("report", {})
    evidence.clock = report.get("clock")
    evidence.faults = report.get("faults") or ()
    evidence.firmware = row.get("hello", {}).get("firmware")
    if report.get("start") is not None and row.get("report_at") is not None:
        ended = report["start"] + report["duration_s"]
        evidence.offset_s = row["report_at"] - ended
    return evidence


def _said(state: Row) -> str:
    return state["state"] if not state.get("reason") else f"{state['state']}, {state['reason']}"


def _level(controller: Controller, node: str, level: int, meter_s: float) -> Step:
    order = {"op": "level", "level": level, "ramp_s": 0, "for_s": _HOLD_S}
    state = controller.order(node, order)
    step = Step(level, state["state"], state.get("reason"))
    if step.state not in ("accepted", "done"):
        return step
    since = time.time()

    def shown(row: Row) -> bool:
        """Say whether a report lies wholly behind the order, the meter's word too."""
        ended: float = row["report_at"] or 0.0
        began = ended - (row["report"].get("duration_s") or math.inf)
        return began >= since and ended >= since + meter_s

    interval_s = ((controller.row(node) or {}).get("report") or {}).get("duration_s") or 60
    within_s = 2 * interval_s + meter_s + _SLACK_S
    report = controller.wait(node, shown, f"a report with the lamp at {level} %", within_s)[
        "report"
    ]
    step.level_percent = report.get("lamp_level")
    step.power_w = report.get("lamp_power")
    return step


def _sensors(
    controller: Controller,
    node: str,
    evidence: Evidence,
    warm_s: float,
    measured: Callable[[Evidence], None],
) -> None:
    """Read the sensors' states until all are ready, or have had their time."""
    began = time.monotonic()
    while True:
        _read(controller, node, evidence)
        measured(evidence)
        if time.monotonic() - began >= _patience_s(evidence, warm_s):
            return
        # Nothing tells of a sensor that gets ready: look again with the next report.
        controller.pause(node, _READ_S)


def _read(controller: Controller, node: str, evidence: Evidence) -> None:
    since = time.time()
    state = controller.order(node, {"op": "read"})
    if state["state"] not in ("accepted", "done"):
        return
    health = controller.wait(
        node, lambda row: (row["health_at"] or 0) >= since, "its health", _SLACK_S
    )["health"]
    evidence.rssi_dbm = health.get("rssi")
    evidence.states = {
        name: health[f"state_{name}"]
        for name in evidence.sensors
        if health.get(f"state_{name}") is not None
    }


def _patience_s(evidence: Evidence, warm_s: float) -> float:
    """Return how long what is not ready may take; gas cells need hours, and are not waited for."""
    states = {
        name: evidence.states.get(name, "unknown")
        for name in evidence.sensors
        if not (name in _SLOW and evidence.states.get(name) == "warming")
    }
    if "warming" in states.values():
        return warm_s
    return 0.0 if all(state == "ok" for state in states.values()) else min(_AWAKE_S, warm_s)
