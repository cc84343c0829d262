"""A MicroPython that answers questions about the light."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lampione_hil import interpreter

from tests.light import both

PROTOCOL = Path(__file__).parents[2] / "protocol"


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
def running() -> Iterator[Peer]:
    """Start one, end it."""
    with subprocess.Popen(
        [*interpreter.command(), both.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"MICROPYPATH": f"{PROTOCOL}:.frozen"},
    ) as process:
        yield Peer(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def alike(peer: Peer, what: str, given: object) -> Any:
    """Put a question to both and return the one answer; ConfigError: as a text."""
    question = json.dumps([what, given])
    here, there = both.answer(question), peer.ask(question)
    if here.startswith("ConfigError"):
        assert there == here
        return here
    assert json.loads(there) == json.loads(here)
    return json.loads(here)
