"""`lampione serve`: the core, its store and its socket, until it is told to end."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from lampione_protocol.topics import NAME_MAX, is_name

from lampione import keys
from lampione.broker import BrokerError, LocalBroker
from lampione.broker_url import BrokerUrl
from lampione.core.answers import Answers
from lampione.core.core import Core
from lampione.core.folder import StateFolder
from lampione.core.server import Server
from lampione.core.upkeep import Upkeep
from lampione.store import Engine
from lampione.store.engine import open_engine

_LOOK_S = 0.5
_REVIVE_S = 3.0  # without a connection, between two looks at our own broker
_log = logging.getLogger("lampione.serve")


class ServeError(Exception):
    """The controller cannot start, or had to end; the text says why."""


class Attendant(Protocol):
    """What goes on beside the core of a worker."""

    @property
    def does_upkeep(self) -> bool: ...


def _upkeep(engine: Engine, attendant: Attendant | None) -> Upkeep:
    return Upkeep(engine, lambda: attendant is None or attendant.does_upkeep)


def serve(
    state: Path,
    shards: Sequence[str],
    broker: BrokerUrl | None = None,
    *,
    engine: Engine | None = None,
    shard_of: Callable[[str], str] | None = None,
    attend: Callable[[Core, Engine], AbstractContextManager[Attendant | None]] = (
        lambda *_: nullcontext()
    ),
    ready: Callable[[Core], None] = lambda _: None,
    until_eof: bool = False,
) -> None:
    """Run until SIGTERM or SIGINT, in the main thread.

    Args:
        state: the state folder.
        shards: of the fleet; none where a worker says which (`attend`).
        broker: without one, our own is adopted or started, started again should it die, and
            left running.
        engine: the store; without one, SQLite in the state folder.
        shard_of: of a node, where there are several.
        attend: what goes on beside the core, while it runs.
        ready: called once the socket answers.
        until_eof: end, too, when the standard input ends: whoever holds its other end has gone.

    Raises ServeError, FolderError, KeyFileError, StoreError, BrokerError.
    """
    for shard in shards:
        if not is_name(shard):
            raise ServeError(
                f"{shard!r} cannot be a shard: use a-z, 0-9 and '-', {NAME_MAX} at most"
            )
    folder = StateFolder(state)
    with folder.owned():
        keys.load(folder.keys)  # before anything is started that would outlive a refusal
        ours = LocalBroker(folder.broker) if broker is None else None
        if ours is not None:
            broker = ours.start().url
        assert broker is not None
        given = engine
        engine = given or open_engine(folder.database)
        # Nothing of what a core loads is garbage: of a city it would be looked through for seconds.
        gc.disable()
        core = Core(
            folder, engine.writer(), broker, *shards, shard_of=shard_of, reader=engine.reader
        )
        gc.freeze()
        gc.enable()
        try:
            folder.keep_store(None if given is None else given.url)
            core.start()
            with attend(core, engine) as attendant, _upkeep(engine, attendant) as upkeep:
                answers = Answers(core, engine.reader, upkeep)
                asyncio.run(_serve(core, answers, folder, ours, ready, until_eof=until_eof))
        finally:
            core.stop()
        if core.failure is not None:
            raise ServeError(f"the core failed: {core.failure}")


async def _serve(
    core: Core,
    answers: Answers,
    folder: StateFolder,
    ours: LocalBroker | None,
    ready: Callable[[Core], None],
    *,
    until_eof: bool,
) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, end.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _at_eof, loop, end)
    server = Server(answers, folder.socket)
    await server.start()
    ready(core)
    revived = loop.time()
    while core.alive and not end.is_set():
        try:
            await asyncio.wait_for(end.wait(), _LOOK_S)
        except TimeoutError:
            lost = not core.broker["connected"]
            if ours is not None and lost and loop.time() - revived > _REVIVE_S:
                await loop.run_in_executor(None, _revive, ours)
                revived = loop.time()
    await server.stop()


def _revive(ours: LocalBroker) -> None:
    """Start our broker again: it was killed, or hangs, as after a disk that was full."""
    try:
        ours.start()
    except BrokerError as error:
        _log.warning("%s", error)


def _at_eof(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        end.set()


def main() -> None:
    """`python -m lampione.serve STATE SHARD [URL]`, for tests: without the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    state, shard, *rest = sys.argv[1:]
    serve(Path(state), [shard], BrokerUrl.parse(rest[0]) if rest else None)


if __name__ == "__main__":
    main()
