"""Faults put into the firmware: the suites catch each, and nothing else fails them."""

from pathlib import Path

import pytest

from tests import virtual_bench
from tools import mutant_table
from tools.mutants import MUTANTS, ROOT, Mutant, StaleMutantError, copy_sources, mutated

QUICK = [mutant for mutant in MUTANTS if mutant.quick]
OTHERS = [mutant for mutant in MUTANTS if not mutant.quick]
boards = virtual_bench.boards


def caught(mutant: Mutant, folder: Path) -> None:
    found = mutant_table.run(mutated(mutant, folder / "sources"), [mutant.test])
    assert found.failed, f"{mutant.test} passed: {found.said}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_fault_can_be_put_in(mutant: Mutant, tmp_path: Path) -> None:
    (tmp_path / mutant.file).parent.mkdir(parents=True)
    (tmp_path / mutant.file).write_bytes((ROOT / mutant.file).read_bytes())
    mutant.apply(tmp_path)
    compile((tmp_path / mutant.file).read_text(encoding="utf-8"), mutant.file, "exec")
    name = mutant.test.split("::")[1].split("[")[0]
    suite = mutant_table.SUITES / mutant_table.suite(mutant.test)
    assert f"def {name}(" in suite.read_text(encoding="utf-8")


def test_a_fault_whose_place_has_moved_says_so(tmp_path: Path) -> None:
    mutant = Mutant("typo", "a.py", "x = 1", "x = 2", "test_boot.py::test_identity")
    for text in ("x = 2", "x = 1\nx = 1"):
        (tmp_path / "a.py").write_text(text)
        with pytest.raises(StaleMutantError, match="typo"):
            mutant.apply(tmp_path)


def test_without_a_fault_nothing_fails(tmp_path: Path) -> None:
    found = mutant_table.run(copy_sources(tmp_path / "sources"), [mutant.test for mutant in QUICK])
    assert not found.failed, found.said
    assert not found.skipped, found.said


@pytest.mark.parametrize("mutant", QUICK, ids=lambda mutant: mutant.name)
def test_a_fault_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    caught(mutant, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("mutant", OTHERS, ids=lambda mutant: mutant.name)
def test_every_other_fault_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    caught(mutant, tmp_path)


def test_the_page_is_of_these_faults() -> None:
    page = mutant_table.PAGE.read_text(encoding="utf-8")
    assert page.startswith(mutant_table.HEAD)
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if "| `" in line]
    assert rows == [mutant.name for mutant in MUTANTS]
    assert "**missed**" not in page
