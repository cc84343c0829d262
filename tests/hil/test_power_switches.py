"""Each kind of switch does what it is told, finds out what became of it, and says it in words."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.real import outside
from lampione_hil.real.power import Power, PowerError, Switch, relay, switch_of, uhubctl
from lampione_hil.real.power import command as command_switch
from lampione_hil.testing import rig as rigs
from lampione_hil.testing.hardware import open_board
from pydantic import TypeAdapter, ValidationError

from tests.brokers import Broker, free_port, wait_until
from tests.hil.power_parts import Hub, Plug, relay_board

POWER: TypeAdapter[Any] = TypeAdapter(Power)


def made(**settings: object) -> Switch:
    """Return the switch of a rig file's part."""
    found = switch_of(POWER.validate_python(settings))
    assert found is not None
    return found


# The part of the rig file


def test_no_switch_is_a_kind() -> None:
    assert switch_of(POWER.validate_python({"kind": "none"})) is None
    assert switch_of(None) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "magic"', "magic"),
        ('kind = "uhubctl"\nport = 2', "hub"),
        ('kind = "uhubctl"\nhub = "; reboot"\nport = 2', "pattern"),
        ('kind = "uhubctl"\nhub = "1-1"\nport = 2\noff_s = 0.5', "greater than or equal to 2"),
        ('kind = "relay"\nport = "/dev/ttyUSB1"\nchannel = 9', "less than or equal to 8"),
        ('kind = "relay"\nport = "/dev/ttyUSB1"\nchanel = 1', "chanel"),
        ('kind = "tasmota"\nbroker = "b"\ntopic = "a/#"', "pattern"),
        ('kind = "command"\non = "unclosed \'"\noff = "x"', "no command line"),
        ('kind = "command"\non = ""\noff = "x"', "at least 1 item"),
    ],
)
def test_a_wrong_part_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        POWER.validate_python(tomllib.loads(text))


# A hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Hub(tmp_path)


def test_a_hub_switches_and_is_asked(hub: Hub) -> None:
    port = made(kind="uhubctl", hub="1-1.4", port=2)
    assert port.state() is True
    port.off()
    assert port.state() is False
    port.on()
    assert hub.state["hubs"]["1-1.4"]["2"] is True
    assert ["-l", "1-1.4", "-p", "2", "-a", "off", "-r", "1"] in hub.state["calls"]


def test_a_hub_that_says_off_on_one_side_only_is_found(hub: Hub) -> None:
    hub.set(hubs={"1-1.4": {"2": True}, "2-1.4": {"2": True}}, twins=["2-1.4"], stuck=["2-1.4"])
    with pytest.raises(
        PowerError, match=r"port 2 of hub 1-1\.4 was switched off and still says on"
    ):
        made(kind="uhubctl", hub="1-1.4", port=2).off()


def test_a_hub_that_hears_the_third_time(hub: Hub) -> None:
    hub.set(deaf=3)
    with pytest.raises(PowerError, match="try `tries = 3`"):
        made(kind="uhubctl", hub="1-1.4", port=2).off()
    made(kind="uhubctl", hub="1-1.4", port=2, tries=3).off()


@pytest.mark.parametrize(
    ("settings", "changed", "said"),
    [
        ({"hub": "1-9"}, {}, "no hub 1-9 whose ports can be switched"),
        ({"port": 7}, {}, "shows no port 7 of hub 1-1.4, but hubs: none"),
        ({}, {"denied": True}, "no right to switch port 2 of hub 1-1.4: allow it by a udev rule"),
        ({"program": "uhubctl-not-here"}, {}, "type `sudo apt install uhubctl`"),
    ],
)
def test_what_is_wrong_with_a_hub(
    hub: Hub, settings: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    hub.set(**changed)
    with pytest.raises(PowerError, match=re.escape(said)):
        made(**{"kind": "uhubctl", "hub": "1-1.4", "port": 2, **settings}).on()


def test_the_hubs_page_of_another_version() -> None:
    text = (
        "Current status for hub 2-10 [0bda:0411 Generic 4-Port USB 3.0 Hub, USB 3.00, 2 ports]\n"
        "  Port 1: 02a0 power 5gbps Rx.Detect\n"
        "  Port 2: 0080 off\n"
        "Current status for hub 1-10 [0bda:5411 power off Hub, USB 2.10, 2 ports]\n"
        "  Port 1: 0507 power highspeed suspend enable connect [05e3:0608 USB2.0 Hub]\n"
        "Sent power off request\n"
        "New status for hub 1-10 [0bda:5411]\n"
        "  Port 1: 0000 off\n"
    )
    assert uhubctl.parse(text) == {
        ("2-10", 1): (0x02A0, True),
        ("2-10", 2): (0x0080, False),
        ("1-10", 1): (0, False),
    }


@given(st.text(st.sampled_from("Port 12:0503 power off\nCurentNwshbi-[.]"), max_size=200))
def test_any_text_is_read(text: str) -> None:
    for (hub_name, port), status in uhubctl.parse(text).items():
        assert hub_name
        assert port >= 0
        assert 0 <= status.word <= 0xFFFF
    assert command_switch.parse(text) in (True, False, None)


# A relay


def test_the_four_bytes() -> None:
    assert relay.command(1, True) == bytes.fromhex("A00101A2")
    assert relay.command(1, False) == bytes.fromhex("A00100A1")
    assert relay.command(2, True) == bytes.fromhex("A00201A3")


@pytest.mark.parametrize("answers", ["text", "bytes", "none"])
def test_a_relay_switches(answers: str) -> None:
    with relay_board(2, answers) as board:
        known = answers != "none"
        answer_s = 2.0 if known else 0.05
        one = made(kind="relay", port=board.port, channel=1, answer_s=answer_s)
        two = made(kind="relay", port=board.port, channel=2, answer_s=answer_s, inverted=True)
        one.on()
        two.on()
        assert (one.state(), two.state()) == ((True, True) if known else (None, None))
        wait_until("both are set", lambda: board.states == [True, False])
        two.off()
        assert two.state() is (False if known else None)
        assert not board.refused


def test_a_relay_that_is_stuck_is_found() -> None:
    with (
        relay_board(2, "text", stuck=True) as board,
        pytest.raises(PowerError, match="was switched on and still says off"),
    ):
        made(kind="relay", port=board.port).on()


def test_a_relay_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PowerError, match="look whether it is plugged in"):
        made(kind="relay", port=str(tmp_path / "ttyUSB9")).on()


@given(st.binary(max_size=40), st.integers(1, 8))
def test_any_answer_of_a_relay(answer: bytes, channel: int) -> None:
    assert relay.parse(answer, channel) in (True, False, None)


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_both_answers_tell_the_same(states: list[bool]) -> None:
    text = b"".join(b"CH%d:%s \r\n" % (n, b"ON" if s else b"OFF") for n, s in enumerate(states, 1))
    for number, state in enumerate(states, 1):
        assert relay.parse(text, number) is state
        assert relay.parse(bytes(states), number) is state
    assert relay.parse(bytes(states), len(states) + 1) is None


# A plug


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker("nats", tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "-", request.node.name)


def plug_switch(broker: Broker, topic: str, **more: object) -> Switch:
    return made(kind="tasmota", broker=broker.host, broker_port=broker.port, topic=topic, **more)


@pytest.mark.parametrize(
    ("plug", "settings"),
    [
        ({}, {}),
        ({"numbered": True}, {}),
        ({"retain": True}, {"outlet": 1}),
        ({"outlets": 2}, {"outlet": 2}),
    ],
)
def test_a_plug_switches_and_is_asked(
    broker: Broker, topic: str, plug: dict[str, Any], settings: dict[str, Any]
) -> None:
    there = Plug(broker.port, topic, **plug)
    mine = plug_switch(broker, topic, **settings)
    mine.on()
    assert there.states[-1] is True
    assert mine.state() is True
    mine.off()
    assert mine.state() is False
    assert there.states == [False] * len(there.states)
    there.close()


def test_what_the_broker_kept_is_no_answer(broker: Broker, topic: str) -> None:
    there = Plug(broker.port, topic, retain=True)
    mine = plug_switch(broker, topic, answer_s=0.5)
    mine.on()
    there.deaf = True
    with pytest.raises(PowerError, match="online and does not answer"):
        mine.state()
    there.deaf, there.stuck = False, True
    with pytest.raises(PowerError, match="still says on"):
        mine.off()
    there.vanish()
    with pytest.raises(PowerError, match=r"is offline, says the broker 127\.0\.0\.1"):
        mine.off()


def test_a_plug_that_nobody_knows(broker: Broker, topic: str) -> None:
    with pytest.raises(PowerError, match="look at Topic and FullTopic"):
        plug_switch(broker, topic, answer_s=0.3).on()


def test_a_broker_that_is_not_there(topic: str) -> None:
    mine = made(kind="tasmota", broker="127.0.0.1", broker_port=free_port(), topic=topic)
    with pytest.raises(PowerError, match=r"no answer from the broker 127\.0\.0\.1:\d+"):
        mine.on()


def test_a_plugs_password_is_read_from_a_file(broker: Broker, topic: str, tmp_path: Path) -> None:
    mine = plug_switch(broker, topic, user="bench", password_file=tmp_path / "secret")
    with pytest.raises(PowerError, match="cannot be read"):
        mine.on()
    (tmp_path / "secret").write_text("geheim\n")
    there = Plug(broker.port, topic)
    mine.on()
    assert "geheim" not in repr(mine)
    there.close()


# A command line


def commands(folder: Path, *, status: str = "cat {state}") -> dict[str, Any]:
    state = folder / "state"
    state.write_text("power for place post is off\n")
    sed = f"sed -i -e s/is.*/is\\ {{}}/ {state}"
    return {
        "kind": "command",
        "on": sed.format("on"),
        "off": sed.format("off"),
        "status": status.format(state=state),
    }


def test_a_command_switches_and_is_asked(tmp_path: Path) -> None:
    mine = made(**commands(tmp_path), off_s=0)
    assert mine.state() is False
    mine.on()
    assert mine.state() is True
    mine.off()
    assert (tmp_path / "state").read_text() == "power for place post is off\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"status": "echo perhaps"}, "says neither on nor off, but 'perhaps'"),
        ({"status": "echo off"}, "was switched on and still says off"),
        ({"on": "false"}, "`false` ended with 1: it said nothing"),
        ({"on": ["sh", "-c", "echo place is taken by anna >&2; exit 3"]}, "place is taken by anna"),
        ({"on": "no-such-program-here on"}, "there is no program no-such-program-here: say its"),
        ({"on": "sleep 60", "timeout_s": 0.2}, "`sleep 60` did not end within 0.2 s"),
    ],
)
def test_what_is_wrong_with_a_command(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(PowerError, match=re.escape(said)):
        made(**{**commands(tmp_path), **settings}).on()


def test_a_command_without_status_cannot_be_asked() -> None:
    mine = made(kind="command", on="true", off="true")
    mine.on()
    mine.off()
    assert mine.state() is None


# What is done around a run


def test_hooks_run_backwards_and_only_where_they_were_done(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def hook(name: str, **more: Any) -> outside.Hook:
        words = ["sh", "-c", 'echo "$0" >> ' + str(log)]
        return outside.Hook(
            **{"before": [*words, f"+{name}"], "after": [*words, f"-{name}"], **more}
        )

    with outside.around([hook("place"), hook("lamp", after=None), hook("door")]):
        assert log.read_text().split() == ["+place", "+lamp", "+door"]
    assert log.read_text().split()[3:] == ["-door", "-place"]
    log.unlink()
    with (
        pytest.raises(outside.OutsideError, match="ended with 1"),
        outside.around([hook("place"), hook("taken", before="false")]),
    ):
        pytest.fail("the run must not begin")
    assert log.read_text().split() == ["+place", "-place"]


# The examples


def test_every_rig_of_the_manual_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "rigs.md").read_text("utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    kinds = set()
    for example in examples:
        path = tmp_path / "rig.toml"
        path.write_text(example)
        found = rigs.load(path)
        for board in found.boards:
            kinds.add(board.power.kind)
            if board.kind == "real":
                open_board(board, found)  # opens nothing yet
    assert kinds == {"none", "uhubctl", "relay", "tasmota", "command"}
    rehearsed = "02" + hashlib.sha256(b"post-1").hexdigest()[:10]  # as `offer` gives them
    assert f'serial_number = "{rehearsed}"' in text
