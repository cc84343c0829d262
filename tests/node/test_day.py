"""A whole lamppost for a long time: no minute is missed, nothing starts again, memory stays."""

import dataclasses
import statistics
from typing import Any

import pytest
from lampione_hil import outbox
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench
from lampione_hil.virtual.lamppost import lamppost
from lampione_hil.virtual.sound import SyntheticStreet
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_protocol import schema

from tests.node.controller import KEY, node_files

I2C: dict[str, int | str] = {"i2c": 0, "scl": 9, "sda": 8}
PARTS: dict[str, dict[str, int | str]] = {
    "climate": I2C,
    "particulates": I2C,
    "gases": {**I2C, "warm_min": 1},
    "light": I2C,
    "tilt": I2C,
    "energy": {"uart": 0, "tx": 17, "rx": 18},
    "radar": {"uart": 1, "tx": 15, "rx": 16},
    "lamp": {"pin": 10},
}
SOUND: dict[str, int | str] = {"i2s": 0, "sck": 5, "ws": 6, "sd": 7}


def live(minutes: int, sound: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the Reports and Healths of so many minutes of a busy street."""
    parts = {**PARTS, "sound": SOUND} if sound else PARTS
    traffic = TrafficStreet(5, walkers_per_hour=60, cyclists_per_hour=20, rain=0.1)
    world = lamppost(1, SyntheticStreet() if sound else None, traffic=traffic)
    # As many samples at a time as make a day bearable: the same sound, 16 ms later.
    world = dataclasses.replace(world, i2s_frames=1024)
    files = node_files(
        "day",
        KEY,
        1,
        broker=None,
        parts=parts,
        report_interval_s=60,
        health_interval_s=300,
        outbox_bytes=1 << 20,
    )
    try:
        with VirtualBench(clock="virtual") as bench:
            board = bench.board("day", files, world=world, flash_bytes=4 << 20)
            board.power_on()
            bench.run_for(60 * minutes + 5, timeout_s=4 * 3600)
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
    # In KiB, after a collection, which now and then takes a number on the stack for a pointer and
    # keeps what is garbage until the next.
    free = [h["free_heap"] for h in healths][2:]
    quarter = -(-len(free) // 4)
    first, last = statistics.median(free[:quarter]), statistics.median(free[-quarter:])
    print(f"{first} KiB free at first, {last} at last, {min(free)} at least")
    assert abs(first - last) <= 1
    assert first - min(free) <= 8
    assert all(h["idle"] is not None for h in healths[1:])


def test_a_quarter_of_an_hour() -> None:
    check(15, sound=False)


@pytest.mark.soak
def test_a_day() -> None:
    check(24 * 60, sound=True)
