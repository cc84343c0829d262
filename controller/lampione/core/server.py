"""The socket that front ends use: lines of JSON, as `lampione.api` says."""

import asyncio
import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from lampione import api
from lampione.api import LINE_MAX, Json
from lampione.core.answers import Answers
from lampione.core.requests import Bad
from lampione.room.who import SEAT, NotAllowedError, Seat, check
from lampione.store import StoreError

REQUESTS_MAX = 64  # under way, of one connection
CLOSE_S = 1.0  # for a client to read what is left, before it is cut off
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_STREAMS = ("watch", "send", "follow")
_log = logging.getLogger("lampione.server")


class Server:
    """Serves one core. Everything runs in one event loop."""

    def __init__(self, answers: Answers, path: Path):
        self._answers = answers
        self._path = path
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. The socket is private from its first moment on."""
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, str(self._path), limit=LINE_MAX
            )
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        connection = _Connection(self._answers, reader, writer, await self._seat(writer))
        try:
            await connection.run()
        except asyncio.CancelledError:
            pass  # we end; the client sees the connection end
        except ConnectionError:
            pass  # the client has gone; what it asked for is forgotten
        finally:
            self._connections.discard(task)
            await connection.close()

    async def _seat(self, writer: asyncio.StreamWriter) -> Seat:
        user, terminal = _peer(writer.get_extra_info("socket"))
        return await self._answers.seat(user, terminal)


def _peer(connection: socket.socket) -> tuple[str, str]:
    """Return the user at the other end, and which process."""
    number, process = os.getuid(), None
    if hasattr(socket, "SO_PEERCRED"):  # Linux
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, number, _ = _CREDENTIALS.unpack(raw)
    try:
        user = pwd.getpwuid(number).pw_name
    except KeyError:
        user = f"uid{number}"
    return user, "" if process is None else f"process {process}"


class _Connection:
    def __init__(
        self,
        answers: Answers,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seat: Seat,
    ):
        self._answers = answers
        self._seat = seat
        self._reader = reader
        self._writer = writer
        self._lock = asyncio.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Read requests until the client goes."""
        while True:
            try:
                line = await self._reader.readline()
            except (ValueError, ConnectionError):
                await self._fail(None, "request", f"a line has {LINE_MAX} bytes at most")
                return
            if not line.endswith(b"\n"):
                return
            await self._take(line)

    async def close(self) -> None:
        """Forget everything that this client asked for."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), CLOSE_S)
        except TimeoutError:  # a client that is stopped reads nothing, and we are to end
            self._writer.transport.abort()
        except OSError:
            pass

    async def _take(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            await self._fail(None, "request", "a request is one JSON object on one line")
            return
        number = request.get("id") if isinstance(request, dict) else None
        if not isinstance(request, dict) or type(number) is not int:
            await self._fail(None, "request", "a request is an object with a number as its id")
            return
        op = request.get("op")
        if not _is_text(line, request):
            await self._fail(number, "request", "half a letter (a lone surrogate) is no text")
        elif op == "cancel":
            await self._cancel(request.get("of"))
            await self._write({"id": number, "result": None})
        elif not isinstance(op, str) or op not in api.OPS:
            await self._fail(number, "unknown", f"there is no operation {op!r}")
        elif number in self._tasks:
            await self._fail(number, "request", f"request {number} is under way")
        elif len(self._tasks) >= REQUESTS_MAX:
            await self._fail(number, "busy", f"{REQUESTS_MAX} requests are under way")
        else:
            task = asyncio.create_task(self._answer(number, op, request))
            self._tasks[number] = task
            task.add_done_callback(lambda _: self._tasks.pop(number, None))

    async def _cancel(self, number: Json) -> None:
        """End what is under way, if it is; it is answered then."""
        task = self._tasks.get(number) if type(number) is int else None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if task.cancelled():
                await self._write({"id": number, "result": None})

    async def _answer(self, number: int, op: str, request: dict[str, Json]) -> None:
        SEAT.set(self._seat)  # of this task, and of what it starts
        try:
            check(self._seat.who, op, request)
            if op in _STREAMS:
                await self._stream(number, getattr(self._answers, op)(request), op)
            else:
                result = await getattr(self._answers, op)(request)
                await self._write({"id": number, "result": result})
        except Bad as bad:
            await self._fail(number, *bad.args)
        except NotAllowedError as error:
            await self._fail(number, "refused", str(error))
        except ConnectionError:
            pass  # the client has gone
        except StoreError as error:
            await self._fail(number, "broken", str(error))
        except Exception as error:  # noqa: BLE001 - said to the client and to the log
            _log.exception("%s failed", op)
            await self._fail(number, "broken", f"{op} failed: {type(error).__name__}: {error}")

    async def _stream(self, number: int, items: AsyncIterator[Json], op: str) -> None:
        last: Json = None
        try:
            async for item in items:
                if op == "send" and item["final"]:
                    last = item
                else:
                    await self._write({"id": number, "item": item})
        finally:
            await items.aclose()  # type: ignore[attr-defined]
        await self._write({"id": number, "result": last})

    async def _fail(self, number: int | None, kind: str, message: str) -> None:
        with suppress(ConnectionError):
            await self._write({"id": number, "error": {"kind": kind, "message": message}})

    async def _write(self, answer: dict[str, Json]) -> None:
        text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        line = text.encode("utf-8", "replace") + b"\n"
        async with self._lock:
            self._writer.write(line)
            await self._writer.drain()


def _is_text(line: bytes, request: Json) -> bool:
    """Say whether every text of a request is one that can be stored and sent again."""
    if line.isascii() and b"\\u" not in line:
        return True
    try:
        json.dumps(request, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
