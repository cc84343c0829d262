"""Unmodified mpremote talks to a virtual board as to a real one."""

import subprocess
import sys
from pathlib import Path

import pytest
import serial
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

MAIN = b"""
import asyncio
async def main():
    print("main runs")
    while True:
        await asyncio.sleep_ms(20)
asyncio.run(main())
"""


@pytest.fixture
def board(bench: VirtualBench) -> VirtualBoard:
    name = f"b{len(bench.boards)}"
    made = bench.board(name, {"/main.py": MAIN}, world=World(street=None, air=SteadyAir()))
    made.power_on()
    made.wait_console("main runs")
    return made


def mpremote(board: VirtualBoard, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.port, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr + board.console()
    return done.stdout


def test_exec_interrupts_a_running_program(board: VirtualBoard) -> None:
    assert mpremote(board, "exec", "import machine; print(machine.reset_cause())") == "5\n"


def test_copy_there_and_back(board: VirtualBoard, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bytes(range(256)) * 21 + b"\n\r\n\r\x03\x04")
    mpremote(board, "cp", str(there), ":copy.bin", "+", "cp", ":copy.bin", str(back))
    assert back.read_bytes() == there.read_bytes()
    listing = mpremote(board, "fs", "ls")
    assert "copy.bin" in listing
    assert "main.py" in listing
    assert len(listing.splitlines()) == 3, "the simulated modules must not show"


def test_run_a_script(board: VirtualBoard, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("for n in range(3):\n    print('line', n)\n")
    assert mpremote(board, "run", str(script)) == "line 0\nline 1\nline 2\n"


def test_reset_starts_the_program_again(board: VirtualBoard) -> None:
    before = board.boots
    mpremote(board, "reset")
    board.wait_boots(before + 1)
    board.wait_console(r"(?s)main runs.*main runs")
    assert board.exits[-1] == "reset"


def test_soft_reset_leaves_the_raw_prompt_to_mpremote(board: VirtualBoard) -> None:
    mpremote(board, "soft-reset")
    assert mpremote(board, "resume", "eval", "6*7") == "42\n"
    assert "soft reset" in board.exits


def test_keys_at_the_repl(board: VirtualBoard) -> None:
    board.type(b"\x03")
    board.wait_console("KeyboardInterrupt")
    board.wait_console(">>> ")
    board.type(b"print('typed', 6*7)\r")
    board.wait_console("typed 42\r\n")
    board.type(b"\x04")
    board.wait_console("soft reboot\r\n")
    board.wait_console(r"(?s)main runs.*main runs")


def test_ctrl_c_reaches_what_another_tool_left_running(board: VirtualBoard) -> None:
    with serial.Serial(board.port, timeout=10) as port:  # a tool that is killed in the raw REPL
        port.write(b"\x03\x03\x01")
        port.read_until(b"raw REPL; CTRL-B to exit\r\n>")
        port.write(b"print('begun')\nwhile True: pass\n\x04")
        assert port.read_until(b"begun\n") == b"OKbegun\n"
    assert mpremote(board, "eval", "6*7") == "42\n"
    assert "soft reset" in board.exits
    # A program that has switched it off gets the byte.
    text = (
        "import micropython, sys; micropython.kbd_intr(-1); print('off'); print(sys.stdin.read(2))"
    )
    with serial.Serial(board.port, timeout=10) as port:
        port.write(b"\x03\x03\x01")
        port.read_until(b"raw REPL; CTRL-B to exit\r\n>")
        port.write(text.encode() + b"\x04")
        port.read_until(b"off\n")
        port.write(b"\x03!")
        assert port.read_until(b"\x04") == b"\x03!\n\x04"


def test_a_long_output_comes_whole(board: VirtualBoard) -> None:
    text = mpremote(board, "exec", "for n in range(20000): print('line', n)")
    assert text.splitlines() == [f"line {n}" for n in range(20000)]


def test_output_that_nobody_reads_is_gone(bench: VirtualBench) -> None:
    main = (
        b"import time\nfor n in range(40000):\n  print('old', n)\n"
        b"time.sleep_ms(1500)\nprint('end')\n"
    )
    made = bench.board("chatty", {"/main.py": main}, world=World(street=None, air=SteadyAir()))
    made.power_on()
    made.wait_console("end\r\n", timeout_s=30)
    assert mpremote(made, "eval", "6*7") == "42\n"
