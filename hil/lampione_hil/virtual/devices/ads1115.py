"""Texas Instruments ADS1115: four inputs, 16 bits, on I2C (data sheet SBAS444D)."""

from lampione_hil.virtual.air import Air
from lampione_hil.virtual.devices.faulty import FaultyI2CDevice, noise

_RESET = (0x0000, 0x8583, 0x8000, 0x7FFF)
_CONVERSION, _CONFIG = 0, 1
_FULL_SCALE_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
_RATE_HZ = (8, 16, 32, 64, 128, 250, 475, 860)
# (positive, negative) input of each setting of the multiplexer; None is ground
_INPUTS: tuple[tuple[int, int | None], ...] = (
    (0, 1),
    (0, 3),
    (1, 3),
    (2, 3),
    (0, None),
    (1, None),
    (2, None),
    (3, None),
)


class Voltages:
    """Four voltages at the inputs; change `volts` as you like."""

    def __init__(self, *volts: float) -> None:
        self.volts = list(volts) or [0.0] * 4

    def at(self, channel: int, now_s: float) -> float:
        """Return the voltage of an input at a time (seconds, the part's clock)."""
        del now_s
        return self.volts[channel]

    def move(self, air: Air) -> None:
        """Go into another air; plain voltages do not mind."""
        del air


class Ads1115(FaultyI2CDevice):
    """The part. A conversion ends 1/rate after its start; bit 15 of the settings reads 0 till then.

    Every write names a register first; a read gives that register, high byte first. Registers: 0
    result, 1 settings, 2 and 3 thresholds. "implausible": every input at the supply.
    """

    name = "ads1115"

    def __init__(self, inputs: Voltages, address: int = 0x48) -> None:
        self.inputs = inputs
        self.address = address
        self._registers: list[int] = list(_RESET)
        self._held: dict[int, int] = {}
        super().__init__()

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._registers = [*_RESET]
        self._pointer = 0
        self._done_s: float | None = None  # of the running single conversion

    def move(self, air: Air) -> None:
        """See I2CDevice."""
        self.inputs.move(air)

    def write(self, data: bytes, now_s: float) -> bool:
        """See I2CDevice."""
        if self.silent:
            return False
        self._finish(now_s)
        if data:
            self._pointer = data[0] & 3
        if len(data) < 3 or self._pointer == _CONVERSION:
            return True
        value = data[1] << 8 | data[2]
        if self._pointer != _CONFIG:
            self._registers[self._pointer] = value
            return True
        self._registers[_CONFIG] = value & 0x7FFF
        self._done_s = None
        if value & 0x8100 == 0x8100 or not value & 0x0100:
            self._done_s = now_s + 1 / _RATE_HZ[value >> 5 & 7]
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        """See I2CDevice."""
        if self.silent:
            return None
        self._finish(now_s)
        value = self._registers[self._pointer]
        if self._pointer == _CONFIG and self._done_s is None:
            value |= 0x8000
        return self.sent(value.to_bytes(2, "big")[:length].ljust(length, b"\xff"))

    def _finish(self, now_s: float) -> None:
        if self._done_s is None or now_s < self._done_s:
            return
        config = self._registers[_CONFIG]
        self._registers[_CONVERSION] = self._convert(config, self._done_s) & 0xFFFF
        if config & 0x0100:
            self._done_s = None
        else:  # continuous: the one that ends next
            period_s = 1 / _RATE_HZ[config >> 5 & 7]
            self._done_s += period_s * (int((now_s - self._done_s) / period_s) + 1)

    def _convert(self, config: int, at_s: float) -> int:
        setting = config >> 12 & 7
        if self.stuck and setting in self._held:
            return self._held[setting]
        positive, negative = _INPUTS[setting]
        volts = self.inputs.at(positive, at_s)
        if negative is not None:
            volts -= self.inputs.at(negative, at_s)
        if self.implausible:
            volts = 3.3
        steps = volts / _FULL_SCALE_V[config >> 9 & 7] * 32768
        steps += 0.3 * noise(round(at_s * 1e6), positive)
        found = max(-32768, min(32767, round(steps)))
        self._held[setting] = found
        return found
