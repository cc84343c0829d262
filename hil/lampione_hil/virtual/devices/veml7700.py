"""Vishay VEML7700: ambient light on I2C (data sheet 84286, application note 84323)."""

from lampione_hil.virtual.devices.faulty import FaultyI2CDevice, noise

_GAIN = (1.0, 2.0, 0.125, 0.25)
_INTEGRATION_MS = {0b1100: 25, 0b1000: 50, 0b0000: 100, 0b0001: 200, 0b0010: 400, 0b0011: 800}
_START_S = 0.0025
_FINEST_LX = 0.0042  # a count, at gain 2 and 800 ms


def seen_lx(true_lx: float) -> float:
    """Return what the uncorrected part makes of a light: the note's polynomial, backwards."""
    if true_lx <= 1000:
        return true_lx
    low, high = 0.0, 200_000.0
    for _ in range(60):
        x = (low + high) / 2
        if ((6.0135e-13 * x - 9.3924e-9) * x + 8.1488e-5) * x * x + 1.0023 * x < true_lx:
            low = x
        else:
            high = x
    return low


class Light:
    """The light at the sensor; change `lux` as you like."""

    def __init__(self, lux: float = 200.0, flicker: float = 0.002) -> None:
        self.lux = lux
        self.flicker = flicker  # standard deviation from one integration to the next, of 1

    def at(self, now_s: float) -> float:
        """Return the illuminance in lx at a time (seconds, the part's clock)."""
        return self.lux * (1 + self.flicker * noise(round(now_s * 1e6)))


class Veml7700(FaultyI2CDevice):
    """The part. A register has 16 bits, low byte first; 0 settings, 4 light, 5 white, 7 name.

    After power-on it is shut down. The result changes at the end of an integration, and a write to
    the settings begins a new one. "implausible": its counter is always full.
    """

    name = "veml7700"
    address = 0x10

    def __init__(self, light: Light | None = None) -> None:
        self.light = light or Light()
        super().__init__()

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._registers = {0: 0x0001, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0xC481}
        self._command = 0
        self._next_s: float | None = None  # the end of this integration

    def write(self, data: bytes, now_s: float) -> bool:
        """See I2CDevice."""
        if self.silent:
            return False
        self._integrate(now_s)
        if data:
            self._command = data[0]
        if len(data) >= 3 and self._command <= 3:
            self._registers[self._command] = data[1] | data[2] << 8
            if self._command == 0:
                off = self._registers[0] & 1
                self._next_s = None if off else now_s + _START_S + self._integration_s()
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        """See I2CDevice."""
        if self.silent:
            return None
        self._integrate(now_s)
        word = self._registers.get(self._command, 0)
        return self.sent(word.to_bytes(2, "little")[:length].ljust(length, b"\xff"))

    def _integration_s(self) -> float:
        return _INTEGRATION_MS.get(self._registers[0] >> 6 & 15, 100) / 1000

    def _integrate(self, now_s: float) -> None:
        if self._next_s is None or now_s < self._next_s:
            return
        period_s = self._integration_s()
        ended_s = self._next_s + int((now_s - self._next_s) / period_s) * period_s
        self._next_s = ended_s + period_s
        if self.stuck:
            return
        gain = _GAIN[self._registers[0] >> 11 & 3]
        count_lx = _FINEST_LX * (2 / gain) * (0.8 / period_s)
        counts = round(seen_lx(self.light.at(ended_s)) / count_lx)
        if self.implausible:
            counts = 65535
        self._registers[4] = min(65535, max(0, counts))
        self._registers[5] = min(65535, max(0, round(counts * 1.1)))
