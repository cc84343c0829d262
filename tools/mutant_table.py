"""Every fault of the firmware × the suites: `python -m tools.mutant_table [--whole] [--write]`.

Each of tools/mutants.py is put into a copy of the sources, and `lampione hil run`'s engine runs on
that copy: the test that must catch it; with --whole its whole suite, and the short (smoke) suite.
First all of these run on the sources as they are, where nothing may fail. --write puts the table
into docs/mutants.md; what else is given are parts of names of faults.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from lampione_hil.testing import engine

from tools.mutants import MUTANTS, ROOT, Mutant, copy_sources, mutated

PAGE = ROOT / "docs" / "mutants.md"
SUITES = ROOT / "hil" / "suites"
TOO_LONG = "test_memory.py::test_a_day"
TIMEOUT_S = 1800


@dataclass
class Outcome:
    """What became of a run: names of tests, as `file.py::test`."""

    failed: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    said: str = ""


def run(sources: Path, tests: Sequence[str], *, smoke: bool = False, workers: int = 1) -> Outcome:
    """Run tests of the suites (`file.py`, `file.py::test`) on a copy of the sources."""
    with tempfile.TemporaryDirectory(prefix="lampione-mutant-") as folder:
        order = engine.Order(
            suites=(SUITES,), firmware=sources.resolve(), smoke=smoke, workers=workers
        )
        report = Path(folder) / "junit.xml"
        command = engine.command(order, Path(folder))[:-1]
        command += [f"--junitxml={report}", f"--deselect={SUITES / TOO_LONG}"]
        command += [str(SUITES / test) for test in tests]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=engine.environment(),
            timeout=TIMEOUT_S,
            check=False,
        )
        outcome = Outcome(said=done.stdout[-4000:] + done.stderr[-2000:])
        if done.returncode not in (0, 1):
            raise RuntimeError(f"pytest ended with {done.returncode}: {outcome.said}")
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own
            name = f"{case.get('classname', '').rsplit('.', 1)[-1]}.py::{case.get('name')}"
            kinds = {child.tag for child in case}
            where = outcome.passed
            if kinds & {"failure", "error"}:
                where = outcome.failed
            elif "skipped" in kinds:
                where = outcome.skipped
            where.append(name)
    return outcome


def suite(test: str) -> str:
    """Return the file of a test."""
    return test.partition("::")[0]


@dataclass(frozen=True)
class Row:
    """A mutant, and what came of it."""

    mutant: Mutant
    outcome: Outcome

    @property
    def caught(self) -> bool:
        """Whether the test that must fail on it did."""
        return any(name.startswith(self.mutant.test) for name in self.outcome.failed)


def rows(mutants: Iterable[Mutant], whole: bool) -> Iterable[Row]:
    """Run each mutant; yield what came of it."""
    for mutant in mutants:
        with tempfile.TemporaryDirectory(prefix="lampione-mutant-") as folder:
            sources = mutated(mutant, Path(folder) / "sources")
            outcome = run(sources, [suite(mutant.test) if whole else mutant.test])
            if whole:
                short = run(sources, ["."], smoke=True)
                known = {*outcome.failed, *outcome.passed}
                outcome.failed += [name for name in short.failed if name not in known]
                outcome.passed += [name for name in short.passed if name not in known]
        row = Row(mutant, outcome)
        said = "caught" if row.caught else "MISSED"
        print(f"{mutant.name}: {said}", file=sys.stderr, flush=True)
        yield row


def lines(found: Sequence[Row]) -> list[str]:
    """Return the table in Markdown."""
    made = ["| fault | where | must fail | failed of run | also failed |", "|---|---|---|---:|---|"]
    for row in found:
        mutant, outcome = row.mutant, row.outcome
        count = len(outcome.failed) + len(outcome.passed)
        others = sorted({_short(n) for n in outcome.failed if not n.startswith(mutant.test)})
        cells = (
            mutant.name,
            f"`{mutant.file.split('/', 1)[1]}`",
            f"`{_short(mutant.test)}`" + ("" if row.caught else ", **missed**"),
            f"{len(outcome.failed)} of {count}",
            ", ".join(f"`{name}`" for name in others[:4])
            + (f" and {len(others) - 4} more" if len(others) > 4 else ""),
        )
        made.append("| " + " | ".join(cells) + " |")
    return made


def _short(name: str) -> str:
    return name.replace("test_", "", 1).replace(".py::test_", ": ")


HEAD = """\
# Which suite catches which fault

Made by `make mutants`: each fault of tools/mutants.py is put into a copy of the firmware's sources,
and the suites run on that copy on virtual boards: the test that must catch it, and as many others
as the table says. On the sources as they are none of these tests fails. `make test` tries those
faults that are the likeliest to be made, `make soak` all, each with the test that must fail.
"""


def main() -> int:
    """Print or write the table; 1 when a fault was missed."""
    parser = argparse.ArgumentParser(description="Put every fault into the firmware.")
    parser.add_argument("--write", action="store_true", help="into docs/mutants.md")
    parser.add_argument("--whole", action="store_true", help="whole suites, and the short one")
    parser.add_argument("names", nargs="*", help="parts of names of faults (default: all)")
    arguments = parser.parse_args()
    mutants = [
        mutant
        for mutant in MUTANTS
        if not arguments.names or any(name in mutant.name for name in arguments.names)
    ]
    print("the sources as they are ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="lampione-mutant-") as folder:
        sources = copy_sources(Path(folder) / "sources")
        plain = run(
            sources, sorted({suite(m.test) if arguments.whole else m.test for m in mutants})
        )
    if plain.failed:
        print(f"failed without a fault: {plain.failed}\n{plain.said}", file=sys.stderr)
        return 1
    found = list(rows(mutants, arguments.whole))
    text = "\n".join(lines(found))
    if arguments.write:
        PAGE.write_text(f"{HEAD}\n{text}\n", encoding="utf-8")
    else:
        print(text)
    missed = [row for row in found if not row.caught]
    for row in missed:
        print(f"missed: {row.mutant.name}\n{row.outcome.said}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
