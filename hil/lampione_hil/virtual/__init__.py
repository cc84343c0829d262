"""Virtual boards: the real firmware on MicroPython's unix port, with a simulated street.

Names are loaded when they are asked for: the supervisor lives in this package too, and forks, so
it must not load numpy, which starts threads.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = ("air", "bench", "boards", "sound", "world")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
