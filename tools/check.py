"""Everything that is checked without running the product: `python -m tools.check [STEP ...]`.

Two steps run at a time; what they say is printed in order. Exit code 1 when any has failed.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
WORKERS = 2


@dataclass(frozen=True)
class Step:
    """One check: its name, the program, and what it needs in the environment."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    step: Step
    code: int
    output: str
    seconds: float


def _tool(name: str, *arguments: str) -> list[str]:
    return [str(BIN / name), *arguments]


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


STEPS = (
    Step("ruff", _tool("ruff", "check", "--quiet", ".")),
    Step("format", _tool("ruff", "format", "--check", "--quiet", ".")),
    Step("mypy", _tool("mypy")),
    Step("basedpyright", _tool("basedpyright")),
    Step("walls", _tool("lint-imports", "--no-cache"), {"PYTHONPATH": "firmware:hil/instrument"}),
    Step("schema", _module("tools.schema_lock", "--check")),
    Step("docs", _module("tools.protocol_docs", "--check")),
    Step("config docs", _module("tools.config_docs", "--check")),
    Step("firmware", _module("tools.firmware_types")),
    Step("mpy-cross", _module("tools.compile_firmware")),
    Step("files", _module("tools.tracked_files")),
)


def run(step: Step) -> Outcome:
    """Run one step to its end."""
    began = time.monotonic()
    done = subprocess.run(
        step.command,
        cwd=ROOT,
        env={**os.environ, **step.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )
    return Outcome(step, done.returncode, done.stdout.rstrip(), time.monotonic() - began)


def main() -> int:
    """Run the steps; return the exit code."""
    parser = argparse.ArgumentParser(description="Lint, types, walls, schema, firmware.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(s.name for s in STEPS))
    asked: list[str] = parser.parse_args().steps
    unknown = set(asked) - {s.name for s in STEPS}
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    steps = [s for s in STEPS if not asked or s.name in asked]
    failed = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for outcome in pool.map(run, steps):
            said = "ok" if outcome.code == 0 else "FAILED"
            print(f"{outcome.step.name:<14}{said:<8}{outcome.seconds:5.1f} s", flush=True)
            if outcome.code != 0:
                failed.append(outcome.step.name)
                print(outcome.output, flush=True)
    if failed:
        print(f"check: failed: {', '.join(failed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
