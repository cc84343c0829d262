"""Wires between virtual boards: what one does, the other senses."""

import re

import pytest
from lampione_hil.board import BenchError
from lampione_hil.virtual import VirtualBench, VirtualBoard, World

QUIET = World(street=None, air=None)


def pair(bench: VirtualBench, name: str, one: str, two: str) -> tuple[VirtualBoard, VirtualBoard]:
    """Make two boards with their programs, off."""
    made = [
        bench.board(f"{name}-{n}", {"/main.py": main.encode()}, world=QUIET)
        for n, main in enumerate((one, two))
    ]
    return made[0], made[1]


def test_a_pulse_width_is_measured_and_filtered(bench: VirtualBench) -> None:
    lamp, meter = pair(
        bench,
        "pwm",
        "import machine\nmachine.PWM(5, freq=1000, duty_u16=16384)\n",
        "import machine, time\npin = machine.Pin(4)\n"
        "while not pin.value():\n    time.sleep_ms(1)\n"
        "print('pulse', [machine.time_pulse_us(pin, 1) for n in range(3)][1:])\n"
        "time.sleep_ms(100)\nprint('volts', machine.ADC(6).read_uv())\n"
        "print('open', machine.time_pulse_us(machine.Pin(9), 1, 500))\n",
    )
    bench.wire(lamp, 5, meter, 4)
    bench.wire(lamp, 5, meter, 6, "volts", full_uv=2_000_000)
    meter.power_on()
    lamp.power_on()
    meter.wait_console("open -2")
    meter.wait_console(r"pulse \[250, 250\]")  # the first is timed from the call on
    volts = int(meter.wait_console(r"volts \d+\r").split()[1])
    assert volts == pytest.approx(500_000, abs=200)


def test_serial_lines_are_crossed(bench: VirtualBench) -> None:
    echo = (
        "import machine, time\nline = machine.UART(1, baudrate=19200)\nprint('ready')\n"
        "while True:\n    got = line.read()\n    if got:\n        line.write(got.upper())\n"
        "    time.sleep_ms(1)\n"
    )
    ask = (
        "import machine, time\nline = machine.UART(2, baudrate=19200)\n"
        "line.write(b'hello wire')\ngot = b''\n"
        "while len(got) < 10:\n    got += line.read() or b''\n    time.sleep_ms(1)\n"
        "print('well', got)\nline.init(9600)\nline.write(b'hello wire')\n"
        "while not line.any():\n    time.sleep_ms(1)\nprint('wrong', line.read())\n"
    )
    one, two = pair(bench, "uart", echo, ask)
    bench.wire(one, 1, two, 2, "uart")
    one.power_on()
    one.wait_console("ready")
    two.power_on()
    two.wait_console("well b'HELLO WIRE'")
    two.wait_console("wrong b'")
    assert two.console().count("HELLO") == 1


def test_levels_edges_and_reset(bench: VirtualBench) -> None:
    one, two = pair(
        bench,
        "level",
        "import machine, time\nen = machine.Pin(12, machine.Pin.OPEN_DRAIN, value=1)\n"
        "seen = []\npin = machine.Pin(3, machine.Pin.IN)\n"
        "pin.irq(lambda p: seen.append(p.value()), machine.Pin.IRQ_RISING)\n"
        "print('ready')\nwhile len(seen) < 2:\n    time.sleep_ms(1)\nprint('seen', seen)\n"
        "en.value(0)\ntime.sleep_ms(50)\nen.value(1)\n"
        "while len(seen) < 3:\n    time.sleep_ms(1)\nprint('again')\n",
        "import machine, time\nprint('cause', machine.reset_cause())\n"
        "pin = machine.Pin(8, machine.Pin.OUT)\n"
        "for n in (0, 1, 0, 1):\n    pin.value(n)\n    time.sleep_ms(20)\n"
        "time.sleep_ms(500)\n",
    )
    bench.wire(one, 3, two, 8)
    bench.wire(one, 12, two, -1, "reset")
    one.power_on()
    one.wait_console("ready")
    two.power_on()
    one.wait_console(r"seen \[1, 1\]")
    one.wait_console("again")
    assert two.boots == 2


def test_a_target_is_a_device_on_the_other_bus(bench: VirtualBench) -> None:
    device = (
        "import machine, time\nmem = bytearray(range(32))\n"
        "def done(t):\n    if mem[0] == 0xfd:\n        mem[:3] = b'abc'\n"
        "t = machine.I2CTarget(0, 0x44, mem=mem, mem_addrsize=%d)\nt.irq(done)\nprint('there')\n"
        "while True:\n    time.sleep(1)\n"
    )
    ask = (
        "import machine\nbus = machine.I2C(1, scl=1, sda=2)\nprint('scan', bus.scan())\n"
        "print(bytes(bus.readfrom_mem(0x44, 30, 4)))\nbus.writeto_mem(0x44, 2, b'xy')\n"
        "print(bytes(bus.readfrom_mem(0x44, 1, 3)))\nbus.writeto(0x44, b'\\xfd')\n"
        "print(bus.readfrom(0x44, 3))\n"
        "try:\n    bus.readfrom(0x45, 1)\nexcept OSError as e:\n    print('nobody', e)\n"
    )
    for bits, said in (
        (8, [r"\\x1e\\x1f\\x00\\x01", r"\\x01xy", r"b'"]),
        (0, [r"\\x1e\\x01\\x02\\x03", r"b'", "b'abc'"]),
    ):
        one, two = pair(bench, f"i2c{bits}", device % bits, ask)
        bench.wire(one, 0, two, 1, "i2c")
        one.power_on()
        one.wait_console("there")
        two.power_on()
        two.wait_console("nobody")
        assert r"scan [68]" in two.console()
        for text in said:
            assert re.search(text.replace("\\\\", r"\\"), two.console()), two.console()
        one.power_off()


def test_a_target_that_has_gone_does_not_answer(bench: VirtualBench) -> None:
    one, two = pair(
        bench,
        "gone",
        "import machine, time\nt = machine.I2CTarget(0, 0x44, mem=bytearray(4))\nprint('there')\n",
        "import machine, time\nbus = machine.I2C(0, scl=1, sda=2)\nn = 0\n"
        "while True:\n    print('scan', bus.scan())\n    time.sleep_ms(20)\n",
    )
    bench.wire(one, 0, two, 0, "i2c")
    one.power_on()
    one.wait_console("there")
    two.power_on()
    two.wait_console(r"scan \[68\]")
    one.power_off()
    two.wait_console(r"scan \[\]")


def test_what_cannot_be_wired_is_said(bench: VirtualBench) -> None:
    one, two = pair(bench, "wrong", "", "")
    with pytest.raises(BenchError, match="no wire is of kind 'string'"):
        bench.wire(one, 1, two, 1, "string")
    one.power_on()
    with pytest.raises(BenchError, match="wrong-0 is on: switch it off"):
        bench.wire(one, 1, two, 1)
    one.power_off()
    bench.wire(one, 1, two, 1, "uart")
    with pytest.raises(BenchError, match="UART 1 of wrong-0 has its part already"):
        bench.wire(one, 1, two, 2, "uart")
    heard = bench.board("hears", {"/main.py": b""})
    with pytest.raises(BenchError, match="hears its world already"):
        bench.wire(one, 0, heard, -1, "sound")
    bench.remove(two)
    with VirtualBench(clock="virtual") as other:
        alone = other.board("alone", {"/main.py": b""}, world=QUIET)
        with pytest.raises(BenchError, match="'i2c' needs the wall clock"):
            other.wire(alone, 0, alone, 1, "i2c")
