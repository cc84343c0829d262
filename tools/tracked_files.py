"""What no tracked file may hold: `python -m tools.tracked_files`.

Paths of one person's machine, hosts of package registries (a lock file writes them), compiled
or binary files, and names that differ in case alone.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Put together here, so that this file does not hold what it looks for.
FORBIDDEN = (
    # /home/x is nobody's
    (
        re.compile(r"(?<![\w.])/(?:home/(?!x\b)|root/|work/|Users/)[\w.]"),
        "absolute path of a machine",
    ),
    (
        re.compile(
            r"(?:files\.python" + r"hosted|pypi\.(?:org|python)|registry\.npm|proxy\.gol" + r"ang)"
        ),
        "host of a package registry",
    ),
    (re.compile(r"https?://[^/\s]*(?:simple|artifactory|nexus)[/.:]"), "host of a registry"),
)
BINARY_ENDS = (".mpy", ".pyc", ".so", ".o", ".a", ".bin", ".elf", ".whl", ".gz", ".zip", ".db")
LARGEST_BYTES = 1_000_000


def problems_of(name: str, data: bytes) -> list[str]:
    """Return what is wrong with one file."""
    wrong = []
    if name.endswith(BINARY_ENDS):
        wrong.append(f"{name}: compiled or packed files are made, not kept")
    elif b"\0" in data:
        wrong.append(f"{name}: binary")
    if len(data) > LARGEST_BYTES:
        wrong.append(f"{name}: {len(data)} bytes")
    text = data.decode("utf-8", "replace")
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in FORBIDDEN:
            match = pattern.search(line)
            if match:
                wrong.append(f"{name}:{number}: {what}: {match.group()}")
    return wrong


def check(root: Path) -> list[str]:
    """Return what is wrong with the tracked files of a repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    names = [name for name in listed.split("\0") if name]
    wrong = []
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            wrong.append(f"{name}: differs from {other} in case alone")
        path = root / name
        if path.is_symlink() and path.readlink().is_absolute():
            wrong.append(f"{name}: link to {path.readlink()}")
        elif path.is_file():
            wrong += problems_of(name, path.read_bytes())
    return wrong


def main() -> int:
    """Check; return the exit code."""
    if not (ROOT / ".git").exists():
        print("not a git checkout: nothing to look at")
        return 0
    wrong = check(ROOT)
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
