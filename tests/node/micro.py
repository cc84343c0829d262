"""Run a script under MicroPython with the node's sources on its path; read what it says."""

import json
from pathlib import Path
from typing import Any

from lampione_hil import interpreter

ROOT = Path(__file__).parents[2]
PATH = (ROOT / "firmware", ROOT / "protocol")


def run(script: str, *cases: object, cwd: Path | None = None) -> list[Any]:
    """Run `script`, with `cases` as JSON lines on its standard input.

    Returns each line it printed, read as JSON.
    """
    stdin = "".join(json.dumps(case) + "\n" for case in cases).encode()
    printed = interpreter.run(["-c", script], path=PATH, stdin=stdin, cwd=cwd)
    return [json.loads(line) for line in printed.splitlines()]
