"""The model of the PZEM-004T: the maker's bytes, and pymodbus, which nobody here wrote."""

import math
import os
import pickle
import pty
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lampione_hil.virtual.devices.pzem import GENERAL, Load, Pzem, crc16
from pymodbus.client import ModbusSerialClient
from pymodbus.pdu import ExceptionResponse

MEASURE = bytes.fromhex("01040000000a700d")


@contextmanager
def client_of(part: Pzem) -> Iterator[ModbusSerialClient]:
    """Let pymodbus speak with `part` over a pseudo-terminal; every byte is a second later."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    over_read, over_write = os.pipe()

    def serve() -> None:
        now_s = 100.0
        while True:
            ready, _, _ = select.select([master, over_read], [], [])
            if over_read in ready:
                return
            now_s += 1.0
            # pymodbus writes a request at once, and its frames are short
            os.write(master, part.feed(os.read(master, 256), now_s))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    client = ModbusSerialClient(os.ttyname(slave), baudrate=9600, timeout=3, retries=0)
    try:
        assert client.connect()
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]
        os.write(over_write, b"x")
        thread.join(5)
        for end in (master, slave, over_read, over_write):
            os.close(end)


def words(data: bytes) -> list[int]:
    assert crc16(data[:-2]) == data[-2:]
    assert data[:3] == bytes([1, 4, 20])
    return [int.from_bytes(data[n : n + 2], "big") for n in range(3, 23, 2)]


def test_the_makers_example() -> None:
    """220.0 V, 1.000 A, 220.0 W, 50.0 Hz, factor 1.00."""
    part = Pzem(Load(220.0, 220.0, 1.0, 50.0, noise_v=0))
    said = part.feed(MEASURE, 10.0)
    assert said[:-2].hex() == "010414" + "0898" + "03e80000" + "08980000" + "00000000" + (
        "01f4" + "0064" + "0000"
    )


def test_pymodbus_reads_what_hangs_on_it() -> None:
    load = Load(231.4, 16_100.0, 0.98, 49.9, noise_v=0)
    part = Pzem(load)
    part.energy_wh = 70_000.0
    with client_of(part) as client:
        found = client.read_input_registers(0, count=10, device_id=1)
        assert not found.isError()
        amperes = 16_100 / (231.4 * 0.98)
        volts, ma, ma_high, dw, dw_high, wh, wh_high, hz, factor, alarm = found.registers
        assert (volts, hz, factor, alarm) == (2314, 499, 98, 0)
        assert ma | ma_high << 16 == round(amperes * 1000)
        assert ma_high == 1
        assert dw | dw_high << 16 == 161_000
        assert wh | wh_high << 16 == 70_000
        assert client.read_input_registers(7, count=2, device_id=1).registers == [499, 98]


def test_pymodbus_changes_threshold_and_address() -> None:
    part = Pzem(Load(230.0, 1000.0, noise_v=0), address=5)
    with client_of(part) as client:
        assert client.read_holding_registers(1, count=2, device_id=5).registers == [23_000, 5]
        assert not client.write_register(1, 900, device_id=5).isError()
        assert client.read_input_registers(9, count=1, device_id=5).registers == [0xFFFF]
        assert not client.write_register(2, 9, device_id=5).isError()
        assert client.read_holding_registers(1, count=2, device_id=9).registers == [900, 9]
        assert client.read_holding_registers(2, count=1, device_id=GENERAL).registers == [9]


def test_pymodbus_is_refused_what_is_not_there() -> None:
    with client_of(Pzem()) as client:
        refusals = [
            (client.read_input_registers(9, count=2, device_id=1), 2),
            (client.read_holding_registers(0, count=1, device_id=1), 2),
            (client.write_register(7, 1, device_id=1), 2),
            (client.write_register(2, 248, device_id=1), 3),
            (client.read_coils(0, count=1, device_id=1), 1),
        ]
        for found, code in refusals:
            assert isinstance(found, ExceptionResponse)
            assert found.exception_code == code


def test_energy_counts_and_is_reset() -> None:
    part = Pzem(Load(230.0, 3600.0, 1.0, noise_v=0))
    part.power_up(0.0)
    assert words(part.feed(MEASURE, 10.0))[5] == 10
    part.draw(Load(230.0, 0.3, 1.0, noise_v=0))
    assert words(part.feed(MEASURE, 3610.0))[1:7] == [0, 0, 0, 0, 10, 0], "starts at 0.4 W"
    reset = b"\x01\x42\x80\x11"
    assert crc16(reset[:2]) == reset[2:]
    assert part.feed(reset, 3611.0) == reset
    assert words(part.feed(MEASURE, 3612.0))[5] == 0


def test_a_load_may_be_a_function_of_time() -> None:
    part = Pzem(Load(power_w=math.sqrt, noise_v=0))
    assert words(part.feed(MEASURE, 10_000.0))[3] == 1000
    again = pickle.loads(pickle.dumps(part))
    assert words(again.feed(MEASURE, 40_000.0))[3] == 2000


def test_who_is_not_meant_is_silent() -> None:
    part = Pzem(address=2)
    assert part.feed(MEASURE, 1.0) == b""
    wrong = MEASURE[:-1] + b"\x0e"
    part = Pzem()
    assert part.feed(wrong, 2.0) == b""
    assert part.feed(b"\x00" + MEASURE[1:6] + crc16(b"\x00" + MEASURE[1:6]), 3.0) == b""
    assert part.feed(MEASURE[:5], 4.0) == b""
    assert len(part.feed(MEASURE[5:], 4.01)) == 25, "in two pieces"
    assert part.feed(MEASURE[:5], 5.0) == b""
    assert len(part.feed(MEASURE, 6.0)) == 25, "a pause begins a frame"


def test_faults() -> None:
    part = Pzem()
    first, second = part.feed(MEASURE, 1.0), part.feed(MEASURE, 2.0)
    assert first != second, "the mains move"
    part.fault("stuck")
    assert part.feed(MEASURE, 3.0) == part.feed(MEASURE, 4.0) == second
    part.fault("crc")
    said = part.feed(MEASURE, 5.0)
    assert crc16(said[:-2]) != said[-2:]
    part.fault("exception")
    assert part.feed(MEASURE, 6.0).hex().startswith("018404")
    part.fault("implausible")
    assert words(part.feed(MEASURE, 7.0))[0] == 4000
    part.fault("half")
    assert len(part.feed(MEASURE, 8.0)) == 12
    assert part.feed(MEASURE, 9.0) == b""
    part.fault("")
    part.fault("brownout")
    assert part.feed(MEASURE, 10.0) == b""
    assert len(part.feed(MEASURE, 11.1)) == 25
    part.fault("silent")
    assert part.feed(MEASURE, 12.0) == b""
    with pytest.raises(ValueError, match="no fault 'usb'"):
        part.fault("usb")
