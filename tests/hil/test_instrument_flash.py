"""The instrument's firmware put on a board, by its function and by `lampione flash`."""

import json

import pytest
from lampione.cli.run import run
from lampione_hil import instrument
from lampione_hil.instrument import Instrument
from lampione_hil.instrument_flash import SETTINGS, install
from lampione_hil.virtual import VirtualBench, VirtualBoard

from tests.hil import instrument_rig as rig


def files(board: VirtualBoard) -> dict[str, bytes]:
    """Return every file of a board, its power off meanwhile."""
    board.power_off()
    found = {path: board.read_file(path) for path in board.list_files()}
    board.power_on()
    return found


def test_a_board_becomes_an_instrument_and_stays_one(bench: VirtualBench) -> None:
    board = bench.board("becomes", {"/boot.py": b"print('a node')\n"}, world=rig.QUIET)
    board.power_on()
    steps: list[str] = []
    done = install(board.port, told=lambda step, _: steps.append(step))
    tree = instrument.tree()
    assert (done.sent, done.kept) == (len(tree) + 1, 0)
    assert done.serial_number == board.serial_number
    assert done.lacking == {"i2c", "trigger", "dali"}  # without a wire, no interrupts
    assert {"connecting", "verifying", "starting"} <= set(steps)
    there = files(board)
    assert {path: there[path] for path in tree} == tree
    assert there[SETTINGS] == instrument.example_settings()
    assert "/boot.py" not in there

    mine = json.dumps({"level": [{"pin": 10}]}).encode()
    board.power_off()
    board.write_files({SETTINGS: mine, "/lib/lampione_instrument/old.mpy": b"x"})
    board.power_on()
    with Instrument(board.port):
        pass  # it runs, and is interrupted
    again = install(board.port)
    assert (again.sent, again.kept) == (0, len(tree))
    there = files(board)
    assert there[SETTINGS] == mine
    assert "/lib/lampione_instrument/old.mpy" not in there
    board.power_off()


def test_the_command_says_what_it_can(
    bench: VirtualBench, capsys: pytest.CaptureFixture[str]
) -> None:
    board = bench.board("flashed", {}, world=rig.QUIET)
    board.power_on()
    assert run(["flash", "--instrument", "--port", board.port]) == 0
    assert "an instrument runs firmware 0.1.0: boot, current, doppler," in capsys.readouterr().out
    assert run(["flash", "--instrument", "--port", board.port, "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[-1]["ok"]
    assert said[-1]["sent"] == 0
    board.power_off()
