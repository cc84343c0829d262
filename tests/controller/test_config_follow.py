"""What `lampione config push` says of a rollout whose place another one takes."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from lampione.cli.config_follow import follow
from lampione.cli.errors import FAILED, OK
from lampione.cli.output import Printer
from lampione.core.client import Client


def state(node: str, wanted: int, phase: str) -> dict[str, Any]:
    final = phase == "confirmed"
    return {
        "node": node, "wanted": wanted, "phase": phase, "final": final,
        "reason": None, "sent": 0, "size": 10,
    }  # fmt: skip


class Told:
    """A core that tells these states."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = states

    def stream(self, op: str, **parameters: object) -> Iterator[dict[str, Any]]:
        assert (op, parameters) == ("follow", {"nodes": ["a"]})
        yield from self.states

    def close(self) -> None:
        raise AssertionError("time was not up")


@pytest.mark.parametrize(("then", "code"), [(2, OK), (3, FAILED)])
def test_another_push_is_not_taken_for_ones_own(
    then: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    client = cast(Client, Told(state("a", 2, "trial"), state("a", then, "confirmed")))
    begun = iter([{"node": "a", "error": None, "state": state("a", 2, "queued")}])
    assert follow(Printer(as_json=False), client, ["a"], 60, begun) == code
    said = capsys.readouterr().out
    assert ("superseded: version 3 took its place" in said) == (then == 3)
