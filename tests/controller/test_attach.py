"""A node on a cable whose radio is dead: real firmware, virtual boards, nothing lost or doubled."""

import json
import threading
from binascii import crc32
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import keys
from lampione.cli.run import run
from lampione.config import blob, flash
from lampione.config.model import NodeConfig, Wifi
from lampione.core.client import NoCore
from lampione.desk import street
from lampione.provision import attach, boxed
from lampione.provision.attach import LeftStopped, visit
from lampione.provision.errors import ProvisionError
from lampione.room.who import CONFIGURE, Who
from lampione_hil import firmware
from lampione_hil.board import BenchError
from lampione_hil.real.errors import CablePulledError
from lampione_hil.virtual import VirtualBench, VirtualBoard
from lampione_hil.virtual.lamppost import lamppost
from lampione_light.level import MAINTENANCE
from lampione_protocol import schema

from tests.brokers import Broker
from tests.controller.fake_node import seal_up, text
from tests.controller.rig import Rig
from tests.node.controller import node_files

WHO = Who("anna", CONFIGURE, "cable")
PARTS = {"lamp": {"pin": 5}, "energy": {"uart": 0, "tx": 17, "rx": 18}}
WIFI = Wifi.model_validate({"ssid": "square", "password": "hunter2hunter2"})


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    folder.chmod(0o700)
    keys.new(folder / keys.FILE, ["a-1", "b-1"])
    return folder


@pytest.fixture(scope="module")
def board(bench: VirtualBench, state: Path) -> VirtualBoard:
    """A node that nobody hears: its broker is not there."""
    made = bench.board("a-1", files_of(state, "a-1"), world=lamppost(3))
    made.power_on()
    made.wait_console("lampione node")
    return made


def files_of(state: Path, node: str, **settings: Any) -> dict[str, bytes]:
    key = keys.load(state / keys.FILE)[node]
    return node_files(node, key, 1, parts=PARTS, lamp={"rated_w": 60}, **settings)


def nothing() -> None: ...


def quiet(*_: object) -> None: ...


def nobody(op: str, **_: object) -> None:
    raise NoCore("no controller runs")


def test_who_it_is_and_what_it_measured(board: VirtualBoard, state: Path) -> None:
    found = street.status(board.port, state, nothing, quiet)
    assert (found["node"], found["shard"], found["firmware"]) == ("a-1", "test", "0.1.0")
    assert found["settings"]["wifi"] == {"ssid": "lampione", "password": True}
    assert found["last_start"] in ("power", "soft", "hard")
    assert found["running"]
    assert found["outbox_bytes"] > 0
    assert found["recent"][0]["code"] == "boot"
    assert "lampione" not in json.dumps(found["settings"]["broker"])
    board.wait_console("lampione node")
    (state / "other").mkdir(mode=0o700)
    assert "key" in street.status(board.port, state / "other", nothing, quiet)["sealed"]


def test_its_log_is_heard_without_stopping_it(board: VirtualBoard) -> None:
    boots = board.boots
    heard: list[str] = []

    def each(line: str) -> None:
        heard.append(line)

    reset = threading.Timer(0.05, board.reset)
    reset.start()
    with pytest.raises(_Enough):
        attach.listen(board.port, each, for_s=20, check=lambda: enough(heard))
    reset.join()
    assert any("lampione hello" in line for line in heard)
    board.wait_console("lampione node")
    assert board.boots == boots + 1, "by the button, not by us"


class _Enough(Exception): ...


def enough(heard: list[str]) -> None:
    if any("lampione node" in line for line in heard):
        raise _Enough


def test_the_lamp_is_tested_and_comes_back(board: VirtualBoard, state: Path) -> None:
    steps: list[Any] = []
    node, checks = street.lamp(board.port, nobody, nothing, quiet, steps.append, settle_ms=150)
    assert node == "a-1"
    assert [step.asked for step in steps] == [0, 50, 100]
    assert [step.level_percent for step in steps] == [0, 50, 100]
    assert all(check.verdict == "good" for check in checks), [c.words() for c in checks]
    assert {check.name for check in checks} >= {"power at 0 %", "power at 50 %", "power at 100 %"}
    board.wait_console("lampione node")
    assert board.pwm_duty(5) == 65535


def test_a_locked_lamp_stays_dark(bench: VirtualBench, state: Path) -> None:
    rows = pack(">BHIII", MAINTENANCE, 0, 1, 0, 3600)
    made = bench.board("b-1", files_of(state, "b-1"), world=lamppost(1))
    made.write_files({"/state/orders": rows + crc32(rows).to_bytes(4, "big")})
    made.power_on()
    made.wait_console("lampione node")
    try:
        with visit(made.port) as there:
            assert made.pwm_duty(5) == 0, "stopped, and still dark"
            with pytest.raises(ProvisionError, match="locked for maintenance"):
                there.lamp_test(settle_ms=50)
        assert made.pwm_duty(5) == 0
    finally:
        made.power_off()


def test_its_outbox_goes_to_the_store_once(board: VirtualBoard, state: Path) -> None:
    first = street.outbox(board.port, state, nobody, nothing, quiet, WHO)
    assert first["to"] == "store"
    assert first["stored"] == first["frames"] > 0
    assert first["refused"] == 0
    again = street.outbox(board.port, state, nobody, nothing, quiet, WHO, everything=True)
    assert again["duplicates"] == first["frames"], "nothing is doubled"
    assert again["stored"] == again["frames"] - first["frames"], "of the start in between"


def test_a_controller_takes_frames_as_from_the_air(broker: Broker, tmp_path: Path) -> None:
    with Rig(tmp_path / "s", broker) as rig:
        node = rig.node()
        key = rig.keys["a-1"]
        frames = [
            seal_up(key, "a-1", node.epoch, node.flash.boot, schema.REPORT, seq,
                    text(schema.REPORT, start=0, duration=60))
            for seq in range(1, 6)
        ]  # fmt: skip
        node.disconnect()
        found = street.deliver(
            rig.folder, rig.client.call, "a-1", "test", [*frames, b"x" * 40], WHO
        )
        assert found == {"stored": 5, "duplicates": 0, "refused": 1, "to": "controller"}
        found = street.deliver(rig.folder, rig.client.call, "a-1", "test", frames, WHO)
        assert found["duplicates"] == 5
        shown = rig.show()
        assert shown["watermark"] == 5
        entry = rig.client.call("audit", node="a-1")[0]
        assert entry["action"] == "deliver"


def test_another_network_is_never_shown(board: VirtualBoard, state: Path) -> None:
    with visit(board.port) as there:
        before = json.loads(there.repl.read_file("/settings.json"))
    found = street.wifi(board.port, WIFI, nobody, nothing, quiet)
    assert found["ssid"] == "square"
    assert found["config"] is None, "it runs no config that names a network"
    assert "hunter2" not in repr(found)
    with visit(board.port) as there:
        after = json.loads(there.repl.read_file("/settings.json"))
    assert after.pop("wifi") == {"ssid": "square", "password": "hunter2hunter2"}
    before.pop("wifi")
    assert after == before


def test_a_config_that_names_a_network_is_made_anew(board: VirtualBoard, state: Path) -> None:
    radio = {"wifi": {"ssid": "old", "password": "x" * 8}, "broker": {"host": "127.0.0.1"}}
    config = NodeConfig.model_validate({"radio": radio})
    board.power_off()
    board.write_files({"/config/good": flash.file_of(4, blob.encode(config))})
    board.power_on()
    board.wait_console("lampione node")
    found = street.wifi(board.port, WIFI, nobody, nothing, quiet)
    assert found["config"] == 5
    with visit(board.port) as there:
        about = there.about()
        made = blob.decode(there.repl.read_file("/config/good")[16:])
    assert about.config is not None
    assert about.config[0] == 5
    assert made.radio is not None
    assert made.radio.wifi.ssid == "square"
    assert made.radio.broker.host == "127.0.0.1"


class _CtrlC(Exception): ...


def interrupted(board: VirtualBoard) -> None:
    with visit(board.port) as there:
        there.repl.begin("import time\nwhile True: time.sleep_ms(10)")
        raise _CtrlC


def test_ctrl_c_and_errors_leave_it_running(board: VirtualBoard) -> None:
    boots = board.boots
    with pytest.raises(_CtrlC):
        interrupted(board)
    board.wait_boots(boots + 1)
    with pytest.raises(BenchError), visit(board.port) as there:
        there.repl.exec("1 / 0")
    board.wait_boots(boots + 2)


def test_a_pulled_cable_is_said_and_the_next_visit_starts_it(
    board: VirtualBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    boots = board.boots

    def gone(*_: object) -> None:
        raise CablePulledError("the cable was pulled")

    def visited() -> None:
        with visit(board.port):
            pass

    with monkeypatch.context() as patched:
        patched.setattr("lampione.provision.attach.wait_hello", gone)
        patched.setattr("lampione_hil.real.repl.Repl.reset", quiet)
        with pytest.raises(LeftStopped, match="attach reset"):
            visited()
    assert board.boots == boots
    assert street.reset(board.port, nothing, quiet)["node"] == "a-1"
    board.wait_boots(boots + 1)


def test_the_command_line(
    board: VirtualBoard, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        found = run(["attach", *arguments, "--port", board.port, "--state", str(state)])
        text_ = "".join(capsys.readouterr())
        assert found == code, text_
        assert "hunter2" not in text_
        return text_

    told = json.loads(said("--json"))
    assert told["node"] == "a-1"
    assert "acknowledged up to" in said("status")
    assert "a-1 has started" in said("reset")
    assert "go with wifi" in said("lamp", "--ssid", "x", code=2)
    assert "nothing" in said("log", "--for", "10ms")


def test_a_board_without_settings_is_told_as_one(
    bench: VirtualBench, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = bench.board(
        "blank", {**firmware.compile_tree(), "/settings.json": b"{half"}, world=lamppost(3)
    )
    blank.power_on()
    where = ["--port", blank.port, "--state", str(state)]
    assert run(["attach", *where]) == 0, capsys.readouterr().err
    assert "key        none: provision it" in (told := capsys.readouterr().out)
    assert "broker     none" in told
    assert run(["attach", "outbox", *where]) == 0
    assert "a node without a name: nothing in its outbox" in capsys.readouterr().out
    assert run(["attach", "lamp", *where]) == 1


@given(st.lists(st.binary(min_size=19, max_size=51), max_size=8), st.binary(max_size=30), st.data())
def test_damage_costs_what_it_touches(frames: list[bytes], rubbish: bytes, data: Any) -> None:
    records = [bytes([len(f)]) + f + crc32(f).to_bytes(4, "big") for f in frames]
    assert boxed.frames(b"".join(records) + rubbish)[: len(frames)] == frames
    if records:
        at = data.draw(st.integers(0, len(records) - 1))
        damaged = bytearray(records[at])
        damaged[data.draw(st.integers(1, len(damaged) - 1))] ^= 0x55
        records[at] = bytes(damaged)
        found = boxed.frames(b"".join(records))
        assert [f for f in found if f in frames] == frames[:at] + frames[at + 1 :]


@given(st.binary(max_size=300))
def test_whatever_lies_there_raises_nothing(data: bytes) -> None:
    boxed.read("a-1", bytes(32), boxed.frames(data))


def test_which_segments_matter() -> None:
    files = {f"/outbox/{n:08}.seg": 9 for n in (1, 50, 90)} | {"/outbox/x": 3}
    assert boxed.wanted(files, 0) == sorted(files)[:3]
    assert boxed.wanted(files, 49) == ["/outbox/00000050.seg", "/outbox/00000090.seg"]
    assert boxed.wanted(files, 500) == ["/outbox/00000090.seg"]
