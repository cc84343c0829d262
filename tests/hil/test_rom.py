"""A board with a ROM partition: what lies there runs from the flash."""

from pathlib import Path

import pytest
from lampione_hil import romfs
from lampione_hil.board import BenchError
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

from tests.hil.test_mpremote import mpremote

ROM_BYTES = 64 * 1024
QUIET = World(street=None, air=SteadyAir())
MAIN = b"""
import os, sys
print("path", sys.path)
try:
    import answer
    print("answer", answer.ANSWER)
except ImportError:
    print("nothing there")
print("done")
"""


def board(bench: VirtualBench, name: str) -> VirtualBoard:
    return bench.board(name, {"/main.py": MAIN}, rom_bytes=ROM_BYTES, world=QUIET)


def test_an_empty_partition_is_no_obstacle(bench: VirtualBench) -> None:
    one = board(bench, "rom-empty")
    one.power_on()
    one.wait_console("done")
    assert "path ['', '/rom', '/rom/lib', '.frozen', '/lib']" in one.console()
    assert "nothing there" in one.console()


def test_unmodified_mpremote_deploys(bench: VirtualBench, tmp_path: Path) -> None:
    (tmp_path / "rom" / "lib").mkdir(parents=True)
    (tmp_path / "rom" / "lib" / "answer.py").write_text("ANSWER = 6 * 7\n")
    one = board(bench, "rom-deploy")
    one.power_on()
    one.wait_console("done")
    assert f"size {ROM_BYTES} bytes" in mpremote(one, "romfs", "query")
    mpremote(one, "romfs", "deploy", str(tmp_path / "rom"))
    mpremote(one, "reset")
    one.wait_console("answer 42")
    assert one.flash_stats().overwrites == 0


def test_an_image_of_ours_runs(bench: VirtualBench) -> None:
    one = board(bench, "rom-ours")
    files = {"/lib/answer.py": b"from deep.er import ANSWER\n", "/lib/deep/er.py": b"ANSWER = 3\n"}
    one.write_rom(romfs.image({**files, "/boot.py": b"not in it"}))
    one.power_on()
    one.wait_console("answer 3")
    with pytest.raises(BenchError, match="is on"):
        one.write_rom(b"")
    one.power_off()
    assert "/main.py" in one.list_files("/"), "the file system is untouched"
    with pytest.raises(ValueError, match=str(ROM_BYTES)):
        one.write_rom(bytes(ROM_BYTES + 1))


@pytest.mark.parametrize("number", [1, 3, 9])
def test_a_cut_in_the_middle_leaves_a_board_that_boots(bench: VirtualBench, number: int) -> None:
    one = board(bench, f"rom-cut{number}")
    one.write_rom(romfs.image({"/lib/answer.py": b"ANSWER = 1\n"}))
    code = b"""
import vfs
image = bytes(range(256)) * 100
rom = vfs.rom_ioctl(2, 0)
for block in range(7):
    rom.ioctl(6, block)
for at in range(0, len(image), 512):
    rom.writeblocks(at // 4096, image[at : at + 512], at % 4096)
"""
    one.write_files({"/main.py": code})
    if number == 1:
        one.cut_power_at_erase(number)
    else:
        one.cut_power_at_write(number)
    one.power_on()
    one.wait_exit()
    one.write_files({"/main.py": MAIN})
    one.power_on()
    one.wait_console("done")
    assert "nothing there" in one.console()


def test_a_partition_has_whole_blocks(bench: VirtualBench) -> None:
    with pytest.raises(ValueError, match="4096"):
        bench.board("rom-odd", rom_bytes=1000)


def test_code_in_rom_takes_less_memory(bench: VirtualBench) -> None:
    """Bytecode and constants stay where they are; their names too."""
    text = "\n".join(
        f"def f{n}(a):\n    return a * {n} + len('text number {n}')" for n in range(99)
    )
    main = b"""
import gc
gc.collect()
before = gc.mem_alloc()
import much
gc.collect()
print("takes", gc.mem_alloc() - before, much.f7(1))
"""
    from lampione_hil.firmware import compile_module, host_march

    code = {"/lib/much.mpy": compile_module(text, "much.py", host_march())}
    taken = []
    for name, flash in (("in-rom", {}), ("in-files", code)):
        one = bench.board(name, {"/main.py": main, **flash}, rom_bytes=ROM_BYTES, world=QUIET)
        if not flash:
            one.write_rom(romfs.image(code))
        one.power_on()
        taken.append(int(one.wait_console(r"takes \d+ 20").split()[1]))
    assert taken[0] < taken[1] * 2 / 3
