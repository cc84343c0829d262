"""MicroPython itself, written by esptool to the model of the chip's boot loader."""

import hashlib
import struct
from pathlib import Path

import pytest
from lampione_hil.board import BenchError
from lampione_hil.flashing import Stopped
from lampione_hil.flashing.image import read
from lampione_hil.flashing.install import has, install
from lampione_hil.real.errors import NoBoardError, WrongChipError
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

VERSION = b"3.4.0; MicroPython v1.29.0 on 2026-06-01"
# The model knows neither esptool's helper program nor, on a pseudo-terminal, its reset lines.
MODEL = ("--no-stub", "--before", "no-reset", "--after", "no-reset")


def image_of(folder: Path, chip: int, size: int = 20_000) -> Path:
    path = folder / f"chip{chip}.bin"
    head = bytes([0xE9, 1, 2, 0x3F]) + bytes(8) + struct.pack("<H", chip) + bytes(10)
    path.write_bytes((head + VERSION + b"\0Generic").ljust(size, b"\x55"))
    return path


@pytest.fixture
def bare(bench: VirtualBench) -> VirtualBoard:
    quiet = World(street=None, air=SteadyAir())
    made = bench.board(f"bare{len(bench.boards)}", world=quiet, bare=True)
    made.power_on()
    made.reset(loader=True)
    return made


def test_what_an_image_says(tmp_path: Path) -> None:
    path = image_of(tmp_path, 9)
    found = read(path)
    assert (found.chip, found.offset, found.version) == ("esp32s3", 0, "v1.29.0")
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.runs(VERSION.decode())
    assert not found.runs("3.4.0; MicroPython v1.28.0 on 2026-06-01")
    assert read(image_of(tmp_path, 0)).offset == 0x1000
    with pytest.raises(BenchError, match="a chip that is not known here \\(number 99\\)"):
        read(image_of(tmp_path, 99))
    (tmp_path / "x").write_bytes(b"MZ" * 1000)
    with pytest.raises(BenchError, match="not an image for an ESP32: take"):
        read(tmp_path / "x")


def test_a_bare_chip_gets_micropython(bare: VirtualBoard, tmp_path: Path) -> None:
    found = read(image_of(tmp_path, 9))
    parts: list[float] = []
    install(found, bare.port, options=MODEL, told=lambda step, part: parts.append(part))
    assert bare.chip_flash.read_bytes()[:20_000] == found.path.read_bytes()
    assert parts[0] == 0
    assert parts[-1] == 1
    bare.reset()
    bare.wait_console(">>> ")
    assert has(found, bare.port) == (False, False)


def test_the_wrong_chip_is_refused_by_its_own_word(bare: VirtualBoard, tmp_path: Path) -> None:
    with pytest.raises(WrongChipError, match="the image is for esp32: This chip is ESP32-S3"):
        install(read(image_of(tmp_path, 0)), bare.port, options=MODEL)
    assert bare.chip_flash.read_bytes()[:16] != read(image_of(tmp_path, 0)).path.read_bytes()[:16]


def test_it_can_be_stopped(bare: VirtualBoard, tmp_path: Path) -> None:
    def check() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        install(read(image_of(tmp_path, 9)), bare.port, options=MODEL, check=check)


def test_plain_words_without_a_port_or_esptool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read(image_of(tmp_path, 9))
    with pytest.raises(NoBoardError, match="/dev/nothing-here: no board there"):
        install(found, "/dev/nothing-here")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"type `pip install 'lampione\[esp\]'`"):
        install(found, "/dev/nothing-here")
