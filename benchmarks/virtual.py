"""How much faster than the wall clock a full node's time passes on the virtual one.

It needs the machine for itself: both processes run in turn, on one core.
"""

import os
import sys
import time

from lampione_hil.virtual import VirtualBench

from benchmarks.row import Row
from tests.node.days import post

MINUTES = 30


def _ratio(sound: bool) -> float:
    with VirtualBench(clock="virtual") as bench:
        post(bench, sound=sound).power_on()
        bench.run_for(65)
        begun_s = time.perf_counter()
        bench.run_for(60 * MINUTES)
        return 60 * MINUTES / (time.perf_counter() - begun_s)


def rows() -> list[Row]:
    """Measure on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        found = []
        for name, sound, goal in (("full node", True, 360), ("without microphone", False, 90)):
            ratio = _ratio(sound)
            print(f"{name}: a day in {86_400 / ratio:.0f} s", file=sys.stderr)
            goal_text = f"{86_400 // goal}"
            found.append(Row(f"virtual, {name}", ratio, "s/s", "wall clock", ratio, goal_text))
        return found
    finally:
        os.sched_setaffinity(0, cores)
