"""Run a script under MicroPython with the node's sources on its path; read what it says."""

import json
from collections.abc import Iterable
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


def sources(modules: Iterable[str]) -> dict[str, bytes]:
    """Return the node's modules as they are written, where a board has them; "drivers/": a package.

    By path below lampione_node, without an ending.
    """
    files = {}
    for module in modules:
        path = f"lampione_node/{module}{'__init__' if module[-1:] in ('', '/') else ''}.py"
        files[f"/lib/{path}"] = (ROOT / "firmware" / path).read_bytes()
    return files
