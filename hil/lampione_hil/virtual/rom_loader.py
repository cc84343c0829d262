"""The ROM boot loader of an ESP32-S3, as far as `esptool --no-stub` asks it.

Packets in SLIP frames (RFC 1055), as Espressif documents its serial protocol: a request is 0, the
operation, the length and a checksum, then its data; an answer is 1, the operation, the length and
a value, then data and four bytes of status. The chip's flash is a file. What is written there is
kept and compared, and never run: a virtual board's interpreter is this computer's.
"""

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

CHIP_ID = 9  # ESP32-S3
FLASH_BYTES = 8 << 20
SECTOR = 4096
PROGRAM = 0xE9  # the first byte of an image that the ROM would start
BANNER = (
    b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x0 (DOWNLOAD(USB/UART0))\r\n"
    b"waiting for download\r\n"
)
NO_PROGRAM = (
    b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n"
    b"invalid header: 0xffffffff\r\n"
)

_FLASH_BEGIN, _FLASH_DATA, _FLASH_END, _SYNC, _WRITE_REG, _READ_REG = 2, 3, 4, 8, 9, 10
_SPI_SET_PARAMS, _SPI_ATTACH, _READ, _BAUD, _MD5, _SECURITY = 0x0B, 0x0D, 0x0E, 0x0F, 0x13, 0x14
_INVALID, _FAILED, _WRONG_SUM = 5, 6, 7
_SYNC_VALUE = 0x20120707
_SYNC_ANSWERS = 8
_SUM = 0xEF
_END, _ESC, _ESC_END, _ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
_LONGEST = 0x8000  # bytes of a packet; what is longer is no packet
_HEAD = 8
_READ_MOST = 64

_MAC = 0x60007044  # eFuse: the low four bytes, then the high two
_REVISION = 0x60007050  # eFuse: the chip's minor revision, from bit 18
_MAGIC = 0x40001000
_SPI = 0x60002000
_SPI_USR2, _SPI_W0 = _SPI + 0x20, _SPI + 0x58
_SPI_START = 1 << 18
_READ_ID = 0x9F
_FLASH_ID = 0x1740EF  # Winbond, W25Q64


class Refused(Exception):
    """The loader refuses a request; `reason` is its status."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


def has_program(flash: Path) -> bool:
    """Whether the chip's flash holds what its ROM would start."""
    try:
        with flash.open("rb") as file:
            return file.read(1) == bytes((PROGRAM,))
    except FileNotFoundError:
        return False


class RomLoader:
    """What a chip does that was reset with GPIO0 low.

    Args:
        mac: the chip's address.
        flash: its flash; made, and erased, where it is not there.
        say: sends to the serial line.
        run: leaves the loader and starts the program.
    """

    def __init__(
        self, mac: bytes, flash: Path, say: Callable[[bytes], None], run: Callable[[], None]
    ) -> None:
        self._flash = flash
        self._say = say
        self._run = run
        self._registers = {
            _MAC: int.from_bytes(mac[2:], "big"),
            _MAC + 4: int.from_bytes(mac[:2], "big"),
            _REVISION: 2 << 18,
            _MAGIC: CHIP_ID,
        }
        self._packet: bytearray | None = None  # None: no frame has begun
        self._escaped = False
        self._at = 0  # where FLASH_DATA writes
        self._end = 0
        self._block = 0
        self._operations: dict[int, Callable[[bytes, int], tuple[int, bytes]]] = {
            _FLASH_BEGIN: self._flash_begin,
            _FLASH_DATA: self._flash_data,
            _FLASH_END: self._flash_end,
            _SYNC: lambda *_: (_SYNC_VALUE, b""),
            _WRITE_REG: self._write_registers,
            _READ_REG: self._read_register,
            _SPI_SET_PARAMS: lambda *_: (0, b""),
            _SPI_ATTACH: lambda *_: (0, b""),
            _READ: self._read_flash,
            _BAUD: lambda *_: (0, b""),
            _MD5: self._md5,
            _SECURITY: lambda *_: (0, struct.pack("<I8s2I", 0, bytes(8), CHIP_ID, 0)),
        }
        if not flash.exists():
            flash.write_bytes(b"\xff" * FLASH_BYTES)
        say(BANNER)

    def take(self, data: bytes) -> None:
        """Do what a piece of the serial line's stream asks, wherever it is cut."""
        for byte in data:
            if byte == _END:
                packet, self._packet, self._escaped = self._packet, bytearray(), False
                if packet:
                    self._answer(bytes(packet))
            elif self._packet is None:
                continue
            elif self._escaped:
                self._escaped = False
                self._packet.append({_ESC_END: _END, _ESC_ESC: _ESC}.get(byte, byte))
            elif byte == _ESC:
                self._escaped = True
            elif len(self._packet) < _LONGEST:
                self._packet.append(byte)
            else:
                self._packet = None

    def _answer(self, packet: bytes) -> None:
        if len(packet) < _HEAD or packet[0]:
            return
        _, operation, length, check = struct.unpack_from("<2BHI", packet)
        body = packet[_HEAD:]
        value, data, status = 0, b"", bytes(4)
        try:
            found = self._operations.get(operation)
            if found is None or len(body) != length:
                raise Refused(_INVALID)
            value, data = found(body, check)
        except struct.error:
            status = bytes((1, _INVALID, 0, 0))
        except Refused as refused:
            status = bytes((1, refused.reason, 0, 0))
        answer = struct.pack("<2BHI", 1, operation, len(data) + 4, value) + data + status
        for _ in range(_SYNC_ANSWERS if operation == _SYNC else 1):
            self._say(_framed(answer))
        if operation == _FLASH_END and body == bytes(4) and not status[0]:
            self._run()

    # Registers

    def _read_register(self, body: bytes, _: int) -> tuple[int, bytes]:
        (address,) = struct.unpack("<I", body)
        return self._registers.get(address, 0), b""

    def _write_registers(self, body: bytes, _: int) -> tuple[int, bytes]:
        if not body:
            raise Refused(_INVALID)
        for address, value, mask, _delay_us in struct.iter_unpack("<4I", body):
            before = self._registers.get(address, 0)
            self._registers[address] = before & ~mask | value & mask
            if address == _SPI and value & mask & _SPI_START:
                # A command to the flash, done at once.
                asked = self._registers.get(_SPI_USR2, 0) & 0xFF
                self._registers[_SPI_W0] = _FLASH_ID if asked == _READ_ID else 0
                self._registers[_SPI] = 0
        return 0, b""

    # Flash

    def _flash_begin(self, body: bytes, _: int) -> tuple[int, bytes]:
        size, blocks, block, at = struct.unpack_from("<4I", body)
        first = at // SECTOR * SECTOR
        last = -(-(at + size) // SECTOR) * SECTOR
        if last > FLASH_BYTES or blocks * block > FLASH_BYTES:
            raise Refused(_FAILED)
        if size:
            self._write(first, b"\xff" * (last - first))
        self._at, self._end, self._block = at, last, block
        return 0, b""

    def _flash_data(self, body: bytes, check: int) -> tuple[int, bytes]:
        length, number = struct.unpack_from("<2I", body)
        data = body[16:]
        if length != len(data):
            raise Refused(_INVALID)
        total = _SUM
        for byte in data:
            total ^= byte
        if total != check:
            raise Refused(_WRONG_SUM)
        at = self._at + number * self._block
        if at + length > self._end:
            raise Refused(_FAILED)
        before = self._read(at, length)  # bits only fall
        self._write(at, bytes(a & b for a, b in zip(before, data, strict=True)))
        return 0, b""

    def _flash_end(self, body: bytes, _: int) -> tuple[int, bytes]:
        struct.unpack("<I", body)
        return 0, b""

    def _read_flash(self, body: bytes, _: int) -> tuple[int, bytes]:
        at, size = struct.unpack("<2I", body)
        if size > _READ_MOST or at + size > FLASH_BYTES:
            raise Refused(_FAILED)
        return 0, self._read(at, size).ljust(_READ_MOST, b"\0")

    def _md5(self, body: bytes, _: int) -> tuple[int, bytes]:
        at, size = struct.unpack_from("<2I", body)
        if at + size > FLASH_BYTES:
            raise Refused(_FAILED)
        found = hashlib.md5(self._read(at, size), usedforsecurity=False)
        return 0, found.hexdigest().encode()

    def _read(self, at: int, length: int) -> bytes:
        with self._flash.open("rb") as file:
            return os.pread(file.fileno(), length, at)

    def _write(self, at: int, data: bytes) -> None:
        with self._flash.open("r+b") as file:
            os.pwrite(file.fileno(), data, at)


def _framed(packet: bytes) -> bytes:
    escaped = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"
