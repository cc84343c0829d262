"""A bare board gets MicroPython by the real esptool, with a partition that its code runs from."""

from pathlib import Path

import pytest
from lampione_hil.board import BenchError
from lampione_hil.flashing import flash
from lampione_hil.flashing.image import Image, read
from lampione_hil.flashing.install import has, install, plan
from lampione_hil.flashing.layout import Layout
from lampione_hil.partitions import Entry, Files, files, parse, rom_bytes, table
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World, chip

from tests.hil import esp_images

pytest.importorskip("esptool")

KEPT = {"/kept": b"what the node knows"}
# The model knows neither esptool's helper program nor, on a pseudo-terminal, its reset lines.
MODEL = ("--no-stub", "--before", "no-reset", "--after", "no-reset")


@pytest.fixture
def bare(bench: VirtualBench) -> VirtualBoard:
    quiet = World(street=None, air=SteadyAir())
    made = bench.board(f"parts{len(bench.boards)}", KEPT, world=quiet, bare=True)
    made.power_on()
    return made


def bring(board: VirtualBoard, image: Image, rom: bool = True) -> Layout | None:
    """Install an image as `lampione flash` does, and start what it brings."""
    board.reset(loader=True)
    wanted = plan(image, board.port, options=MODEL) if rom else None
    install(image, board.port, wanted, options=MODEL)
    board.reset()
    board.wait_console(">>> ")
    return wanted


def has_kept(board: VirtualBoard) -> bool:
    board.power_off()
    found = "/kept" in board.list_files()
    board.power_on()
    return found


def test_the_whole_way_to_code_that_runs_in_the_flash(bare: VirtualBoard, tmp_path: Path) -> None:
    stock = read(esp_images.write(tmp_path / "stock.bin"))
    assert bring(bare, stock, rom=False) is None
    assert chip.rom_bytes(bare.chip_flash) == 0
    assert flash(bare.port, start=False).slot == "/lib", "as it comes it has no such partition"
    assert has(stock, bare.port)[1] is False

    wanted = bring(bare, stock)
    assert wanted is not None
    assert chip.entries(bare.chip_flash) == wanted.entries
    assert chip.rom_bytes(bare.chip_flash) == 128 * 1024
    assert bare.chip_flash.read_bytes()[:0x7000].rstrip(b"\xff") in stock.data
    done = flash(bare.port)
    assert done.chip.rom_bytes == 128 * 1024
    assert done.slot == "/rom/lib"
    assert done.hello is not None
    assert done.hello.folder == "/rom/lib"
    assert has_kept(bare), "the files are where they were"

    # The next MicroPython leaves both.
    bring(bare, read(esp_images.write(tmp_path / "next.bin", used=60_000)))
    bare.wait_console(r"lampione hello \S+ /rom/lib", timeout_s=20)
    assert has_kept(bare)


def test_the_files_stay_where_an_older_table_has_them(bare: VirtualBoard, tmp_path: Path) -> None:
    """MicroPython 1.25 gave the application less, and named the files' partition."""
    older = (*esp_images.FRONT, ("factory", 0, 0, 0x10000, 0x180000),
             ("vfs", 1, 0x81, 0x1C0000, 0x200000))  # fmt: skip
    bring(bare, read(esp_images.write(tmp_path / "older.bin", older)), rom=False)
    wanted = bring(bare, read(esp_images.write(tmp_path / "newer.bin")))
    assert wanted is not None
    assert files(wanted.entries) == Files(0x1C0000, 0x200000)
    assert rom_bytes(wanted.entries) == 128 * 1024
    assert has_kept(bare)


def test_nothing_is_written_where_files_would_be_lost(bare: VirtualBoard, tmp_path: Path) -> None:
    early = (*esp_images.FRONT, ("factory", 0, 0, 0x10000, 0x10000))
    bring(bare, read(esp_images.write(tmp_path / "early.bin", early)), rom=False)
    before = bare.chip_flash.read_bytes()
    bare.reset(loader=True)
    image = read(esp_images.write(tmp_path / "newer.bin", used=200_000))
    with pytest.raises(BenchError, match="begins at 0x20000, where this MicroPython would lie: no"):
        plan(image, bare.port, options=MODEL)
    after = bare.chip_flash.read_bytes()
    assert after[:0x20000] == before[:0x20000]
    bare.reset()
    assert has_kept(bare)


def test_files_of_nobody_are_no_obstacle(bare: VirtualBoard, tmp_path: Path) -> None:
    """A development board comes with a program of its maker, and nothing behind it."""
    demo = (Entry("factory", 0, 0, 0x10000, 0x10000),)
    blank = bytearray(b"\xff" * (8 << 20))
    blank[0x8000:0x8C00] = table(demo)
    bare.power_off()
    bare.chip_flash.write_bytes(blank)
    bare.wipe()
    bare.power_on()
    bare.reset(loader=True)
    image = read(esp_images.write(tmp_path / "newer.bin", used=200_000))
    wanted = plan(image, bare.port, options=MODEL)
    assert wanted is not None
    assert files(wanted.entries) == Files(0x200000, None)
    assert parse(table(wanted.entries)) == wanted.entries


def test_an_image_for_two_applications_is_installed_as_it_is(
    bare: VirtualBoard, tmp_path: Path
) -> None:
    image = read(esp_images.write(tmp_path / "ota.bin", esp_images.OTA))
    wanted = bring(bare, image)
    assert wanted is not None
    assert "(OTA)" in wanted.why_no_rom
    assert bare.chip_flash.read_bytes()[: len(image.data)] == image.data
    assert flash(bare.port).slot == "/lib"
