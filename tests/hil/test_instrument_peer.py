"""The instrument at a board with a program of the test's own: what no part of a node needs."""

import re
from collections.abc import Callable, Iterator

import pytest
from lampione_hil.instrument import Instrument, InstrumentError
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench, VirtualBoard

from tests.hil import instrument_rig as rig

Peer = Callable[[str], VirtualBoard]
PULSE, SENSED = 33, 34  # pins of the peer


@pytest.fixture(scope="module")
def wired() -> Iterator[tuple[Instrument, VirtualBoard, VirtualBoard]]:
    try:
        with VirtualBench() as bench:
            board = rig.board(bench, "instrument")
            peer = bench.board("peer", {"/main.py": b""}, world=rig.QUIET)
            bench.wire(board, rig.LEVEL, peer, PULSE)
            bench.wire(board, rig.DRIVE, peer, SENSED)
            bench.wire(board, rig.RESET, peer, -1, "reset")
            bench.wire(board, rig.BOOT, peer, -1, "boot")
            bench.wire(board, 0, peer, 1, "i2c")
            bench.wire(board, 1, peer, -1, "doppler")
            board.power_on()
            with Instrument(board.port) as instrument:
                yield instrument, board, peer
    except NoInterpreterError as error:
        pytest.skip(str(error))


@pytest.fixture
def instrument(wired: tuple[Instrument, VirtualBoard, VirtualBoard]) -> Instrument:
    wired[0].stop()
    return wired[0]


@pytest.fixture
def peer(wired: tuple[Instrument, VirtualBoard, VirtualBoard]) -> Iterator[Peer]:
    def run(program: str) -> VirtualBoard:
        wired[2].write_files({"/main.py": program.encode()})
        wired[2].power_on()
        return wired[2]

    yield run
    wired[2].power_off()


def test_registers_are_read_and_written_at_any_speed(instrument: Instrument, peer: Peer) -> None:
    instrument.i2c_target(0x18, registers={0x0F: b"\x33", 0xA8: bytes(range(6))})
    board = peer(
        "import machine\nbus = machine.I2C(1, scl=1, sda=2)\nprint(bus.scan())\n"
        "print(bus.readfrom_mem(0x18, 0x0f, 1), bus.readfrom_mem(0x18, 0xa8, 6))\n"
        "bus.writeto_mem(0x18, 0x20, b'\\x57')\nprint(bus.readfrom_mem(0x18, 0x20, 1))\n"
        "while bus.readfrom_mem(0x18, 0x0f, 1) != b'4':\n    pass\nprint('changed')\n"
    )
    board.wait_console(r"\[24\]")
    board.wait_console(re.escape(r"b'3' b'\x00\x01\x02\x03\x04\x05'"))
    board.wait_console("b'W'")
    instrument.i2c_registers(0x0F, b"4")
    board.wait_console("changed")
    with pytest.raises(InstrumentError, match="256 bytes there are"):
        instrument.i2c_registers(250, bytes(10))


def test_words_of_sixteen_bits_name_registers_too(instrument: Instrument, peer: Peer) -> None:
    instrument.i2c_target(0x69, registers={0x0202: b"\x00\x01\xb0"}, register_bits=16)
    board = peer(
        "import machine\nbus = machine.I2C(1, scl=1, sda=2)\n"
        "print(bus.readfrom_mem(0x69, 0x0202, 3, addrsize=16))\n"
    )
    board.wait_console(re.escape(r"b'\x00\x01\xb0'"))


def test_an_answer_takes_its_time_and_a_device_can_go(instrument: Instrument, peer: Peer) -> None:
    script = [(b"\xfd", b"slow", 0.2), (b"\xfd\x01", b"long", 0.0), (b"\x89", b"fast", 0.0)]
    instrument.i2c_target(0x44, script=script)
    board = peer(
        "import machine, time\nbus = machine.I2C(1, scl=1, sda=2)\n"
        "def ask(command, ms):\n    bus.writeto(0x44, command)\n    time.sleep_ms(ms)\n"
        "    print(command, bus.readfrom(0x44, 4))\n"
        "ask(b'\\xfd', 5)\nask(b'\\x89', 0)\nask(b'\\xfd', 400)\nask(b'\\xfd\\x01', 0)\n"
        "ask(b'\\x77\\x01', 0)\nprint('asked')\n"
        "while 1:\n    try:\n        bus.readfrom(0x44, 1)\n"
        "    except OSError as e:\n        print('gone', e)\n        break\n"
    )
    board.wait_console("asked")
    text = board.console()
    assert r"b'\xfd' b'\xff\xff\xff\xff'" in text
    assert r"b'\xfd' b'slow'" in text
    assert r"b'\x89' b'fast'" in text
    assert r"b'\xfd\x01' b'long'" in text
    heard = instrument.i2c_heard()
    assert heard[:4] == [b"\xfd", b"\x89", b"\xfd", b"\xfd\x01"]
    assert heard[4][:2] == b"\x77\x01"
    instrument.i2c_target(None)
    board.wait_console("gone")


def test_edges_are_waited_for_and_stamped(instrument: Instrument, peer: Peer) -> None:
    peer(
        "import machine, time\nout = machine.Pin(33, machine.Pin.OUT, value=0)\n"
        "go = machine.Pin(34, machine.Pin.IN)\nwhile not go.value():\n    time.sleep_ms(1)\n"
        "while 1:\n    out.value(1)\n    time.sleep_ms(20)\n"
        "    out.value(0)\n    time.sleep_ms(30)\n"
    )
    instrument.drive(0, 0)
    with pytest.raises(InstrumentError, match=r"timeout \(0 of 1 edges\)"):
        instrument.wait_edge(within_s=0.05)
    instrument.drive(0, 1)
    first = instrument.wait_edge()
    later = instrument.wait_edge(edge="both", count=9)
    assert later - first > 0.18
    assert later <= instrument.now_s()


def test_the_dopplers_signal_reaches_the_receiver(instrument: Instrument, peer: Peer) -> None:
    instrument.doppler(2000, 250.0)  # a quarter of full scale
    board = peer(
        "import machine, struct, time\n"
        "i2s = machine.I2S(1, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),\n"
        "    mode=machine.I2S.RX, bits=32, format=machine.I2S.STEREO, rate=24000, ibuf=16384)\n"
        "buf = bytearray(9600)\nfor n in range(5):\n    i2s.readinto(buf)\n"
        "words = struct.unpack('<2400i', buf)\nn = range(0, 2400, 2)\n"
        "left, right = [words[i] for i in n], [words[i + 1] for i in n]\n"
        "rises = sum([a < 0 <= b for a, b in zip(left, left[1:])])\n"
        "print('heard', max(left) >> 8, rises, left == right)\n"
    )
    peak, rises, same = board.wait_console(r"heard \d+ \d+ \w+").split()[1:]
    assert int(peak) == pytest.approx(0x7FFFFF / 4, rel=0.02)
    assert int(rises) in (99, 100, 101)
    assert same == "True"


def test_a_current_is_what_its_amplifier_says(
    instrument: Instrument, wired: tuple[Instrument, VirtualBoard, VirtualBoard]
) -> None:
    wired[1].world.microvolts(rig.CURRENT, 100_000 + 350_000)
    assert instrument.milliamps() == 350.0
    wired[1].world.microvolts(rig.CURRENT, 0)
    assert instrument.milliamps() == 0.0


def test_the_boot_pin_leads_to_the_loader(instrument: Instrument, peer: Peer) -> None:
    board = peer("print('runs')\n")
    board.wait_console("runs")
    instrument.press_reset(0.05, boot=True)
    assert board.state()["loader"]
    instrument.press_reset(0.05)
    board.wait_console("runs")
    assert not board.state()["loader"]
