"""Compile every module that runs on a board, as a board needs it.

`python -m tools.compile_firmware`

Nothing is written into the tree.
"""

import sys
import tempfile
from pathlib import Path

from lampione_hil.firmware import ESP32, CompileError, compile_module

ROOT = Path(__file__).parents[1]


def sources() -> list[Path]:
    """Return the modules of the firmware, of the instrument and of the protocol."""
    folders = (ROOT / "firmware", ROOT / "hil" / "instrument", ROOT / "protocol")
    found = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(p for p in found if "__pycache__" not in p.parts)


def compile_all(paths: list[Path]) -> list[str]:
    """Return what the compiler says against any of them."""
    wrong = []
    with tempfile.TemporaryDirectory() as cache:
        for path in paths:
            try:
                compile_module(path.read_text("utf-8"), path.name, ESP32, Path(cache))
            except CompileError as error:
                wrong.append(f"{path}: {error}")
    return wrong


def main() -> int:
    """Compile; return the exit code."""
    wrong = compile_all(sources())
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
