"""A virtual board's power, files, resets and clock."""

from pathlib import Path

import pytest
from lampione_hil import interpreter
from lampione_hil.board import BenchError, Board, BoardTimeoutError
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World
from littlefs import LittleFS

QUIET = World(street=None, air=SteadyAir())
REPORT = b"""
import machine, os, sys, time
print("cause", machine.reset_cause(), "id", machine.unique_id().hex())
print("path", sys.path, "files", sorted(os.listdir("/")))
print("time", time.time(), time.gmtime(0)[:3], machine.RTC().datetime()[:3])
print("done")
"""


def board(bench: VirtualBench, name: str, main: bytes = REPORT, **more: object) -> VirtualBoard:
    made = bench.board(name, {"/main.py": main}, world=QUIET, **more)  # type: ignore[arg-type]
    assert set(Board.__annotations__) | {"power_on", "console"} <= set(dir(made))
    return made


def test_boots_as_an_esp32_does(bench: VirtualBench) -> None:
    one = board(bench, "boots", unique_id=bytes.fromhex("020011223344"))
    one.power_on()
    one.wait_console("done")
    text = one.console()
    assert "cause 1 id 020011223344\r\n" in text
    assert "path ['', '.frozen', '/lib'] files ['main.py']" in text
    assert "time 0 (2000, 1, 1) (2000, 1, 1)" in text
    assert one.running
    assert one.boots == 1


def test_tools_see_an_esp32_s3_that_says_it_is_virtual(bench: VirtualBench) -> None:
    one = board(
        bench,
        "identity",
        b"""
import os, sys
from machine import unique_id
print(os.uname().sysname, os.uname().machine, sys.platform, sys.implementation._machine)
print("mpy", sys.implementation._mpy, sys.implementation.version[:2], unique_id().hex())
print("strangers", hasattr(os, "getenv"), hasattr(os, "system"), hasattr(os, "VfsPosix"))
sys.path = ["/there"]  # reaches the interpreter, not a copy
with open("there.py", "w") as f:
    f.write("")
os.mkdir("/there")
os.rename("there.py", "/there/there.py")
import there
from sys import *
print(path, "exit" in globals())
print("done")
""",
    )
    one.power_on()
    one.wait_console("done")
    text = one.console()
    name = "Virtual ESP32S3 board with ESP32S3"
    assert f"esp32 {name} esp32 {name}\r\n" in text
    asked = "import sys; print('mpy', sys.implementation._mpy, sys.implementation.version[:2])"
    truth = interpreter.run(["-c", asked]).decode().strip()
    assert f"{truth} {one.serial_number}\r\n" in text
    assert "strangers False False False" in text
    assert "['/there'] True" in text


def test_boot_py_runs_first_and_a_traceback_leads_to_the_prompt(bench: VirtualBench) -> None:
    one = board(bench, "trace", b"print('main')\nprint(1 // 0)\n")
    one.write_files({"/boot.py": b"print('boot')\n"})
    one.power_on()
    one.wait_console("ZeroDivisionError")
    one.wait_console(">>> ")
    text = one.console()
    assert text.index("boot") < text.index("main")
    assert 'File "main.py", line 2' in text


def test_files_survive_power_cycles(bench: VirtualBench) -> None:
    one = board(
        bench,
        "cycles",
        b"try:\n  n = int(open('n').read())\nexcept OSError:\n  n = 0\n"
        b"with open('n', 'w') as f:\n  f.write(str(n + 1))\nprint('boot number', n + 1)\n",
    )
    for count in (1, 2, 3):
        one.power_on()
        one.wait_console(f"boot number {count}")
        one.power_off()
        assert not one.running
    assert one.read_file("/n") == b"3"
    assert one.exits == ["off"] * 3


def test_flash_tools_need_the_power_off(bench: VirtualBench, tmp_path: Path) -> None:
    one = board(bench, "tools")
    kept = tmp_path / "image"
    one.snapshot(kept)
    one.wipe()
    assert one.list_files() == {}
    one.restore(kept)
    assert one.list_files() == {"/main.py": len(REPORT)}
    with pytest.raises(FileNotFoundError):
        one.read_file("/none")
    one.power_on()
    for tool in (one.wipe, one.list_files, lambda: one.snapshot(kept)):
        with pytest.raises(BenchError, match="switch it off first"):
            tool()


def test_deep_folders_and_binary_content(bench: VirtualBench) -> None:
    one = board(bench, "deep")
    files = {f"/lib/a/b{n}/c.mpy": bytes(range(256)) * n for n in range(1, 40, 9)}
    one.write_files(files)
    found = one.list_files("/lib")
    assert found == {path: len(data) for path, data in files.items()}
    assert one.read_file("/lib/a/b28/c.mpy") == files["/lib/a/b28/c.mpy"]


def test_a_full_flash_is_an_error(bench: VirtualBench) -> None:
    one = board(bench, "full", flash_bytes=64 * 1024)
    with pytest.raises(OSError, match="No space"):
        one.write_files({"/big": bytes(80 * 1024)})


def test_littlefs_outside_reads_the_same_image(bench: VirtualBench) -> None:
    program = b"with open('written', 'wb') as f:\n  f.write(bytes(range(256)) * 20)\nprint('ok')\n"
    one = board(bench, "oracle", program)
    one.power_on()
    one.wait_console("ok")
    one.power_off()
    image = LittleFS(block_size=4096, block_count=512, mount=False)
    image.context.buffer = bytearray(one.flash.read_bytes())
    image.mount()
    with image.open("written", "rb") as file:
        assert file.read() == bytes(range(256)) * 20
    assert sorted(image.listdir("/")) == ["main.py", "written"]


def test_reset_causes_and_what_the_clock_keeps(bench: VirtualBench) -> None:
    one = board(
        bench,
        "causes",
        b"""
import machine, time
print("boot", machine.reset_cause(), time.time() > 800000000, time.ticks_ms() < 20000)
try:
    stage = int(open("stage").read())
except OSError:
    stage = 0
with open("stage", "w") as f:
    f.write(str(stage + 1))
if stage == 0:
    machine.RTC().datetime((2026, 5, 4, 0, 10, 11, 12, 0))
    try:
        machine.reset()
    except BaseException:
        print("swallowed")
elif stage == 1:
    print(machine.RTC().datetime()[:6])
    machine.soft_reset()
elif stage == 2:
    machine.WDT(timeout=200)
    while True:
        pass
elif stage == 3:
    machine.deepsleep(50)
print("end")
""",
    )
    one.power_on()
    one.wait_console("end")
    text = one.console()
    causes = [line for line in text.splitlines() if line.startswith("boot")]
    assert causes == [
        "boot 1 False True",
        "boot 2 True True",
        "boot 5 True True",
        "boot 3 True True",
        "boot 4 True True",
    ]
    assert "(2026, 5, 4, 0, 10, 11)" in text
    assert "swallowed" not in text
    assert one.exits == ["reset", "soft reset", "watchdog", "deep sleep"]
    one.reset()
    one.wait_boots(6)
    one.wait_console("boot 1 False True")


def test_rtc_memory_lives_as_long_as_its_supply(bench: VirtualBench) -> None:
    one = board(
        bench,
        "rtc",
        b"""
import machine
rtc = machine.RTC()
kept = rtc.memory()
print("kept", kept, machine.reset_cause())
if len(kept) < 5:
    rtc.memory(kept + b"\\x00" + bytes([machine.reset_cause()]) if kept else b"!")
if not kept:
    machine.reset()
elif len(kept) == 1:
    machine.deepsleep(20)
elif len(kept) == 3:
    machine.WDT(timeout=50)
    while True:
        pass
try:
    rtc.memory(bytes(2049))
except ValueError as error:
    print(error)
rtc.memory(bytes(2048))
print(rtc.memory() == bytes(2048))
print("end")
""",
    )
    for _ in range(2):
        one.power_on()
        one.wait_console("end")
        kept = [line[5:] for line in one.console().splitlines() if line.startswith("kept")]
        assert kept == [
            r"b'' 1",
            r"b'!' 2",
            r"b'!\x00\x02' 4",
            r"b'!\x00\x02\x00\x04' 3",
        ]
        assert "buffer too long\r\nTrue" in one.console()
        one.power_off()


def test_a_fed_watchdog_does_not_bite(bench: VirtualBench) -> None:
    one = board(
        bench,
        "fed",
        b"import machine, time\nw = machine.WDT(timeout=900)\n"
        b"for _ in range(60):\n  time.sleep_ms(20)\n  w.feed()\nprint('alive')\n",
    )
    one.power_on()
    one.wait_console("alive")
    one.wait_boots(2)  # nobody feeds it any more
    assert one.exits == ["watchdog"]


def test_without_autorestart_a_reset_leaves_it_off(bench: VirtualBench) -> None:
    one = board(bench, "once", b"import machine\nmachine.reset()\n", autorestart=False)
    one.power_on()
    one.wait_exit()
    assert one.exits == ["reset"]
    assert one.boots == 1


def test_ticks_wrap_and_asyncio_lives_through_it(bench: VirtualBench) -> None:
    one = board(
        bench,
        "wrap",
        b"""
import asyncio, time
async def nap(ms, out):
    await asyncio.sleep_ms(ms)
    out.append(ms)
async def main():
    start = time.ticks_ms()
    out = []
    tasks = [asyncio.create_task(nap(ms, out)) for ms in (400, 100, 300, 200)]
    await asyncio.gather(*tasks)
    late = asyncio.create_task(nap(5000, out))
    try:
        await asyncio.wait_for_ms(late, 50)
    except asyncio.TimeoutError:
        out.append("late")
    end = time.ticks_ms()
    print(out, start > end, time.ticks_diff(end, start) // 100, time.ticks_add(start, 300) < start)
    print("done")
asyncio.run(main())
""",
        ticks_base_ms=2**30 - 250,
    )
    one.power_on()
    one.wait_console("done")
    assert "[100, 200, 300, 400, 'late'] True 4 True" in one.console()


def test_pins_pwm_and_adc(bench: VirtualBench) -> None:
    one = board(
        bench,
        "pins",
        b"""
import machine
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=65535)
lamp.duty_u16(0)
lamp.duty_u16(32768)
led = machine.Pin(2, machine.Pin.OUT, value=1)
print(machine.Pin(5, machine.Pin.IN).value(), machine.ADC(machine.Pin(6)).read_uv())
try:
    lamp.duty_u16(65536)
except ValueError as e:
    print(e)
print("done")
""",
    )
    one.world.level(5, 1)
    one.world.microvolts(6, 1_234_567)
    one.power_on()
    one.wait_console("done")
    assert "1 1234567" in one.console()
    assert "duty must be from 0 to 65535" in one.console()
    assert (one.pwm_duty(4), one.pwm_freq(4), one.pins) == (32768, 1000, {2: 1})
    assert [(c.kind, c.pin, c.value) for c in one.trace()] == [
        ("pwm", 4, 65535),
        ("pwm", 4, 0),
        ("pwm", 4, 32768),
        ("pin", 2, 1),
    ]
    with pytest.raises(KeyError):
        one.pwm_duty(9)


def test_the_heap_is_what_was_asked_for(bench: VirtualBench) -> None:
    one = board(bench, "heap", b"import gc\ngc.collect()\nprint('free', gc.mem_free())\n")
    one.power_on()
    free = int(one.wait_console(r"free \d+").split()[1])
    assert 310_000 < free <= 320 * 1024, "the simulated modules must not eat the program's heap"


def test_waiting_in_vain_shows_the_console(bench: VirtualBench) -> None:
    one = board(bench, "vain")
    one.power_on()
    one.wait_console("done")
    with pytest.raises(BoardTimeoutError, match="cause 1"):
        one.wait_console("never", timeout_s=0.05)


def test_a_name_is_taken_once(bench: VirtualBench) -> None:
    board(bench, "twice")
    with pytest.raises(BenchError, match="already"):
        board(bench, "twice")
    with pytest.raises(ValueError, match="cannot name"):
        board(bench, "../up")
