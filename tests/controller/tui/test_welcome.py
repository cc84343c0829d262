"""The first start: four ways to begin, by one key each; a broker is looked at before it is used."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from lampione import keys
from lampione.broker_url import BrokerUrl
from lampione.desk import first
from lampione.desk.first import BrokerNotThere, Choice, prepare, try_broker
from lampione.tui.welcome import WelcomeApp
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from tests.brokers import free_port, running_broker
from tests.controller.tui.pictures import picture

Steps = Callable[[WelcomeApp, Pilot[None]], Awaitable[None]]


def welcomed(
    steps: Steps, size: tuple[int, int] = (80, 24), *, store: bool = True, light: bool = False
) -> Choice | None:
    async def run() -> Choice | None:
        app = WelcomeApp("~/.local/state/lampione", store=store, start=lambda work: work())
        if light:
            app.theme = "textual-light"
        async with app.run_test(size=size) as pilot:
            await steps(app, pilot)
            await pilot.pause()
        return app.choice

    return asyncio.run(run())


def text(app: WelcomeApp) -> str:
    return "\n".join(str(one.render()) for one in app.screen.query(Static))


@pytest.mark.parametrize(("key", "do"), [("d", "demo"), ("o", "offline")])
def test_a_key_chooses(key: str, do: str) -> None:
    async def steps(app: WelcomeApp, pilot: Pilot[None]) -> None:
        await pilot.press(key)

    assert welcomed(steps) == Choice(do)


def test_the_list_chooses_and_q_does_nothing() -> None:
    async def steps(app: WelcomeApp, pilot: Pilot[None]) -> None:
        assert app.query_one(OptionList).option_count == 3, "there is no store"
        await pilot.press("o")
        assert app.choice is None
        await pilot.press("down", "down", "enter")
        await pilot.press("enter")

    assert welcomed(steps, store=False) == Choice("commission")

    async def leave(app: WelcomeApp, pilot: Pilot[None]) -> None:
        await pilot.press("q")

    assert welcomed(leave) is None


def test_a_broker_is_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[str] = []

    def look(url: BrokerUrl) -> None:
        if url.host not in there:
            raise BrokerNotThere(f"{url}: Connection refused")

    monkeypatch.setattr(first, "try_broker", look)

    async def steps(app: WelcomeApp, pilot: Pilot[None]) -> None:
        await pilot.press("b", *"odd", "enter")
        assert "mqtt" in text(app)
        assert app.choice is None, "letters are letters there"
        await pilot.press("escape", "b", *"mqtt://b", "enter")
        app.take()
        await pilot.pause()
        assert "Connection refused. Mend it" in text(app)
        there.append("b")
        await pilot.press("enter")
        app.take()

    assert welcomed(steps) == Choice("serve", "mqtt://b")


def test_a_broker_answers_or_says_why_not(tmp_path: Path) -> None:
    with running_broker("nats", tmp_path) as broker:
        try_broker(BrokerUrl.parse(broker.url))
    with pytest.raises(BrokerNotThere, match="refused"):
        try_broker(BrokerUrl.parse(f"mqtt://127.0.0.1:{free_port()}"))


def test_what_a_controller_needs_is_made(tmp_path: Path) -> None:
    prepare(tmp_path / "s")
    assert keys.load(tmp_path / "s" / keys.FILE) == {}
    prepare(tmp_path / "s")
    assert not first.has_store(tmp_path / "s")


def test_the_pictures() -> None:
    for size, light in (((80, 24), False), ((160, 48), True)):

        async def steps(app: WelcomeApp, pilot: Pilot[None], size: tuple[int, int] = size) -> None:
            await pilot.pause()
            picture(app, f"welcome-{size[0]}x{size[1]}")  # type: ignore[arg-type]

        welcomed(steps, size, light=light)
