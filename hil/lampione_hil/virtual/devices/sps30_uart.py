"""Sensirion SPS30 on a UART: SHDLC at 115200 baud (datasheet version 2, chapter 5)."""

import math

from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.devices.sps30 import (
    ASLEEP,
    ERRORS,
    FAULTS,
    IDLE,
    MEASURING,
    TYPE,
    Refused,
    Sps30Core,
)
from lampione_hil.virtual.dust import Dust

_AWAKE_S = 0.1  # the interface after a pulse, without a wake-up command
_FLAG, _ESCAPE = 0x7E, 0x7D
_STUFFED = (0x7E, 0x7D, 0x11, 0x13)


class Sps30Uart(UartDevice):
    """The part on a UART (SEL open), 115200 baud, SHDLC.

    Faults: those of Sps30Core, "crc" wrong checksums, "silent" no answer, "half" half of one.
    """

    name = "sps30"
    baud = 115200

    def __init__(
        self,
        dust: Dust | None = None,
        serial: str = "A1B2C3D4E5F60708",
        firmware: tuple[int, int] = (2, 3),
    ) -> None:
        self.core = Sps30Core(dust, serial, firmware)
        self._forget()

    def _forget(self) -> None:
        self.core.forget()
        self._frame: bytearray | None = None  # stuffed, since the last flag
        self._awake_until_s = -math.inf

    @property
    def dust(self) -> Dust:
        """What it breathes."""
        return self.core.dust

    @dust.setter
    def dust(self, dust: Dust) -> None:
        self.core.dust = dust

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in (*FAULTS, "half"):
            raise ValueError(f"sps30 has no fault {kind!r}: {', '.join(FAULTS[1:])}, half")
        if kind == "brownout":
            self._forget()
        else:
            self.core.fault = kind

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._forget()

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        said = b""
        if self.core.state == ASLEEP and now_s >= self._awake_until_s:
            self._awake_until_s = now_s + _AWAKE_S
            self._frame = None
            if data[:1] != b"\xff":
                return b""  # the pulse was a part of it: it is lost
            data = data[1:]
        for byte in data:
            if byte != _FLAG:
                if self._frame is not None and len(self._frame) < 600:
                    self._frame.append(byte)
                continue
            if self._frame:
                said += self._take(_unstuffed(self._frame), now_s)
                self._frame = None  # the closing flag opens nothing
            else:
                self._frame = bytearray()
        fault = self.core.fault
        return b"" if fault == "silent" else said[: len(said) // 2] if fault == "half" else said

    def _take(self, frame: bytes, now_s: float) -> bytes:
        if len(frame) < 4 or frame[0] != 0 or sum(frame) & 0xFF != 0xFF:
            return b""
        if frame[2] != len(frame) - 4:
            return b""
        core = self.core
        core.advance(now_s)
        command, data = frame[1], frame[3:-1]
        if core.state == ASLEEP and command != 0x11:
            return b""
        state, found = 0, b""
        try:
            found = self._execute(command, data, now_s)
        except Refused as refused:
            state = refused.code
        if core.status & ERRORS:
            state |= 0x80
        reply = bytes([0, command, state, len(found)]) + found
        checksum = ~sum(reply) & 0xFF
        if core.fault == "crc":
            checksum ^= 0x5A
        if command == 0xD3 and not state:
            self._forget()
        return b"\x7e" + _stuffed(reply + bytes([checksum])) + b"\x7e"

    def _execute(self, command: int, data: bytes, now_s: float) -> bytes:
        core = self.core
        lengths = {0x00: (2,), 0x80: (1, 5), 0xD0: (1,), 0xD2: (1,)}
        known = (0x00, 0x01, 0x03, 0x10, 0x11, 0x56, 0x80, 0xD0, 0xD1, 0xD2, 0xD3)
        if command not in known or (command == 0xD2 and core.firmware < (2, 2)):
            raise Refused(0x02)
        if len(data) not in lengths.get(command, (0,)):
            raise Refused(0x01)
        if command == 0x00:
            if data[0] != 1:
                raise Refused(0x04)
            core.start(data[1], now_s)
        elif command == 0x01:
            core.stop()
        elif command == 0x03:
            core.need(MEASURING)
            return core.values(now_s) if core.ready(now_s) else b""
        elif command == 0x10:
            core.sleep()
        elif command == 0x11:
            core.need(ASLEEP)
            core.state = IDLE
        elif command == 0x56:
            core.clean(now_s)
        elif command == 0x80:
            if data[0] != 0:
                raise Refused(0x04)
            if len(data) == 1:
                return core.told_interval_s.to_bytes(4, "big")
            core.set_interval(int.from_bytes(data[1:], "big"), now_s)
        elif command == 0xD0:
            texts = {0: TYPE, 3: core.serial.encode()}
            if data[0] not in texts:
                raise Refused(0x04)
            return texts[data[0]] + b"\0"
        elif command == 0xD1:
            return bytes([*core.firmware, 0, 7, 0, 2, 0])
        elif command == 0xD2:
            status = core.status
            if data[0]:
                core.clear_status()
            return status.to_bytes(4, "big") + b"\0"
        return b""


def _stuffed(data: bytes) -> bytes:
    found = bytearray()
    for byte in data:
        found += bytes([_ESCAPE, byte ^ 0x20]) if byte in _STUFFED else bytes([byte])
    return bytes(found)


def _unstuffed(data: bytearray) -> bytes:
    found = bytearray()
    flip = 0
    for byte in data:
        if byte == _ESCAPE:
            flip = 0x20
        else:
            found.append(byte ^ flip)
            flip = 0
    return bytes(found)
