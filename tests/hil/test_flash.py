"""Flashing firmware onto virtual boards: what changed goes over, what runs is never touched."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from lampione_hil.firmware import compile_module, compile_tree, host_march
from lampione_hil.flashing import Flashed, Stopped, chip, flash
from lampione_hil.flashing.agent import Agent
from lampione_hil.real.errors import (
    CablePulledError,
    FlashFullError,
    NoStartError,
    NotVerifiedError,
    WrongChipError,
)
from lampione_hil.real.repl import Repl
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

from tests.node.controller import KEY, node_files

MODULE = "/lib/lampione_node/lighting.mpy"


def other(tree: Mapping[str, bytes], text: str = "new") -> dict[str, bytes]:
    """Return a tree that differs in one module, and says so when it is imported."""
    module = compile_module(f"print({text!r})\n", "lampione_node/drivers_dimmer.py", host_march())
    return {**tree, "/lib/lampione_node/__init__.mpy": module}


@pytest.fixture(scope="module")
def tree() -> dict[str, bytes]:
    return compile_tree()


@pytest.fixture
def make(bench: VirtualBench) -> Iterator[Callable[..., VirtualBoard]]:
    boards = []

    def made(files: Mapping[str, bytes] | None = None, **more: Any) -> VirtualBoard:
        quiet = World(street=None, air=SteadyAir())
        board = bench.board(f"f{len(bench.boards)}", files, world=quiet, **more)
        boards.append(board)
        board.power_on()
        board.wait_console("hello" if files else ">>> ")
        return board

    yield made
    for board in boards:
        board.power_off()


def there(board: VirtualBoard) -> dict[str, bytes]:
    """Return every file of a board, its power off."""
    board.power_off()
    return {path: board.read_file(path) for path in board.list_files()}


def test_a_blank_board_runs(make: Callable[..., VirtualBoard], tree: dict[str, bytes]) -> None:
    board = make()
    steps: list[tuple[str, float]] = []
    done = flash(board.port, tree, told=lambda step, part: steps.append((step, part)))
    assert (done.slot, done.sent, done.copied, done.kept) == ("/lib", len(tree) + 1, 0, 0)
    assert done.firmware == "0.1.0"
    assert done.hello is not None
    assert (done.hello.folder, done.hello.name) == ("/lib", "")
    assert done.chip.unique_id == board.serial_number
    assert [step for step, _ in steps][:2] == ["connecting", "looking"]
    assert all(0 <= part <= 1 for _, part in steps)
    files = there(board)
    assert {path: files[path] for path in tree} == tree
    assert not [path for path in files if path.endswith(".new")]


def test_only_what_changed_goes_over(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes]
) -> None:
    board = make(node_files("kept", KEY, 1, broker=None))
    first = flash(board.port, tree)
    assert (first.slot, first.sent, first.copied) == ("/lib", 1, 0), "only a manifest lacks"
    board.power_off()
    mine = {p for p in board.list_files() if not p.startswith("/lib")}
    before = {path: board.read_file(path) for path in mine - {"/main.py", "/boot.py", "/slot"}}
    assert any(path.startswith("/outbox/") for path in before)
    board.power_on()
    done = flash(board.port, other(tree))
    assert (done.slot, done.sent) == ("/lib.b", 3), "a module, the manifest, /slot"
    assert done.copied == len(tree) - 2 - 1
    assert done.hello is not None
    assert done.hello.name == "kept"
    assert "new" in board.console()
    boot = done.hello.values["boot"]
    files = there(board)
    for path, data in before.items():
        if "numbers" not in path and "outbox" not in path:
            assert files[path] == data, path
        assert path in files, path
    assert isinstance(boot, int)
    assert boot >= 3, "the count of boots went on"
    board.power_on()
    back = flash(board.port, tree)
    assert (back.slot, back.sent, back.copied) == ("/lib", 1, 0), "the old one is still there"


def test_nothing_is_written_when_nothing_changed(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes]
) -> None:
    board = make()
    flash(board.port, tree)
    writes = board.flash_stats().writes
    done = flash(board.port, tree)
    assert not done.written
    assert done.hello is not None
    assert board.flash_stats().writes == writes
    dry = flash(board.port, other(tree), dry_run=True)
    assert (dry.written, dry.sent) == (False, 3)
    assert board.flash_stats().writes == writes
    assert dry.hello is not None
    assert dry.hello.folder == "/lib"


def broken(tree: dict[str, bytes], data: bytes | None) -> dict[str, bytes]:
    found = dict(tree)
    if data is None:
        del found["/lib/lampione_node/node.mpy"]
    else:
        found["/lib/lampione_node/node.mpy"] = data
    return found


@pytest.mark.parametrize("how", ["no module", "of another format", "raises", "cut short"])
def test_what_does_not_start_gives_way_to_what_did(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes], how: str
) -> None:
    """A .mpy cut short makes MicroPython read for ever: the watchdog ends that."""
    quick = {**tree, "/main.py": tree["/main.py"].replace(b"timeout=30000", b"timeout=1000")}
    assert quick != tree
    board = make()
    flash(board.port, quick)
    data = {
        "no module": None,
        "of another format": b"M\5" + quick["/lib/lampione_node/node.mpy"][2:],
        "raises": compile_module("1 / 0\n", "lampione_node/node.py", host_march()),
        "cut short": quick["/lib/lampione_node/node.mpy"][:500],
    }[how]
    with pytest.raises(NoStartError, match=r"runs, from /lib\. "):
        flash(board.port, broken(quick, data))
    assert "/lib" in board.wait_console(r"lampione hello [0-9a-f]+ /lib \n?")
    with pytest.raises(NoStartError):
        flash(board.port, broken(quick, data))  # what is known not to start is not kept for it
    good = flash(board.port, other(quick))
    assert good.slot == "/lib.b"


def test_a_full_flash_is_told_before_anything_is_written(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes]
) -> None:
    board = make(flash_bytes=256 * 1024)
    with Repl.open(board.port) as repl:
        repl.exec("with open('/big','wb') as f:\n for _ in range(38): f.write(bytes(4096))", 30)
    writes = board.flash_stats().writes
    with pytest.raises(FlashFullError, match=r"kB more must be free; nothing was written"):
        flash(board.port, tree)
    assert board.flash_stats().writes == writes


def test_a_flash_that_fills_up_meanwhile(
    make: Callable[..., VirtualBoard],
) -> None:
    board = make(flash_bytes=128 * 1024)
    with Repl.open(board.port) as repl, pytest.raises(FlashFullError, match="flash is full"):
        Agent(repl).send({"/big": bytes(200_000)})


def test_the_wrong_chip(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make(tree)
    ask = chip.ask
    monkeypatch.setattr(chip, "ask", lambda repl: replace(ask(repl), platform="rp2"))
    with pytest.raises(WrongChipError, match="firmware is for the ESP32; --force"):
        flash(board.port, tree)
    board.wait_console(r"(?s)hello.*hello")
    assert flash(board.port, tree, force=True).hello is not None


def test_a_pulled_cable_is_no_harm(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes]
) -> None:
    board = make(tree)

    def pull(step: str, part: float) -> None:
        if part > 0.4 and board.port:
            board.unplug()

    with pytest.raises(CablePulledError, match="connect it and run this again"):
        flash(board.port, {**other(tree), MODULE: tree[MODULE] + bytes(9000)}, told=pull)
    board.plug()
    board.wait_console("lampione hello [0-9a-f]+ /lib ")
    assert flash(board.port, other(tree)).slot == "/lib.b"


def test_stopping_lets_the_node_go_on(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes]
) -> None:
    board = make(tree)
    steps: list[str] = []

    def check() -> None:
        if steps and steps[-1].startswith("copying 9"):
            raise Stopped

    with pytest.raises(Stopped, match="it runs what it ran before"):
        flash(board.port, other(tree), told=lambda s, p: steps.append(s), check=check)
    board.wait_console(r"(?s)hello.*hello [0-9a-f]+ /lib ")
    assert flash(board.port, other(tree)).hello is not None


KILLED = """
import os, sys
from lampione_hil.firmware import compile_tree
from lampione_hil.flashing import flash
def told(step, part):
    if part > 0.5:
        os.kill(os.getpid(), 9)
flash(sys.argv[1], {**compile_tree(), "/lib/lampione_node/big.mpy": os.urandom(50000)}, told=told)
"""


def test_a_tool_killed_at_work_is_no_harm(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes]
) -> None:
    board = make(tree)
    done = subprocess.run([sys.executable, "-c", KILLED, board.port], check=False, timeout=60)
    assert done.returncode == -9
    done2 = flash(board.port, tree)
    assert isinstance(done2, Flashed)
    assert done2.hello is not None


def test_what_is_damaged_on_its_way_is_sent_again(
    make: Callable[..., VirtualBoard], tree: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make()
    send, sizes, bad = Agent.send, [], 1

    def damaged(agent: Agent, files: Mapping[str, bytes], told: Callable[..., None]) -> None:
        nonlocal bad
        sizes.append(len(files))
        if bad:
            bad -= 1
            path = next(path for path in files if path.endswith("lighting.mpy"))
            files = {**files, path: files[path][::-1]}
        send(agent, files, told)

    monkeypatch.setattr(Agent, "send", damaged)
    assert flash(board.port, tree).hello is not None
    assert sizes == [len(tree) + 1, 1]
    bad = 9
    with pytest.raises(NotVerifiedError, match=r"lighting\.mpy is not"):
        flash(board.port, {**tree, MODULE: tree[MODULE] + b"\0"})
