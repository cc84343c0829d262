"""Reports of a whole node on the virtual clock: when they come and what they say."""

from typing import Any

from lampione_hil import outbox
from lampione_hil.virtual import SteadyAir, Tone, VirtualBench, VirtualBoard, World
from lampione_protocol import schema

from tests import virtual_bench
from tests.node.controller import KEY, node_files

PARTS = {
    "lamp": {"pin": 5},
    "sound": {"i2s": 0, "sck": 14, "ws": 15, "sd": 32},
    "climate": {"i2c": 0, "scl": 22, "sda": 21},
}
CLIMATE, SOUND = 1 << 3, 1 << 4
SILENT, STUCK = 5, 3
SENSOR_STATE = 3
bench = virtual_bench.fixture("virtual", "function")


def frames(board: VirtualBoard, kind: int) -> list[dict[str, Any]]:
    """Return the messages of a kind in a board's outbox, its power off."""
    return [values for found, values in outbox.messages(board, KEY) if found == kind]


def board(
    bench: VirtualBench, name: str, street: Tone | None = None, **settings: Any
) -> VirtualBoard:
    files = node_files(name, KEY, 1, broker=None, parts=PARTS, **settings)
    world = World(street=street or Tone(1000, 70), air=SteadyAir(21.5, 40))
    made = bench.board(name, files, world=world)
    made.power_on()
    return made


def test_reports_cover_all_the_time_and_say_what_was_sensed(bench: VirtualBench) -> None:
    node = board(bench, "minutes", report_interval_s=60, health_interval_s=60)
    bench.run_for(200)
    node.power_off()
    reports = frames(node, schema.REPORT)
    assert [(r["start"], r["duration_s"], r["clock"]) for r in reports] == [
        (0, 60, 0),
        (60, 60, 0),
        (120, 60, 0),
    ]
    for r in reports:
        assert abs(r["laeq"] - 700) <= 1
        assert abs(r["lafmax"] - 700) <= 2
        assert r["sound_valid"] == 25
        assert (r["temperature"], r["humidity"]) == (215, 40)
        assert (r["lamp_level"], r["lamp_reason"]) == (100, 0)
        assert r["valid"] == CLIMATE | SOUND
        assert r["pm2_5"] is r["no2"] is r["vehicles_away"] is r["lamp_power"] is None
    healths = frames(node, schema.HEALTH)
    assert [h["state_climate"] for h in healths][1:] == [0, 0, 0]
    assert healths[-1]["state_radar"] == 6
    assert healths[-1]["outbox_depth"] >= 7


def test_a_sensor_that_is_gone_is_unknown_and_told(bench: VirtualBench) -> None:
    node = board(bench, "unplugged", report_interval_s=30)
    bench.run_for(35)
    node.world.unplug("sht45")
    bench.run_for(120)
    node.world.plug("sht45")
    bench.run_for(65)
    node.power_off()
    reports = frames(node, schema.REPORT)
    gone = reports[3]
    assert gone["temperature"] is gone["humidity"] is None
    assert gone["valid"] == SOUND
    assert gone["faults"] & 8
    back = reports[-1]
    assert back["valid"] == CLIMATE | SOUND
    assert back["temperature"] == 215
    assert not back["faults"] & 8
    told = [e["argument"] for e in frames(node, schema.EVENT) if e["code"] == SENSOR_STATE]
    climate = [a & 15 for a in told if a >> 4 == 3]
    assert climate == [SILENT, 0]


def test_a_dead_microphone_is_not_a_quiet_street(bench: VirtualBench) -> None:
    node = board(bench, "deaf", report_interval_s=10, street=Tone(1000, -200))
    bench.run_for(25)
    node.power_off()
    report = frames(node, schema.REPORT)[-1]
    assert report["laeq"] is report["lafmax"] is report["la90"] is report["lceq"] is None
    assert report["sound_valid"] == 0
    assert report["valid"] == CLIMATE
    assert frames(node, schema.HEALTH)[-1]["state_sound"] in (1, STUCK)


def test_memory_does_not_grow(bench: VirtualBench) -> None:
    node = board(bench, "hours", report_interval_s=5, health_interval_s=20)
    bench.run_for(400)
    node.power_off()
    free = [h["free_heap"] for h in frames(node, schema.HEALTH)][2:]
    assert len(free) >= 15
    assert min(free[8:]) >= min(free[:8]) - 1
    assert frames(node, schema.HEALTH)[-1]["task_restarts"] == 0
