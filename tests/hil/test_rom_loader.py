"""The ROM boot loader of a virtual board, asked by the real esptool."""

import hashlib
import importlib.util
import random
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.rom_loader import FLASH_BYTES, RomLoader, has_program

MAC = bytes.fromhex("7cdfa1001122")
READ_REG, FLASH_BEGIN, FLASH_DATA, MD5 = 0x0A, 0x02, 0x03, 0x13


def request(operation: int, body: bytes, check: int = 0) -> bytes:
    packet = struct.pack("<2BHI", 0, operation, len(body), check) + body
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


class Chip:
    """A loader with its line."""

    def __init__(self, flash: Path) -> None:
        self.said = bytearray()
        self.ran = 0
        self.loader = RomLoader(MAC, flash, self.said.extend, self._run)
        assert self.said.endswith(b"waiting for download\r\n")
        self.said.clear()

    def _run(self) -> None:
        self.ran += 1

    def ask(self, operation: int, body: bytes, check: int = 0) -> tuple[int, bytes, bytes]:
        """Return value, data and status."""
        self.said.clear()
        self.loader.take(request(operation, body, check))
        (packet,) = self.packets()
        kind, answered, length, value = struct.unpack_from("<2BHI", packet)
        assert (kind, answered, length) == (1, operation, len(packet) - 8)
        return value, packet[8:-4], packet[-4:]

    def packets(self) -> list[bytes]:
        frames = [f for f in bytes(self.said).split(b"\xc0") if f]
        return [f.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb") for f in frames]


@pytest.fixture(scope="module")
def flash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chip") / "chip"


@given(st.lists(st.one_of(st.binary(max_size=40), st.builds(
    request, st.integers(0, 255), st.binary(max_size=40)))), st.integers(1, 9))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_rubbish_is_survived(flash: Path, parts: list[bytes], cut: int) -> None:
    chip = Chip(flash)
    rubbish = b"".join(parts)
    for at in range(0, len(rubbish), cut):
        chip.loader.take(rubbish[at : at + cut])
    chip.loader.take(b"\xc0")
    value, _, status = chip.ask(READ_REG, struct.pack("<I", 0x60007044 + 4))
    assert (value & 0xFFFF, status) == (0x7CDF, bytes(4)) or 0x09 in rubbish


def test_writes_are_checked_and_bits_only_fall(tmp_path: Path) -> None:
    chip = Chip(tmp_path / "chip")
    begin = struct.pack("<5I", 4096, 4, 1024, 8192, 0)
    assert chip.ask(FLASH_BEGIN, begin)[2] == bytes(4)
    data = bytes(range(256)) * 4
    block = struct.pack("<4I", 1024, 1, 0, 0) + data
    assert chip.ask(FLASH_DATA, block, 0)[2][:2] == bytes((1, 7)), "the sum is wrong"
    assert chip.ask(FLASH_DATA, block, 0xEF)[2] == bytes(4)
    kept = (tmp_path / "chip").read_bytes()
    assert len(kept) == FLASH_BYTES
    assert kept[8192 : 8192 + 4096] == b"\xff" * 1024 + data + b"\xff" * 2048
    again = struct.pack("<4I", 1024, 1, 0, 0) + b"\x0f" * 1024
    assert chip.ask(FLASH_DATA, again, 0xEF)[2] == bytes(4)
    fallen = (tmp_path / "chip").read_bytes()[9216:10240]
    assert fallen == bytes(n & 0x0F for n in data)
    _, found, _ = chip.ask(MD5, struct.pack("<4I", 9216, 1024, 0, 0))
    assert found.decode() == hashlib.md5(fallen).hexdigest()
    beyond = struct.pack("<5I", 4096, 4, 1024, FLASH_BYTES, 0)
    assert chip.ask(FLASH_BEGIN, beyond)[2][:2] == bytes((1, 6))
    outside = struct.pack("<4I", 1024, 4, 0, 0) + data
    chip.ask(FLASH_BEGIN, begin)
    assert chip.ask(FLASH_DATA, outside, 0xEF)[2][:2] == bytes((1, 6))
    assert chip.ask(0xD2, b"")[2][:2] == bytes((1, 5)), "the stub's commands are not the ROM's"
    assert chip.ran == 0
    chip.ask(0x04, struct.pack("<I", 1))
    assert chip.ran == 0
    chip.ask(0x04, struct.pack("<I", 0))
    assert chip.ran == 1


@pytest.fixture
def bare(bench: VirtualBench) -> Iterator[VirtualBoard]:
    if importlib.util.find_spec("esptool") is None:
        pytest.skip("esptool is not installed (extra esp)")
    world = World(street=None, air=None)
    main = {"/main.py": b"print('main runs')\n"}
    board = bench.board(f"chip{len(bench.boards)}", main, world=world, bare=True)
    board.power_on()
    yield board
    board.power_off()


def esptool(port: str, *arguments: str) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "esptool", "--no-stub", "--chip", "esp32s3"),
            *("--port", port, *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def image(path: Path, size: int) -> bytes:
    """An image of nothing that runs: it only begins as one does."""
    content = b"\xe9" + random.Random(size).randbytes(size - 1)
    path.write_bytes(content)
    return content


def test_dtr_and_rts_lead_into_the_loader_and_out_again(bare: VirtualBoard) -> None:
    with serial.serial_for_url(bare.rfc2217, timeout=10) as port:
        port.dtr = False
        port.rts = True
        port.dtr = True  # one after the other, as esptool has to: both are on in between
        port.rts = False
        banner = port.read_until(b"waiting for download\r\n")
        assert banner.endswith(b"boot:0x0 (DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n")
        assert bare.state()["loader"]
        port.dtr = False
        port.write(request(READ_REG, struct.pack("<I", 0x60007044 + 4)))
        answer = port.read_until(b"\xc0", 1) + port.read_until(b"\xc0")
        assert answer[5:7] == bytes.fromhex(bare.serial_number)[1::-1]
        port.rts = True
        port.rts = False
        assert port.read_until(b"invalid header: 0xffffffff\r\n")
        assert not bare.state()["loader"]


def test_a_bare_chip_runs_when_esptool_has_written_a_program(
    bare: VirtualBoard, tmp_path: Path
) -> None:
    bare.wait_console("invalid header: 0xffffffff")
    assert bare.state()["pid"] == 0, "there is no program yet"
    bare.reset(loader=True)
    assert bare.state()["loader"]
    content = image(tmp_path / "image.bin", 200_000)
    said = esptool(
        bare.port,
        *("--before", "no-reset", "--after", "no-reset"),
        *("write-flash", "--no-progress", "0x0", str(tmp_path / "image.bin")),
    )
    assert "Hash of data verified." in said
    assert bare.chip_flash.read_bytes()[:200_000] == content
    bare.reset()
    bare.wait_console("main runs")
    assert not bare.state()["loader"]
    assert has_program(bare.chip_flash)


@pytest.mark.soak  # pyserial takes 0.1 s for each change of a time-out, and esptool changes many
def test_esptool_writes_a_program_over_rfc2217(bare: VirtualBoard, tmp_path: Path) -> None:
    content = image(tmp_path / "image.bin", 20_000)
    said = esptool(bare.rfc2217, "write-flash", "--no-progress", "0x0", str(tmp_path / "image.bin"))
    assert "Hash of data verified." in said
    mac = ":".join(re.findall("..", bare.serial_number))
    assert re.search(rf"MAC:\s+{mac}", said)
    assert bare.chip_flash.read_bytes()[:20_000] == content
    bare.wait_console("main runs")  # it was reset, and starts what is there
