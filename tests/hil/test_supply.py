"""What a board's supply, its sleep and the years do to it."""

import math

import pytest
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.devices import I2CDevice
from lampione_hil.virtual.flash import ENDURANCE, YEAR_S, FlashStats

NOTHING = World(street=None, air=None)
SLEEPER = b"""
import machine, time
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=65535)
print("boot", machine.reset_cause(), machine.RTC().datetime()[:6], machine.RTC().memory())
if machine.reset_cause() == machine.PWRON_RESET:
    machine.RTC().datetime((2026, 5, 4, 0, 23, 59, 30, 0))
    machine.RTC().memory(b"kept")
    machine.deepsleep(60000)
elif machine.reset_cause() == machine.DEEPSLEEP_RESET:
    machine.deepsleep()
"""


def test_deep_sleep_on_the_virtual_clock() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = bench.board("one", {"/main.py": SLEEPER}, world=NOTHING)
        two = bench.board("two", {"/main.py": b"import time\nwhile True: time.sleep(1)\n"})
        one.power_on()
        two.power_on()
        bench.run_for(59)
        assert one.boots == 1
        assert one.state()["pid"] == 0, "nothing runs while it sleeps"
        assert one.state()["pwm"] == {}, "and its outputs let go"
        bench.run_for(2)
        assert one.boots == 2
        assert "boot 4 (2026, 5, 5, 1, 0, 0) b'kept'" in one.console()
        bench.run_for(100_000)
        assert one.boots == 2, "without a time it sleeps for ever"
        one.reset()
        bench.run_for(1)
        assert one.exits == ["deep sleep", "deep sleep", "reset line", "deep sleep"]
        assert one.console().count("boot 1 (2000, 1, 1, 5, 0, 0) b''") == 2
        one.power_off()
        bench.run_for(100)
        assert (one.running, one.boots) == (False, 3), "the time of a sleep that is over is void"


def test_deep_sleep_without_end_and_a_reset(bench: VirtualBench) -> None:
    one = bench.board(
        "slept", {"/main.py": b"import machine\nmachine.deepsleep()\n"}, world=NOTHING
    )
    one.power_on()
    one.wait_asleep()
    assert (one.running, one.exits) == (True, ["deep sleep"])
    one.reset()
    one.wait_boots(2)


class Counter(I2CDevice):
    """Counts what it was asked since it had power."""

    name = "counter"
    address = 0x20
    asked = 0

    def power_up(self, now_s: float) -> None:
        self.asked = 0

    def write(self, data: bytes, now_s: float) -> bool:
        return True

    def read(self, length: int, now_s: float) -> bytes:
        self.asked += 1
        return bytes([self.asked]) * length


def test_a_brown_out_resets_the_chip_and_not_the_parts(bench: VirtualBench) -> None:
    main = b"""
import machine
i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8))
print("boot", machine.reset_cause(), i2c.readfrom(0x20, 1)[0], machine.RTC().memory())
machine.RTC().memory(b"x")
"""
    world = World(street=None, air=None, i2c=[Counter()])
    one = bench.board("sag", {"/main.py": main}, world=world, autorestart=False)
    one.power_on()
    one.wait_console("boot 1 1 b''")
    one.wait_prompt()
    one.brown_out()
    one.wait_console("boot 1 2 b''")
    one.wait_prompt()
    assert one.exits == ["brown-out"]
    one.power_off()
    one.brown_out()
    assert not one.running
    one.power_on()
    one.wait_console("boot 1 1 b''")


def test_a_worn_flash_fails_and_says_so(bench: VirtualBench) -> None:
    main = b"""
import os
n = 0
try:
    while True:
        with open("new", "w") as f:
            f.write(str(n) * 300)
        os.rename("new", "old")
        n += 1
except OSError as error:
    with open("old") as f:
        whole = f.read()
    print("after", n, "errno", error.errno, whole == str(n - 1) * 300, len(whole) > 0)
"""
    kind = {"flash_bytes": 64 * 1024, "world": NOTHING}
    one = bench.board("worn", {"/main.py": main}, flash_endurance=25, **kind)  # type: ignore[arg-type]
    one.power_on()
    found = one.wait_console(r"after \d+ errno \d+ (True|False) True", timeout_s=60).split()
    assert int(found[1]) > 50
    assert found[-2] == "True", "what was there before is whole"
    assert max(one.flash_stats().block_erases) > 25


def stats(*erases: int) -> FlashStats:
    return FlashStats(0, sum(erases), 0, (0,) * len(erases), erases)


def test_wear_in_years() -> None:
    wear = stats(5, 1, 4).wear(stats(1, 1, 1), YEAR_S / 1000)
    assert wear.erases_a_year == pytest.approx(7000)
    assert wear.worst_a_year == pytest.approx(4000)
    assert wear.years == pytest.approx(ENDURANCE / 4000)
    assert stats(1, 1).wear(stats(1, 1), 60).years == math.inf
