"""What all drivers have in common, whichever part they are for."""

import ast
from pathlib import Path

from tests.node import micro

DRIVERS = Path(__file__).parents[2] / "firmware" / "lampione_node" / "drivers"
LINES = {"i2c", "bus", "uart", "i2s"}

# Per driver [module, class]: whether it can be made on a line that must not be touched.
NODE = """
import json, sys
class Untouchable:
    def __getattr__(self, name):
        raise ValueError(name)
for line in sys.stdin:
    module, name = json.loads(line)
    made = getattr(__import__("lampione_node.drivers." + module, None, None, [name]), name)
    print(json.dumps(type(made(Untouchable())).__name__))
"""


def drivers() -> list[tuple[str, str]]:
    """Return (module, class) of whatever wants nothing but a line."""
    found = []
    for path in sorted(DRIVERS.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            for made in node.body if isinstance(node, ast.ClassDef) else ():
                if not isinstance(made, ast.FunctionDef) or made.name != "__init__":
                    continue
                names = [a.arg for a in made.args.args]
                if names[1] in LINES and len(names) == 2 + len(made.args.defaults):
                    assert isinstance(node, ast.ClassDef)
                    found.append((path.stem, node.name))
    return found


def test_a_driver_does_nothing_when_it_is_imported_or_made() -> None:
    asked = drivers()
    assert len(asked) >= 13
    assert micro.run(NODE, *asked) == [name for _, name in asked]
