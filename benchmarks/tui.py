"""The fleet on the screen at city size, beside Textual's own table with the same cells.

Both in a terminal of 160x48 without a display, until the screen has been drawn anew. Seconds are
the processor's: Textual draws at most every 16 ms, and the wait for that is not work. The peer is
`DataTable`, ten columns, filled by `add_rows`, changed by `update_cell`.
"""

import asyncio
import gc
import random
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from lampione.desk.columns import COLUMNS
from lampione.desk.desk import Desk
from lampione.tui.app import LampioneApp
from lampione.tui.grid import Grid
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import DataTable

from benchmarks.row import Row, Rows
from tests.controller.nodes import NOW, node
from tests.controller.tui.still import WHO, Given

SIZE = (160, 48)
MANY, MOST = 10_000, 100_000
CHANGED = 500
ROUNDS = 12
_SHOWN = COLUMNS[:10]

Times = dict[str, float]


def _nodes(count: int, seed: int = 1) -> list[Any]:
    draw = random.Random(seed)
    return [
        node(
            f"post-{n:06}", state="online", laeq=round(draw.uniform(45, 80), 1),
            lamp_level=draw.choice((60, 80, 100)), lamp_reason="program",
            temperature=round(draw.uniform(-5, 35), 1), lamp_power=draw.uniform(20, 60),
        )
        for n in range(count)
    ]  # fmt: skip


def _scattered(rows: list[Any], seed: int) -> list[Any]:
    """Return 500 of the nodes with another level of sound, a report later."""
    draw = random.Random(seed)
    return [
        {**row, "report_at": NOW + seed, "report": {**row["report"], "laeq": draw.uniform(45, 80)}}
        for row in draw.sample(rows, CHANGED)
    ]


async def _drawn(app: App[Any]) -> None:
    """Wait until everything has been drawn."""
    done = asyncio.Event()
    app.call_after_refresh(done.set)
    await done.wait()


async def _timed(app: App[Any], work: Callable[[], object]) -> float:
    await _drawn(app)
    start = time.process_time()
    work()
    await _drawn(app)
    return time.process_time() - start


async def _best(app: App[Any], *works: Callable[[], object]) -> float:
    return min([await _timed(app, work) for work in works])


async def _ours(count: int) -> Times:
    rows = _nodes(count)
    given = Given()
    desk = Desk(given, now=lambda: NOW)
    app = LampioneApp(desk)
    found: Times = {}
    async with app.run_test(size=SIZE) as pilot:
        given.put("who", dict(WHO))
        given.put("link", None)
        app.take()
        for timer in list(app._timers):
            timer.stop()  # what is measured is asked for, and nothing beside it
        await pilot.pause()

        def change(seed: int) -> Callable[[], None]:
            fresh = _scattered(rows, seed)

            def run() -> None:
                given.put("nodes", fresh)
                app.take()

            return run

        def fill() -> None:
            given.put("nodes", rows)
            app.take()

        found["fill"] = await _timed(app, fill)
        found["update"] = await _best(app, *(change(seed) for seed in range(1, ROUNDS)))
        await _arranged(app, pilot, found)
    return found


async def _arranged(app: LampioneApp, pilot: Pilot[None], found: Times) -> None:
    grid = app.screen.query_one(Grid)
    fleet = app.desk.fleet

    def arrange(**how: Any) -> Callable[[], None]:
        def run() -> None:
            fleet.arrange(**how)
            grid.rearranged()

        return run

    found["sort"] = await _best(app, arrange(sort="laeq"), arrange(sort="temperature"))
    found["filter"] = await _best(app, arrange(words="online 001"), arrange(words="post 1 2"))
    await _timed(app, arrange(words="", sort="node"))
    found["page"] = await _best(app, *[lambda: grid.action_page(1)] * ROUNDS)
    await pilot.pause()


class _Peer(App[None]):
    def compose(self) -> ComposeResult:
        yield DataTable()


async def _theirs(count: int) -> Times:
    rows = _nodes(count)
    app = _Peer()
    found: Times = {}
    cells = [[column.cell({**row, "site": ""}, NOW) for column in _SHOWN] for row in rows]
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        table: DataTable[str] = app.query_one(DataTable)
        keys = table.add_columns(*(column.head for column in _SHOWN))
        laeq = keys[[column.key for column in _SHOWN].index("laeq")]
        names: list[Any] = []

        def fill() -> None:
            names.extend(table.add_rows(cells))

        def change(seed: int) -> Callable[[], None]:
            draw = random.Random(seed)
            fresh = [(key, f"{draw.uniform(45, 80):.1f}") for key in draw.sample(names, CHANGED)]

            def run() -> None:
                for key, text in fresh:
                    table.update_cell(key, laeq, text)

            return run

        found["fill"] = await _timed(app, fill)
        found["update"] = await _best(app, *(change(seed) for seed in range(1, ROUNDS)))
        found["sort"] = await _best(app, lambda: table.sort(laeq), lambda: table.sort(keys[0]))
        found["page"] = await _best(app, *[table.action_page_down] * ROUNDS)
    return found


def _run(measure: Callable[[int], Awaitable[Times]], count: int) -> Times:
    async def run() -> Times:
        return await measure(count)

    gc.collect()  # what the one before left is not looked through again
    gc.freeze()
    return asyncio.run(run())


def rows() -> Rows:
    """Measure."""
    theirs = _run(_theirs, MANY)
    ours = _run(_ours, MANY)
    yield from _compared(ours, theirs)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    city = _run(_ours, MOST)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, seconds in city.items():
        yield Row(f"tui_{name}_100k", seconds * 1e3, "ms")
    yield Row("tui_memory_100k", (after - before) / 1024, "MiB", "with the reports it was given")


def _compared(ours: Times, theirs: Times) -> Iterator[Row]:
    goals = {"fill": ">= 30", "update": ">= 10"}
    for name, seconds in ours.items():
        peer = theirs.get(name)
        said = "" if peer is None else f"DataTable, {peer * 1e3:,.1f} ms"
        ratio = None if peer is None else peer / seconds
        yield Row(f"tui_{name}", seconds * 1e3, "ms", said, ratio, goals.get(name, ""))
    for name in goals:
        yield Row(f"tui_{name}_ratio", theirs[name] / ours[name], "times", "", None, goals[name])
