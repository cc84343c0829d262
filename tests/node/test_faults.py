"""Every part, every fault: the value turns invalid in time, the others go on, it comes back."""

import pytest
from lampione_hil.interpreter import NoInterpreterError

from tools import fault_table
from tools.fault_table import BUS, KINDS, LAMPPOSTS, Lamppost

# The others, and what takes minutes to show (stuck), stand in the long form.
QUICK = ("unplugged", "clipped", BUS)


def check(post: Lamppost, faults: tuple[str, ...]) -> None:
    try:
        rows = list(fault_table.run(post, faults))
    except NoInterpreterError as error:
        pytest.skip(str(error))
    assert {row.part for row in rows} == {part.name for part in post.parts}
    for part in post.parts:
        assert {"unplugged", *([BUS] if part.i2c else [])} <= {
            row.fault for row in rows if row.part == part.name
        }
    assert [row for row in rows if not row.good] == []


@pytest.mark.parametrize("post", LAMPPOSTS, ids=lambda post: post.name)
def test_quick_faults(post: Lamppost) -> None:
    check(post, QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("post", LAMPPOSTS, ids=lambda post: post.name)
def test_every_fault(post: Lamppost) -> None:
    check(post, (*KINDS, BUS))


def test_the_page_is_of_these_parts() -> None:
    page = fault_table.PAGE.read_text(encoding="utf-8")
    for post in LAMPPOSTS:
        for part in post.parts:
            for fault in ("unplugged", *([BUS] if part.i2c else [])):
                assert f"| {part.name} | {fault} |" in page
    assert page.startswith(fault_table.HEAD)
