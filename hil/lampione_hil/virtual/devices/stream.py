"""What particle sensors on a serial line have in common: a frame now and then, and its faults."""

from abc import abstractmethod
from typing import Any

from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.dust import Dust, Masses

_FAULTS = ("", "stuck", "crc", "silent", "half", "brownout", "implausible")


class DustStream(UartDevice):
    """A part that sends frames by itself while its fan runs.

    From the fan's start a reading grows towards the truth, for `stable_s`.

    Faults: "stuck" the last frame's values again and again, "crc" wrong checksums, "silent"
    nothing at all, "half" half a frame and then nothing, "brownout" a new start, once,
    "implausible" masses that cannot be (`wrong`).
    """

    stable_s = 30.0
    boot_s = 1.0  # from power to the first frame; no maker tells it
    wrong = Masses(3000.0, 2000.0, 1500.0, 1000.0)

    def __init__(self, dust: Dust | None = None) -> None:
        self.dust = dust or Dust()
        self.kind = ""
        self.running = True  # the fan
        self._spin_s: float | None = None  # when the fan started; None: it does now
        self._next_s: float | None = None
        self._last: Any = None
        self._halved = False

    @abstractmethod
    def measured(self, masses: Masses, now_s: float) -> Any:
        """Return the values of a frame."""

    @abstractmethod
    def frame(self, values: Any, spoilt: bool) -> bytes:
        """Return the frame, `spoilt`: with a wrong checksum."""

    @abstractmethod
    def pause_s(self) -> float | None:
        """Return how long after a frame the next comes; None: it is not sent by itself."""

    @abstractmethod
    def restart(self) -> None:
        """Be as after power-up, but for the memory that stays."""

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in _FAULTS:
            raise ValueError(f"{self.name} has no fault {kind!r}: {', '.join(_FAULTS[1:])}")
        if kind == "brownout":
            self._start()
            return
        if self.kind == "half" and not kind:
            self._next_s = None
        self.kind = kind
        self._halved = False

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._start()

    def _start(self) -> None:
        self._spin_s = self._next_s = None
        self.running = True
        self.restart()

    def spin(self, on: bool) -> None:
        """Switch the fan on or off."""
        if on != self.running:
            self._spin_s = self._next_s = None
        self.running = on

    def next_due_s(self, now_s: float) -> float | None:
        """See UartDevice."""
        if not self.running or self.pause_s() is None:
            self._next_s = None
            return None
        if self._spin_s is None:
            self._spin_s = now_s
            self._next_s = now_s + self.boot_s
        if self._next_s is None:
            self._next_s = now_s + (self.pause_s() or 0.0)
        return self._next_s

    def due(self, now_s: float) -> bytes:
        """See UartDevice."""
        said = self.report(now_s)
        self._next_s = now_s + (self.pause_s() or 0.0)
        return said

    def report(self, now_s: float) -> bytes:
        """Return a frame of now, as the fault lets it be."""
        if self._spin_s is None:
            self._spin_s = now_s
        if self.kind != "stuck" or self._last is None:
            masses = self.wrong
            if self.kind != "implausible":
                share = min(1.0, (now_s - self._spin_s) / self.stable_s)
                masses = Masses(*(mass * share for mass in self.dust.at(now_s)))
            self._last = self.measured(masses, now_s)
        return self.said(self.frame(self._last, self.kind == "crc"))

    def said(self, frame: bytes) -> bytes:
        """Return what of a frame comes out."""
        if self.kind == "half" and not self._halved:
            self._halved = True
            return frame[: len(frame) // 2]
        return b"" if self.kind in ("silent", "half") else frame
