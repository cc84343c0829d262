"""The fan of the particulate sensor, cleaned when the controller says so."""

import os

from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.devices.sps30 import Sps30

from tests.node.controller import Controller, node_files

CLEAN = 8
DONE, REFUSED = 1, 2
NO_PART = 5


def test_cleaning_can_be_commanded(bench: VirtualBench, controller: Controller) -> None:
    parts = {"particulates": {"i2c": 0, "scl": 9, "sda": 8}}
    world = World(street=None, i2c=[Sps30()])
    key = controller.keys["cleaned"] = os.urandom(32)
    files = node_files("cleaned", key, controller.port, parts=parts)
    board = bench.board("cleaned", files, world=world)
    board.power_on()
    controller.wait_for("a hello", lambda: controller.hellos["cleaned"])
    controller.wait_for("its start", lambda: board.world.call("sps30", "cleanings") == 1)
    controller.outcome("cleaned", controller.command("cleaned", CLEAN), DONE)
    controller.wait_for("a cleaning", lambda: board.world.call("sps30", "cleanings") == 2)


def test_where_there_is_nothing_to_clean_it_is_refused(
    bench: VirtualBench, controller: Controller
) -> None:
    controller.node(bench, "fanless", parts={}).power_on()
    controller.wait_for("a hello", lambda: controller.hellos["fanless"])
    counter = controller.command("fanless", CLEAN)
    assert controller.outcome("fanless", counter, REFUSED)["reason"] == NO_PART
