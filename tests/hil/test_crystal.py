"""A crystal that is off: the board's ticks and its RTC run faster or slower than the world."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.crystal import Crystal

COUNT = b"""
import machine, time
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=0)
for n in range(1, 2000):
    time.sleep(1)
    lamp.duty_u16(n)
    if n == 500:
        print("rtc", time.time(), time.ticks_ms())
        machine.reset()
"""
RATIO = b"""
import _wire, time
real = _wire.native["time"].ticks_us

def read():
    while True:  # until nothing came in between
        begun, ticks, rtc, ended = real(), time.ticks_us(), time.time_ns() // 1000, real()
        if ended - begun < 200:
            return begun, ticks, rtc

first = read()
while real() - first[0] < 100000:
    pass
passed, ticks, rtc = (new - old for new, old in zip(read(), first))
print("off", (ticks * 100 + passed // 2) // passed, (rtc * 100 + passed // 2) // passed, "percent")
"""


@pytest.mark.parametrize("ppm", [0.0, 100.0, -40.0, 12.5])
def test_on_the_virtual_clock(ppm: float) -> None:
    with VirtualBench(clock="virtual") as bench:
        one = bench.board("one", {"/main.py": COUNT}, world=World(street=None, crystal_ppm=ppm))
        one.power_on()
        bench.run_for(900)
        found = [(change.value, change.us) for change in one.trace() if change.value]
        assert len(found) in (899, 900)
        for n, (value, us) in enumerate(found, 1):
            assert value == (n - 1) % 500 + 1
            # Each look at the clock costs 2 us
            assert abs(us - n * 1_000_000 / (1 + ppm / 1e6)) < 20_000
        assert "rtc 500 500" in one.console()
        last = found[898]
        assert abs(last[1] - 899_000_000 / (1 + ppm / 1e6)) < 9_000


def test_on_the_wall_clock(bench: VirtualBench) -> None:
    world = World(street=None, crystal_ppm=100_000)
    one = bench.board("fast", {"/main.py": RATIO}, world=world)
    one.power_on()
    assert one.wait_console("off .* percent") == "off 110 110 percent"
    one.power_off()


@given(st.integers(-500_000, 500_000), st.integers(0, 10**12), st.integers(0, 10**12))
def test_no_time_is_skipped_or_comes_twice(ppb: int, boot_us: int, span_us: int) -> None:
    crystal = Crystal(ppb, 7000)
    crystal.boot_us = boot_us
    world_us = boot_us + span_us
    first, last = crystal.ticks_us(world_us), crystal.ticks_us(world_us, by=True)
    assert last <= first <= last + 1
    assert crystal.world_us(first) >= world_us
    assert crystal.world_us(last) <= world_us < crystal.world_us(last + 1)
