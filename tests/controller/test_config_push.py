"""`lampione config` against real firmware on virtual boards: each outcome that there is."""

import getpass
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lampione.config import flash
from lampione.core.client import Client
from lampione.demo import processes
from lampione_hil import firmware, interpreter

from tests.brokers import wait_until
from tests.controller.posts import Posts
from tests.controller.test_cli import lampione

FLEET = """
[fleet]
name = "push"
shard = "test"
report_interval_s = 5
health_interval_s = 60

[programs.street]
[programs.street.plans]
default = [{ at = "sunset", percent = 100 }, { at = "23:00", percent = 60, ramp_s = 60 }]

[profiles.post]
hardware = "esp32-s3"
sensors = []
program = "street"
[profiles.post.parts]
lamp = { pin = 10 }

[profiles.lampless]
hardware = "esp32-s3"
sensors = []
program = "street"
[profiles.lampless.parts]

[profiles.lost]
hardware = "esp32-s3"
sensors = []
[profiles.lost.parts]
lamp = { pin = 10 }

[radios.nowhere]
wifi = { ssid = "lampione" }
broker = { host = "127.0.0.1", port = 1 }

[[sites]]
id = "here"
name = "Here"
latitude = 45.45
longitude = 9.19
"""
NODES = {"good-1": "post", "good-2": "post", "late-1": "post", "no-lamp": "post", "lost-1": "post"}


def fleet(**instead: str) -> str:
    """Return the fleet's file, these nodes with another profile."""
    text = FLEET
    for node, profile in (NODES | instead).items():
        text += f'\n[[nodes]]\nid = "{node}"\nsite = "here"\nprofile = "{profile}"\n'
    return text


class Street(Posts):
    """Five boards, each with its first config on flash."""

    def __init__(self, state: Path, ends: ExitStack) -> None:
        super().__init__(state, ends, fleet(), NODES)
        for node in NODES:
            self.board(node)
        self.told()
        for node in NODES:
            if node != "late-1":
                self.bench.boards[node].power_on()
        self.wait_running(*(node for node in NODES if node != "late-1"))

    def wait_running(self, *nodes: str, version: int = flash.FIRST_VERSION) -> None:
        """Wait until these nodes have said that they run a version for good."""
        with Client.open(self.state) as client:

            def running() -> bool:
                states = client.call("configs", nodes=list(nodes))
                return all((s["running"], s["state"]) == (version, "confirmed") for s in states)

            wait_until(f"{nodes} run version {version}", running, 60)

    def all_online(self) -> None:
        """Switch on what is off, and wait for it."""
        for node in NODES:
            self.bench.boards[node].power_on()
        with Client.open(self.state) as client:
            wait_until(
                "all are online",
                lambda: sum(node["online"] for node in client.call("nodes")) == len(NODES),
            )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `lampione config ...`."""
        return lampione("config", *arguments, "--state", str(self.state))

    def kill_controller(self) -> None:
        """Cut the controller's power, and start it anew."""
        os.kill(self.core.pid, signal.SIGKILL)
        self.core.close()
        self.core = processes.Core(self.state, self.port)
        self.core.wait()

    def write(self, text: str) -> None:
        """Change the fleet's file."""
        (self.state / "fleet.toml").write_text(text)

    def outcomes(self, text: str) -> dict[str, Any]:
        """Return the last lines of a push with --json, by node."""
        rows = [json.loads(line) for line in text.splitlines()]
        return {row["node"]: row["outcome"] for row in rows if "outcome" in row}


def rollout_in(text: str) -> int:
    """Return the number of the rollout that a push says it began."""
    found = re.search(r"rollout (\d+)", text)
    assert found, text
    return int(found[1])


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    try:
        interpreter.command()
        firmware.host_march()
    except (interpreter.NoInterpreterError, firmware.CompileError) as error:
        pytest.skip(str(error))
    state = tmp_path_factory.mktemp("push") / "s"
    state.mkdir(mode=0o700)
    with ExitStack() as ends:
        yield Street(state, ends)


def test_pushed_retried_and_taken_back(street: Street) -> None:
    same = street.run("diff", "--all")
    assert same.stdout.count("as the fleet's file wants it") == 4
    assert "late-1" in same.stdout
    # A new program for all, which no-lamp gets without its lamp and lost-1 with a dead broker.
    new = fleet(**{"no-lamp": "lampless", "lost-1": "lost"}).replace("percent = 60", "percent = 40")
    new = new.replace("[profiles.lost]\n", '[profiles.lost]\nradio = "nowhere"\n')
    street.write(new)
    told = street.run("diff", "good-1").stdout
    assert "plans[0].steps[1]" in told
    assert "23:00 60 % in 60 s → 23:00 40 % in 60 s" in told
    assert "without a restart" in told
    told = street.run("diff", "lost-1").stdout
    assert re.search(r"radio\.broker\.port +\+ 1  \(with a restart\)", told)
    plan = street.run("push", "--all", "--dry-run")
    assert plan.returncode == 0
    assert "nothing was sent" in plan.stdout
    away = street.run("push", "late-1", "--wait", "1s")
    assert away.returncode == 1
    assert "late-1: queued: the node is offline" in away.stdout
    assert "the controller goes on" in away.stdout
    others = [node for node in NODES if node != "late-1"]
    pushed = street.run("push", *others, "--json", "--trial", "10s", "--wait", "60s")
    assert pushed.returncode == 1, pushed.stderr
    assert street.outcomes(pushed.stdout) == {
        "good-1": "confirmed",
        "good-2": "confirmed",
        "no-lamp": "refused",
        "lost-1": "reverted",
    }
    street.wait_running("lost-1", version=1)
    # The one that was away gets it when it comes.
    street.bench.boards["late-1"].power_on()
    street.wait_running("late-1", "good-1", "good-2", version=2)
    status = street.run("status")
    assert "config damaged" in status.stdout
    assert "the node went back to its config before" in status.stdout
    # A second time is for failures alone.
    street.write(fleet().replace("percent = 60", "percent = 40"))
    pushed = street.run("push", "--retry", "--json", "--wait", "60s")
    assert pushed.returncode == 0, pushed.stdout
    assert street.outcomes(pushed.stdout) == {"no-lamp": "confirmed", "lost-1": "confirmed"}
    again = street.run("push", "--retry")
    assert (again.returncode, "no push to them has failed" in again.stdout) == (0, True)
    # And back.
    reverted = street.run("revert", "good-2", "--wait", "60s")
    assert reverted.returncode == 0, reverted.stdout
    assert "23:00 60 %" in street.run("show", "good-2").stdout
    assert "23:00 40 %" in street.run("show", "good-2", "--wanted").stdout


def test_ctrl_c_leaves_a_rollout_that_goes_on(street: Street) -> None:
    street.write(fleet().replace("percent = 60", "percent = 50"))
    street.bench.boards["good-2"].power_off()
    command = [sys.executable, "-m", "lampione", "--state", str(street.state), "config", "push"]
    with subprocess.Popen(
        [*command, "good-2"], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as pushing:
        assert pushing.stdout is not None
        first = pushing.stdout.readline()
        pushing.send_signal(signal.SIGINT)
        rest = pushing.stdout.read()
    assert pushing.returncode == 130
    assert first.startswith("good-2: ")
    assert "1 under way, and the controller goes on" in rest
    street.bench.boards["good-2"].power_on()
    with Client.open(street.state) as client:
        wait_until(
            "it is confirmed",
            lambda: client.call("configs", nodes=["good-2"])[0]["phase"] == "confirmed",
            60,
        )
    assert "as the fleet's file wants it" in street.run("diff", "good-2").stdout


def test_a_rollout_outlives_the_controller(street: Street) -> None:
    steps = ", ".join(f'{{ at = "sunset+{n}m", percent = {n + 1} }}' for n in range(31))
    plans = "".join(f"plan-{n} = [{steps}]\n" for n in range(9))
    street.write(fleet().replace("[programs.street.plans]\n", "[programs.street.plans]\n" + plans))
    street.bench.boards["good-1"].power_off()
    pushed = street.run("push", "good-1", "--wait", "1s", "--json")
    (outcome,) = street.outcomes(pushed.stdout).values()
    assert outcome in ("queued", "offered")
    street.kill_controller()
    street.bench.boards["good-1"].power_on()
    with Client.open(street.state) as client:
        sent = set()
        for state in client.stream("follow", nodes=["good-1"]):
            sent.add(state["sent"])
    assert state["phase"] == "confirmed"
    assert len(sent) > 2  # a window, the rest
    assert "as the fleet's file wants it" in street.run("diff", "good-1").stdout
    street.write(fleet())


def test_a_failing_canary_stops_a_rollout_in_stages(street: Street) -> None:
    street.all_online()
    street.write(fleet(**{"no-lamp": "lampless"}).replace("percent = 60", "percent = 30"))
    before = street.run("show", "good-1").stdout.splitlines()[1:]
    stages = ("--canary", "good-1,no-lamp", "--waves", "100%", "--stop-at", "10%")
    pushed = street.run("push", *NODES, *stages, "--trial", "20s")
    assert pushed.returncode == 1, pushed.stderr
    assert "waves of 2 + 3, stops above 10 % failed in a wave" in pushed.stdout
    number = rollout_in(pushed.stdout)
    assert "stopped, wave 1 of 2: 1 of 2 nodes of wave 1 failed" in pushed.stdout
    assert re.search(r"no-lamp: failed: refused: config damaged", pushed.stdout)
    # The other canary may have its outcome a moment later; nobody else was touched.
    with Client.open(street.state) as client:
        wait_until(
            "the other canary has its outcome",
            lambda: client.call("rollout", rollout=number)["waves"][0] == {"done": 1, "failed": 1},
            60,
        )
        told = [(deed["action"], deed["operator"]) for deed in client.call("audit", limit=50)]
    assert ("rollout stopped", "lampione") in told
    assert ("rollout", getpass.getuser()) in told
    street.kill_controller()
    listed = street.run("rollouts")
    assert "1 of 5, 1 failed" in listed.stdout
    refused = street.run("push", "good-2", "--canary", "1")
    assert (refused.returncode, f"good-2 is in rollout {number}" in refused.stderr) == (1, True)
    reverted = street.run("rollouts", str(number), "revert", "--follow", "--json", "--wait", "60s")
    assert reverted.returncode == 0, reverted.stdout
    last = json.loads(reverted.stdout.splitlines()[-1])
    assert (last["state"], last["waves"]) == (
        "reverted",
        [{"failed": 1, "reverted": 1}, {"left": 3}],
    )
    assert street.run("show", "good-1").stdout.splitlines()[1:] == before


def test_a_rollout_in_stages_goes_on_without_a_terminal(street: Street) -> None:
    street.all_online()
    street.write(fleet().replace("percent = 60", "percent = 20"))
    with Client.open(street.state) as client:
        client.call("lock", node="late-1", reason="the door is open", confirm="late-1")
    pushed = street.run("push", "--all", "--canary", "1", "--soak", "2s", "--wait", "1s")
    assert pushed.returncode == 1, pushed.stdout
    assert "the controller goes on with what is under way" in pushed.stdout
    number = rollout_in(pushed.stdout)
    street.kill_controller()
    with Client.open(street.state) as client:

        def shape() -> Any:
            return client.call("rollout", rollout=number)

        wait_until("it is done", lambda: shape()["state"] == "done", 60)
        assert shape()["waves"] == [{"done": 1}, {"done": 3, "skipped": 1}]
        told = street.run("rollouts", str(number)).stdout
        assert re.search(r"late-1 +2 +skipped .* late-1 is locked by .*: the door is open", told)
        client.call("unlock", node="late-1", reason="done")
    again = street.run("rollouts", str(number), "retry", "--follow", "--wait", "60s")
    assert again.returncode == 0, again.stdout
    assert again.stdout.endswith("5 of 5\n")
    over = street.run("rollouts", str(number), "resume")
    assert (over.returncode, "it cannot be resumed: it is done" in over.stderr) == (1, True)
    again = street.run("push", "good-1", "good-2", "--canary", "good-2", "--json")
    assert again.returncode == 0, again.stdout
    assert json.loads(again.stdout.splitlines()[-1])["waves"] == [{"same": 1}, {"same": 1}]
    street.write(fleet())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["diff"], 2, "say which nodes: their names, --site, --profile or --all"),
        (["diff", "nobody"], 4, "the fleet's file has no node 'nobody'"),
        (["push", "--site", "x"], 2, "no site 'x'"),
        (["push", "--profile", "x"], 2, "no profile 'x'"),
        (["push", "good-1", "--trial", "5s"], 2, "--trial: from 10s to 4094s are possible"),
        (["status", "nobody"], 4, "there is no node 'nobody' with a key"),
        (["revert", "late-1", "nobody"], 4, "there is no node 'nobody' with a key"),
        (["rollouts", "99"], 1, "there is no rollout 99"),
        (["push", "good-1", "--canary", "good-2"], 1, "a canary is not among the nodes"),
    ],
)
def test_mistakes_are_plain(street: Street, arguments: list[str], code: int, message: str) -> None:
    done = street.run(*arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert done.stderr.count("\n") == 1
