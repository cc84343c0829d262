"""A flash that cannot be read for a moment costs nothing; what stays unreadable is told."""

from pathlib import Path

import pytest

from tests.node.micro import run

SCRIPT = """
import errno, json, os, sys
import lampione_node.outbox as outbox

class Broken:
    def seek(self, *_):
        raise OSError(errno.EIO)

    def close(self):
        pass

failures, when = json.loads(sys.stdin.readline())
box = outbox.Outbox("box", 65536)
for seq in range(1, 41):
    box.frame[:40] = bytes([34, 1, 2, 3, 4, 0, 1, 0, 0, seq]) + bytes(30)
    assert box.commit(40)
holes = []
reader = outbox.Reader(box, lambda first, last: holes.append([first, last]))
got = []

def read(times):
    for _ in range(times):
        if reader.read(40):
            got.append(reader.seq - 1)

def failing(path, mode):
    global failures
    if not failures:
        return open(path, mode)
    failures -= 1
    if when == "open":
        raise OSError(errno.EIO)
    return Broken()

read(5)
reader.close()  # as when a segment is removed: the next read opens it again
outbox.open = failing
read(100)
print(json.dumps([got, holes]))
"""
ALL = list(range(1, 41))


@pytest.mark.parametrize("when", ["open", "read"])
@pytest.mark.parametrize("failures", [1, 4])
def test_a_moment_of_errors_costs_no_frame(tmp_path: Path, when: str, failures: int) -> None:
    assert run(SCRIPT, [failures, when], cwd=tmp_path) == [[ALL, []]]


@pytest.mark.parametrize("when", ["open", "read"])
def test_what_stays_unreadable_is_told_once_and_blocks_nothing(tmp_path: Path, when: str) -> None:
    assert run(SCRIPT, [1000, when], cwd=tmp_path) == [[ALL[:5], [[6, 40]]]]
