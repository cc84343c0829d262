"""Flashing a board whose MicroPython has a ROM partition: the node runs from there."""

import contextlib
import random

import pytest
from lampione_hil import firmware, romfs
from lampione_hil.board import BenchError
from lampione_hil.flashing import flash
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

ROM_BYTES = 128 * 1024
QUIET = World(street=None, air=SteadyAir())


def board(bench: VirtualBench, name: str, rom_bytes: int = ROM_BYTES) -> VirtualBoard:
    made = bench.board(name, rom_bytes=rom_bytes, world=QUIET)
    made.power_on()
    return made


def changed(text: str) -> dict[str, bytes]:
    """Return our firmware with one more module, so that it is another."""
    source = f"WHAT = {text!r}\n"
    code = firmware.compile_module(source, "what.py", firmware.host_march())
    return {**firmware.compile_tree(), "/lib/lampione_node/what.mpy": code}


def rom_of(board: VirtualBoard) -> bytes:
    return board.flash.read_bytes()[-ROM_BYTES:]


def test_it_runs_from_rom_and_a_second_time_nothing_is_written(bench: VirtualBench) -> None:
    one = board(bench, "rom-one")
    done = flash(one.port)
    assert (done.slot, done.written) == ("/rom/lib", True)
    assert done.hello is not None
    assert done.hello.folder == "/rom/lib"
    writes = one.flash_stats().writes
    again = flash(one.port)
    assert (again.slot, again.written) == ("/rom/lib", False)
    assert one.flash_stats().writes - writes < 20, "what the node itself writes at a start"


def test_another_firmware_replaces_both(bench: VirtualBench) -> None:
    one = board(bench, "rom-two")
    flash(one.port)
    before = rom_of(one)
    done = flash(one.port, changed("new"))
    assert done.hello is not None
    assert done.hello.folder == "/rom/lib"
    assert rom_of(one) != before
    assert b"WHAT" in rom_of(one)
    one.power_off()
    assert one.read_file("/slot") == b"rba"
    assert "/lib.b/lampione_node/what.mpy" in one.list_files("/")


def test_a_small_partition_is_left_alone(bench: VirtualBench) -> None:
    one = board(bench, "rom-small", 64 * 1024)
    assert flash(one.port).slot == "/lib"
    one.power_off()
    assert set(one.flash.read_bytes()[-64 * 1024 :]) == {255}


def test_what_somebody_else_deployed_is_replaced_after_the_slot_is_first(
    bench: VirtualBench,
) -> None:
    one = board(bench, "rom-other")
    flash(one.port)
    one.power_off()
    one.write_rom(romfs.image({"/lib/lampione_node/app.py": b"raise ImportError\n"}))
    one.power_on()
    one.wait_console(r"lampione hello \S+ /lib\b", timeout_s=20)
    done = flash(one.port)
    assert done.written
    assert done.hello is not None
    assert done.hello.folder == "/rom/lib"


@pytest.mark.parametrize("seed", range(2))
def test_after_a_power_cut_at_any_write_the_node_starts(bench: VirtualBench, seed: int) -> None:
    _cuts(bench, f"rom-cut{seed}", seed, cuts=2)


@pytest.mark.soak
def test_after_a_hundred_power_cuts_each_the_node_starts(bench: VirtualBench) -> None:
    for seed in range(20):
        _cuts(bench, f"rom-soak{seed}", 100 + seed, cuts=50)


def _check_power(board: VirtualBoard) -> None:
    """Raise when the power is off: a flashing tool would wait for long."""
    if not board.running:
        raise BenchError("off")


def _cuts(bench: VirtualBench, name: str, seed: int, cuts: int) -> None:
    """Cut the power at random writes or erases of one flashing after the other."""
    draw = random.Random(seed)
    one = board(bench, name)
    flash(one.port)
    one.power_off()
    for number in range(cuts):
        # A first firmware takes some 500 writes, 1,000 with the partition.
        if draw.random() < 0.3:
            one.cut_power_at_erase(draw.randrange(1, 40), draw.random())
        else:
            one.cut_power_at_write(draw.randrange(1, 1000), draw.random())
        one.power_on()
        with contextlib.suppress(BenchError):
            flash(one.port, changed(f"{seed}-{number}"), check=lambda: _check_power(one))
        one.power_off()
        one.cut_power_at_write(0)
        one.power_on()
        one.wait_console(r"lampione hello \S+ \S+", timeout_s=20)
        one.power_off()
    one.power_on()
    done = flash(one.port)
    assert done.hello is not None
    assert done.hello.folder == "/rom/lib"
