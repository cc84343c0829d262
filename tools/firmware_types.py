"""Types of the firmware against MicroPython's stubs: `python -m tools.firmware_types`.

basedpyright reads `tools/firmware-pyright.json`; what it says is believed but for what comes from
the stubs, or from a language without `typing`, and is listed here with the reason.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "tools" / "firmware-pyright.json"

# (what the checker says, why it is wrong)
NOT_BELIEVED = (
    (r'"None"', "what a later step fills begins as None; there is no Optional to say so"),
    (r'type "ptr(8|16|32)"', "viper takes any buffer for a pointer"),
    (r'"Generator\[.*\]" is not awaitable', "MicroPython's coroutines are generators"),
    (r'"core" is not a known attribute of module "asyncio"', "missing in the stubs"),
    (r'"mcu_temperature" is unknown', "of the ESP32-S3; the stubs are of the ESP32"),
    (r'"I2CTarget" is not a known attribute', "of 1.26 and later; missing in the stubs"),
)


def believed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the diagnostics that stand. A second one of a line falls with the first."""

    def place(diagnostic: dict[str, Any]) -> tuple[str, int]:
        return diagnostic["file"], diagnostic["range"]["start"]["line"]

    wrong = {place(d) for d in found if any(re.search(p, d["message"]) for p, _ in NOT_BELIEVED)}
    return [d for d in found if place(d) not in wrong]


def diagnostics(config: Path) -> tuple[int, list[dict[str, Any]]]:
    """Return (files analysed, errors) of a basedpyright project. Raises RuntimeError."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("basedpyright")),
            "--outputjson",
            "-p",
            str(config),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(done.stdout + done.stderr) from None
    errors = [d for d in said["generalDiagnostics"] if d["severity"] == "error"]
    return said["summary"]["filesAnalyzed"], errors


def main() -> int:
    """Check; return the exit code."""
    if not (ROOT / ".venv" / "typings" / "machine.pyi").exists():
        print("no stubs in .venv/typings: make setup")
        return 1
    files, errors = diagnostics(CONFIG)
    standing = believed(errors)
    for d in standing:
        path = Path(d["file"]).relative_to(ROOT)
        print(f"{path}:{d['range']['start']['line'] + 1}: {d['message']}")
    if not files:
        print("no file was analysed")
        return 1
    return 1 if standing else 0


if __name__ == "__main__":
    sys.exit(main())
