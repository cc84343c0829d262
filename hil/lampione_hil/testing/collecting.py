"""What marks and names say of a test."""

import re
from typing import Any

import pytest

from lampione_hil.testing.rig import RigFile, lacks

_TURN = re.compile(r"-?turn(\d+)\]$")


def base_name(nodeid: str) -> str:
    """Return a test's name without the number of its turn (--count)."""
    found = _TURN.search(nodeid)
    if found is None:
        return nodeid
    return (nodeid[: found.start()] + "]").removesuffix("[]")


def turn_of(nodeid: str) -> int:
    """Return the number of its turn, from 1."""
    found = _TURN.search(nodeid)
    return int(found[1]) if found else 1


def needed(item: pytest.Item) -> list[str]:
    """Return the capabilities that all its marks name, sorted."""
    marks = item.iter_markers("needs")
    return sorted({str(name) for mark in marks for name in mark.args})


def boards_of(item: pytest.Item) -> int:
    """Return how many boards a test needs."""
    return max((int(m.kwargs.get("boards", 1)) for m in item.iter_markers("needs")), default=1)


def about(item: pytest.Item, rig: RigFile) -> dict[str, Any]:
    """Return what a list of tests says of one."""
    clock = item.get_closest_marker("clock")
    text = str(getattr(getattr(item, "obj", None), "__doc__", "") or "")
    return {
        "test": base_name(item.nodeid),
        "about": text.strip().split("\n")[0],
        "needs": needed(item),
        "clock": str(clock.args[0]) if clock and clock.args else "virtual",
        "smoke": item.get_closest_marker("smoke") is not None,
        "flaky": flaky_reason(item, rig),
        "lacks": lacks(rig, needed(item)),
    }


def place_in(item: pytest.Item, error: pytest.ExceptionInfo[BaseException]) -> str:
    """Return the line of the test's file that an error came through; "" for none."""
    lines = [entry.lineno + 1 for entry in error.traceback if entry.path == item.path]
    return f"\n\nat {item.path.name}:{lines[-1]}" if lines else ""


def flaky_reason(item: pytest.Item, rig: RigFile) -> str:
    """Return why a test is known to be flaky, "" for one that is not."""
    mark = item.get_closest_marker("flaky_known")
    if mark is not None:
        if not mark.args:
            raise pytest.UsageError(f"{item.nodeid}: flaky_known needs a reason")
        return str(mark.args[0])
    return next((f.reason for f in rig.flaky if f.test in item.nodeid), "")
