"""How much faster than the wall clock a full node's time passes on the virtual one.

By the wall clock it needs the machine for itself, two cores; the seconds of processors do not.
"""

import os
import sys
import time
from pathlib import Path

from lampione_hil.virtual import VirtualBench

from benchmarks.row import Row
from tests.node.days import post

MINUTES = 30


def _processor_s(pid: int) -> float:
    """Return what a process and its children have used (Linux)."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    used = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return used + sum(_processor_s(int(child)) for child in children)


def _day_s(sound: bool) -> tuple[float, float]:
    """Return what a day takes: seconds of the wall clock, seconds of processors."""
    with VirtualBench(clock="virtual") as bench:
        post(bench, sound=sound).power_on()
        bench.run_for(65)
        used_s, begun_s = _processor_s(bench.supervisor_pid), time.perf_counter()
        bench.run_for(60 * MINUTES)
        taken_s = time.perf_counter() - begun_s
        used_s = _processor_s(bench.supervisor_pid) - used_s
    return taken_s * 1440 / MINUTES, used_s * 1440 / MINUTES


def rows() -> list[Row]:
    """Measure."""
    found = []
    for name, sound, goal_s in (("full node", True, 360), ("without microphone", False, 90)):
        taken_s, used_s = _day_s(sound)
        print(f"{name}: a day in {taken_s:.0f} s, processors {used_s:.0f} s", file=sys.stderr)
        ratio, busy = 86_400 / taken_s, 86_400 / used_s
        goal = f"{86_400 // goal_s}"
        found.append(Row(f"virtual, {name}", ratio, "s/s", "wall clock", ratio, goal))
        found.append(Row(f"virtual, {name}", busy, "s/s", "seconds of processors", busy, goal))
    return found
