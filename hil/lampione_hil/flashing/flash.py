"""Flashing one board: look, plan, write beside what runs, verify, switch over, wait for Hello."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lampione_hil import firmware
from lampione_hil.board import BenchError
from lampione_hil.flashing import plan as plans
from lampione_hil.flashing import rom
from lampione_hil.flashing.agent import Agent
from lampione_hil.flashing.chip import Chip
from lampione_hil.flashing.hello import START_S, Hello, wait_hello
from lampione_hil.flashing.plan import Plan
from lampione_hil.flashing.slots import NEW, ROM_FOLDER, SLOT, State, Tree
from lampione_hil.real.errors import (
    CablePulledError,
    FlashFullError,
    NoStartError,
    NotVerifiedError,
    WrongChipError,
)
from lampione_hil.real.repl import Repl

TRIES = 3  # of what did not arrive whole
_RETURN_S = 3.0

Told = Callable[[str, float], None]  # (step in words, part of it done from 0 to 1)
Source = Callable[[str], Mapping[str, bytes]]  # architecture -> compiled tree


@dataclass(frozen=True)
class Flashed:
    """What became of a board."""

    port: str
    chip: Chip
    ident: str  # of the tree
    slot: str  # the folder that runs
    copied: int  # files, on the board itself
    sent: int  # files, over the wire
    kept: int  # files that were there already
    bytes: int  # of what was sent, before it is packed
    blocks: int  # that it took of the file system
    written: bool  # whether anything was
    seconds: float
    hello: Hello | None  # None when it was not started

    @property
    def firmware(self) -> str:
        """The version that runs, as the board says it."""
        return self.hello.firmware if self.hello else "unknown"

    def words(self, *, dry_run: bool = False) -> str:
        """Say what was done; of a dry run, what would be."""
        what = (
            f"{self.sent} files to send, {self.bytes / 1000:.1f} kB; {self.copied} to copy on the "
            f"board; {self.kept} are there"
        )
        if dry_run:
            return f"{what}; nothing was written, {self._runs}"
        if not self.written:
            return f"nothing to change, {self._runs}"
        how = f"{self.bytes / 1000:.1f} kB, {self.seconds:.1f} s"
        return f"{self._runs} from {self.slot}; {how}"

    @property
    def _runs(self) -> str:
        if self.hello is None:
            return "the node has not said hello"
        return f"{self.hello.name or 'a node without settings'} runs firmware {self.firmware}"


class Stopped(BenchError):
    """Whoever asked for it wants it to end. What `check` raises; the text says how it was left."""


class _Stage:
    """How far it has come."""

    committed = False
    started = False

    @property
    def left(self) -> str:
        """In what state the board is left."""
        if self.started:
            return "the new firmware is in place and starts"
        if self.committed:
            return "the new firmware is in place; reset the board to start it"
        return "it runs what it ran before"


def flash(
    port: str,
    files: Mapping[str, bytes] | None = None,
    *,
    told: Told | None = None,
    start: bool = True,
    dry_run: bool = False,
    force: bool = False,
    source: Source | None = None,
    check: Callable[[], None] | None = None,
) -> Flashed:
    """Make the board at `port` run a firmware, whatever was on it; what it knows stays.

    It can be interrupted and run again at any point: the tree that runs is not touched.

    Args:
        port: a path, or a URL of pyserial.
        files: as `compile_tree` returns them; None: ours, compiled for this board.
        told: of each step, and how far it is.
        start: reset it and wait for its Hello; else it stays at its prompt.
        dry_run: write nothing; the node is started again.
        force: also on a chip that the firmware is not made for, and where all is there already.
        source: what compiles `files` when there are none; None: `compile_tree`.
        check: called all the while; what it raises, best Stopped, ends the work.

    Raises BenchError with what is wrong and what to do, and firmware.CompileError.
    """
    tell = told or _silent
    begin = time.monotonic()
    stage = _Stage()
    tell("connecting", 0)
    try:
        opened = Repl.open(port, check=check)
    except Stopped:
        with contextlib.suppress(BenchError), Repl.open(port, timeout_s=_RETURN_S) as repl:
            repl.reset()
        raise Stopped(f"{port}: stopped; {stage.left}") from None
    with opened as repl:
        try:
            return _flash(repl, files, tell, stage, start, dry_run, force, source, begin)
        except CablePulledError:
            raise
        except BaseException as error:
            if not stage.started:
                _return(repl, stage)
            if isinstance(error, Stopped):
                raise Stopped(f"{port}: stopped; {stage.left}") from None
            raise


def _flash(
    repl: Repl,
    files: Mapping[str, bytes] | None,
    tell: Told,
    stage: _Stage,
    start: bool,
    dry_run: bool,
    force: bool,
    source: Source | None,
    begin: float,
) -> Flashed:
    agent = Agent(repl)
    chip = agent.chip
    try:
        chip.check(repl.port)
    except WrongChipError:
        if not force:
            raise
    if files is None:
        tell("compiling", 0)
        files = (source or _compiled)(chip.march)
    tree = Tree.of(files)
    tell("looking", 0)
    state = agent.state()
    plan = plans.plan(state, tree)
    _has_room(repl.port, state, plan)
    image = rom.image(tree, chip.rom_bytes)
    folder = plan.folder if image is None else ROM_FOLDER
    stale = image is not None and not (state.rom_first and rom.holds(agent, image))
    if not dry_run:
        _write(agent, plan, tell)
        if plan.commit:
            tell("switching over", 0)
            agent.rename(plan.commit)
        if image is not None and (stale or plan.changes):
            _write_rom(agent, image, state, plan, tell)
        stage.committed = True
    hello = None
    if start or dry_run:
        tell("starting", 0)
        repl.reset()
        stage.started = True
        hello = wait_hello(repl, START_S)
        if not dry_run:
            _check_start(repl.port, folder, hello)
    return Flashed(
        port=repl.port,
        chip=chip,
        ident=tree.ident,
        slot=folder,
        copied=len(plan.copy),
        sent=len(plan.send),
        kept=plan.kept,
        bytes=sum(map(len, plan.send.values())),
        blocks=plan.blocks,
        written=(plan.changes or stale) and not dry_run,
        seconds=time.monotonic() - begin,
        hello=hello,
    )


def _write(agent: Agent, plan: Plan, tell: Told) -> None:
    """Bring about what the plan expects, and read it back. Raises NotVerifiedError."""
    if not plan.changes:
        return
    if plan.before:
        agent.send({SLOT + NEW: plan.before})
        agent.rename([(SLOT + NEW, SLOT)])
    agent.room(plan.remove, plan.folders)
    if plan.copy:
        agent.copy(plan.copy, lambda n, of: tell(f"copying {n} of {of} on the board", n / of))
    copied = {here: there for there, here in plan.copy}
    send = dict(plan.send)
    wrong: list[str] = []
    for _ in range(TRIES):
        if send:
            agent.send(send, lambda n, of: tell(f"sending {_kb(of)}", n / of if of else 1))
        tell("verifying", 0)
        found = agent.look(list(plan.expected))
        wrong = [p for p, sha in plan.expected.items() if found.get(p, (0, ""))[1] != sha]
        if not wrong:
            return
        send = {path: plan.send[path] for path in wrong if path in plan.send}
        again = [(copied[path], path) for path in wrong if path in copied]
        if again:
            agent.copy(again, lambda n, of: tell(f"copying {n} of {of} again", n / of))
    raise NotVerifiedError(
        f"{agent.repl.port}: {wrong[0]} is not on the board as it was sent: run this again; when "
        "it comes back, the cable or the board's flash is bad. What ran before still runs"
    )


def _write_rom(agent: Agent, image: bytes, state: State, plan: Plan, tell: Told) -> None:
    """Bring the ROM partition to the same tree, and let the start come from there."""
    if not rom.holds(agent, image):
        if state.rom_first and not any(path == SLOT for _, path in plan.commit):
            rom.choose(agent, plan.slot, rom=False)
        tell(f"writing ROM, {_kb(len(image))}", 0)
        agent = rom.write(agent, image, lambda n, of: tell(f"writing ROM, {_kb(of)}", n / of))
    rom.choose(agent, plan.slot, rom=True)


def _has_room(port: str, state: State, plan: Plan) -> None:
    if plan.blocks > state.blocks_free:
        lacking = (plan.blocks - state.blocks_free) * state.block_bytes
        raise FlashFullError(
            f"{port}: the board's flash is full: {_kb(lacking)} more must be free; nothing was "
            "written. Remove files that are not the node's, with `mpremote rm`"
        )


def _check_start(port: str, folder: str, hello: Hello | None) -> None:
    """Raise NoStartError unless what was written has said hello."""
    if hello is None:
        raise NoStartError(
            f"{port}: the firmware is on the board, but it says no hello within {START_S:g} s: "
            f"look at what it prints with `mpremote connect {port} repl`"
        )
    if hello.folder != folder:
        raise NoStartError(
            f"{port}: the firmware is on the board, but does not start there; the one before it "
            f"runs, from {hello.folder}. `mpremote connect {port} repl` and Ctrl-D show why"
        )


def _return(repl: Repl, stage: _Stage) -> None:
    """Let the node go on, as far as that can be done."""
    repl.check = None
    with contextlib.suppress(BenchError):
        repl.enter(_RETURN_S)
        repl.reset()
        stage.started = stage.committed


def _compiled(march: str) -> Mapping[str, bytes]:
    return firmware.compile_tree(march=march)


def _silent(step: str, part: float) -> None:
    del step, part


def _kb(size: int) -> str:
    return f"{size / 1000:.1f} kB"
