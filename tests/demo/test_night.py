"""A night on the screen, by keys alone, in a real terminal: what fails is found, mended, written.

A feeder fails, a lamp fails, frames are forged, a config goes wrong and reverts, a street gets
another level. Real sealed frames from nodes that are fakes, but for one that runs the firmware.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lampione.core.client import Client
from lampione.values import wire_seconds
from lampione_hil import firmware, interpreter
from lampione_protocol import schema
from lampione_protocol.names import FAULTS

from tests.brokers import wait_until
from tests.controller.fake_node import FakeNode, seal_up, text
from tests.controller.posts import Posts
from tests.controller.test_cli import lampione
from tests.controller.test_config_push import FLEET
from tests.terminal import TMUX, Terminal

pytestmark = [
    pytest.mark.skipif(TMUX is None, reason="there is no tmux here"),
    pytest.mark.soak,
    pytest.mark.timeout(600),
]
FAR = [f"far-{n:02}" for n in range(40)]  # on one feeder
SQUARE = [f"square-{n}" for n in range(1, 5)]
REAL = "real-1"
SITES = """
[[sites]]
id = "far"
name = "Via Lontana"
latitude = 45.44
longitude = 9.21

[[sites]]
id = "square"
name = "Piazza"
latitude = 45.46
longitude = 9.19
"""


def fleet(profile: str = "post") -> str:
    """Return the fleet's file; the real node has this profile."""
    told = FLEET.replace("[profiles.lost]\n", '[profiles.lost]\nradio = "nowhere"\n') + SITES
    told += f'\n[[nodes]]\nid = "{REAL}"\nsite = "here"\nprofile = "{profile}"\n'
    for name in FAR:
        told += f'\n[[nodes]]\nid = "{name}"\nsite = "far"\nprofile = "post"\nfeeder = "f7"\n'
    for name in SQUARE:
        told += f'\n[[nodes]]\nid = "{name}"\nsite = "square"\nprofile = "post"\n'
    return told


class Night(Posts):
    """One board with the firmware, and 44 fakes."""

    def __init__(self, state: Path, ends: ExitStack) -> None:
        super().__init__(state, ends, fleet(), [REAL, *FAR, *SQUARE])
        self.board(REAL).power_on()
        self.told()
        self.nodes = {name: FakeNode(name, self.keys[name]) for name in [*FAR, *SQUARE]}
        for node in self.nodes.values():
            ends.callback(node.disconnect)
            node.boot()
            node.connect("127.0.0.1", self.port)
            self.report(node.name)
        with Client.open(state) as client:
            wait_until(
                "all report", lambda: all(row["report_at"] for row in client.call("nodes")), 60
            )

    def report(self, name: str) -> None:
        """Have a fake report as of now."""
        start = wire_seconds(time.time()) - 60
        self.nodes[name].report(start=start, lamp_level=80, lamp_reason=1)

    def lamp_fails(self, name: str) -> None:
        """Have a fake report that its lamp does not do what it is told."""
        start = wire_seconds(time.time()) - 60
        fault = 1 << FAULTS.index("lamp")
        self.nodes[name].report(start=start, lamp_level=80, lamp_reason=1, faults=fault)

    def forge(self, name: str) -> None:
        """Publish a frame in a node's name, sealed by somebody who has no key of it."""
        node = self.nodes[name]
        body = text(schema.REPORT, start=1, duration_s=60, clock=3)
        frame = seal_up(os.urandom(32), name, node.epoch, 1, schema.REPORT, 9, body)
        node.publish(frame)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    try:
        interpreter.command()
        firmware.host_march()
    except (interpreter.NoInterpreterError, firmware.CompileError) as error:
        pytest.skip(str(error))
    state = tmp_path / "s"
    state.mkdir(mode=0o700)
    with ExitStack() as ends:
        yield Night(state, ends)


def test_a_night(night: Night) -> None:
    made = lampione("operators", "add", "anna", "--role", "configure", "--state", str(night.state))
    assert made.returncode == 0, made.stderr
    command = [sys.executable, "-m", "lampione", "--state", str(night.state)]
    environment = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LAMPIONE_OPERATOR": "anna"}
    with Terminal(command, (110, 30), environment) as terminal:
        terminal.sees("● connected", "45 nodes", "anna (configure)")
        for name in FAR:  # a node may be away for two minutes, so this shows last
            night.nodes[name].disconnect()
        terminal.write("3")
        a_lamp_fails(night, terminal)
        a_node_is_forged(night, terminal)
        a_config_goes_wrong(night, terminal)
        a_street_gets_another_level(terminal)
        a_feeder_has_failed(terminal)
        it_is_all_written(terminal)
    written = lampione("audit", "--json", "--limit", "1000", "--state", str(night.state))
    entries = [json.loads(line) for line in written.stdout.splitlines()]
    done = {(entry["operator"], entry["action"], entry["node"]) for entry in entries}
    assert {
        ("anna", "lock", "square-1"),
        ("anna", "send", "square-3"),
        ("lampione", "command ended", "square-3"),
        ("lampione", "config ended", REAL),
    } <= done
    verified = lampione("audit", "--verify", "--state", str(night.state))
    assert verified.returncode == 0, verified.stdout


def a_feeder_has_failed(terminal: Terminal) -> None:
    """Forty nodes are silent: one alarm."""
    terminal.write("3")
    screen = terminal.sees("feeder f7 (40 nodes)", wait_s=240)
    assert not any("▲" in line and "far-" in line for line in screen.splitlines())
    terminal.write("/feeder")
    terminal.press("Enter")
    terminal.sees("feeder f7 is silent", "1 ")
    terminal.write("a")
    terminal.sees("acked")


def a_lamp_fails(night: Night, terminal: Terminal) -> None:
    """It is noted, and the lamp locked off before somebody works on it."""
    night.lamp_fails("square-1")
    terminal.sees("square-1", "lamp")
    terminal.write("g")
    terminal.sees("#", "square-1:")
    terminal.write("n")
    terminal.sees("╭")
    terminal.write("driver ordered")
    terminal.press("Enter")
    terminal.sees("driver ordered")
    terminal.write("L")
    terminal.sees("why")
    terminal.write("new driver")
    terminal.press("Enter")
    terminal.sees("type square-1")
    terminal.write("square-1")
    terminal.press("Enter")
    terminal.sees("1 locked")


def a_node_is_forged(night: Night, terminal: Terminal) -> None:
    """Somebody without its key speaks in its name."""
    night.forge("square-2")
    terminal.sees("square-2")


def a_config_goes_wrong(night: Night, terminal: Terminal) -> None:
    """The node cannot reach us with it, goes back to the one before, and it is said."""
    (night.state / "fleet.toml").write_text(fleet("lost"))
    terminal.write("1")
    terminal.sees("node▲")
    terminal.write("/real-1")
    terminal.press("Enter")
    terminal.sees("1 of 45 nodes")
    terminal.write("6")
    terminal.sees("New")
    terminal.write("n")
    terminal.sees("new rollout of configs", "1 of 1 change")
    terminal.write("t")
    terminal.sees("trial")
    terminal.press("C-u")
    terminal.write("10s")
    terminal.press("Enter")
    terminal.sees("trial 10s")
    terminal.write("b")
    terminal.sees("begin this rollout?")
    terminal.write("y")
    terminal.sees("stopped", wait_s=180)
    terminal.write("3")
    terminal.sees("config")


def a_street_gets_another_level(terminal: Terminal) -> None:
    """Four lamps at 30 % for half an hour, but for the one that is locked."""
    terminal.write("1")
    terminal.sees("node▲")
    terminal.press("Escape")
    terminal.sees("45 nodes")
    terminal.write("/square")
    terminal.press("Enter")
    terminal.sees("4 of 45 nodes")
    terminal.write("ao")
    terminal.sees("4 lamps of Piazza", "resume")
    terminal.write("l")
    terminal.sees("level, %")
    terminal.write("30")
    terminal.press("Enter")
    terminal.sees("for how long")
    terminal.press("Enter")
    terminal.sees("4 lamps of Piazza to 30 % for 30m", "1 locked")
    terminal.write("y")
    terminal.sees("3 done", "1 refused")


def it_is_all_written(terminal: Terminal) -> None:
    """Who did what to which lamp, and what came of it."""
    terminal.write("8")
    terminal.sees("anna", "square-3", "lock")
    terminal.write("v")
    terminal.sees("all as they were written")
    terminal.write("q")
    terminal.sees("ended with 0")
