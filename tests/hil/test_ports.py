"""Boards by their identity."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.real import ports
from lampione_hil.real.errors import NoBoardError
from lampione_hil.real.line import busy
from lampione_hil.real.ports import Port, choose
from lampione_hil.virtual.offered import Offered

USB = SimpleNamespace(
    device="/dev/ttyUSB0", vid=0x10C4, pid=0xEA60, serial_number="7C9E0001", product="CP2102",
    location="1-1.4",
)  # fmt: skip


def usb(**more: object) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(USB), **more})


@pytest.fixture(autouse=True)
def _connected(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        usb(device="/dev/ttyS0", vid=None, serial_number=None),
        usb(device="/dev/ttyUSB1", vid=0x1A86, serial_number=None, product=None),
        usb(device="/dev/ttyUSB2", vid=0x1234),
        USB,
    ]
    virtual = [
        Offered("virtual-1", "02a5", "/dev/pts/9", "rfc2217://h:1", 7, "x"),
        Offered("virtual-2", "02a6", "", "", 7, "x"),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    monkeypatch.setattr("lampione_hil.virtual.offered.offered", lambda: virtual)


def test_boards_are_found_on_usb_and_among_virtual_ones() -> None:
    assert [(one.port, one.serial_number, one.product) for one in ports.find()] == [
        ("/dev/ttyUSB0", "7C9E0001", "CP2102"),
        ("/dev/ttyUSB1", "usb-1-1.4", "WCH"),
        ("/dev/pts/9", "02a5", "virtual board"),
    ]
    assert [one.shown for one in ports.find()] == ["7C9E0001", "usb-1-1.4", "virtual-1"]


@pytest.mark.parametrize("wanted", ["7C9E0001", "7c9e", "/dev/ttyUSB0", "7"])
def test_a_board_is_known_by_what_is_enough(wanted: str) -> None:
    assert choose(ports.find(), wanted).serial_number == "7C9E0001"


def test_one_that_is_not_there_or_not_alone() -> None:
    with pytest.raises(NoBoardError, match="not connected: there is 7C9E0001, usb-1-1"):
        choose(ports.find(), "ffff")
    with pytest.raises(NoBoardError, match="no board is connected: look at cable and power"):
        choose([], "ffff")
    two = [Port("/a", "aa1"), Port("/b", "aa2")]
    with pytest.raises(NoBoardError, match="could be aa1, aa2: write more of it"):
        choose(two, "aa")
    for unset in ("", " "):  # not even the only one
        with pytest.raises(NoBoardError, match="is no board's name: there is aa1"):
            choose(two[:1], unset)


def test_of_many_programs_that_have_a_port_a_few_are_named() -> None:
    assert busy([(n, "cat") for n in range(9)]) == (
        "in use by cat (process 0) and cat (process 1) and cat (process 2) and 6 more: "
        "close it and try again"
    )


@given(st.lists(st.text("0123456789ABCDEF", min_size=1, max_size=4), unique=True), st.data())
def test_a_whole_serial_number_always_chooses_its_board(
    numbers: list[str], data: st.DataObject
) -> None:
    found = [Port(f"/dev/{n}", number) for n, number in enumerate(numbers)]
    for number in numbers:
        assert choose(found, number).serial_number == number
    wanted = data.draw(st.text("0123456789abcdef", min_size=1, max_size=5))
    near = [number for number in numbers if number.lower().startswith(wanted)]
    if len(near) == 1:
        assert choose(found, wanted).serial_number == near[0]
