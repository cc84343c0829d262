"""One page, one websocket, and a screen of its own for each browser that opens it."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from lampione.web.gate import Gate

SCREENS_MAX = 8
_MESSAGE_MAX = 1 << 16
_COLUMNS, _ROWS = (20, 400), (5, 200)
_END_S = 5.0
_STATIC = ("css", "js", "fonts")


class Screen(AppService):
    """One screen: a process that ends with its browser."""

    def __init__(
        self,
        command: Sequence[str],
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[Any]],
    ) -> None:
        super().__init__(
            "",
            write_bytes=write_bytes,
            write_str=write_str,
            close=close,
            download_manager=DownloadManager(),
        )
        self._argv = command

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Any:
        """Start it without a shell: nothing of a name is ever a command."""
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._build_environment(width, height),
        )
        self._process = process
        self._stdin = process.stdin
        return process

    async def stop(self) -> None:
        """End it: asked first, then not."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(Exception):  # it may have gone already
            await self.send_meta({"type": "quit"})
        ends: tuple[Callable[[], object], ...] = (bool, process.terminate, process.kill)
        for end in ends:
            with contextlib.suppress(ProcessLookupError):
                end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _END_S)
                break
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = self._process = None


class WebServer:
    """See the module.

    Args:
        command: starts a screen.
    """

    def __init__(self, gate: Gate, command: Sequence[str]) -> None:
        self._gate = gate
        self._command = command
        self._screens: set[Screen] = set()
        ours = files("lampione.web")
        self._page = Template(ours.joinpath("page.html").read_text("utf-8"))
        self._style = ours.joinpath("page.css").read_text("utf-8")

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self._gate.check])
        theirs = Path(sys.modules[AppService.__module__].__file__ or "").parent / "static"
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/page.css", self._css),
                web.get("/ws", self._websocket),
                *(web.static(f"/static/{name}", theirs / name) for name in _STATIC),
            ]
        )
        app.on_shutdown.append(self._end)
        return app

    async def _index(self, request: web.Request) -> web.Response:
        size = request.query.get("fontsize", "")
        page = self._page.substitute(
            websocket=f"ws://{request.host}/ws",
            font_size=int(size) if size.isascii() and size.isdigit() and len(size) < 3 else 16,
        )
        return web.Response(text=page, content_type="text/html")

    async def _css(self, _: web.Request) -> web.Response:
        return web.Response(text=self._style, content_type="text/css")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if len(self._screens) >= SCREENS_MAX:
            return web.Response(status=503, text=f"{SCREENS_MAX} screens are open: close one\n")
        socket = web.WebSocketResponse(heartbeat=15, max_msg_size=_MESSAGE_MAX)
        screen = Screen(self._command, socket.send_bytes, socket.send_str, socket.close)
        self._screens.add(screen)
        try:
            await socket.prepare(request)
            query = request.query
            await screen.start(
                _within(query.get("width"), 80, _COLUMNS), _within(query.get("height"), 24, _ROWS)
            )
            async for message in socket:
                if message.type != WSMsgType.TEXT:
                    break
                await _take(screen, socket, message.json())
        except (ValueError, TypeError, KeyError, IndexError, ConnectionError):
            pass  # not our page's words, or it has gone
        finally:
            await screen.stop()
            self._screens.discard(screen)
            await socket.close()
        return socket

    async def _end(self, _: web.Application) -> None:
        await asyncio.gather(*(screen.stop() for screen in list(self._screens)))


async def _take(screen: Screen, socket: web.WebSocketResponse, said: Any) -> None:
    kind, *rest = said
    if kind == "stdin":
        await screen.send_bytes(str(rest[0]).encode())
    elif kind == "resize":
        await screen.set_terminal_size(
            _within(rest[0]["width"], 80, _COLUMNS), _within(rest[0]["height"], 24, _ROWS)
        )
    elif kind == "ping":
        await socket.send_json(["pong", str(rest[0])[:40]])
    elif kind == "blur":
        await screen.blur()
    elif kind == "focus":
        await screen.focus()


def _within(value: Any, default: int, limits: tuple[int, int]) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = default
    return max(limits[0], min(number, limits[1]))


def command(state: Path, *, read_only: bool, operator: str | None) -> list[str]:
    """Return what starts a screen."""
    found = [sys.executable, "-m", "lampione.web.child", "--state", str(state)]
    if operator is not None:
        found += ["--operator", operator]
    return [*found, "--read-only"] if read_only else found
