"""`lampione` alone for the first time, in a real terminal: from nothing to a screen."""

import sys
from pathlib import Path

import pytest

from tests.brokers import running_broker
from tests.terminal import TMUX, Terminal


@pytest.mark.skipif(TMUX is None, reason="there is no tmux here")
def test_from_nothing_to_a_screen_and_back(tmp_path: Path) -> None:
    state = tmp_path / "s"
    command = [sys.executable, "-m", "lampione", "--state", str(state)]
    plain = {"NO_COLOR": "1", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with running_broker("nats", tmp_path) as broker:
        with Terminal(command, (80, 24), plain) as terminal:
            screen = terminal.sees("No controller runs on", "the demo", "my first board")
            assert "last known" not in screen
            terminal.write("b")
            terminal.sees("The broker's address")
            terminal.write(broker.url)
            terminal.press("Enter")
            terminal.sees("● connected")
            terminal.write("q")
            terminal.sees("the controller has ended", "ended with 0")
        with Terminal(command, (80, 24), plain) as terminal:
            terminal.sees("what was last known")
            terminal.write("o")
            terminal.sees("○ no controller: nothing is known yet", "READ-ONLY", wait_s=20)
            terminal.write("q")
            terminal.sees("ended with 0")
