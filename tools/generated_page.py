"""A page of docs/ that is made from the code: written anew, or held against what it should say."""

import argparse
from collections.abc import Callable
from pathlib import Path


def keep(path: Path, text: str, *, write: bool) -> list[str]:
    """Check a page, or write it; return what is wrong."""
    if write:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        return [f"docs/{path.name} is stale: make docs"]
    return []


def command(what: str, run: Callable[[bool], list[str]]) -> int:
    """Read `--check` or `--write`, call `run(write)`, print what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(description=what)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--check", action="store_true", help="fail when the page is stale")
    chosen.add_argument("--write", action="store_true", help="write it anew")
    wrong = run(parser.parse_args().write)
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0
