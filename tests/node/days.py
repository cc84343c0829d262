"""A whole lamppost on the virtual clock, for as long as it takes."""

import dataclasses

from lampione_hil.virtual import VirtualBench, VirtualBoard
from lampione_hil.virtual.lamppost import lamppost
from lampione_hil.virtual.sound import SyntheticStreet
from lampione_hil.virtual.traffic import TrafficStreet

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
# As many samples at a time as the node's own buffer holds: the same sound, 14 ms later.
FRAMES = 900


def post(bench: VirtualBench, *, sound: bool) -> VirtualBoard:
    """Return a node with all its parts in a busy street, its power off and no broker."""
    traffic = TrafficStreet(5, walkers_per_hour=60, cyclists_per_hour=20, rain=0.1)
    world = lamppost(1, SyntheticStreet() if sound else None, traffic=traffic)
    files = node_files(
        "day",
        KEY,
        1,
        broker=None,
        parts={**PARTS, "sound": SOUND} if sound else PARTS,
        report_interval_s=60,
        health_interval_s=300,
        outbox_bytes=1 << 20,
    )
    world = dataclasses.replace(world, i2s_frames=FRAMES)
    return bench.board("day", files, world=world, flash_bytes=4 << 20)
