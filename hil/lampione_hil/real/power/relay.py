"""A relay board on a serial line, of the kind LCUS with 1 to 8 relays.

9600 baud, 8N1. A command has four bytes: A0, the relay's number from 1, 1 for on or 0 for off, and
the sum of the three. There is no answer. Boards of two relays and more answer the byte FF: with
a line `CH1: ON ` for each relay, or with a byte for each. The board of one relay does not.
"""

import re
import time
from typing import Any, Literal

import serial
from pydantic import Field

from lampione_hil.real.power.switch import PowerError, Switch

BAUD = 9600
_START = 0xA0
_ASK = b"\xff"
_WRITE_S = 2.0
_LINE = re.compile(rb"CH(\d):\s*(ON|OFF)")


def command(channel: int, on: bool) -> bytes:
    """Return the four bytes that switch a relay."""
    head = bytes([_START, channel, on])
    return head + bytes([sum(head) & 0xFF])


def parse(answer: bytes, channel: int) -> bool | None:
    """Return a relay's state of an answer to FF; None: it is not in there."""
    lines = {int(number): state == b"ON" for number, state in _LINE.findall(answer)}
    if lines:
        return lines.get(channel)
    if 0 < channel <= len(answer) <= 8 and set(answer) <= {0, 1}:
        return bool(answer[channel - 1])
    return None


class Relay(Switch):
    """See Switch.

    port: the relay's serial port; of /dev/serial/by-path/, as its chip has no serial number.
    inverted: the load hangs at the contact that is closed at rest.
    """

    kind: Literal["relay"]
    port: str
    channel: int = Field(default=1, ge=1, le=8)
    inverted: bool = False
    answer_s: float = Field(default=0.5, gt=0)

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return f"relay {self.channel} at {self.port}"

    def state(self) -> bool | None:
        """Return what the relay says; None: this kind cannot be asked."""
        found = parse(self._talk(_ASK, answer=True), self.channel)
        return None if found is None else found is not self.inverted

    def _turn(self, on: bool) -> None:
        self._talk(command(self.channel, on is not self.inverted))

    def _talk(self, data: bytes, *, answer: bool = False) -> bytes:
        try:
            with serial.serial_for_url(
                self.port, BAUD, timeout=self.answer_s, write_timeout=_WRITE_S, exclusive=True
            ) as line:
                line.reset_input_buffer()
                line.write(data)
                line.flush()
                return self._heard(line) if answer else b""
        except (serial.SerialException, OSError, ValueError) as error:
            raise PowerError(
                f"{self.name} cannot be reached ({error}): look whether it is plugged in, and "
                "whether another program holds it"
            ) from None

    def _heard(self, line: Any) -> bytes:
        # How much comes depends on the board: until it is silent, and not for ever.
        heard = b""
        end = time.monotonic() + 2 * self.answer_s
        while len(heard) < 256 and time.monotonic() < end:
            more = line.read(1)
            if not more:
                break
            heard += more + line.read(line.in_waiting)
            line.timeout = 0.05
        return heard
