"""A radar with a UART: what the node counts of a simulated street, beside who drove there.

`python -m benchmarks.traffic SEED MINUTES [ops243 | ld2415h]` prints one street in detail.
"""

import json
import math
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lampione_hil import interpreter
from lampione_hil.virtual.traffic import (
    REFERENCE_M,
    Stopper,
    TrafficStreet,
    Vehicle,
    strongest,
)

from benchmarks.row import Row, Rows

ROOT = Path(__file__).parent.parent
TUNING = tuple(range(100, 110))  # looked at while the estimator was written
SCORING = tuple(range(9300, 9312))  # never: first run when it was finished
MINUTES = 20

_NOISE_KMH = 0.2  # sigma of a reading, before its rounding
_LEAST_KMH = 1.0  # the radar tells nothing slower
_EDGE_S = 15.0  # of the street's begin and end, not scored: half a drive past is seen
_NEAR_S = 2.0  # a count is of a vehicle that crossed the section so long before or after
_STOP_S = 60.0  # who stops there may cross it when it goes on
_FANS_KMH = (-12.0, 17.0, 23.0, -31.0)

NODE = """
import json, sys
from lampione_node.sensing.traffic import Traffic
class Told(Traffic):
    def count(self, toward, speed):
        super().count(toward, speed)
        print(json.dumps([self.crossed_ms[0 if toward else 1], toward, speed]))
traffic = Told(*[int(a) for a in sys.argv[1:]])
ms = 0
for line in sys.stdin:
    ms, speed, magnitude = [int(word) for word in line.split()]
    if speed:
        traffic.take(ms, speed, magnitude)
    else:
        traffic.tick(ms)
traffic.tick(ms + 10000)
print(json.dumps(traffic.interval(ms)))
"""


@dataclass(frozen=True)
class Part:
    """What a radar's readings are like: it tells the strongest target only."""

    name: str
    step_kmh: float
    period_ms: int


PLAIN = Part("20 Hz, 1 km/h", 1.0, 50)
LD2415H = Part("LD2415H", 1.0, 91)  # 11 lines a second
OPS243 = Part("OPS243-A", 0.44, 112)  # 1024 samples at 20,000 a second, and their processing


@dataclass(frozen=True)
class Counted:
    """A vehicle that the node counted."""

    section_s: float
    toward: bool
    kmh: float


@dataclass
class Outcome:
    """What came of streets."""

    vehicles: int = 0
    counted: int = 0
    wrong_way: int = 0
    cyclists: int = (
        0  # counted as vehicles: no radar tells them apart, so they neither help nor harm
    )
    pairs: list[tuple[Vehicle, Counted]] = field(default_factory=list)
    missed: list[Vehicle] = field(default_factory=list)
    invented: list[Counted] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return len(self.pairs) / self.vehicles if self.vehicles else 1.0

    @property
    def precision(self) -> float:
        return len(self.pairs) / self.counted if self.counted else 1.0

    @property
    def direction(self) -> float:
        found = len(self.pairs) + self.wrong_way
        return len(self.pairs) / found if found else 1.0

    @property
    def errors_kmh(self) -> list[float]:
        return [
            counted.kmh - vehicle.speed_mps * 3.6
            for vehicle, counted in self.pairs
            if not isinstance(vehicle, Stopper)
        ]

    @property
    def mae_kmh(self) -> float:
        return statistics.fmean(map(abs, self.errors_kmh)) if self.pairs else 0.0

    @property
    def bias_kmh(self) -> float:
        return statistics.fmean(self.errors_kmh) if self.pairs else 0.0

    def add(self, other: "Outcome") -> None:
        """Take another street's outcome in."""
        self.vehicles += other.vehicles
        self.counted += other.counted
        self.wrong_way += other.wrong_way
        self.cyclists += other.cyclists
        self.pairs += other.pairs
        self.missed += other.missed
        self.invented += other.invented


def street(seed: int) -> TrafficStreet:
    """Return one of four kinds: plain; rain, a swaying sign; others beside vehicles; a fan."""
    kind = seed % 4
    if kind == 1:
        return TrafficStreet(seed, rain=0.06, sway_kmh=1.0)
    if kind == 2:
        return TrafficStreet(seed, walkers_per_hour=40, cyclists_per_hour=20, stops_per_hour=5)
    if kind == 3:
        return TrafficStreet(seed, fan_kmh=_FANS_KMH[seed // 4 % 4], sway_kmh=1.0)
    return TrafficStreet(seed)


def angle_deg(lane_m: float, height_m: float) -> int:
    """Return what an installer sets, from the plan of the street."""
    return round(math.degrees(math.atan(math.hypot(lane_m, height_m) / REFERENCE_M)))


def readings(
    place: TrafficStreet, seconds: float, part: Part = PLAIN, first_s: float = 0
) -> Iterator[tuple[int, int, int]]:
    """Yield (ms from `first_s` on, speed in 0.1 km/h, magnitude) of the strongest target.

    A speed of 0 about once a second where there is none: time goes on.
    """
    draw = random.Random(place.seed)
    silent = 0
    times_ms = range(0, int(seconds * 1000), part.period_ms)
    seen = place.targets([first_s + ms / 1000 for ms in times_ms])
    for ms, targets in zip(times_ms, seen, strict=True):
        found = strongest(targets)
        kmh = 0.0
        if found is not None:
            kmh = found[0] * 3.6 + draw.gauss(0, _NOISE_KMH)
            kmh = round(kmh / part.step_kmh) * part.step_kmh
        if found is None or abs(kmh) < _LEAST_KMH:
            silent += part.period_ms
            if silent >= 1000:
                silent = 0
                yield ms, 0, 0
        else:
            silent = 0
            yield ms, round(kmh * 10), round(found[1])


def count(
    place: TrafficStreet, seconds: float, part: Part = PLAIN, first_s: float = 0
) -> tuple[list[Counted], list[float]]:
    """Return what a node under MicroPython counts, and its Traffic.interval()."""
    height_m = place.view.height_m
    settings = [
        angle_deg(place.near_m, height_m),
        angle_deg(place.far_m, height_m),
        part.period_ms,
    ]
    stream = readings(place, seconds, part, first_s)
    printed = interpreter.run(
        ["-c", NODE, *map(str, settings)],
        path=(ROOT / "firmware", ROOT / "protocol"),
        stdin="".join(f"{ms} {speed} {magnitude}\n" for ms, speed, magnitude in stream).encode(),
        timeout_s=600,
    )
    *counted, interval = [json.loads(line) for line in printed.splitlines()]
    return [Counted(ms / 1000, toward, speed / 10) for ms, toward, speed in counted], interval


def match(
    vehicles: list[Vehicle], counted: list[Counted], same_way: bool = True
) -> list[tuple[Vehicle, Counted]]:
    """Return who is who: the nearest in time, each once."""
    near = []
    for i, vehicle in enumerate(vehicles):
        stops = isinstance(vehicle, Stopper)
        for j, one in enumerate(counted):
            away_s = abs(vehicle.section_s - one.section_s)
            if away_s < (_STOP_S if stops else _NEAR_S) and (
                not same_way or vehicle.toward == one.toward
            ):
                near.append((stops, away_s, i, j))
    pairs: dict[int, int] = {}
    for _, _, i, j in sorted(near):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return [(vehicles[i], counted[j]) for i, j in pairs.items()]


def score(place: TrafficStreet, seconds: float, part: Part = PLAIN) -> Outcome:
    """Run a street past the node and compare."""
    counted, _ = count(place, seconds, part)
    vehicles = place.vehicles(-_EDGE_S, seconds + _EDGE_S)

    def inside(at_s: float) -> bool:
        return _EDGE_S <= at_s < seconds - _EDGE_S

    every = match(vehicles, counted)
    pairs = [(vehicle, one) for vehicle, one in every if inside(vehicle.section_s)]
    known = [one for _, one in every]
    rest = [one for one in counted if one not in known and inside(one.section_s)]
    found = [vehicle for vehicle, _ in every]
    missed = [v for v in vehicles if v not in found and inside(v.section_s)]
    ridden = [
        one
        for one in rest
        if any(
            abs(c.section_s - one.section_s) < 3 * _NEAR_S
            and c.toward == one.toward
            and one.kmh < 30
            for c in place.cyclists(0, seconds)
        )
    ]
    invented = [one for one in rest if one not in ridden]
    return Outcome(
        vehicles=len(pairs) + len(missed),
        counted=len(pairs) + len(invented),
        wrong_way=len(match(missed, invented, same_way=False)),
        cyclists=len(ridden),
        pairs=pairs,
        missed=missed,
        invented=invented,
    )


def total(seeds: tuple[int, ...], seconds: float, part: Part = PLAIN) -> Outcome:
    """Score a street of each seed."""
    outcome = Outcome()
    for seed in seeds:
        outcome.add(score(street(seed), seconds, part))
    return outcome


def rows() -> Rows:
    """Recall, precision, error of speed; about two minutes."""
    print(f"tuning seeds: {TUNING}, scoring seeds: {SCORING}", file=sys.stderr)
    for name, seeds, part in (
        ("tuned", TUNING, PLAIN),
        ("radar", SCORING, PLAIN),
        ("ops243", SCORING, OPS243),
        ("ld2415h", SCORING, LD2415H),
    ):
        found = total(seeds, MINUTES * 60, part)
        of = f"{part.name}, seeds {seeds[0]}-{seeds[-1]}"
        yield Row(f"{name}_recall", found.recall, "", of, goal=">= 0.92")
        yield Row(f"{name}_precision", found.precision, "", of, goal=">= 0.95")
        yield Row(f"{name}_direction", found.direction, "", of)
        yield Row(f"{name}_speed_mae", found.mae_kmh, "km/h", of, goal="<= 0.8")
        yield Row(f"{name}_speed_bias", found.bias_kmh, "km/h", of)
        yield Row(f"{name}_vehicles", found.vehicles, "", of)


def main() -> int:
    """Print one street."""
    seed, minutes = int(sys.argv[1]), float(sys.argv[2])
    part = {"ops243": OPS243, "ld2415h": LD2415H}.get("".join(sys.argv[3:]), PLAIN)
    found = score(street(seed), minutes * 60, part)
    for vehicle, one in found.pairs:
        off = one.kmh - vehicle.speed_mps * 3.6
        if abs(off) > 2 and not isinstance(vehicle, Stopper):
            print(f"{off:+5.1f} km/h: {vehicle.section_s:.1f} s {vehicle}")
    for vehicle in found.missed:
        print(f"missed: {vehicle.section_s:.1f} s {vehicle}")
    for one in found.invented:
        print(f"nobody: {one}")
    print(
        f"recall {found.recall:.3f} precision {found.precision:.3f} "
        f"direction {found.direction:.3f} MAE {found.mae_kmh:.2f} bias {found.bias_kmh:+.2f} km/h, "
        f"{found.vehicles} vehicles, {found.cyclists} cyclists counted"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
