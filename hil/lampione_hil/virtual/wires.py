"""Wires between pins of boards on one bench.

kinds, and what the two ends are:

    level    two pins: digital levels both ways; a PWM is seen as pulses, without their edges
    volts    a PWM pin, then an ADC pin: its mean behind a filter and a divider
    reset    a pin, then nothing (-1): low holds the other board in reset
    boot     the same, at GPIO0: low when the reset ends, the ROM's loader runs
    uart     two UARTs, crossed: each hears what the other says, at its rate or as noise
    i2c      an I2CTarget, then an I2C bus
    sound    an I2S transmitter, then nothing (-1): the other board's microphone hears its words
    doppler  the same, to the other board's STEREO receiver, on both channels

On the virtual clock there are the first five, without edges (interrupts at a wired pin), and what
one board does comes to another up to WINDOW_US late.

What they cannot show: rise times, noise, reflections, two drivers against each other, the shape of
a filter's ripple, the edges of a PWM, the air between a loudspeaker and a microphone.
"""

import math
import struct
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lampione_hil.board import BenchError
from lampione_hil.virtual.devices import UartDevice
from lampione_hil.virtual.uart import BITS, UartLine, noise, same_rate

if TYPE_CHECKING:
    from lampione_hil.virtual.life import Life

KINDS = ("level", "volts", "reset", "boot", "uart", "i2c", "sound", "doppler")
_BOTH_CLOCKS = KINDS[:5]
WINDOW_US = 1000
FULL_UV = 2_500_000  # of an ADC that a divider of 4 shows 10 V
TAU_S = 0.01  # of the filter before it
_HELD_S = 0.5  # of sound that was played and not yet heard
_PULSES = struct.Struct("<IHB")  # frequency, duty, level; see board/machine.py


class Nobody(UartDevice):
    """What stands at the end of a line where a board does."""

    name = "wire"

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice: the line itself delivers."""
        del data, now_s
        return b""


class WiredLine(UartLine):
    """A board's UART whose line leads to another board's."""

    def __init__(self, life: "Life", number: int, slack_s: float) -> None:
        super().__init__(Nobody(), slack_s)
        self._life = life
        self._number = number
        self.peer: WiredLine | None = None

    def write(self, data: bytes, now_us: int) -> None:
        """See UartLine. With the virtual clock nobody else looks when it is through."""
        super().write(data, now_us)
        home = self._life.home
        if home.virtual and self._to_part:
            home.at(self._to_part[-1][0], lambda: self.advance(self._life.now_us()))

    def _deliver(self, _: int, data: bytes, rate: int) -> None:
        if self.peer is not None:
            self.peer.take(data, rate)

    def take(self, data: bytes, rate: int) -> None:
        """Hear what the other board has said until now."""
        now_us = self._life.now_us()
        self.advance(now_us)
        if self._baud and not same_rate(rate, self._baud):
            data = noise(data, rate, self._baud)
            rate = self._baud
        if self._baud and data:
            self._hear(now_us - len(data) * BITS * 1_000_000 // rate, data, self._baud)
            self._life.uart_moved(self._number)
            self._life.stir()


class Played:
    """What an I2S transmitter has sent, for a receiver to hear (see microphone.Sound)."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._most = int(_HELD_S * rate_hz)
        self._words = array("i")

    def put(self, data: bytes) -> None:
        """Take words of a transmitter, a frame each."""
        self._words.frombytes(data)
        del self._words[: max(0, len(self._words) - self._most)]

    def read(self, position: int, frames: int) -> bytes:
        """Return the next frames, silence where there are none."""
        del position
        words = self._words[:frames]
        del self._words[:frames]
        words.extend([0] * (frames - len(words)))
        if self._channels == 1:
            return words.tobytes()
        both = array("i", bytes(8 * frames))
        both[0::2] = both[1::2] = words
        return both.tobytes()


@dataclass(eq=False)
class Wire:
    """One of them. `seen`: what was last seen at its first end."""

    kind: str
    ends: tuple[tuple["Life", int], tuple["Life", int]]
    full_uv: int = FULL_UV
    tau_s: float = TAU_S
    seen: int | None = None
    volts: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # from, to (µV), when
    played: Played | None = None

    def other(self, life: "Life", number: int) -> tuple["Life", int] | None:
        """Return the other end, None when this is none of the wire's ends."""
        for here, there in (self.ends, self.ends[::-1]):
            if here[0] is life and here[1] == number:
                return there
        return None

    def microvolts(self, now_s: float) -> float:
        """Return what the filter has come to."""
        began, wanted, since_s = self.volts
        return wanted + (began - wanted) * math.exp(-(now_s - since_s) / self.tau_s)


def driven(life: "Life", pin: int) -> int | None:
    """Return the level that a board drives a pin to, or None."""
    if not life.pid:
        return None
    if pin not in life.pwm:
        return life.pins.get(pin)
    hz, duty = life.pwm[pin]
    return int(life.now_us() * hz % 1_000_000 * 65535 < duty * 1_000_000)


class Wires:
    """All wires of a bench."""

    def __init__(self) -> None:
        self._wires: list[Wire] = []

    def add(self, wire: Wire, slack_s: float) -> None:
        """Connect. Raises BenchError."""
        (one, a), (two, b) = wire.ends
        if wire.kind not in KINDS:
            raise BenchError(f"no wire is of kind {wire.kind!r}: {', '.join(KINDS)}")
        for life in (one, two):
            if life.home.virtual and wire.kind not in _BOTH_CLOCKS:
                raise BenchError(f"a wire of kind {wire.kind!r} needs the wall clock")
            if life.powered:
                raise BenchError(f"{life.settings.name} is on: switch it off, then wire it")
            life.wired = True
        if wire.kind == "uart":
            self._join((one, a), (two, b), slack_s)
        elif wire.kind in ("sound", "doppler"):
            channels = 1 if wire.kind == "sound" else 2
            source = two.microphone if channels == 1 else two.doppler
            if source.loop is not None:
                raise BenchError(f"{two.settings.name} hears its world already: World(street=None)")
            source.rate_hz = 48_000 if channels == 1 else 24_000
            wire.played = Played(source.rate_hz, channels)
            source.loop = wire.played
        self._wires.append(wire)

    @staticmethod
    def _join(one: tuple["Life", int], two: tuple["Life", int], slack_s: float) -> None:
        lines = []
        for life, number in (one, two):
            if number in life.uarts:
                raise BenchError(f"UART {number} of {life.settings.name} has its part already")
            life.uarts[number] = line = WiredLine(life, number, slack_s)
            lines.append(line)
        lines[0].peer, lines[1].peer = lines[1], lines[0]

    def remove(self, life: "Life") -> None:
        """Take a board's wires away."""
        self._wires = [w for w in self._wires if life not in (w.ends[0][0], w.ends[1][0])]

    def _there(self, kind: str, life: "Life", number: int) -> tuple["Life", int] | None:
        """Return what a wire of a kind leads to from here."""
        for wire in self._wires:
            other = wire.other(life, number) if wire.kind == kind else None
            if other is not None:
                return other
        return None

    # What a board senses

    def level(self, life: "Life", pin: int) -> int | None:
        """Return the level that another board drives this pin to, or None."""
        there = self._there("level", life, pin)
        return None if there is None else driven(*there)

    def pulses(self, life: "Life", pin: int) -> bytes:
        """Return what a pulse counter at a pin sees: frequency, duty, level now."""
        there = self._there("level", life, pin)
        if there is not None and there[0].pid and there[1] in there[0].pwm:
            return _PULSES.pack(*there[0].pwm[there[1]], driven(*there) or 0)
        level = None if there is None else driven(*there)
        return _PULSES.pack(0, 0, life.world.levels.get(pin, 0) if level is None else level)

    def microvolts(self, life: "Life", pin: int) -> int | None:
        """Return the voltage at an ADC pin, None where no wire leads to it."""
        for wire in self._wires:
            if wire.kind == "volts" and wire.ends[1][0] is life and wire.ends[1][1] == pin:
                return round(wire.microvolts(life.now_us() / 1e6))
        return None

    def targets(self, life: "Life", bus: int) -> list[tuple["Life", int]]:
        """Return the boards, with their I2CTargets, that are on this bus."""
        found = (w.other(life, bus) for w in self._wires if w.kind == "i2c")
        return [end for end in found if end is not None]

    # What a board does

    def heard(self, life: "Life", number: int, data: bytes) -> None:
        """Carry what an I2S transmitter sends."""
        for wire in self._wires:
            if wire.played is not None and wire.ends[0] == (life, number):
                wire.played.put(data)

    def moved(self, life: "Life") -> None:
        """A board's pins may have moved."""
        for wire in self._wires:
            if wire.kind == "level":
                self._level_moved(wire, life)
            elif wire.ends[0][0] is life and wire.kind == "reset":
                self._reset_moved(wire)
            elif wire.ends[0][0] is life and wire.kind == "volts":
                self._volts_moved(wire)

    @staticmethod
    def _level_moved(wire: Wire, life: "Life") -> None:
        for (here, pin), (there, other) in (wire.ends, wire.ends[::-1]):
            if here is life and pin not in here.pwm:
                level = driven(here, pin)
                if level is not None and there.edges.get(other, level) != level:
                    there.edge(other, level)

    def _reset_moved(self, wire: Wire) -> None:
        low = driven(*wire.ends[0]) == 0
        if low == bool(wire.seen):
            return
        wire.seen = low
        node = wire.ends[1][0]
        if low:
            node.hold()
        else:
            boot = (w.ends[0] for w in self._wires if w.kind == "boot" and w.ends[1][0] is node)
            node.release(loader=any(driven(*end) == 0 for end in boot))

    @staticmethod
    def _volts_moved(wire: Wire) -> None:
        life, pin = wire.ends[0]
        duty = life.pwm.get(pin, (0, 0))[1] if life.pid else 0
        if duty != wire.seen:
            now_s = life.now_us() / 1e6
            wire.volts = [wire.microvolts(now_s), duty * wire.full_uv / 65535, now_s]
            wire.seen = duty
