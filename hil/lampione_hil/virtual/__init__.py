"""Virtual boards: the real firmware on MicroPython's unix port, with a simulated street.

    with VirtualBench() as bench:
        board = bench.board("post", compile_tree() | {"/settings.json": ...}, world=World())
        board.power_on()
        board.wait_pwm(7, 65535, 65535)
        board.world.wifi(False)
        board.cut_power_at_write(5)
        board.wait_exit()
        board.list_files("/outbox")

Names are loaded when they are asked for: the supervisor lives in this package too, and most of
its boards have no need of numpy, which takes a tenth of a second to load.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lampione_hil.virtual.air import Air, PlausibleDay, SteadyAir
    from lampione_hil.virtual.bench import VirtualBench
    from lampione_hil.virtual.boards import Change, VirtualBoard, WorldControl
    from lampione_hil.virtual.control import HubControl
    from lampione_hil.virtual.hub import Publication
    from lampione_hil.virtual.sound import Recording, Street, SyntheticStreet, Tone
    from lampione_hil.virtual.world import World

__all__ = [
    "Air",
    "Change",
    "HubControl",
    "PlausibleDay",
    "Publication",
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

_MODULES = ("air", "bench", "boards", "control", "hub", "sound", "world")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
