"""The screen in a real terminal: keys alone, 80 columns, no colour, over a slow line."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import running_broker
from tests.controller.rig import Rig
from tests.controller.slow_link import SlowLink
from tests.terminal import TMUX, Terminal

pytestmark = pytest.mark.skipif(TMUX is None, reason="there is no tmux here")
PLAIN = {"NO_COLOR": "1", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:[34]8|3[0-7]|4[0-7]|9[0-7])[0-9;]*m")
DELAY_S = 0.15  # each way


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    (tmp_path / "nats").mkdir()
    with (
        running_broker("nats", tmp_path / "nats") as broker,
        Rig(tmp_path / "state", broker, ("a-1", "a-2")) as rig,
    ):
        for name in ("a-1", "a-2"):
            rig.node(name).report()
        yield rig


def test_plain_narrow_and_slow(rig: Rig, tmp_path: Path) -> None:
    far = tmp_path / "far"
    command = [sys.executable, "-m", "lampione", "--state", str(far)]
    with SlowLink(far, rig.folder, DELAY_S), Terminal(command, (80, 24), PLAIN) as terminal:
        screen = terminal.sees("● connected", "a-1", "a-2", "● online")
        assert all(len(line) <= 80 for line in screen.splitlines())
        # What is pressed is seen at once: it does not wait for the line.
        terminal.press("/")
        terminal.write("a-2")
        terminal.until("one node", lambda screen: "a-2" in screen and "a-1" not in screen)
        terminal.press("Escape")
        terminal.sees("a-1")
        terminal.write(":node a-2")
        terminal.press("Enter")
        terminal.sees("a-2", "report")
        terminal.press("Escape")
        terminal.sees("a-1", "Sort")
        terminal.write("?")
        terminal.sees("esc", "Page down")
        terminal.press("Escape")
        terminal.until("the keys have gone", lambda screen: "Page down" not in screen)
        # Without colour, and without a picture that moves.
        assert not COLOUR.search(terminal.output)
        rest = terminal.written
        terminal.until("a second", lambda _: terminal.written > rest)
        rig.stop()
        terminal.sees("○")
        rig.start()
        terminal.sees("● connected")
        terminal.write("q")
        terminal.sees("ended with 0")
