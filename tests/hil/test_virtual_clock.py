"""The virtual clock: time passes in run_for only, and the same program does the same."""

from pathlib import Path

import pytest
from lampione_hil.virtual import (
    Change,
    PlausibleDay,
    Tone,
    VirtualBench,
    VirtualBoard,
    World,
)

MAIN = b"""
import asyncio, gc, machine, network, time
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=0)
heard = [0, 0]

async def listen():
    stream = asyncio.StreamReader(machine.I2S(
        0, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3), mode=machine.I2S.RX,
        bits=32, format=machine.I2S.MONO, rate=48000, ibuf=16000))
    block = bytearray(1200)
    while True:
        heard[0] += await stream.readinto(block) // 4
        heard[1] = heard[1] * 31 + block[2] & 0xFFFF

async def feel():
    bus = machine.I2C(0, scl=machine.Pin(5), sda=machine.Pin(6))
    while True:
        bus.writeto(0x44, b"\\xfd")
        await asyncio.sleep_ms(10)
        lamp.duty_u16(bus.readfrom(0x44, 6)[1] * 256 + heard[1] % 256)
        await asyncio.sleep_ms(990)

async def main():
    asyncio.create_task(listen())
    asyncio.create_task(feel())
    n = 0
    while True:
        await asyncio.sleep(60)
        gc.collect()
        n += 1
        print("minute", n, heard[0], time.time(), gc.mem_alloc(), network.WLAN().isconnected())

asyncio.run(main())
"""


def board(
    bench: VirtualBench, main: bytes, name: str = "one", ticks_base_ms: int = 0
) -> VirtualBoard:
    world = World(street=Tone(440, 70), air=PlausibleDay(3))
    made = bench.board(name, {"/main.py": main}, world=world, ticks_base_ms=ticks_base_ms)
    made.power_on()
    return made


def test_two_runs_are_the_same() -> None:
    traces: list[list[Change]] = []
    consoles: list[str] = []
    for steps in ((300.0,), (100.5, 0.25, 199.25)):
        with VirtualBench(clock="virtual") as bench:
            one = board(bench, MAIN)
            for step in steps:
                at_s = bench.run_for(step)
            assert at_s == 300
            traces.append(one.trace())
            consoles.append(one.console())
    assert len(traces[0]) > 290
    assert traces[0] == traces[1]
    assert consoles[0] == consoles[1]
    lines = [line.split() for line in consoles[0].splitlines()]
    assert [int(line[1]) for line in lines] == list(range(1, 5))
    used = [line[4] for line in lines]
    assert len(set(used[1:])) == 1, f"the heap grows: {used}"
    # 48,000 samples a second, whole DMA buffers of 256
    assert all(0 <= int(n) * 2_880_000 - int(heard) + 480 < 1000 for _, n, heard, *_ in lines)


def test_time_stands_still_between_runs() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = board(bench, b"import time\ntime.sleep(5)\nprint('slept', time.time())\n")
        assert bench.run_for(4.9) == 4.9
        assert "slept" not in one.console()
        bench.run_for(0.2)
        assert "slept 5" in one.console()


def test_the_watchdog_bites_at_its_time() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = board(
            bench,
            b"import machine, time\nw = machine.WDT(timeout=3000)\n"
            b"machine.PWM(machine.Pin(4), freq=1000, duty_u16=machine.reset_cause())\n"
            b"time.sleep(2)\nw.feed()\ntime.sleep(100)\n",
        )
        bench.run_for(12)
        assert one.exits == ["watchdog", "watchdog"]
        changes = [(round(change.us / 1e6), change.value) for change in one.trace()]
        assert changes == [(0, 1), (5, 3), (10, 3)]


def test_ticks_wrap() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = board(
            bench,
            b"import asyncio, time\n"
            b"async def main():\n"
            b"  for n in range(4):\n"
            b"    await asyncio.sleep(1)\n    print('tick', n, time.ticks_ms())\n"
            b"asyncio.run(main())\n",
            ticks_base_ms=2**30 - 2500,
        )
        bench.run_for(5)
        ticks = [int(line.split()[2]) for line in one.console().splitlines() if "tick" in line]
        assert [round(t / 500) for t in ticks[:2]] == [(2**30 - 1500) // 500 + 1, 2**30 // 500 - 0]
        assert [round(t / 500) for t in ticks[2:]] == [1, 3]


def test_boards_keep_in_step() -> None:
    with VirtualBench(clock="virtual") as bench:
        boards = [board(bench, MAIN, f"post-{n}") for n in range(3)]
        bench.run_for(30)
        assert boards[0].trace() == boards[1].trace() == boards[2].trace()
        assert 28 <= len(boards[0].trace()) <= 31


def test_the_heap_is_what_was_asked_for() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = board(bench, b"import gc\ngc.collect()\nprint('free', gc.mem_free())\n")
        free = int(one.wait_console(r"free \d+").split()[1])
        assert 310_000 < free <= 320 * 1024, "the simulated modules must not eat the program's heap"


def test_no_dump_with_the_virtual_clock(tmp_path: Path) -> None:
    with (
        VirtualBench(clock="virtual") as bench,
        pytest.raises(ValueError, match="wall clock only"),
    ):
        bench.board("one", world=World(dump=tmp_path / "x.s32"))


def test_run_for_needs_the_virtual_clock(bench: VirtualBench) -> None:
    with pytest.raises(ValueError, match="virtual"):
        bench.run_for(1)
