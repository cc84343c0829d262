"""The screens in a browser: who may come in, and what headless Chromium sees and does."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lampione.cli.run import run
from lampione.web.gate import TokenError, token_of

from tests.brokers import running_broker
from tests.controller.rig import Rig

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--remote-allow-origins=*", "--window-size=1000,700",
)  # fmt: skip
_WAIT_S = 30.0


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("web")
    with running_broker("nats", folder) as broker, Rig(folder / "s", broker) as running:
        yield running


@contextmanager
def served(rig: Rig, *options: str) -> Iterator[tuple[str, str, "subprocess.Popen[str]"]]:
    """Run `lampione web`; yield its URL and its token."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lampione", "web", "--port", "0", "--json",
         "--state", str(rig.folder), *options],
        stdout=subprocess.PIPE, text=True,
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        yield said["url"], said["token"], process
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


async def until(condition: Callable[[], object]) -> None:
    for _ in range(int(_WAIT_S / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not come about")


def test_nobody_comes_in_without_the_token(rig: Rig) -> None:
    async def ask(url: str, token: str, pid: int) -> None:
        port = url.rstrip("/").rpartition(":")[2]
        ours = f"http://127.0.0.1:{port}"

        async def status(path: str, **headers: str) -> int:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as bare,
                bare.get(url + path, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status

        upgrade = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        }  # fmt: skip
        assert await status("") == 401
        assert await status("?token=") == 401
        assert await status("?token=" + token[:-1]) == 401
        assert await status("static/js/textual.js") == 401
        assert await status("static/js/textual.js?token=" + token) == 401, "for the page alone"
        assert await status("?token=" + token, Host="evil.example") == 403
        assert await status("?token=" + token, Origin="http://evil.example") == 403
        assert await status("ws", **upgrade) == 403, "a browser says whose page it is"
        assert await status("ws", Origin=ours, **upgrade) == 401
        assert await status("ws?token=" + token, Origin=ours, **upgrade) == 401
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            async with session.get(url, params={"token": token}, allow_redirects=False) as answer:
                assert answer.status == 303
                cookie = answer.headers["Set-Cookie"]
                assert "HttpOnly" in cookie
                assert "SameSite=Strict" in cookie
                assert token not in cookie
                assert answer.headers["Location"] == "/"
            async with session.get(url) as answer:
                page = await answer.text()
                assert answer.status == 200
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert not re.findall(r"(?:src|href)=\"(?!/|data:,)", page), "nothing from outside"
            for path in ("static/", "static/js/", "static/../server.py", "download/x"):
                async with session.get(url + path) as answer:
                    assert answer.status in (403, 404), path
            async with session.post(url) as answer:
                assert answer.status == 405
            headers = {"Origin": "http://evil.example"}
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url + "ws", headers=headers)
            assert refused.value.status == 403
            assert children(pid) == []
            headers = {"Origin": ours}
            async with session.ws_connect(url + "ws", headers=headers) as socket:
                await until(lambda: children(pid))
                await socket.send_str("not ours")
                assert (await socket.receive()).type in (
                    aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.CLOSE
                )  # fmt: skip
            await until(lambda: not children(pid))

    with served(rig) as (url, token, process):
        asyncio.run(ask(url, token, process.pid))


def test_where_it_listens_and_what_a_token_is(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state", str(rig.folder)]
    assert run(["web", "--host", "0.0.0.0", *state]) == 2
    assert "--in-the-clear" in capsys.readouterr().err
    path = tmp_path / "token"
    made = token_of(path)
    assert len(made) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_of(path) == made
    path.chmod(0o644)
    with pytest.raises(TokenError):
        token_of(path)
    path.chmod(0o600)
    for wrong in (b"short\n", b"\xff" * 40, b"a b" * 20):
        path.write_bytes(wrong)
        with pytest.raises(TokenError):
            token_of(path)
    assert token_of(None) != token_of(None)
    assert run(["web", "--state", str(tmp_path)]) == 3


class Browser:
    """A page of headless Chromium, by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.answers: dict[int, Any] = {}
        self.asked: list[str] = []  # every address that the page wanted
        self.seen = b""  # what the screen has drawn
        self.session: str | None = None

    async def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        await self._socket.send_json(message)
        await until(lambda: number in self.answers)
        answer = self.answers.pop(number)
        assert "result" in answer, answer
        return answer["result"]

    async def listen(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self.answers[said["id"]] = said
            elif said["method"] == "Network.requestWillBeSent":
                self.asked.append(said["params"]["request"]["url"])
            elif said["method"] == "Network.webSocketCreated":
                self.asked.append(said["params"]["url"])
            elif said["method"] == "Network.webSocketFrameReceived":
                frame = said["params"]["response"]
                if frame["opcode"] == 2:
                    self.seen += base64.b64decode(frame["payloadData"])

    @property
    def text(self) -> str:
        """What was drawn since `forget`, without what steers a terminal."""
        shown = self.seen.decode(errors="replace")
        return re.sub(r"\x1b\[[0-9;:?<>=]*[ -/]*[@-~]", "", shown)

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": key} if kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **more)


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *_FLAGS, f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = ""
        while not address:
            line = (await asyncio.wait_for(process.stderr.readline(), _WAIT_S)).decode()
            assert line, "Chromium ended"
            if "listening on ws://" in line:
                address = line.split()[-1]
        drain = asyncio.create_task(process.stderr.read())
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            page = Browser(socket)
            listening = asyncio.create_task(page.listen())
            made = await page.call("Target.createTarget", url="about:blank")
            attached = await page.call(
                "Target.attachToTarget", targetId=made["targetId"], flatten=True
            )
            page.session = attached["sessionId"]
            await page.call("Network.enable")
            await page.call("Page.enable")
            yield page
            listening.cancel()
        drain.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_shows_the_screen_and_asks_nobody_else(rig: Rig, tmp_path: Path) -> None:
    async def look(url: str, token: str, pid: int) -> None:
        async with browser(tmp_path / "profile") as page:
            await page.call("Page.navigate", url=f"{url}?token={token}")
            await until(lambda: "a-1" in page.text)
            await until(lambda: "READ-ONLY" in page.text)
            page.seen = b""
            await page.call(
                "Runtime.evaluate", expression="document.querySelector('textarea').focus()"
            )
            await page.press("?")
            await until(lambda: "export LAMPIONE_STATE" in page.text)
            place = await page.call("Runtime.evaluate", expression="location.href")
            assert place["result"]["value"] == url, "the token is not in the address"
            if picture := os.environ.get("LAMPIONE_WEB_PICTURE"):
                shot = await page.call("Page.captureScreenshot", format="png")
                Path(picture).write_bytes(base64.b64decode(shot["data"]))
            hosts = {re.sub(r"^\w+://([^/]*).*", r"\1", one) for one in page.asked
                     if not one.startswith("data:")}  # fmt: skip
            assert hosts == {url.split("/")[2]}, page.asked
            assert len(children(pid)) == 1
        await until(lambda: not children(pid))

    with served(rig, "--read-only") as (url, token, process):
        asyncio.run(look(url, token, process.pid))
