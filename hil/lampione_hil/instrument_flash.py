"""The instrument's firmware onto its board: what differs goes over, its settings stay.

Unlike a node it keeps no tree beside the one that runs: who stands at a bench runs this again.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from lampione_hil.board import BenchError
from lampione_hil.flashing.agent import Agent
from lampione_hil.instrument import Instrument, example_settings, tree
from lampione_hil.real.errors import NoStartError, NotVerifiedError, WrongChipError
from lampione_hil.real.repl import Repl

SETTINGS = "/instrument.json"
_START_S = 15.0
_LOOK_S = 0.2
# Of a node that the board was before: they would choose another folder to run from.
_NODES = ("/boot.py", "/slot")


@dataclass(frozen=True)
class Installed:
    """What came of it. `sent` files went over, `kept` were there."""

    port: str
    serial_number: str
    firmware: str
    capabilities: frozenset[str]
    lacking: frozenset[str]
    sent: int
    kept: int
    bytes: int


def install(
    port: str,
    settings: bytes | None = None,
    *,
    force: bool = False,
    told: Callable[[str, float], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Installed:
    """Make the board at `port` an instrument, and start it.

    Args:
        port: a path, or a URL of pyserial.
        settings: of /instrument.json; None: those on the board, else the example's.
        force: whatever chip it is.
        told: called with (what is done, which part of it is done).
        check: called during every wait; what it raises ends it.

    Raises BenchError with what is wrong and what to do, and firmware.CompileError.
    """
    tell = told or (lambda _step, _part: None)
    tell("connecting", 0)
    with Repl.open(port, check=check) as repl:
        agent = Agent(repl)
        try:
            agent.chip.check(port)
        except WrongChipError:
            if not force:
                raise
        tell("compiling", 0)
        files = tree(agent.chip.march)
        there = agent.look(["/lib", "/main.py", SETTINGS, *_NODES])
        if settings is not None or SETTINGS not in there:
            files[SETTINGS] = example_settings() if settings is None else settings
        # what starts it comes last
        order = sorted(files, key=lambda path: (path == "/main.py", path))
        shas = {path: hashlib.sha256(files[path]).hexdigest() for path in order}
        send = {p: files[p] for p in order if there.get(p, (0, ""))[1] != shas[p]}
        gone = [path for path in there if path in _NODES or path not in {*files, SETTINGS}]
        folders = {str(PurePosixPath(path).parent) for path in files} | {"/lib"}
        agent.room(gone, sorted(folders - {"/"}))
        if send:
            agent.send(send, lambda n, of: tell(f"sending {of / 1000:.1f} kB", n / of if of else 1))
        tell("verifying", 0)
        found = agent.look(order)
        wrong = [path for path in order if found.get(path, (0, ""))[1] != shas[path]]
        if wrong:
            raise NotVerifiedError(
                f"{port}: {wrong[0]} is not there as it was sent: run this again"
            )
        tell("starting", 0)
        repl.reset()
    held = _started(port)
    size = sum(map(len, send.values()))
    return Installed(
        port,
        held.serial_number,
        held.firmware,
        held.capabilities,
        held.lacking,
        len(send),
        len(files) - len(send),
        size,
    )


def _started(port: str) -> Instrument:
    """Wait until it answers; a port of USB goes and comes back meanwhile."""
    until_s = time.monotonic() + _START_S
    while True:
        held = Instrument(port)
        try:
            with held:
                return held
        except BenchError as error:
            if time.monotonic() > until_s:
                raise NoStartError(
                    f"{port}: the firmware is on the board, but does not answer ({error}): look at "
                    f"what it prints with `mpremote connect {port} repl`"
                ) from None
        time.sleep(_LOOK_S)
