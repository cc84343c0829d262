"""The sign-off: what is asked of a node, what is judged, and what is filed and printed of it."""

import json
import math
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from lampione import values
from lampione.config.light import Lamp
from lampione.provision import label, record, trial, wifi
from lampione.provision.controller import Controller
from lampione.provision.errors import ProvisionError
from lampione.provision.record import Record
from lampione.provision.signoff import (
    Check,
    Evidence,
    Step,
    expected_percent,
    judge,
    passed,
    so_far,
)
from lampione_protocol import names, schema

from tests.brokers import Broker, running_broker, wait_until
from tests.controller.fake_node import FakeNode, text
from tests.controller.rig import Rig
from tests.full_disk import full_disk

LAMP = Lamp(rated_w=60, min_percent=10)
SENSORS = ("climate", "sound", "energy")


def good(**changes: Any) -> Evidence:
    facts: dict[str, Any] = {
        "sensors": SENSORS, "lamp": LAMP, "metered": True, "identify": "done",
        "steps": [Step(n, "done", None, n, w) for n, w in ((0, 0.5), (50, 30.5), (100, 61.0))],
        "states": dict.fromkeys(SENSORS, "ok"),
        "rssi_dbm": -61, "clock": "controller", "offset_s": 0.4,
    }  # fmt: skip
    return Evidence(**facts | changes)


def verdicts(evidence: Evidence) -> dict[str, str]:
    """Return what is not good."""
    return {c.name: c.verdict for c in judge(evidence) if c.verdict != "good"}


def test_a_good_node_passes() -> None:
    checks = judge(good())
    assert passed(checks)
    assert verdicts(good()) == {}
    assert [c.name for c in checks] == [
        "identify", "lamp at 0 %", "lamp at 50 %", "lamp at 100 %",
        "power at 0 %", "power at 50 %", "power at 100 %",
        "climate", "sound", "energy", "radio", "clock", "clock offset",
    ]  # fmt: skip


def steps(*powers: float | None) -> list[Step]:
    return [Step(n, "done", None, n, w) for n, w in zip((0, 50, 100), powers, strict=True)]


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({"identify": "expired, no answer"}, "identify"),
        ({"steps": [Step(0, "refused", "locked"), *good().steps[1:]]}, "lamp at 0 %"),
        ({"steps": [Step(0, "done", None, 10, 0.5), *good().steps[1:]]}, "lamp at 0 %"),
        ({"steps": steps(0.5, 61.0, 61.0)}, "power at 50 %"),
        ({"steps": steps(61.0, 61.0, 61.0)}, "power at 0 %"),
        ({"steps": steps(0.5, 15.0, 30.5)}, "power at 100 %"),
        ({"steps": steps(0.5, 60.0, 120.0)}, "power at 100 %"),
        ({"steps": steps(0.5, None, 61.0)}, "power at 50 %"),
        ({"states": {**good().states, "sound": "absent"}}, "sound"),
        ({"states": {"climate": "ok", "sound": "ok"}}, "energy"),
        ({"rssi_dbm": -92}, "radio"),
        ({"clock": "unset", "offset_s": None}, "clock"),
        ({"offset_s": 3600.0}, "clock offset"),
        ({"faults": ["outbox"]}, "fault"),
    ],
)
def test_each_fault_is_found_and_says_what_to_do(changes: dict[str, Any], bad: str) -> None:
    checks = judge(good(**changes))
    assert not passed(checks)
    found = [c for c in checks if c.verdict == "bad"]
    assert bad in [c.name for c in found]
    assert all(c.do for c in found)
    assert bad in next(c for c in found if c.name == bad).words()


def test_what_is_no_fault() -> None:
    assert verdicts(good(states={**good().states, "sound": "warming"})) == {"sound": "note"}
    assert verdicts(good(metered=False, steps=steps(None, None, None))) == {"power": "note"}
    assert verdicts(good(rssi_dbm=None)) == {"radio": "note"}
    assert verdicts(good(faults=["sensor", "network", "clock"])) == {}
    assert verdicts(good(faults=["task restarted"])) == {"fault": "note"}
    assert verdicts(good(lamp=None, steps=[])) == {}
    unrated = Lamp()
    assert verdicts(good(lamp=unrated, steps=steps(0.5, 20.0, 40.0))) == {}
    assert "power at 100 %" in verdicts(good(lamp=unrated, steps=steps(0.5, 0.5, 0.5)))


def test_limits_of_the_lamp_hold_for_orders() -> None:
    assert [expected_percent(n, LAMP) for n in (0, 5, 50, 100)] == [0, 10, 50, 100]
    assert expected_percent(100, Lamp(max_percent=80)) == 80
    assert expected_percent(100, Lamp(rated_w=60, budget_w=30)) == 50
    halved = Lamp(rated_w=60, budget_w=30)
    shown = [Step(0, "done", None, 0, 0.5), Step(50, "done", None, 50, 30.0),
             Step(100, "done", None, 50, 30.0)]  # fmt: skip
    assert "power at 100 %" not in verdicts(good(lamp=halved, steps=shown))
    assert not [name for name in verdicts(good(lamp=halved, steps=shown)) if "lamp" in name]


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 511)), min_size=3, max_size=3),
    st.lists(st.sampled_from([*names.SENSOR_STATES, None]), min_size=3, max_size=3),
    st.one_of(st.none(), st.integers(-127, -1)),
    st.builds(Lamp, rated_w=st.integers(0, 1000), max_percent=st.integers(1, 100)),
)
def test_whatever_came_it_is_judged(
    powers: list[float | None], states: list[str | None], rssi: int | None, lamp: Lamp
) -> None:
    evidence = good(steps=steps(*powers), lamp=lamp, rssi_dbm=rssi,
                    states={n: s for n, s in zip(SENSORS, states, strict=True) if s})  # fmt: skip
    checks = judge(evidence)
    if any(state not in ("ok", "warming") for state in states) or None in powers:
        assert not passed(checks)
    for check in checks:
        assert check.words()
        assert (check.verdict == "good") == (not check.do)
    json.dumps(Record("a", "b", "c", checks=checks).as_data(), allow_nan=False)


class Post(FakeNode):
    """A node with a lamp and its meter, that obeys at once."""

    watts_full = 60.0
    level = 100

    def __init__(self, key: bytes, **states: int) -> None:
        super().__init__("a-1", key)
        self.states = {f"state_{name}": 6 for name in names.SENSORS} | states

    def _open_down(self, frame: bytes) -> None:
        known = len(self.commands)
        super()._open_down(frame)
        for command in self.commands[known:]:
            op = names.OPS[command["op"]]
            if op == "level":
                self.level = command["level"]
            if op == "read":
                self.make(schema.HEALTH, text(schema.HEALTH, clock=3, rssi=-70, **self.states))

    def tell(self) -> None:
        """Report a second that is over."""
        watts = 0.5 + self.watts_full * self.level / 100
        body = text(
            schema.REPORT, start=values.wire_seconds(time.time()) - 1, duration_s=1, clock=3,
            lamp_level=self.level, lamp_power=round(2 * watts),
        )  # fmt: skip
        self.make(schema.REPORT, body)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker("nats", tmp_path) as running:
        yield running


def test_the_conversation(broker: Broker, tmp_path: Path) -> None:
    with Rig(tmp_path / "s", broker) as rig:
        node = Post(rig.keys["a-1"], state_climate=0, state_energy=0, state_no2=1)
        rig.nodes.append(node)
        node.boot()
        node.connect(broker.host, broker.port)
        wait_until("its hello", lambda: rig.show()["epoch"] == node.epoch.hex())
        over = threading.Event()

        def report() -> None:
            while not over.wait(1.05):
                node.tell()

        thread = threading.Thread(target=report)
        thread.start()
        told: list[str] = []
        known: list[list[str]] = []
        try:
            with Controller.open(tmp_path / "s") as controller:
                evidence = trial.sign_off(
                    controller, "a-1", ("climate", "energy", "no2", "sound"), LAMP,
                    told=told.append, measured=lambda e: known.append([c.name for c in so_far(e)]),
                    warm_s=0.0, meter_s=0.0,
                )  # fmt: skip
        finally:
            over.set()
            thread.join()
        assert [(s.asked, s.level_percent, s.power_w) for s in evidence.steps] == [
            (0, 0, 0.5), (50, 50, 30.5), (100, 100, 60.5),
        ]  # fmt: skip
        assert evidence.states == {
            "climate": "ok", "energy": "ok", "no2": "warming", "sound": "absent"
        }  # fmt: skip
        assert known[0] == ["identify"]
        assert known[1] == ["identify", "lamp at 0 %", "power at 0 %"]
        assert known[2] == ["identify", "lamp at 0 %", "lamp at 50 %", "power at 0 %"]
        assert known[3][-3:] == ["power at 0 %", "power at 50 %", "power at 100 %"]
        assert known[-1][-5:] == ["climate", "energy", "no2", "sound", "radio"]
        assert evidence.rssi_dbm == -70
        assert evidence.clock == "controller"
        assert [c.name for c in judge(evidence) if c.verdict == "bad"] == ["sound"]
        ops = [names.OPS[command["op"]] for command in node.commands]
        ops = [op for op in ops if op not in ("time", "hello")]
        assert ops == ["identify", "level", "level", "level", "resume", "read"]
        assert all(c["for_s"] for c in node.commands if names.OPS[c["op"]] == "level")
        assert told == ["blinking", "lamp dark", "lamp half", "lamp full", "sensors"]


def test_a_node_that_nobody_hears(broker: Broker, tmp_path: Path) -> None:
    with Rig(tmp_path / "s", broker) as rig, Controller.open(tmp_path / "s") as controller:
        controller.wait_known("a-1")
        with pytest.raises(ProvisionError, match="Wi-Fi's name and password"):
            controller.wait("a-1", lambda row: bool(row["epoch"]), "its hello", 0.05)
        rig.kill9()
        with pytest.raises(ProvisionError, match="lampione serve"):
            controller.wait("a-1", lambda row: bool(row["epoch"]), "its hello", 20)
        with pytest.raises(ProvisionError, match="lampione serve"):
            controller.order("a-1", {"op": "read"})
        rig.start()
    with pytest.raises(ProvisionError, match="lampione serve"):
        Controller.open(tmp_path / "nowhere")


def test_a_record_for_people_and_for_machines(tmp_path: Path) -> None:
    checks = judge(good(rssi_dbm=-92))
    one = Record("bligny-1", "Viale Bligny", "street", "a4cf12fe0001", checks=checks,
                 step="sign-off", why="radio: -92", do="see to the antenna",
                 hardware={"machine": "ESP32S3"},
                 calibration={"sound": {"offset_cdb": -120}})  # fmt: skip
    first = record.file(tmp_path, one)
    second = record.file(tmp_path, one)
    assert first != second
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z\.json", first.name)
    read = json.loads(first.read_text())
    assert (read["node"], read["board"], read["outcome"]) == ("bligny-1", "a4cf12fe0001", "failed")
    assert {c["name"]: c["verdict"] for c in read["checks"]}["radio"] == "bad"
    said = first.with_suffix(".txt").read_text()
    assert "✗ radio: -92 dBm (at least -80): too weak: see to the antenna and its plug" in said
    assert "what to do   see to the antenna" in said
    assert "sound: offset_cdb -120" in said
    assert record.board_of(tmp_path, "bligny-1") is None  # it failed
    one.outcome = "signed off"
    record.file(tmp_path, one)
    assert record.board_of(tmp_path, "bligny-1") == "a4cf12fe0001"
    assert record.board_of(tmp_path, "umbria-1") is None


def test_of_one_second_the_record_that_was_filed_last_counts(tmp_path: Path) -> None:
    (tmp_path / "bligny-1").mkdir()
    for n in range(12):
        name = f"2026-11-28T173347Z{f'-{n}' if n else ''}.json"
        found = {"outcome": "signed off", "board": f"b{n}"}
        (tmp_path / "bligny-1" / name).write_text(json.dumps(found))
        assert record.board_of(tmp_path, "bligny-1") == f"b{n}"


def test_a_record_is_filed_whole_or_not_at_all(tmp_path: Path) -> None:
    one = Record("bligny-1", "Viale Bligny", "street", "a4cf12fe0001")
    with full_disk(400), pytest.raises(OSError, match=r"bligny-1/.*Z\.json"):  # the text fits
        record.file(tmp_path, one)
    assert list((tmp_path / "bligny-1").iterdir()) == []
    record.file(tmp_path, one)
    assert len(list((tmp_path / "bligny-1").iterdir())) == 2


SVG = "{http://www.w3.org/2000/svg}"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=24),
       st.text(min_size=1, max_size=60))  # fmt: skip
def test_whatever_the_names_a_label_holds_them(node: str, site: str) -> None:
    site = "".join(c for c in site if c.isprintable())
    drawn = ElementTree.fromstring(label.svg("milan", node, site, "a4cf12fe0001"))
    lines = drawn.findall(f".//{SVG}text")
    assert "".join(line.text or "" for line in lines[:2]).startswith(node)
    for line in lines:
        assert float(line.get("y", "99")) < label.HEIGHT_MM
        assert float(line.get("font-size", "0")) > 0.8


def test_a_labels_code_is_the_nodes(tmp_path: Path) -> None:
    path = label.write(tmp_path / "new", "milan", "bligny-1", "Viale <Bligny> & co", None)
    drawn = ElementTree.fromstring(path.read_text())
    assert drawn.get("width") == "62mm"
    assert drawn.get("height") == "29mm"
    squares = drawn.find(f"{SVG}path")
    assert squares is not None
    dark = sum(
        sum(row) for row in segno.make("lampione:milan/bligny-1", error="m", micro=False).matrix
    )
    assert squares.get("d", "").count("M") == dark


def test_wifi_credentials_are_read_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "city.wifi"

    def said() -> str:
        with pytest.raises(ProvisionError) as caught:
            wifi.read(path)
        return str(caught.value)

    assert "missing" in said()
    path.write_text('ssid = "city"\npassword = "hunter2hunter2"\n')
    path.chmod(0o644)
    assert "chmod 600" in said()
    path.chmod(0o600)
    found = wifi.read(path)
    assert found.password.get_secret_value() == "hunter2hunter2"
    assert "hunter2" not in repr(found) + str(found)
    for wrong in ('ssid = "city"\npassword = hunter2hunter2', 'ssid = ""\npassword = "hunter2"',
                  'ssid = "c"\npasword = "hunter2"', 'ssid = "c"\npassword = ["hunter2"]',
                  'ssid = "c"\npassword = "' + "hunter2" * 10 + '"'):  # fmt: skip
        path.write_text(wrong)
        assert "hunter2" not in said()
        assert "ssid =" in said()
    monkeypatch.setattr("getpass.getpass", lambda _: "hunter2hunter2")
    assert wifi.ask("city") == found


def test_numbers_of_checks_are_numbers() -> None:
    assert math.isfinite(sum(c.value for c in judge(good()) if isinstance(c.value, float)))
    assert Check("x", "good", 1.5, "W", 1, None).words() == "x: 1.5 W (at least 1)"
    assert Check("x", "bad", None, "W", None, 2, "do").words() == "x: nothing (at most 2): do"
