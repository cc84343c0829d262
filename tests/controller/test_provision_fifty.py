"""A list of virtual boards by one command: some fail on purpose; a second run does what is left."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lampione import keys, seeds
from lampione.provision import ca
from lampione.provision.queue import Entry, Queue
from lampione.provision.rows import load
from lampione_hil import firmware, interpreter
from lampione_hil.virtual import offered

from tests.brokers import running_broker, wait_until
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione

PASSWORD = "hunter2-of-the-city"
FLEET = """
[fleet]
name = "A bench"
shard = "test"

[profiles.post]
hardware = "esp32-s3"
sensors = [{sensors}]
outbox_bytes = 65536

[profiles.post.parts]
climate = {{ i2c = 0, scl = 9, sda = 8 }}
{meter}lamp = {{ pin = 10 }}

[profiles.post.lamp]
rated_w = 60
min_percent = 10

[[sites]]
id = "umbria"
name = "Viale Umbria"
latitude = 45.45
longitude = 9.21
"""
METER = "energy = { uart = 0, tx = 17, rx = 18 }\n"


@dataclass
class Workshop:
    """A folder with a fleet's file, a list, a Wi-Fi file; boards; a controller that runs."""

    folder: Path
    rig: Rig
    environment: dict[str, str]
    boards: list[dict[str, Any]] = field(default_factory=list)

    def start(self, *arguments: str) -> list[dict[str, Any]]:
        """Plug boards in."""
        done = self.run("board", "start", "--detach", "--blank", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return lampione("--state", str(self.rig.folder), *arguments, environment=self.environment)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command; its lines can be read as they come."""
        return subprocess.Popen(
            [sys.executable, "-m", "lampione", "--state", str(self.rig.folder), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **self.environment},
        )  # fmt: skip

    def write(self, boards: list[dict[str, Any]], *, meter: bool) -> None:
        """Write the fleet's file and the list: a node a board."""
        sensors = '"climate", "energy"' if meter else '"climate"'
        text = FLEET.format(sensors=sensors, meter=METER if meter else "")
        rows = 'wifi = "city.wifi"\n'
        for n, board in enumerate(boards, 1):
            text += f'\n[[nodes]]\nid = "post-{n}"\nsite = "umbria"\nprofile = "post"\n'
            rows += f'\n[[boards]]\nnode = "post-{n}"\nboard = "{board["serial_number"]}"\n'
        (self.rig.folder / "fleet.toml").write_text(text)
        (self.folder / "fifty.toml").write_text(rows)

    def provision(self, jobs: int, interval_s: int, *more: str) -> "subprocess.Popen[str]":
        return self.begin(
            "provision", "--list", str(self.folder / "fifty.toml"), "--jobs", str(jobs),
            "--interval", str(interval_s), "--labels", str(self.folder / "labels"), "--json", *more,
        )  # fmt: skip

    def queue(self) -> Queue:
        """Return what the list's state says."""
        path = self.folder / "fifty.toml"
        return Queue(load(path, seeds.load(self.rig.folder / "fleet.toml")), path)

    def status(self) -> dict[str, Entry]:
        return {entry.node: entry for entry in self.queue().entries()}


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    try:
        interpreter.command()
        firmware.host_march()
    except (interpreter.NoInterpreterError, firmware.CompileError) as error:
        pytest.skip(str(error))
    wifi = tmp_path / "city.wifi"
    wifi.write_text(f'ssid = "city"\npassword = "{PASSWORD}"\n')
    wifi.chmod(0o600)
    environment = {offered.VARIABLE: str(tmp_path / "b"), ca.VARIABLE: str(tmp_path / "ca")}
    monkeypatch.setenv(offered.VARIABLE, environment[offered.VARIABLE])
    with (
        running_broker("nats", tmp_path) as broker,
        Rig(tmp_path / "s", broker, ("somebody",)) as rig,
    ):
        made = Workshop(tmp_path, rig, environment)
        try:
            yield made
        finally:
            lampione("board", "stop", environment=environment)


def follow(process: "subprocess.Popen[str]", at: dict[str, Any]) -> tuple[list[Any], int]:
    """Read what a run says; call at[step](node) where one begins a step of that pattern."""
    said = []
    watchdog = threading.Timer(900, process.kill)
    watchdog.start()
    assert process.stdout is not None
    for line in process.stdout:
        assert line.startswith("{"), line
        one = json.loads(line)
        said.append(one)
        for pattern, do in at.items():
            if "step" in one and re.search(pattern, one["step"]):
                do(one["node"])
    watchdog.cancel()
    process.stdout.close()
    return said, process.wait()


def run_of(
    workshop: Workshop, count: int, jobs: int, interval_s: int, *more: str, meter: bool
) -> None:
    """Provision `count` boards, three of which fail; then what is left, with `more`."""
    with ThreadPoolExecutor() as pool:
        good, (small,), (deaf,) = pool.map(
            lambda which: workshop.start(*which),
            (
                ("--name", "good", "--count", str(count - 2)),
                ("--name", "small", "--flash-bytes", "81920"),
                ("--name", "deaf", "--world", "none"),
            ),
        )
    boards = [good[0], small, deaf, *good[1:]]
    workshop.write(boards, meter=meter)
    pulled = threading.Event()

    def pull(node: str) -> None:
        if node == "post-1" and not pulled.is_set():
            pulled.set()
            offered.ask(good[0]["pid"], "unplug", "good-1")

    said, code = follow(workshop.provision(jobs, interval_s), {"sending": pull})
    assert pulled.is_set()
    assert code == 1
    status = workshop.status()
    assert {n for n, entry in status.items() if entry.state != "done"} == {
        "post-1", "post-2", "post-3"
    }  # fmt: skip
    assert "cable was pulled" in status["post-1"].why
    assert "connect it" in status["post-1"].do
    assert "flash is full" in status["post-2"].why
    assert "mpremote rm" in status["post-2"].do
    assert "climate: absent" in status["post-3"].why
    assert "on the pins" in status["post-3"].do
    assert status["post-1"].step in ("flash", "files"), "the cable is no quicker than that"
    assert [status[f"post-{n}"].step for n in (2, 3)] == ["flash", "sign-off"]
    assert [row.node for row in workshop.queue().left()] == ["post-1", "post-2", "post-3"]
    for n in (1, 2, 3):
        record = json.loads(Path(status[f"post-{n}"].record or "").read_text())
        assert (record["outcome"], record["step"]) == ("failed", status[f"post-{n}"].step)
        assert record["why"]
        assert record["do"]
    for n in range(4, count + 1):
        record = json.loads(Path(status[f"post-{n}"].record or "").read_text())
        assert record["outcome"] == "signed off"
        assert {c["verdict"] for c in record["checks"]} <= {"good", "note"}
        assert ("power at 100 %" in {c["name"] for c in record["checks"]}) == meter
        assert (workshop.folder / "labels" / f"post-{n}.svg").exists()
        assert workshop.rig.show(f"post-{n}")["hello"]["config_version"] == 1

    # The causes are mended: the cable, another board, a board with its sensors.
    offered.ask(good[0]["pid"], "plug", "good-1")
    for board in (small, deaf):
        offered.ask(board["pid"], "stop", board["name"])
    fresh = workshop.start("--count", "2", "--name", "fresh")
    workshop.write([good[0], *fresh, *good[1:]], meter=meter)
    again, code = follow(workshop.provision(jobs, interval_s, *more), {})
    assert code == 0, again
    assert {one["node"] for one in again if "node" in one} == {"post-1", "post-2", "post-3"}
    status = workshop.status()
    assert {entry.state for entry in status.values()} == {"done"}
    assert [status[f"post-{n}"].attempts for n in (1, 4)] == [2, 1]
    heard = workshop.rig.client.call("audit")
    results = {(e["node"], e["detail"]["result"]) for e in heard if e["action"] == "provision"}
    assert {("post-1", "failed"), ("post-1", "done"), ("post-4", "done")} <= results
    signed = {(e["node"], e["detail"]["result"]) for e in heard if e["action"] == "sign-off"}
    assert {("post-3", "failed"), ("post-4", "passed")} <= signed
    _no_secret_shown(workshop, [*said, *again, *heard])


def _no_secret_shown(workshop: Workshop, said: list[Any]) -> None:
    shown = json.dumps(said)
    for path in (*workshop.folder.glob("fifty.*"), *workshop.folder.rglob("records/**/*.*"),
                 *workshop.folder.rglob("labels/*"), workshop.rig.folder / "serve.log",
                 workshop.folder / "ca" / ca.ISSUED):  # fmt: skip
        shown += path.read_text()
    assert PASSWORD not in shown
    secrets = keys.load(workshop.rig.folder / keys.FILE)
    assert len(secrets) > 6
    for key in secrets.values():
        assert key.hex() not in shown
        assert repr(key)[2:-1] not in shown
    assert "PRIVATE KEY" not in shown


def test_six_boards_three_of_which_fail(workshop: Workshop) -> None:
    run_of(workshop, 6, 6, 1, "--no-sign-off", meter=False)


@pytest.mark.soak
def test_fifty_boards_three_of_which_fail(workshop: Workshop) -> None:
    run_of(workshop, 50, 16, 5, meter=True)


def test_a_board_that_is_refused_goes_on_as_the_node_it_is(workshop: Workshop) -> None:
    (board,) = workshop.start("--name", "good", "--count", "1")
    workshop.write([board, board], meter=False)
    wifi = ("--wifi", str(workshop.folder / "city.wifi"), "--no-sign-off")
    assert workshop.run("provision", "post-1", *wifi).returncode == 0
    before = workshop.rig.show("post-1")["boot"]
    refused = workshop.run("provision", "post-2", *wifi)
    assert refused.returncode == 1
    assert "this board is node post-1 already" in refused.stdout
    wait_until("it runs again", lambda: workshop.rig.show("post-1")["boot"] == before + 1)
    # The same node again: nothing of it is lost, and its config is what it was.
    assert workshop.run("provision", "post-1", *wifi).returncode == 0
    after = workshop.rig.show("post-1")
    assert after["boot"] == before + 2
    assert after["lost"] == after["missing"] == 0
    assert after["hello"]["config_version"] == 1
