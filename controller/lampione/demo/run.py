"""`lampione demo`: starts everything, shows it, ends everything."""

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lampione_hil.firmware import CompileError, compile_tree

from lampione import keys, seeds
from lampione.broker import LocalBroker
from lampione.cli import present
from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.output import Printer, colours
from lampione.core.client import Client, NoCore
from lampione.demo import processes
from lampione.demo.guard import Guard
from lampione.demo.headless import Headless, print_verdict
from lampione.demo.lampposts import SPL_DB, Lampposts, Sounds


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
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(NoCore), Client.open(options.state, timeout_s=1):
        raise CliError(f"a controller runs in {options.state} already: choose another --state")
    if LocalBroker(options.state / "broker").status() is not None:
        raise CliError(f"a broker runs in {options.state} already: choose another --state")
    return options.state.resolve()


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end us in good order, as Ctrl-C does."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _terminated) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """Keep a second Ctrl-C from cutting the clean-up short; it takes seconds."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclass(frozen=True)
class Running:
    """A demo under way."""

    state: Path
    seed: seeds.Seed
    core: processes.Core


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
        guard = Guard(state, remove=temporary and not options.keep)
        ends.callback(guard.finish)
        if temporary and options.keep:
            ends.callback(say, f"kept: {state}")
        boards = Lampposts(state / "bench")
        ends.callback(boards.close)
        demo = _start(state, boards, sounds, options, ends)
        boards.power_on()
        say(f"{len(demo.seed.running)} boards are on; from another terminal:")
        say(f"  lampione --state {state} nodes")
        yield demo
    finally:
        with _unbroken():
            ends.close()


def _start(
    state: Path, boards: Lampposts, sounds: Sounds, options: Options, ends: contextlib.ExitStack
) -> Running:
    """Start everything but the boards' power."""
    boards.start()  # first: where there is no MicroPython, nothing else matters
    fleet = state / "fleet.toml"
    if not fleet.exists():
        shutil.copyfile(seeds.shipped(), fleet)
    seed = seeds.load(fleet)
    names = [node.id for node in seed.running]
    sounds_made = sounds.compute(len(names), boards.bench.folder)
    key_file = state / keys.FILE
    had = keys.load(key_file) if key_file.exists() else {}
    keys.new(key_file, [name for name in names if name not in had])
    say("starting the broker…")
    port = processes.start_broker(state)
    say("starting the controller…")
    core = processes.Core(state, port)
    ends.callback(core.close)
    say("compiling the firmware…")
    try:
        firmware = compile_tree()
    except (CompileError, FileNotFoundError) as error:
        raise CliError(str(error)) from None
    say(f"computing the sounds, preparing {len(names)} boards…")
    sounds_made()
    boards.build(seed, keys.load(key_file), firmware, sounds, port, options.interval_s)
    core.wait()
    return Running(state, seed, core)


def run(options: Options) -> int:
    """Run the demo; return the exit code."""
    if not options.headless and not sys.stdout.isatty():
        raise CliError("there is no terminal for the screen: add --headless --for 20s", USAGE)
    with _signals(), running(options) as demo:
        if options.headless:
            return _headless(demo, options)
        from lampione.cli.screen import show

        return show(demo.state, for_s=options.for_s)


def _headless(demo: Running, options: Options) -> int:
    out = Printer(as_json=options.as_json)
    names = [node.id for node in demo.seed.running]
    with Client.open(demo.state) as client:
        watcher = Headless(
            client, names, options.interval_s, present.places(demo.state), out, demo.core.check
        )
        verdict = watcher.run(options.for_s)
    print_verdict(verdict, out)
    return OK if verdict.good else FAILED
