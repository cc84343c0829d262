"""A year of a lighting program: simulated, judged, and beside it the level asked every minute."""

import time
from collections.abc import Callable
from struct import pack

from lampione.program import lint, simulate
from lampione_light import layout
from lampione_light.level import Sensed, level_at
from lampione_light.program import CLOCK, SUNRISE, SUNSET, Program

from benchmarks.row import Row, Rows

NODE = "bligny-1"
YEAR = 2028  # 366 nights
ROUNDS = 5
SITES = {"Milan": (4546420, 919000, 60, 1), "Longyearbyen": (7822330, 1564690, 60, 1)}
PLAN = (
    (SUNSET, 0, 100, 300), (SUNSET, 60, 90, 300), (CLOCK, 1290, 80, 300), (CLOCK, 1350, 70, 300),
    (CLOCK, 1410, 60, 300), (CLOCK, 30, 50, 300), (CLOCK, 120, 40, 300), (CLOCK, 240, 50, 300),
    (CLOCK, 300, 70, 300), (CLOCK, 330, 90, 300), (SUNRISE, -30, 80, 300), (SUNRISE, -10, 60, 300),
)  # fmt: skip


def _config(site: tuple[int, int, int, int]) -> bytes:
    def section(number: int, content: bytes) -> bytes:
        return bytes([number]) + len(content).to_bytes(2, "big") + content

    steps = b"".join(pack(layout.FORMATS[layout.PLAN], *step) for step in PLAN)
    found = section(layout.SITE, pack(layout.FORMATS[layout.SITE], *site))
    found += section(layout.LAMP, pack(">BBBH", 100, 10, 100, 60))
    return bytes([layout.FORMAT]) + found + section(layout.PLAN, b"\0" + steps)


def _seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def _by_the_minute(blob: bytes) -> int:
    program = Program(blob, NODE.encode())
    sensed = Sensed()
    first = simulate.year(blob, NODE, YEAR).nights
    moments = range(first[0].night.noon, first[-1].night.end, 60)
    return sum(level_at(program, now, sensed, [])[0] for now in moments)


def rows() -> Rows:
    """A plan of twelve steps with ramps; the peer asks the same functions 527,040 times."""
    for name, site in SITES.items():
        blob = _config(site)
        ours = _seconds(lambda blob=blob: simulate.year(blob, NODE, YEAR))  # type: ignore[misc]
        peer = _seconds(lambda blob=blob: _by_the_minute(blob), 1)  # type: ignore[misc]
        yield Row(
            f"program_year {name}", ours * 1000, "ms", f"level_at each minute, {peer:.1f} s",
            peer / ours, "< 2,000 ms",
        )  # fmt: skip
    judged = _seconds(lambda: lint.check(_config(SITES["Milan"]), NODE, YEAR))
    yield Row("program_lint", judged * 1000, "ms", "366 nights, 12 steps")
