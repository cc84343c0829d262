"""A desk for tests: what a test puts, answers from a table, and nothing that comes by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from lampione.core.client import CoreError
from lampione.desk.desk import Desk
from lampione.desk.feed import Box
from lampione.tui.app import LampioneApp
from textual._wait import SLEEP_GRANULARITY, wait_for_idle
from textual.pilot import Pilot

from tests.controller.nodes import NOW, node, status


def placed(name: str, latitude: float | None = None, longitude: float | None = None) -> Any:
    """Return where a node stands."""
    return {
        "site": name.lower().replace(" ", "-"), "name": name, "latitude": latitude,
        "longitude": longitude, "approximate": True, "profile": "street", "planned": False,
    }  # fmt: skip


SITES = {
    "bligny-1": placed("Viale Bligny", 45.4498, 9.1915),
    "lazio-1": placed("Viale Lazio", 45.4536, 9.2083),
    "umbria-1": placed("Viale Umbria", 45.4548, 9.2149),
}
WHO = {"operator": "anna", "role": "configure", "why": None, "by_pin": True}


def three() -> list[Any]:
    """Return three nodes: one in order, one that is late, one that never spoke."""
    return [
        node("bligny-1", laeq=62.4, temperature=21.5, lamp_level=40, lamp_reason="override",
             lamp_power=24.5, pm2_5=9.5, no2=11, vehicles_toward=4, vehicles_away=7),
        node("lazio-1", laeq=55.0, at=NOW - 400),
        node("umbria-1", at=None, state="never"),
    ]  # fmt: skip


class Given:
    """A feed of what the test puts.

    answers: by operation: a value, an exception to raise, or a function of the parameters that
    returns one; of a stream, the list of its items.
    asked: what was asked, in order.
    """

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self._box = Box()
        self.put = self._box.put
        self.drain = self._box.drain
        self.answers = dict(answers or {})
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def call(self, op: str, **parameters: Any) -> Any:
        self.asked.append((op, parameters))
        if op not in self.answers:
            raise CoreError("unknown", f"there is no operation {op!r}")
        answer = self.answers[op]
        if callable(answer):
            answer = answer(**parameters)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stream(self, op: str, **parameters: Any) -> Iterator[Any]:
        yield from self.call(op, **parameters)


def still_desk(given: Given) -> Desk:
    """Return a desk whose clock stands and whose work is done where it is asked for."""
    return Desk(given, now=lambda: NOW, start=lambda work: work())


_TURNS = 1000  # of the loop: what goes on for ever is not waited for


async def settled(min_sleep: float = SLEEP_GRANULARITY, max_sleep: float = 1) -> None:
    """Wait until the loop has nothing to do: Textual's own takes a busy computer for that."""
    await _nothing_ready()
    await wait_for_idle(min_sleep, max_sleep)
    await _nothing_ready()


async def _nothing_ready() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]
            return


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    for _ in range(2000):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("did not come about within 20 s")


def lines(app: LampioneApp, kind: type[Any] | str) -> list[str]:
    """Return the lines that a widget of the view shows."""
    widget = app.screen.query_one(kind)
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def said(app: LampioneApp) -> str:
    """Return what the view said last."""
    view = app.view
    assert view is not None
    return view._said.said[1]


Steps = Callable[[LampioneApp, Given, Pilot[None]], Awaitable[None]]


def drive(
    steps: Steps,
    size: tuple[int, int] = (120, 30),
    *,
    answers: Mapping[str, Any] | None = None,
    nodes: list[Any] | None = None,
    sites: Mapping[str, Any] = SITES,
    alarms: list[Any] | None = None,
    tags: list[Any] | None = None,
    who: Mapping[str, Any] = WHO,
    first: tuple[str, str | None] = ("fleet", None),
    light: bool = False,
    **options: Any,
) -> None:
    """Run the application on a still desk, and these steps in it.

    first: the view to begin with; it is shown once the nodes are there.
    """

    async def run() -> None:
        given = Given(answers)
        app = LampioneApp(still_desk(given), **options)
        if light:
            app.action_toggle_light()
        async with app.run_test(size=size) as pilot:
            rows = three() if nodes is None else nodes
            given.put("who", dict(who))
            given.put("link", None)
            given.put("status", status(rate=2.2))
            given.put("sites", dict(sites))
            given.put("nodes", rows)
            given.put("alarms", alarms or [])
            given.put("tags", tags or [])
            await until(pilot, lambda: app.desk.fleet.total == len(rows))
            if first != ("fleet", None):
                app.go(*first)
            await pilot.pause()
            await steps(app, given, pilot)
        assert not given.running

    asyncio.run(run())
