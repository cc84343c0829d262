"""Questions about the light, put to both Pythons."""

import json
from typing import Any

from tests.light import both
from tests.peer import Peer


def alike(peer: Peer, what: str, given: object) -> Any:
    """Put a question to both and return the one answer; ConfigError: as a text."""
    question = json.dumps([what, given])
    here, there = both.answer(question), peer.ask(question)
    if here.startswith("ConfigError"):
        assert there == here
        return here
    assert json.loads(there) == json.loads(here)
    return json.loads(here)
