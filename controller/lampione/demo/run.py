"""`lampione demo`: starts everything, shows it, ends everything."""

import contextlib
import fcntl
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lampione_hil.firmware import CompileError, compile_tree

from lampione import keys, seeds
from lampione.broker import LocalBroker
from lampione.cli.errors import FAILED, INTERRUPTED, OK, USAGE, CliError
from lampione.cli.output import Printer, colours
from lampione.config.flash import FIRST_VERSION
from lampione.core.client import Client, NoCore
from lampione.core.folder import make_private
from lampione.demo import fleet_file, processes
from lampione.demo.guard import Guard
from lampione.demo.headless import Headless, print_verdict
from lampione.demo.lampposts import SPL_DB, Lampposts, Sounds
from lampione.live.places import places

LOCK = "demo.lock"
CORE_GONE_S = 5.0


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    state: a folder of the user's, which stays; None: a temporary one, which goes unless `keep`.
    """

    state: Path | None
    interval_s: int = 5
    replay: Path | None = None
    spl_db: float | None = None
    dump: Path | None = None
    headless: bool = False
    for_s: float | None = None
    keep: bool = False
    as_json: bool = False


def say(text: str) -> None:
    """Print progress, beside what the command prints."""
    paint = "\x1b[2m{}\x1b[0m" if colours(sys.stderr) else "{}"
    print(paint.format(text), file=sys.stderr, flush=True)


def _checked(options: Options) -> Sounds:
    if options.replay is None and options.spl_db is not None:
        raise CliError("--spl says how loud --replay is: give a file, too", USAGE)
    if options.replay is not None and not options.replay.is_file():
        raise CliError(f"--replay {options.replay}: there is no such file", USAGE)
    if options.dump is not None:
        options.dump.mkdir(parents=True, exist_ok=True)
    return Sounds(
        options.replay, SPL_DB if options.spl_db is None else options.spl_db, options.dump
    )


def _folder(options: Options) -> Path:
    """Return the state folder, made. A temporary one is short: a socket's path has 108 bytes."""
    if options.state is None:
        return Path(tempfile.mkdtemp(prefix="lampione-demo-"))
    make_private(options.state)
    return options.state.resolve()


def _lock(state: Path) -> int:
    """Take the folder for this demo; return the descriptor that holds it.

    It is held until the demo and its guard have ended: a demo never meets the end of another.
    """
    lock = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CliError(f"a demo runs in {state} already: choose another --state") from None
    return lock


def _check_unused(state: Path) -> None:
    with contextlib.suppress(NoCore), Client.open(state, timeout_s=1):
        raise CliError(f"a controller runs in {state} already: choose another --state")
    if LocalBroker(state / "broker").status() is not None:
        raise CliError(f"a broker runs in {state} already: choose another --state")


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Give Ctrl-C, SIGTERM and SIGHUP to `handler` meanwhile."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)


@contextlib.contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """Yield what is set by Ctrl-C, SIGTERM or SIGHUP: whoever watches ends by its verdict.

    An exception could come in the middle of a question to the controller, or too early.
    """
    asked = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        asked.set()

    with _handled(ask):
        yield asked


@dataclass(frozen=True)
class Running:
    """A demo under way."""

    state: Path
    seed: seeds.Seed
    broker: processes.Broker
    core: processes.Core
    boards: Lampposts

    def check(self) -> None:
        """Raise CliError when one of its processes has ended by itself."""
        self.broker.check()
        self.core.check()
        self.boards.check()


@contextlib.contextmanager
def running(options: Options) -> Iterator[Running]:
    """Start everything, the boards last; end it all, whatever happens meanwhile.

    Raises NoInterpreterError, CliError, and what keys, broker and bench raise, each in one line.
    """
    sounds = _checked(options)
    ends = contextlib.ExitStack()  # last begun, first ended
    try:
        state = _folder(options)
        temporary = options.state is None
        lock = _lock(state)
        ends.callback(os.close, lock)
        _check_unused(state)
        guard = Guard(state, lock, remove=temporary and not options.keep)
        ends.callback(guard.finish)
        if temporary and options.keep:
            ends.callback(say, f"kept: {state}")
        boards = Lampposts(state / "bench")
        ends.callback(boards.close)
        demo = _start(state, boards, sounds, options, guard, ends)
        boards.power_on()
        yield demo
    finally:
        with _handled(signal.SIG_IGN):  # a second Ctrl-C does not cut it short; it takes seconds
            ends.close()


def _start(
    state: Path,
    boards: Lampposts,
    sounds: Sounds,
    options: Options,
    guard: Guard,
    ends: contextlib.ExitStack,
) -> Running:
    """Start everything but the boards' power."""
    boards.start()  # first: where there is no MicroPython, nothing else matters
    fleet = state / "fleet.toml"
    if not fleet.exists():
        fleet_file.write(seeds.shipped(), fleet, options.interval_s)
    seed = seeds.load(fleet)
    names = [node.id for node in seed.running]
    sounds_made = sounds.compute(len(names), boards.bench.folder)
    key_file = state / keys.FILE
    had = keys.load(key_file) if key_file.exists() else keys.Keys()
    keys.new(key_file, [name for name in names if name not in had], seed.groups)
    say("starting the broker…")
    broker = processes.Broker(state, guard)
    say("starting the controller…")
    core = processes.Core(state, broker.port)
    ends.callback(core.close)
    say("compiling the firmware…")
    try:
        firmware = compile_tree()
    except (CompileError, FileNotFoundError) as error:
        raise CliError(str(error)) from None
    say(f"computing the sounds, preparing {len(names)} boards…")
    sounds_made()
    boards.build(seed, keys.load(key_file), firmware, sounds, broker.port, options.interval_s)
    core.wait()
    with Client.open(state) as client:
        client.call(
            "adopt",
            configs={name: config.hex() for name, config in boards.configs.items()},
            version=FIRST_VERSION,
        )
    return Running(state, seed, broker, core, boards)


def run(options: Options) -> int:
    """Run the demo; return the exit code."""
    if not options.headless and not sys.stdout.isatty():
        raise CliError("there is no terminal for the screen: add --headless --for 20s", USAGE)
    with _handled(_terminated), running(options) as demo:
        if options.headless:
            return _headless(demo, options)
        from lampione.cli.screen import show

        _announce(demo)
        return show(demo.state, for_s=options.for_s, check=demo.check)


def _announce(demo: Running) -> None:
    say(f"{len(demo.seed.running)} boards are on; in another terminal:")
    say(f"  export LAMPIONE_STATE={shlex.quote(str(demo.state))}")
    say("  lampione nodes")


def _headless(demo: Running, options: Options) -> int:
    out = Printer(as_json=options.as_json)
    names = [node.id for node in demo.seed.running]
    try:
        with _asked_to_end() as ended, Client.open(demo.state) as client:
            watcher = Headless(
                client, names, options.interval_s, places(demo.state), out, demo.check
            )
            _announce(demo)
            verdict = watcher.run(options.for_s, ended)
    except NoCore as error:  # its connection ends before itself
        demo.core.wait_end(CORE_GONE_S)
        demo.check()
        raise CliError(f"the controller does not answer: {error}") from None
    print_verdict(verdict, out)
    if ended.is_set():
        return INTERRUPTED
    return OK if verdict.good else FAILED
