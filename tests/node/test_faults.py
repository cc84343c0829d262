"""Every part, every fault: the value turns invalid in time, the others go on, it comes back."""

import pytest
from lampione_hil.interpreter import NoInterpreterError

from tools import fault_table
from tools.fault_table import KINDS, LAMPPOSTS, Lamppost

# The others, and what takes minutes to show (stuck), stand in the long form.
QUICK = ("unplugged", "implausible")


def check(post: Lamppost, faults: tuple[str, ...]) -> None:
    try:
        rows = list(fault_table.run(post, faults))
    except NoInterpreterError as error:
        pytest.skip(str(error))
    assert {row.part for row in rows} == {part.name for part in post.parts}
    assert all("unplugged" in [r.fault for r in rows if r.part == p.name] for p in post.parts)
    assert [row for row in rows if not row.good] == []


@pytest.mark.parametrize("post", LAMPPOSTS, ids=lambda post: post.name)
def test_quick_faults(post: Lamppost) -> None:
    check(post, QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("post", LAMPPOSTS, ids=lambda post: post.name)
def test_every_fault(post: Lamppost) -> None:
    check(post, KINDS)


def test_the_page_is_of_these_parts() -> None:
    page = fault_table.PAGE.read_text(encoding="utf-8")
    for post in LAMPPOSTS:
        for part in post.parts:
            assert f"| {part.name} | unplugged |" in page
    assert page.startswith(fault_table.HEAD)
