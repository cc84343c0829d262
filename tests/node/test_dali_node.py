"""A whole node whose lamp is on DALI: its night, its meter, a lamp that fails."""

from typing import Any

import pytest
from lampione_hil import outbox
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.devices.dali_bridge import DaliBridge
from lampione_hil.virtual.devices.dali_bus import DaliBus
from lampione_hil.virtual.devices.dali_gear import Gear
from lampione_protocol import schema

from tests import virtual_bench
from tests.node.controller import KEY, node_files

LAMP_FAILURE, WARNING, INFO = 9, 1, 0
PARTS: dict[str, dict[str, Any]] = {
    "pins": {"kind": "dali", "tx": 17, "rx": 18},
    "bridge": {"kind": "dali", "uart": 1, "tx": 17, "rx": 18},
}
bench = virtual_bench.fixture("virtual", "function")


@pytest.mark.parametrize("kind", list(PARTS))
def test_a_lamp_that_fails_is_told_within_a_minute(bench: VirtualBench, kind: str) -> None:
    gear = Gear(3, rated_w=60.0)
    world = World(street=None)
    if kind == "pins":
        world.lines = [DaliBus(gear)]
    else:
        world.uarts[1] = DaliBridge(gear)
    files = node_files(
        "dali",
        KEY,
        1,
        broker=None,
        parts={"lamp": PARTS[kind]},
        lamp={"design_percent": 80, "rated_w": 60},
        report_interval_s=60,
        health_interval_s=120,
    )
    board = bench.board("dali", files, world=world)
    board.power_on()
    bench.run_for(300)
    assert board.world.call("dali.gear", "__getattribute__", "level") == 246  # 80 %: 80.4
    board.world.call("dali.gear", "fail_lamp")
    bench.run_for(60)
    board.world.call("dali.gear", "fail_lamp", False)
    bench.run_for(120)
    board.power_off()
    said = outbox.messages(board, KEY)
    told = [e for k, e in said if k == schema.EVENT and e["code"] == LAMP_FAILURE]
    assert [(e["severity"], e["time"]) for e in told] == [
        (WARNING, pytest.approx(330, abs=30)),
        (INFO, pytest.approx(390, abs=30)),
    ]
    reports = [r for k, r in said if k == schema.REPORT]
    power = [r["lamp_power"] for r in reports]
    assert power[3] == pytest.approx(2 * 60 * 0.8, rel=0.1)
    assert reports[3]["valid"] == 1 << 7
    healths = [h for k, h in said if k == schema.HEALTH]
    assert healths[-1]["energy"] is not None
    assert healths[-1]["state_energy"] == 0
