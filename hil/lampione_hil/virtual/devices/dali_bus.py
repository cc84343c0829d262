"""A DALI line with its gear, at the level of the line; the line's power comes from the gear (D4i).

A frame takes effect when it ends; the gear's answer begins 2.92 to 9.17 ms later.
"""

import random
from collections.abc import Sequence

from lampione_hil.virtual.devices import dali_wire as wire
from lampione_hil.virtual.devices.base import LineDevice
from lampione_hil.virtual.devices.dali_gear import Gear

_FAULTS = ("", "silent", "garbled", "collision", "late", "deaf", "wrong", "noise", "down")
_STOP_S = 4 * wire.TE_US / 1e6  # a frame has ended when the line was high for two bits
_LATE_S = 0.015  # beyond the 12.4 ms in which an answer may begin
_OTHER_S = 0.0003  # so much later another one answers


class DaliBus(LineDevice):
    """The line between a transceiver at two pins and the gear.

    Faults: "silent" nobody answers, "garbled" an edge of the answer is 300 µs late, "collision"
    another one answers too, "late" 15 ms after the frame, "deaf" nobody understands a
    frame, "wrong" every bit of an answer is turned, "noise" spikes between frames, "down" no power
    on the line.
    """

    name = "dali"

    def __init__(
        self,
        gear: Gear | Sequence[Gear],
        tx: int = 17,
        rx: int = 18,
        *,
        invert_tx: bool = False,
        invert_rx: bool = False,
    ) -> None:
        self.gears = [gear] if isinstance(gear, Gear) else list(gear)
        self.tx, self.rx = tx, rx
        self.invert_tx, self.invert_rx = invert_tx, invert_rx
        self._fault = ""
        self._joined = True
        self._held = False  # low, by the board's pin
        self._dice = random.Random(7)  # noqa: S311 - jitter, not a key

    @property
    def gear(self) -> Gear:
        """The first of them."""
        return self.gears[0]

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in _FAULTS:
            raise ValueError(f"{self.name} has no fault {kind!r}: {', '.join(_FAULTS[1:])}")
        self._fault = kind

    def power_up(self, now_s: float) -> None:
        """See Part: the gear is on the same mains as the board when that gets its power first."""
        for gear in self.gears:
            if not gear.meter.gear_starts:
                gear.supply(True, now_s)

    def join(self, joined: bool, now_s: float) -> None:
        """See LineDevice: cut from the board, the line is pulled low by what cut it."""
        self._joined = joined
        self.pass_time(now_s)

    def drive(self, level: int | None, now_s: float) -> None:
        """See LineDevice."""
        self.pass_time(now_s)
        self._held = level is not None and bool(level) == self.invert_tx
        self.pass_time(now_s)

    def pass_time(self, now_s: float) -> None:
        """See LineDevice."""
        high = self._high()
        for gear in self.gears:
            gear.line(high, now_s)
            gear.pass_time(now_s)

    def high(self) -> bool:
        """Whether the line has power: one gear that is on supplies it."""
        return self._high() and any(gear.powered for gear in self.gears)

    def _high(self) -> bool:
        return self._joined and not self._held and self._fault != "down"

    def level(self, now_s: float) -> int:
        """See LineDevice."""
        self.pass_time(now_s)
        return int(self.high() != self.invert_rx)

    def pulses(self, changes: Sequence[int], now_s: float) -> list[int]:
        """See LineDevice: the sender's own changes, and those of who answers."""
        del now_s
        if not self.high():
            return []
        return [round(at) for at in self.carry([float(at) for at in changes])]

    def carry(self, changes: Sequence[float]) -> list[float]:
        """Carry what a sender does to the line (µs); return all that happens on it."""
        lines = [list(changes)]
        for frame in wire.frames(changes):
            bits = wire.bits(frame)
            if bits is None or len(bits) != 16 or self._fault == "deaf":
                continue
            # the frame ends with the second half of its last bit, whichever that is
            end_us = frame[0] + 34 * wire.TE_US + _STOP_S * 1e6
            for gear in self.gears:
                answer = gear.hear(wire.number(bits), end_us / 1e6)
                if answer is not None:
                    lines += self._said(gear, answer, end_us)
        if self._fault == "noise" and changes:
            quiet_us = changes[-1] + 6000
            lines += [[quiet_us + n * 900, quiet_us + n * 900 + 40] for n in range(4)]
        return wire.together(lines)

    def _said(self, gear: Gear, answer: int, end_us: float) -> list[list[float]]:
        if self._fault == "silent":
            return []
        if self._fault == "wrong":
            answer ^= 0xFF
        after_s = _LATE_S if self._fault == "late" else gear.answer_s
        te_us = wire.TE_US * gear.te
        said = wire.edges(wire.halves(answer, 8), end_us + after_s * 1e6, te_us)
        said = [at + self._dice.uniform(-8, 8) for at in said]
        if self._fault == "garbled":
            said[2] += 300 if said[3] - said[2] > 500 else 200
        if self._fault == "collision":
            other = wire.edges(wire.halves(answer ^ 0x55, 8), end_us + after_s * 1e6, te_us)
            return [said, [at + _OTHER_S * 1e6 for at in other]]
        return [said]
