"""What is said once an hour, and reports on both sides of a clock that is set or stepped."""

import json
from typing import Any

import pytest
from lampione_hil import firmware
from lampione_hil.virtual import VirtualBench

from tests import virtual_bench

MAIN = """
import asyncio, json, machine
from lampione_node.clock import Clock
from lampione_node.report import Reporter
from lampione_node.sensing.air import Air

class Outbox:
    depth = dropped = oldest_held = 0

class Post:
    def __init__(self):
        self.clock = Clock()
        self.outbox = Outbox()
    def send(self, kind, fields, values):
        if kind != 3:
            print(json.dumps([kind, values]))
        return 1
    def event(self, code, severity, argument=0):
        return 1

class State:
    burn_min = energy_wh = 0

class Radar:
    sensor = 5
    states = [0]
    hours = 0
    def fill(self, values, duration_ms):
        values[17] = duration_ms
    def fill_hour(self, hour):
        self.hours += 1
        hour.toward, hour.away = %(counts)s
        hour.v85, hour.v85_too_few, hour.occupancy = 47, 1, 3
        hour.speeds[9] = self.hours

class Sound:
    sensor = 4
    states = [0]
    def fill(self, values, duration_ms):
        pass
    def fill_hour(self, hour):
        hour.levels[0] = 1
        hour.levels[95] = 2
    def fill_raw(self, values):
        values[3] = 24

post = Post()
air = Air()
air.put(187, 58)
reporter = Reporter(
    post, [Radar(), Sound()], None, lambda: (0, None, 0, 0), State(), air, 60, 86400
)

async def steps():
    for after_s, l_seconds in %(steps)s:
        await asyncio.sleep(after_s)
        assert post.clock.set(l_seconds, 0, 3)

async def main():
    asyncio.create_task(steps())
    await reporter.run(lambda: None)

asyncio.run(main())
"""

REPORT, HOUR, RAW = 2, 4, 14
NINE = 217_326_000 // 3600 * 3600  # an hour's beginning, late in 2026
bench = virtual_bench.fixture("virtual", "function")


def run(
    bench: VirtualBench,
    seconds: int,
    steps: list[tuple[int, int]],
    counts: tuple[int | None, int | None] = (20, 10),
) -> dict[int, list[list[Any]]]:
    """Return {type: [values]} of all that was said."""
    files = firmware.compile_tree(debug=True)
    main = MAIN % {"steps": repr(steps), "counts": repr(counts)}
    board = bench.board("hourly", {**files, "/main.py": main.encode()})
    board.power_on()
    said: dict[int, list[list[Any]]] = {REPORT: [], HOUR: [], RAW: []}
    bench.run_for(seconds)
    for line in board.console().splitlines():
        if line.startswith("["):
            kind, values = json.loads(line)
            said[kind].append(values)
    return said


def spans(reports: list[list[Any]]) -> list[tuple[int, int, int]]:
    """Return (start, duration, clock) of each."""
    return [(start, duration_s, clock) for start, duration_s, clock, *_ in reports]


def test_setting_the_clock_ends_the_running_interval_and_the_hour(bench: VirtualBench) -> None:
    said = run(bench, 200, [(90, NINE + 3570)])
    reports = spans(said[REPORT])
    # An hour begins 30 s after the clock was set, 90 s after the start.
    assert reports == [
        (0, 60, 0),
        (60, 30, 0),
        (NINE + 3570, 30, 3),
        (NINE + 3600, 60, 3),
    ]
    assert all(abs(values[17] - 1000 * values[1]) <= 1000 for values in said[REPORT])
    starts = [(values[0], values[19]) for values in said[HOUR] if values[1] == 9]
    assert starts == [(0, 0), (NINE + 3570, 3)]
    assert [(v[0], v[1], v[2]) for v in said[RAW]] == [(0, 90, 0), (NINE + 3570, 30, 3)]


@pytest.mark.parametrize("step_s", [-5000, -70, -3, 3, 70, 5000])
def test_a_step_of_the_clock_loses_no_second(bench: VirtualBench, step_s: int) -> None:
    begin = NINE + 600
    said = run(bench, 400, [(10, begin), (100, begin + 100 + step_s)])
    reports = spans(said[REPORT])
    assert sum(duration for _, duration, _ in reports) == pytest.approx(400, abs=61)
    assert all(1 <= duration <= 60 for _, duration, _ in reports)
    after = [r for r in reports if r[2] == 3 and r[0] >= begin + 100 + step_s]
    assert all(start % 60 == 0 or start == begin + 100 + step_s for start, _, _ in after[:1])
    assert all((start + duration) % 60 == 0 for start, duration, _ in reports[-3:])


def test_an_hour_has_ten_parts_and_adds_up(bench: VirtualBench) -> None:
    said = run(bench, 70, [(5, NINE + 3590)])
    parts = [values for values in said[HOUR] if values[0] == NINE + 3590]
    assert [values[1] for values in parts] == list(range(10))
    assert all(values[2:6] == [20, 10, 47, 1] for values in parts)
    assert all((values[18], values[19]) == (3, 3) for values in parts)
    assert parts[0][6:18] == [1] + [0] * 11
    assert parts[7][6:18] == [0] * 11 + [2]
    assert parts[8][6:18] == [0] * 9 + [2, 0, 0]  # the second hour that it was asked for
    (raw,) = [values for values in said[RAW] if values[0] == NINE + 3590]
    assert raw[3:10] == [24] + [None] * 6
    assert raw[10:12] == [187, 58]


def test_speeds_of_two_vehicles_are_nobodys_business(bench: VirtualBench) -> None:
    said = run(bench, 70, [(5, NINE + 3590)], counts=(1, 1))
    parts = [values for values in said[HOUR] if values[0] == NINE + 3590]
    assert all(values[2:5] == [1, 1, None] for values in parts)
    assert all(values[18] is None for values in parts)
    assert parts[8][6:18] == parts[9][6:18] == [None] * 12
    assert parts[7][6:18] == [0] * 11 + [2]


def test_an_hour_that_no_radar_watched_is_no_empty_street(bench: VirtualBench) -> None:
    said = run(bench, 70, [(5, NINE + 3590)], counts=(None, None))
    parts = [values for values in said[HOUR] if values[0] == NINE + 3590]
    assert all(values[2:5] == [None, None, None] for values in parts)
    assert all(values[18] is None for values in parts)
    assert parts[8][6:18] == parts[9][6:18] == [None] * 12
