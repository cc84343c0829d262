"""Raw-IF Doppler: what the node counts of a simulated street, beside who drove there.

`python -m benchmarks.doppler SEED MINUTES [KIND]` prints one street in detail.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lampione_hil import interpreter
from lampione_hil.virtual.doppler import CDM324, HB100, DopplerSignal, Module
from lampione_hil.virtual.movers import Vehicle
from lampione_hil.virtual.traffic import FAR_M, NEAR_M, TrafficStreet

from benchmarks import doppler_stages, stages
from benchmarks.row import Row, Rows

ROOT = Path(__file__).parent.parent
TUNING = (101, 102, 103)  # looked at while the estimator was written
SCORING = (9001, 9002, 9003, 9004)  # never
MINUTES = 15  # of each seed
WARM_S = 10.0  # the background is learned
_NEAR_S = 1.0  # a count is of a vehicle that crossed the section so long before or after

NODE = """
import json, sys
from array import array
from lampione_node.sensing.doppler import Doppler
class Traffic:
    presence = 0
    def count(self, toward, speed_dkmh):
        print(json.dumps([doppler.section_ms / 1000, toward, speed_dkmh / 10]))
    def present(self, ms):
        self.presence += 1
traffic = Traffic()
doppler = Doppler(traffic, *[int(a) for a in sys.argv[1:]])
words = array("i", [0] * 1024)
count = 0
while sys.stdin.buffer.readinto(words) == 4096:
    count += 1
    doppler.process(words, count * 64 // 3)
print(json.dumps([traffic.presence, count // 2]))
"""


@dataclass
class Outcome:
    """What came of a street."""

    vehicles: int
    counted: int
    matched: int
    right_way: int
    errors_kmh: list[float]
    presence: float
    missed: list[Vehicle] = field(default_factory=list)
    invented: list[tuple[float, bool, float]] = field(default_factory=list)
    pairs: list[tuple[Vehicle, tuple[float, bool, float]]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.matched / self.vehicles if self.vehicles else 1.0

    @property
    def precision(self) -> float:
        return self.matched / self.counted if self.counted else 1.0

    @property
    def direction(self) -> float:
        return self.right_way / self.matched if self.matched else 1.0

    @property
    def mae_kmh(self) -> float:
        return statistics.fmean(map(abs, self.errors_kmh)) if self.errors_kmh else 0.0


def listen(signal: DopplerSignal, start_s: float, end_s: float) -> list[Any]:
    """Run the node's chain over a signal; return its counts, then [presence, pairs of frames]."""
    slant = [(lane_m**2 + signal.street.view.height_m**2) ** 0.5 for lane_m in (NEAR_M, FAR_M)]
    arguments = [signal.module.carrier_hz / 1e6, *(100 * m for m in slant)]
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder) / "main.py"
        main.write_text(NODE)
        node = subprocess.Popen(
            [*interpreter.command(), str(main), *(str(round(a)) for a in arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "MICROPYPATH": f"{ROOT / 'firmware'}:.frozen"},
        )
        assert node.stdin is not None
        assert node.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            for chunk in signal.chunks(start_s, end_s):
                node.stdin.write(chunk)
            node.stdin.close()
        out = node.stdout.read()
        if node.wait():
            raise RuntimeError(out.decode())
    return [json.loads(line) for line in out.splitlines()]


def judge(street: TrafficStreet, heard: list[Any], end_s: float) -> Outcome:
    """Match counts and vehicles, one to one, the nearest in time first, the same way first."""
    *counts, (presence, pairs) = heard
    # what crosses at the edges may be on either side of them
    true = street.vehicles(WARM_S, end_s - 8)
    counted = [(s, bool(way), kmh) for s, way, kmh in counts]
    outcome = Outcome(len(true), 0, 0, 0, [], presence / pairs if pairs else 0.0)
    wide = street.vehicles(0, end_s)
    taken: set[int] = set()
    left = set(range(len(wide)))
    for same in (True, False):
        near = sorted(
            (abs(s - wide[i].section_s), j, i)
            for j, (s, way, _) in enumerate(counted)
            for i in left
            if j not in taken
            and abs(s - wide[i].section_s) < _NEAR_S
            and (way == wide[i].toward) == same
        )
        for _, j, i in near:
            if j in taken or i not in left:
                continue
            taken.add(j)
            left.discard(i)
            if not WARM_S <= wide[i].section_s < end_s - 8:
                continue
            outcome.matched += 1
            outcome.counted += 1
            outcome.right_way += same
            outcome.pairs.append((wide[i], counted[j]))
            if same:
                outcome.errors_kmh.append(counted[j][2] - wide[i].speed_mps * 3.6)
    outcome.missed = [wide[i] for i in left if WARM_S <= wide[i].section_s < end_s - 8]
    outcome.invented = [
        c for j, c in enumerate(counted) if j not in taken and WARM_S <= c[0] < end_s - 8
    ]
    outcome.counted += len(outcome.invented)
    return outcome


def score(street: TrafficStreet, minutes: float, module: Module = CDM324) -> Outcome:
    """Let the node listen to a street from its beginning on."""
    end_s = 60 * minutes
    return judge(street, listen(DopplerSignal(street, module), 0, end_s), end_s)


KINDS: dict[str, dict[str, float]] = {
    "dry": {},
    "wet": {"rain": 0.5, "sway_kmh": 4.0},
    "far": {"rain": 0.5, "sway_kmh": 4.0, "offset_m": 0.0, "near_m": 4.5, "far_m": 8.0},
    "near": {"rain": 0.5, "sway_kmh": 4.0, "offset_m": 0.0, "near_m": 3.5, "far_m": 7.0},
    "walk": {"walkers_per_hour": 120.0},
    "pavement": {"per_hour": 0.0, "walkers_per_hour": 120.0},
    "empty": {"per_hour": 0.0, "rain": 1.0, "sway_kmh": 4.0},
}


def together(outcomes: list[Outcome]) -> Outcome:
    """Return several streets as one."""
    return Outcome(
        sum(o.vehicles for o in outcomes),
        sum(o.counted for o in outcomes),
        sum(o.matched for o in outcomes),
        sum(o.right_way for o in outcomes),
        [e for o in outcomes for e in o.errors_kmh],
        statistics.fmean(o.presence for o in outcomes),
    )


def street(seed: int, kind: str) -> TrafficStreet:
    """Return one of KINDS."""
    return TrafficStreet(seed, **KINDS[kind])  # type: ignore[arg-type]


def rows() -> Rows:
    """Score streets of the scoring seeds (three minutes), then what the stages cost."""
    runs = {
        "doppler": (SCORING, "wet", CDM324),
        "doppler +0.5 m": (SCORING[:1], "far", CDM324),
        "doppler -0.5 m": (SCORING[:1], "near", CDM324),
        "doppler HB100": (SCORING[:1], "wet", HB100),
    }
    for name, (seeds, kind, module) in runs.items():
        found = together([score(street(seed, kind), MINUTES, module) for seed in seeds])
        peer = f"{found.vehicles} vehicles, seeds {seeds[0]}-{seeds[-1]}"
        yield Row(f"{name} recall", found.recall, "", peer, goal=">= 0.98")
        yield Row(f"{name} precision", found.precision, "", peer, goal=">= 0.98")
        yield Row(f"{name} direction", found.direction, "", peer, goal=">= 0.99")
        yield Row(f"{name} MAE", found.mae_kmh, "km/h", peer, goal="<= 0.8")
    for kind in ("empty", "pavement"):
        found = score(street(SCORING[0], kind), MINUTES)
        yield Row(f"doppler {kind}", found.counted, "counted", f"{MINUTES} minutes", goal="0")
        yield Row(f"doppler {kind} presence", 100 * found.presence, "%", f"{MINUTES} minutes")
    yield from stages.rows(doppler_stages.STAGES)


def _written(v: Vehicle) -> str:
    way = "toward" if v.toward else "away"
    return (
        f"{v.section_s:8.2f} {way:6} {v.speed_mps * 3.6:5.1f} km/h {v.acceleration_mps2:+.2f} m/s2 "
        f"{v.length_m:4.1f} m {v.cross_section_dbsm:5.1f} dBsm"
    )


def main() -> None:
    """Print one street in detail."""
    seed, minutes, kind = int(sys.argv[1]), float(sys.argv[2]), (*sys.argv[3:], "dry")[0]
    there = street(seed, kind)
    outcome = score(there, minutes)
    print(f"seed {seed} {kind}: offset {there.error_m:+.2f} m")
    for v in outcome.missed:
        print("missed  ", _written(v))
    for s, way, kmh in outcome.invented:
        print(f"invented {s:8.2f} {'toward' if way else 'away':6} {kmh:5.1f}")
    for v, (s, way, kmh) in outcome.pairs:
        if way != v.toward or abs(kmh - v.speed_mps * 3.6) > 3:
            print(f"far off  {_written(v)}: {s:8.2f} {'toward' if way else 'away'} {kmh:.1f}")
    for toward in (True, False):
        errors = [
            k - v.speed_mps * 3.6 for v, (_, w, k) in outcome.pairs if w == v.toward == toward
        ]
        if errors:
            print(f"bias {'toward' if toward else 'away'} {statistics.fmean(errors):+.2f} km/h")
    print(
        f"vehicles {outcome.vehicles} recall {outcome.recall:.3f} "
        f"precision {outcome.precision:.3f} direction {outcome.direction:.3f} "
        f"MAE {outcome.mae_kmh:.2f} km/h presence {outcome.presence:.2f}"
    )


if __name__ == "__main__":
    main()
