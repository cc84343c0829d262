"""The bench's commands on a real board's serial line: a virtual board that any tool can have."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.testing.node import LAMP_PIN
from lampione_hil.virtual import VirtualBench
from lampione_hil.virtual.offered import VARIABLE

from tests.brokers import Broker
from tests.hil import instrument_rig

LAMPIONE = [sys.executable, "-m", "lampione"]


@dataclass
class Street:
    """Where offered boards are, and how to run a command there."""

    folder: Path
    rig: Path

    def run(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """Run `lampione ... --json`; return what it printed."""
        done = subprocess.run(
            [*LAMPIONE, *words, "--json"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def hil(self, what: str, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """Run `lampione hil` with this rig."""
        rig = ["--rig", str(self.rig), "--state", str(self.folder / "state")]
        return self.run("hil", what, *rig, *words, code=code)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    with tempfile.TemporaryDirectory() as short, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, short)
        made = Street(folder, folder / "rig.toml")
        made.run("board", "start", "--blank", "--name", "bench", "--detach")
        try:
            yield made
        finally:
            made.run("board", "stop")


@pytest.fixture
def rig(street: Street) -> Path:
    """A rig of one board: known by its serial number, its power switched by a command line."""
    (there,) = street.run("board", "list")
    words = " ".join([*LAMPIONE, "board", "power", there["name"]])
    log = street.folder / "hooks"
    log.unlink(missing_ok=True)
    street.rig.write_text(
        f"hooks = [{{ before = ['sh', '-c', 'echo taken >> {log}'], "
        f"after = ['sh', '-c', 'echo given back >> {log}'] }}]\n"
        'name = "bench"\n[[boards]]\nname = "post"\n'
        f'serial_number = "{there["serial_number"]}"\n'
        f'power = {{ kind = "command", on = "{words} on", off = "{words} off", off_s = 0.1 }}\n'
    )
    return street.rig


def outcomes(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {
        line["test"].rpartition("::")[2]: line["outcome"]
        for line in lines
        if line["kind"] == "test"
    }


def test_the_doctor_finds_it_sound(street: Street, rig: Path) -> None:
    *checks, end = street.hil("doctor")
    assert {check["name"]: check["ok"] for check in checks} == {
        "answers": True,
        "is who it should be": True,
        "power cuts": True,
        "reset resets": True,
    }
    assert end["sound"] is True


def test_suites_run_on_it(street: Street, rig: Path) -> None:
    lines = street.hil("run", "--smoke", "-k", "serial_line or override", code=5)
    assert outcomes(lines) == {
        "test_hello_on_the_serial_line": "pass",
        "test_override_ends": "skip",
    }
    (there,) = street.run("board", "list")
    assert there["on"] is False, "a run leaves nothing on"
    assert (street.folder / "hooks").read_text() == "taken\ngiven back\n"


@pytest.mark.soak
def test_the_smoke_suite(street: Street, rig: Path, tmp_path: Path) -> None:
    with Broker("nats", tmp_path) as broker:
        with rig.open("a") as file:
            file.write(f'[network]\nbroker = "127.0.0.1:{broker.port}"\nssid = "lampione"\n')
        found = outcomes(street.hil("run", "--smoke", code=5))
    assert found.pop("test_override_ends") == "skip"  # nothing measures its lamp
    assert len(found) >= 6
    assert set(found.values()) == {"pass"}


@pytest.mark.soak
def test_a_board_with_an_instrument(tmp_path: Path) -> None:
    """What its instrument measures and plays: the lamp, the air, a meter, a tone."""
    with VirtualBench() as bench, Broker("nats", tmp_path / "broker") as broker:
        post = bench.board("post", world=instrument_rig.QUIET)
        meter = instrument_rig.board(bench, "meter")
        bench.wire(post, LAMP_PIN, meter, instrument_rig.PWM_IN)
        bench.wire(meter, 0, post, 0, "i2c")
        bench.wire(meter, 0, post, 0, "uart")
        bench.wire(meter, 0, post, -1, "sound")
        post.power_on()
        meter.power_on()
        made = Street(tmp_path, tmp_path / "rig.toml")
        made.rig.write_text(
            'name = "wired"\n[[boards]]\nname = "post"\ninstrument = "meter"\n'
            f'port = "{post.rfc2217}"\n'
            f"wires = {{ pwm = {{ {LAMP_PIN} = 0 }}, uart = {{ 0 = 0 }}, "
            "i2c = true, tone = true }\n"
            f'[[instruments]]\nname = "meter"\nport = "{meter.port}"\n'
            f'[network]\nbroker = "127.0.0.1:{broker.port}"\nssid = "lampione"\n'
        )
        lines = made.hil("run", "-k", "logarithmic or test_instrument", code=5)
    whys = [line["why"] for line in lines if line["kind"] == "test"]
    assert outcomes(lines) == dict.fromkeys(
        (
            *("test_logarithmic_driver", "test_air", "test_power"),
            *(f"test_tone[{db}]" for db in (60, 80, 94)),
        ),
        "pass",
    ), whys
