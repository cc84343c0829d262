"""A MicroPython that answers questions."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lampione_hil import interpreter

PROTOCOL = Path(__file__).parents[1] / "protocol"


class Peer:
    """One line in, one line out."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, question: str) -> str:
        """Return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "MicroPython ended"
        return answer.rstrip("\n")


@contextmanager
def running(script: str) -> Iterator[Peer]:
    """Start one with a script that answers, end it."""
    with subprocess.Popen(
        [*interpreter.command(), script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"MICROPYPATH": f"{PROTOCOL}:.frozen"},
    ) as process:
        yield Peer(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
