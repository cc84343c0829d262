"""Virtual boards: the real firmware on MicroPython's unix port, with a simulated street."""

from lampione_hil.virtual.air import Air, PlausibleDay, SteadyAir
from lampione_hil.virtual.bench import VirtualBench
from lampione_hil.virtual.boards import Change, VirtualBoard, WorldControl
from lampione_hil.virtual.sound import Recording, Street, SyntheticStreet, Tone
from lampione_hil.virtual.world import World

__all__ = [
    "Air",
    "Change",
    "PlausibleDay",
    "Recording",
    "SteadyAir",
    "Street",
    "SyntheticStreet",
    "Tone",
    "VirtualBench",
    "VirtualBoard",
    "World",
    "WorldControl",
]
