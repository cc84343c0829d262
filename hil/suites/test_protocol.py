"""The wire: the golden vectors of protocol/vectors, run by the board itself."""

import re
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.firmware import sources
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.stand import Rig

CHECKOUT = Path(__file__).parents[2]
VECTORS = CHECKOUT / "protocol" / "vectors"
CHECKER = CHECKOUT / "tests" / "protocol" / "both.py"
MAIN = b"""
import gc, os
import both
for name in sorted(os.listdir("/vectors")):
    gc.collect()
    with open("/vectors/" + name) as file:
        count, wrong = both.check_vectors(file.read())
    print("vectors", name, count, len(wrong), wrong[:2])
print("vectors over")
"""


@pytest.mark.needs("files", "serial", "power")
@pytest.mark.skipif(not CHECKER.is_file(), reason="the vectors are in the checkout only")
def test_vectors(board: Any, rig: Rig, clock: Clock, measure: Measure) -> None:
    """Every message, every seal and every framing reads and writes as protocol/vectors has it."""
    given = rig.firmware / "protocol" if rig.firmware else None
    protocol = given if given and given.is_dir() else sources()[1]
    files = {"/main.py": MAIN, "/both.py": CHECKER.read_bytes()}
    for path in (protocol / "lampione_protocol").glob("*.py"):
        files[f"/lib/lampione_protocol/{path.name}"] = path.read_bytes()
    for path in VECTORS.glob("*.txt"):
        files[f"/vectors/{path.name}"] = path.read_bytes()
    board.write_files(files)
    board.power_on()
    clock.wait(
        lambda: re.search(r"vectors over|Error", board.console()), "the end of the vectors", 120
    )
    said = re.findall(r"vectors (\S+\.txt) (\d+) (\d+) (.*)", board.console())
    assert {name for name, *_ in said} == {path.name for path in VECTORS.glob("*.txt")}, (
        board.console()[-1500:]
    )
    for name, count, wrong, examples in said:
        measure(f"{name}: vectors", int(count), low=1)
        if not measure(f"{name}: wrong", int(wrong), low=0, high=0):
            print(name, examples)
