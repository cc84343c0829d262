"""A rig file: what it may say, and how mistakes are named."""

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.real.power import switch_of
from lampione_hil.testing import rig

GOOD = """
name = "bench-1"

[[boards]]
name = "left"
serial_number = "a0b1"
capabilities = ["pwm", "sht45"]
power = { kind = "uhubctl", hub = "1-1.4", port = 2 }
instrument = "ear"

[[boards]]
name = "right"
port = "rfc2217://127.0.0.1:4000"

[[instruments]]
name = "ear"
serial_number = "c2d3"
calibrated = { pwm = 2026-05-01, current = 2024-01-31 }

[network]
broker = "192.0.2.7:1883"
ssid = "bench"

[[flaky]]
test = "test_radio"
reason = "the antenna of the left board"
"""


def read(tmp_path: Path, text: str) -> rig.RigFile:
    path = tmp_path / "rig.toml"
    path.write_text(text)
    return rig.load(path)


def test_a_whole_file(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    left, right = found.boards
    assert switch_of(left.power) is not None
    assert switch_of(right.power) is None
    assert {"pwm", "sht45", "power", "instrument", "uplink"} <= rig.capabilities(left, found)
    assert "power" not in rig.capabilities(right, found)
    ear = found.instrument("ear")
    assert ear.expired(datetime.date(2026, 6, 1)) == ["current"]
    assert ear.expired(datetime.date(2027, 6, 1)) == ["current", "pwm"]
    assert ear.expired(datetime.date(2023, 1, 1)) == ["current", "pwm"], "of days to come"
    assert rig.lacks(found, {"pwm", "power"}) == ""
    assert rig.lacks(found, {"dali"}) == "no board of rig bench-1 has: dali"
    assert found.digest == read(tmp_path, GOOD.replace("# ", "")).digest
    assert found.digest != read(tmp_path, GOOD.replace('"sht45"', '"sps30"')).digest


def test_no_file_is_three_virtual_boards() -> None:
    found = rig.load(None)
    assert [board.kind for board in found.boards] == ["virtual"] * 3
    assert {"sps30", "pwm", "world", "flash"} <= rig.capabilities(found.boards[0], found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "bench-1"', ""), r"rig.toml: name: is missing: add it"),
        (('name = "left"', 'name = "Left!"'), r":5: boards 'Left!'.name: 'Left!': a-z, 0-9 and -"),
        (('name = "right"', 'name = "left"'), r"the name 'left' stands twice"),
        (('serial_number = "c2d3"', 'serial_number = "a0b1"'), "serial number 'a0b1' stands twice"),
        (('serial_number = "a0b1"', ""), r":4: boards 'left': give serial_number .* or port"),
        (('"uhubctl", hub', '"uhubctl", hubb'), r":8: boards 'left'.power"),
        (('"uhubctl"', '"magic"'), r":8: boards 'left'.power.*magic"),
        (('instrument = "ear"', 'instrument = "eye"'), r"no instrument 'eye' in this file: add"),
        (("2026-05-01", '"soon"'), r":18: instruments 'ear'.calibrated.pwm: "),
        (("192.0.2.7:1883", "192.0.2.7"), r":21: network.broker: '192.0.2.7': write host:port"),
        (("192.0.2.7:1883", "192.0.2.7:99999"), r"'192.0.2.7:99999': a port is a number from 1"),
        (("2026-05-01", "9" * 5000), r"rig.toml: not TOML: Exceeds the limit"),
        (("2026-05-01", "[" * 5000), r"rig.toml: not TOML: maximum recursion"),
        (("[[flaky]]", "[flaky]"), r":24: flaky: .*two brackets"),
        (("[[boards]]", "[[bords]]"), r":4: bords: no such key here: take it out"),
        (('port = "rfc2217://127.0.0.1:4000"', 'kind = "virtual"'), "make two rig files"),
        (("power =", "rom = true\npower ="), "a real one's flash says it"),
        (("[[flaky]]", "[[flaky"), r"not TOML: .*line 24"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(rig.RigError, match=said):
        read(tmp_path, GOOD.replace(*change))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(rig.RigError, match=r"No such file.*name a rig file"):
        rig.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(rig.RigError, match="save it as UTF-8"):
        rig.load(tmp_path / "latin.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(GOOD, "utf-8-sig")  # as Notepad writes it
    assert rig.load(tmp_path / "bench.toml").name == "bench-1"


def test_a_board_that_is_wrong_is_not_missing_as_well() -> None:
    said = refused('name = "one"\n[[boards]]\nname = "b"\n').splitlines()
    assert said == ["rig.toml:2: boards 'b': give serial_number (see `lampione board list`), "
                    "or port, and not both"]  # fmt: skip


def refused(text: str) -> str:
    """Return what is said of a text, "" when it is a rig."""
    try:
        rig.parse(text, "rig.toml")
    except rig.RigError as error:
        return str(error)
    return ""


@given(st.text(max_size=200))
def test_whatever_it_says_is_refused_in_words(text: str) -> None:
    assert refused(text).startswith("rig.toml")


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 30), st.text(max_size=5))
def test_damage_is_read_or_refused(at: int, size: int, instead: str) -> None:
    said = refused(GOOD[:at] + instead + GOOD[at + size :])
    assert not said or said.startswith("rig.toml")
