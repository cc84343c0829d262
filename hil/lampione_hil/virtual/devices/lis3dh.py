"""ST LIS3DH: acceleration on I2C (data sheet DocID17530 rev 2, application note AN3308)."""

import math
from dataclasses import dataclass, field

from lampione_hil.virtual.devices.faulty import FaultyI2CDevice, noise

_RATE_HZ = (0, 1, 10, 25, 50, 100, 200, 400)
_RESET = {0x0F: 0x33, 0x1E: 0x10, 0x20: 0x07}
_READ_ONLY = {0x07, 0x0F, 0x27, *range(0x28, 0x2E), 0x2F}
_DEPTH = 32
_DIGIT_G = (0.001, 0.002, 0.004, 0.012)  # of 12 bits, by range
_NOISE_G = 220e-6  # per square root of Hz
_ROUND = 1000
_DRAWS = tuple(noise(i, 3) for i in range(_ROUND))


@dataclass(frozen=True)
class Shock:
    """A push of half a sine wave along `axis` (0 to 2)."""

    start_s: float
    peak_g: float
    duration_s: float
    axis: int

    def filtered_g(self, at_s: float, bandwidth_hz: float) -> float:
        """Return what a low-pass of one pole makes of it at a time."""
        t = at_s - self.start_s
        if t <= 0:
            return 0.0
        tau_s = 1 / (math.tau * bandwidth_hz)
        w = math.pi / self.duration_s
        inside = min(t, self.duration_s)
        found = math.sin(w * inside) - w * tau_s * (
            math.cos(w * inside) - math.exp(-inside / tau_s)
        )
        return self.peak_g / (1 + (w * tau_s) ** 2) * found * math.exp((inside - t) / tau_s)


@dataclass
class Pole:
    """A lamppost with the part's z axis along it, upwards.

    tilt_deg: from plumb, towards `azimuth_deg` from the x axis. sway_deg: of a swing along x to
    either side at `sway_hz`.
    """

    tilt_deg: float = 0.0
    azimuth_deg: float = 0.0
    sway_deg: float = 0.0
    sway_hz: float = 1.0
    shocks: list[Shock] = field(default_factory=list)

    def repeats(self, span_s: float) -> tuple[float, ...] | None:
        """What makes up a movement that is the same again after `span_s`; None: it is not."""
        if self.shocks or (self.sway_deg and not (self.sway_hz * span_s).is_integer()):
            return None
        return self.tilt_deg, self.azimuth_deg, self.sway_deg, self.sway_hz

    def at(self, at_s: float, bandwidth_hz: float) -> tuple[float, float, float]:
        """Return the acceleration in g at a time, through a low-pass."""
        tilt, azimuth = math.radians(self.tilt_deg), math.radians(self.azimuth_deg)
        x = math.sin(tilt) * math.cos(azimuth)
        y = math.sin(tilt) * math.sin(azimuth)
        z = math.cos(tilt)
        if self.sway_deg:
            swing = math.radians(self.sway_deg) * math.sin(math.tau * self.sway_hz * at_s)
            x, z = (
                x * math.cos(swing) + z * math.sin(swing),
                z * math.cos(swing) - x * math.sin(swing),
            )
        if self.shocks:
            felt = [x, y, z]
            for shock in self.shocks:
                felt[shock.axis] += shock.filtered_g(at_s, bandwidth_hz)
            x, y, z = felt
            self.shocks = [s for s in self.shocks if s.start_s > at_s - 1]
        return x, y, z


class Lis3dh(FaultyI2CDevice):
    """The part. Bit 7 of a register's address lets it count up while it is read or written.

    Samples are left-justified in 16 bits: of 12 bits with high resolution, of 10 without, of 8 at
    low power; the FIFO holds 10 at most. "implausible": every axis at its end.
    """

    name = "lis3dh"

    def __init__(self, pole: Pole | None = None, address: int = 0x18) -> None:
        self.pole = pole or Pole()
        self.address = address
        self._last = bytes(6)
        self._now_s = 0.0
        # A pole that repeats itself gives the same again after all draws
        self._known: list[bytes] = []
        self._known_for: object = None
        super().__init__()

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._registers = dict(_RESET)
        self._address = 0
        self._fifo: list[bytes] = []
        self._fifo_on = False
        self._overrun = False
        self._start_s = 0.0  # of sampling
        self._made = 0  # samples since

    def hit(self, peak_g: float, duration_s: float = 0.01, axis: int = 0) -> None:
        """Push the pole, 20 ms from its last sign of life."""
        self.pole.shocks.append(Shock(self._now_s + 0.02, peak_g, duration_s, axis))

    def write(self, data: bytes, now_s: float) -> bool:
        """See I2CDevice."""
        if self.silent:
            return False
        self._sample(now_s)
        if data:
            self._address = data[0]
        for value in data[1:]:
            register = self._address & 0x7F
            if register not in _READ_ONLY:
                self._registers[register] = value
                self._written(register, value, now_s)
            self._count_up()
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        """See I2CDevice."""
        if self.silent:
            return None
        self._sample(now_s)
        samples = length // 6
        if self._address == 0xA8 and self._fifo_on and length % 6 == 0 < samples <= len(self._fifo):
            taken = self._fifo[:samples]
            del self._fifo[:samples]
            self._last = taken[-1]
            self._overrun = False
            return self.sent(b"".join(taken))
        found = bytearray(length)
        for at in range(length):
            found[at] = self._get(self._address & 0x7F)
            self._count_up()
        return self.sent(bytes(found))

    def _written(self, register: int, value: int, now_s: float) -> None:
        registers = self._registers
        self._fifo_on = bool(registers.get(0x24, 0) & 0x40 and registers.get(0x2E, 0) & 0xC0)
        if register == 0x20:
            self._start_s, self._made = now_s, 0
        if register == 0x2E and not value & 0xC0:  # bypass empties it
            self._fifo.clear()
            self._overrun = False

    def _count_up(self) -> None:
        if self._address == 0xAD and self._fifo_on:
            self._address = 0xA8
        elif self._address & 0x80:
            self._address = 0x80 | self._address + 1 & 0x7F

    def _get(self, register: int) -> int:
        if 0x28 <= register <= 0x2D:
            if self._fifo_on and self._fifo:
                self._last = self._fifo[0]
                if register == 0x2D:
                    del self._fifo[0]
                    self._overrun = False
            return self._last[register - 0x28]
        if register == 0x2F:
            held = len(self._fifo)
            mark = held > self._registers.get(0x2E, 0) & 31
            return mark << 7 | self._overrun << 6 | (not held) << 5 | min(held, 31)
        if register == 0x27:
            return 0x0F if self._made else 0
        return self._registers.get(register, 0)

    def _sample(self, now_s: float) -> None:
        """Make the samples that are due; of a long silence only the last."""
        if now_s == self._now_s:
            return
        self._now_s = now_s
        rate = self._registers[0x20] >> 4
        if not 0 < rate < len(_RATE_HZ):
            return
        rate_hz = _RATE_HZ[rate]
        due = int((now_s - self._start_s) * rate_hz)
        if due - self._made > 2 * _DEPTH:
            self._made = due - 2 * _DEPTH
        if self._made >= due:
            return
        made = self._some(self._made + 1, due, rate_hz)
        self._made = due
        if not self._fifo_on:
            self._last = made[-1]
            return
        room = _DEPTH - len(self._fifo)
        if len(made) > room:
            self._overrun = True
            if self._registers[0x2E] & 0xC0 == 0x40:  # it stops where it is full
                del made[room:]
            else:
                del self._fifo[: len(made) - room]
                del made[:-_DEPTH]
        self._fifo += made

    def _some(self, first: int, last: int, rate_hz: int) -> list[bytes]:
        """Return the samples of these numbers."""
        count = last - first + 1
        if self.stuck:
            return [self._fifo[-1] if self._fifo else self._last] * count
        pole = self.pole.repeats(_ROUND / rate_hz)
        if pole is None or self.implausible:
            return [self._made_of(n, rate_hz) for n in range(first, last + 1)]
        standing = (pole, rate_hz, self._start_s, self._registers.get(0x23), self._fifo_on)
        if standing != self._known_for:
            self._known_for = standing
            self._known = [b""] * _ROUND
        known, at = self._known, first % _ROUND
        found = known[at : at + count]
        if at + count > _ROUND:
            found += known[: at + count - _ROUND]
        if b"" in found:
            for n in range(first, last + 1):
                if not known[n % _ROUND]:
                    known[n % _ROUND] = self._made_of(n, rate_hz)
            found = [known[n % _ROUND] for n in range(first, last + 1)]
        return found

    def _made_of(self, number: int, rate_hz: int) -> bytes:
        control4 = self._registers.get(0x23, 0)
        low_power = self._registers.get(0x20, 0) & 8
        fine = control4 & 8 and not low_power
        bits = 8 if low_power else 12 if fine and not self._fifo_on else 10
        bandwidth_hz = rate_hz / 9 if fine else rate_hz / 2
        digit_g = _DIGIT_G[control4 >> 4 & 3] * (1 << 12 - bits)
        felt = self.pole.at(self._start_s + number / rate_hz, bandwidth_hz)
        drawn_g = _NOISE_G * math.sqrt(bandwidth_hz)
        end = 1 << bits - 1
        found = b""
        for axis in range(3):
            g = felt[axis] + drawn_g * _DRAWS[(number * 3 + axis) * 571 % _ROUND]
            if self.implausible:
                g = 100.0
            step = max(-end, min(end - 1, math.floor(g / digit_g)))
            found += (step << 16 - bits).to_bytes(2, "little", signed=True)
        return found
