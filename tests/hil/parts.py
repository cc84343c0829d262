"""Parts that only tests have; importable by the supervisor."""

import math

from lampione_hil.virtual.devices import I2CDevice, UartDevice


class Notes(I2CDevice):
    """Gives back what was written, backwards; a read without a write goes on with the last."""

    name = "notes"
    address = 0x33

    def __init__(self) -> None:
        self._noted = b""

    def write(self, data: bytes, now_s: float) -> bool:
        del now_s
        self._noted = data
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        del now_s
        return self._noted[::-1][:length].ljust(length, b"\xee")


class Doubler(UartDevice):
    """Says everything twice. A text "baud 19200" makes it change its rate."""

    name = "doubler"

    def __init__(self, baud: int = 9600) -> None:
        self.baud = baud
        self.heard: list[tuple[float, bytes]] = []

    def feed(self, data: bytes, now_s: float) -> bytes:
        self.heard.append((now_s, data))
        if data.startswith(b"baud "):
            self.baud = int(data[5:])
        return data + data

    def told(self) -> list[tuple[float, bytes]]:
        """Return what it has heard, and when."""
        return self.heard


class Speed:
    """What a Ticker measures: how often a text comes."""

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s


class Ticker(UartDevice):
    """Counts, by itself, from its power-up on: at whole multiples of its period."""

    name = "ticker"

    def __init__(self, period_s: float = 1.0, size: int = 0, baud: int = 9600) -> None:
        self.speed = Speed(period_s)
        self.baud = baud
        self.size = size
        self.count = 0
        self.calls = 0
        self._last = 0
        self._kind = ""

    def _at(self, now_s: float) -> int:
        return math.floor(now_s / self.speed.period_s + 1e-9)

    def power_up(self, now_s: float) -> None:
        self.count = 0
        self._last = self._at(now_s)

    def fault(self, kind: str) -> None:
        if kind not in ("", "silent"):
            super().fault(kind)
        self._kind = kind

    def feed(self, data: bytes, now_s: float) -> bytes:
        del data, now_s
        return b""

    def next_due_s(self, now_s: float) -> float | None:
        del now_s
        return (self._last + 1) * self.speed.period_s

    def due(self, now_s: float) -> bytes:
        self.calls += 1
        self._last = self._at(now_s)
        if self._kind == "silent":
            return b""
        self.count += 1
        return (b"%d" % self.count).rjust(self.size, b".") + b"\n"
