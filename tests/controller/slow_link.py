"""A slow way to a controller: a socket that hands on each piece after a while."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lampione.api import SOCKET


class SlowLink:
    """Listens in `here`, and hands on to the socket in `there` what comes, `delay_s` later."""

    def __init__(self, here: Path, there: Path, delay_s: float) -> None:
        here.mkdir(mode=0o700, exist_ok=True)
        self._here, self._there = here / SOCKET, there / SOCKET
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    async def _listen(self) -> None:
        await asyncio.start_unix_server(self._accept, str(self._here))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            beyond_reader, beyond_writer = await asyncio.open_unix_connection(str(self._there))
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._carry(reader, beyond_writer), self._carry(beyond_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                loop.call_later(self._delay_s, writer.write, piece)
        loop.call_later(self._delay_s, writer.close)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
