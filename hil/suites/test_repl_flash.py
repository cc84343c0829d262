"""The serial line and the flash: who stands before a board gets a prompt, files stay as written,
new firmware goes in beside what runs."""

import hashlib
import re
from typing import Any

import pytest
from lampione_hil.flashing import flash
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP

SIZES = (0, 1, 255, 4095, 4096, 4097, 20_000)


@pytest.mark.smoke
@pytest.mark.clock("wall")
@pytest.mark.needs("serial", "files")
def test_prompt(node: Nodes, clock: Clock, measure: Measure) -> None:
    """Ctrl-C ends the node, its prompt answers, Ctrl-D starts it again."""
    made = node(parts={"lamp": LAMP})
    began_s = clock.now_s()
    made.type(b"\x03")
    clock.wait(lambda: "lampione: stopped" in made.console(), "its last words", 15)
    made.type(b"print(6 * 7)\r")
    clock.wait(lambda: re.search(r"\n42\r", made.console()), "an answer", 10)
    measure("stopped and answered within", clock.now_s() - began_s, high=15, unit="s")
    made.type(b"\x04")
    again = r"(?s)\n42\r.*lampione node "
    clock.wait(lambda: re.search(again, made.console()), "the node's start", 20)


@pytest.mark.needs("files", "power")
def test_files_stay_as_written(board: Any, measure: Measure) -> None:
    """Files of awkward lengths, read back byte by byte after the power was off."""
    files = {f"/hil/{size}": hashlib.shake_128(b"%d" % size).digest(size) for size in SIZES}
    board.write_files(files)
    board.power_on()
    board.power_off()
    there = board.list_files("/hil")
    for path, content in files.items():
        measure(f"{path}: length", there.get(path), low=len(content), high=len(content), unit="B")
        assert board.read_file(path) == content


@pytest.mark.clock("wall")
@pytest.mark.needs("serial", "files", "world")
@pytest.mark.timeout(300)
def test_flash(
    node: Nodes, clock: Clock, measure: Measure, firmware_tree: dict[str, bytes]
) -> None:
    """The firmware over the serial line: written beside what runs, started, then nothing to do;
    settings, key and outbox stay."""
    made = node(parts={"lamp": LAMP}, report_interval_s=1)
    clock.run_for(3)
    made.power_off()
    kept = {path: made.read_file(path) for path in ("/settings.json", "/node.key")}
    sealed = {path: made.read_file(path) for path in made.list_files("/outbox")}
    made.power_on()
    changed = {**firmware_tree, "/main.py": firmware_tree["/main.py"] + b"\n# as flashed\n"}
    first = flash(made.port, changed)
    assert first.hello is not None
    measure("files over the wire: those that changed", first.sent, low=1, high=3)
    second = flash(made.port, changed)
    measure("files over the wire: nothing changed", second.sent, low=0, high=0)
    made.power_off()
    assert {path: made.read_file(path) for path in kept} == kept
    for path, content in sealed.items():
        assert made.read_file(path).startswith(content)
