"""`lampione demo`: starts everything, shows it, ends everything."""

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lampione import keys, seeds
from lampione.cli import present
from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.output import Printer, colours
from lampione.core.client import Client, NoCore
from lampione.demo import processes
from lampione.demo.guard import Guard
from lampione.demo.headless import Headless, print_verdict
from lampione.demo.lampposts import SPL_DB, Lampposts, Sounds, compute_sounds


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


class _Ends:
    """What must be ended, last begun first; one failure keeps no other from its turn."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "_Ends":
        return self

    def add(self, end: Callable[[], None]) -> None:
        """Call this at the end."""
        self._stack.callback(end)

    def __exit__(self, *_: object) -> None:
        with _unbroken():
            self._stack.close()


def run(options: Options) -> int:
    """Run the demo; return the exit code."""
    sounds = _checked(options)
    if not options.headless and not sys.stdout.isatty():
        raise CliError("there is no terminal for the screen: add --headless --for 20s", USAGE)
    with _signals(), _Ends() as ends:
        state = _folder(options)
        temporary = options.state is None
        guard = Guard(state, remove=temporary and not options.keep)
        ends.add(guard.finish)
        if temporary and options.keep:
            ends.add(lambda: say(f"kept: {state}"))
        boards = Lampposts(state / "bench")
        core, seed = _start(state, boards, sounds, options, ends)
        boards.power_on()
        say(f"{len(seed.running)} boards are on; from another terminal:")
        say(f"  lampione --state {state} nodes")
        if options.headless:
            return _headless(state, seed, options, core)
        from lampione.cli.screen import show

        return show(state, for_s=options.for_s)


def _start(
    state: Path, boards: Lampposts, sounds: Sounds, options: Options, ends: _Ends
) -> tuple[processes.Core, seeds.Seed]:
    """Start everything but the boards' power."""
    boards.start()  # first: where there is no MicroPython, nothing else matters
    ends.add(boards.close)
    sounds_made = compute_sounds(sounds, boards.bench.folder)
    shutil.copyfile(seeds.shipped(), state / "fleet.toml")
    seed = seeds.load(state / "fleet.toml")
    names = [node.id for node in seed.running]
    key_file = state / keys.FILE
    had = keys.load(key_file) if key_file.exists() else {}
    keys.new(key_file, [name for name in names if name not in had])
    say("starting the broker…")
    port = processes.start_broker(state)
    say("starting the controller…")
    core = processes.Core(state, port)
    ends.add(core.close)
    say("compiling the firmware…")
    from lampione_hil.firmware import CompileError, compile_tree

    try:
        firmware = compile_tree()
    except (CompileError, FileNotFoundError) as error:
        raise CliError(str(error)) from None
    say(f"computing the sounds, preparing {len(names)} boards…")
    sounds_made()
    boards.build(seed, keys.load(key_file), firmware, sounds, port, options.interval_s)
    core.wait()
    return core, seed


def _headless(state: Path, seed: seeds.Seed, options: Options, core: processes.Core) -> int:
    out = Printer(as_json=options.as_json)
    names = [node.id for node in seed.running]
    with Client.open(state) as client:
        watcher = Headless(
            client, names, options.interval_s, present.places(state), out, core.check
        )
        verdict = watcher.run(options.for_s)
    print_verdict(verdict, out)
    return OK if verdict.good else FAILED
