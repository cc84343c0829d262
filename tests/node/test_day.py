"""A whole lamppost for a long time: no minute is missed, nothing starts again, memory stays."""

import time
from typing import Any

import pytest
from lampione_hil import outbox
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.memory import trend
from lampione_hil.virtual import VirtualBench
from lampione_protocol import schema

from tests.node.controller import KEY
from tests.node.days import post


def live(minutes: int, sound: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the Reports and Healths of so many minutes of a busy street."""
    try:
        with VirtualBench(clock="virtual") as bench:
            board = post(bench, sound=sound)
            board.power_on()
            begun_s = time.monotonic()
            bench.run_for(60 * minutes + 5, timeout_s=4 * 3600)
            taken_s = time.monotonic() - begun_s
            print(f"{minutes} min in {taken_s:.1f} s, trace {bench.trace_hash()}")
            board.power_off()
            found = outbox.messages(board, KEY)
    except NoInterpreterError as error:
        pytest.skip(str(error))
    return tuple(  # type: ignore[return-value]
        [values for kind, values in found if kind == wanted]
        for wanted in (schema.REPORT, schema.HEALTH)
    )


def check(minutes: int, sound: bool) -> None:
    reports, healths = live(minutes, sound)
    spans = [(r["start"], r["duration_s"]) for r in reports]
    assert spans == [(60 * n, 60) for n in range(minutes)]
    valid = 0b111111111 if sound else 0b111101111
    assert [r["start"] for r in reports[2:] if r["valid"] != valid] == []
    unknown = {"laeq", "lafmax", "la10", "la50", "la90", "lceq", "sound_valid"}
    for report in reports[2:]:
        missing = {name for name, value in report.items() if value is None} - {"spare"}
        # Speeds are nobody's business where fewer than three vehicles came.
        if report["vehicles_toward"] + report["vehicles_away"] < 3:
            missing -= {"speed_mean", "speed_max"}
        assert missing == (set() if sound else unknown)
    assert sum(r["vehicles_toward"] for r in reports) > minutes
    assert {h["task_restarts"] for h in healths} == {0}
    free = trend([h["free_heap"] for h in healths][2:])
    print(f"{free.first} KiB free at first, {free.last} at last, {free.least} at least")
    assert abs(free.first - free.last) <= 1
    assert free.first - free.least <= 8
    assert all(h["idle"] is not None for h in healths[1:])


def test_two_hours() -> None:
    check(120, sound=False)


@pytest.mark.soak
def test_a_day_without_the_microphone() -> None:
    check(24 * 60, sound=False)


@pytest.mark.soak
def test_a_day() -> None:
    check(24 * 60, sound=True)
