"""The state of a city as it is now: a question over 140,000 nodes, beside one object a node."""

import heapq
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from lampione.live import words
from lampione.live.select import Selector
from lampione.live.state import Live
from lampione.store import Frame
from lampione_protocol import schema
from lampione_protocol.codec import encode

from benchmarks import sample
from benchmarks.row import Row, Rows

NODES = 140_000
BATCH = 2_000
ROUNDS = 9
_BODIES = 4096
QUESTION = "pm2_5>15 and lamp_level>40"


@dataclass(slots=True)
class Peer:
    """What a program keeps that has an object a node."""

    name: str
    received: float
    pm2_5: float | None
    lamp_level: int | None


def _ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e3


def _bodies(now: float) -> list[bytes]:
    """Return reports of the last minute, particulates as they are spread over a city."""
    draw = random.Random(1)
    start = int(now) - 60 - schema.EPOCH_2020
    names = [field[0] for field in schema.REPORT_FIELDS]
    found = []
    for seed in range(_BODIES):
        steps = sample.steps(seed)
        steps[0] = start
        steps[names.index("pm2_5")] = min(2046, int(draw.lognormvariate(3.4, 0.6)))
        found.append(encode(schema.REPORT_FIELDS, steps))
    return found


def rows() -> Rows:
    """Filter, mean and the first fifty; then a batch of reports taken in."""
    now = time.time()
    bodies = _bodies(now)
    live = Live()
    live.add([(n + 1, f"lamp-{n:06d}") for n in range(NODES)])
    ids = list(range(1, NODES + 1))
    frames = [Frame(1, 1, schema.REPORT, now, int(now) - 60, bodies[n % _BODIES]) for n in ids]
    live.report.take(ids, frames)
    nothing = [0] * NODES
    live.know(
        ids,
        seen=[now] * NODES,
        claimed=nothing,
        claimed_at=nothing,
        missing=nothing,
        lost=nothing,
        refused=nothing,
    )
    selector = Selector(live)

    def ours() -> int:
        found = selector.select(words.parse(QUESTION), now, sort="pm2_5", top=50)
        return found["matched"]

    pm2_5 = live.report.columns["pm2_5"].tolist()
    level = live.report.columns["lamp_level"].tolist()
    peers = [Peer(live.names[n], now, pm2_5[n] / 2, level[n]) for n in ids]

    def objects() -> int:
        found = [
            peer
            for peer in peers
            if now - peer.received < 200
            and peer.pm2_5 is not None
            and peer.pm2_5 > 15
            and peer.lamp_level is not None
            and peer.lamp_level > 40
        ]
        statistics.fmean(peer.pm2_5 or 0 for peer in found)
        heapq.nlargest(50, found, key=lambda peer: peer.pm2_5 or 0)
        return len(found)

    if ours() != objects():
        raise AssertionError("the two do not find the same nodes")
    took, theirs = _ms(ours), _ms(objects)
    yield Row(
        "state_filter_ms",
        took,
        "ms",
        f"an object a node, {theirs:.0f} ms",
        theirs / took,
        "<= 5 ms",
    )
    some = random.Random(2).sample(range(1, NODES + 1), BATCH)
    few = [frames[n - 1] for n in some]
    yield Row(
        "state_update_us", _ms(lambda: live.report.take(some, few)) / BATCH * 1e3, "µs",
        f"a report, {BATCH:,} at a time",
    )  # fmt: skip
