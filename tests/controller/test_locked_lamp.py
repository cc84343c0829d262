"""A lamp that is locked stays dark on the firmware that ships: its program, a walker, a reboot."""

import time
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest
from lampione.core.client import CoreError
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_light import layout

from tests.brokers import Broker, running_broker, wait_until
from tests.controller.rig import Rig
from tests.node.configs import BY_SUN, blob, flash, section
from tests.node.controller import node_files

BASE, BOOST, PIN = 30, 90, 5


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker("nats", tmp_path / "broker") as running:
        yield running


def midnight() -> bytes:
    """Return a site where it is about midnight now."""
    east = -(time.time() % 86400) / 86400 * 360
    return section(layout.SITE, pack(">iihB", 0, round((east + 180) % 360 - 180) * 100_000, 0, 0))


def test_no_program_lights_a_locked_lamp(
    bench: VirtualBench, broker: Broker, tmp_path: Path
) -> None:
    world = World(street=None)
    world.uarts[1] = Ops243(TrafficStreet(5, per_hour=0, walkers_per_hour=2000))
    config = blob(
        midnight(),
        BY_SUN,
        section(layout.LAMP, bytes([BASE, 10, 100])),
        section(layout.PRESENCE, pack(">BHBB", BOOST, 5, 10, 0)),
    )
    with Rig(tmp_path / "s", broker) as rig:
        parts = {"lamp": {"pin": PIN}, "radar": {"uart": 1, "tx": 15, "rx": 16}}
        files = node_files("a-1", rig.keys["a-1"], broker.port, report_interval_s=2, parts=parts)
        board = bench.board("a-1", {**files, **flash(config)}, world=world)
        board.power_on()
        boost = BOOST * 65_535 // 100
        board.wait_pwm(PIN, boost - 400, boost + 400, 60)  # somebody walks there
        rig.client.call("lock", node="a-1", reason="new driver", confirm="a-1")
        board.wait_pwm(PIN, 0, 0, 30)
        dark_from = board.trace()[-1].us

        def reports() -> int:
            return int(rig.show()["watermark"] or 0)

        before = reports()
        wait_until("it reports", lambda: reports() >= before + 4, 60)
        assert rig.show()["report"]["lamp_reason"] == "maintenance"
        for order in ({"op": "level", "level": 80, "for_s": 60}, {"op": "resume"}):
            with pytest.raises(CoreError, match="locked by"):
                list(rig.client.stream("send", node="a-1", command=order))
        assert {c.value for c in board.trace() if c.kind == "pwm" and c.us > dark_from} <= {0}
        boot = rig.show()["boot"]
        board.power_off()
        board.power_on()
        wait_until("it is back", lambda: rig.show()["boot"] == boot + 1, 60)
        before = reports()
        wait_until("it reports", lambda: reports() >= before + 3, 60)
        assert rig.show()["report"]["lamp_level"] == 0
        assert board.pwm_duty(PIN) == 0
        rig.client.call("unlock", node="a-1", reason="done")
        board.wait_pwm(PIN, BASE * 655 - 800, 65_535, 30)
