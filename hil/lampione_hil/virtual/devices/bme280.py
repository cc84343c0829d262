"""Bosch BME280: temperature, humidity, pressure on I2C (data sheet BST-BME280-DS002)."""

from collections.abc import Callable
from dataclasses import dataclass

from lampione_hil.virtual.air import Air, SteadyAir
from lampione_hil.virtual.devices.faulty import FaultyI2CDevice, noise

_ID, _RESET, _CTRL_HUM, _STATUS, _CTRL_MEAS, _CONFIG = 0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5
_LOAD_S = 0.002  # start-up
_TIMES = (0, 1, 2, 4, 8, 16, 16, 16)  # oversampling
_STANDBY_S = (0.0005, 0.0625, 0.125, 0.25, 0.5, 1.0, 0.01, 0.02)


@dataclass(frozen=True)
class Trim:
    """What the factory writes into a part; the defaults are those of a usual one."""

    t1: int = 28485
    t2: int = 26735
    t3: int = 50
    p: tuple[int, ...] = (36738, -10635, 3024, 6980, -4, -7, 9900, -10230, 4285)
    h1: int = 75
    h2: int = 367
    h3: int = 0
    h4: int = 310
    h5: int = 50
    h6: int = 30

    def registers(self) -> dict[int, int]:
        """Return them as they stand in the part."""
        low = b"".join(
            word.to_bytes(2, "little")
            for word in (n & 0xFFFF for n in (self.t1, self.t2, self.t3, *self.p))
        )
        h4, h5 = self.h4 & 0xFFF, self.h5 & 0xFFF
        high = (self.h2 & 0xFFFF).to_bytes(2, "little") + bytes(
            (self.h3, h4 >> 4, (h5 & 15) << 4 | h4 & 15, h5 >> 4, self.h6 & 0xFF)
        )
        found = {0x88 + i: byte for i, byte in enumerate(low)}
        found[0xA1] = self.h1
        found.update({0xE1 + i: byte for i, byte in enumerate(high)})
        return found

    def fine(self, raw: float) -> float:
        """Return the data sheet's t_fine, in floating point (section 8.1)."""
        a = (raw / 16384 - self.t1 / 1024) * self.t2
        b = (raw / 131072 - self.t1 / 8192) ** 2 * self.t3
        return a + b

    def temperature_c(self, raw: float) -> float:
        """Return the temperature of a raw value."""
        return self.fine(raw) / 5120

    def humidity_percent(self, raw: float, fine: float) -> float:
        """Return the humidity of a raw value at a t_fine, not limited."""
        h = fine - 76800
        h = (raw - (self.h4 * 64 + self.h5 / 16384 * h)) * (
            self.h2 / 65536 * (1 + self.h6 / 67108864 * h * (1 + self.h3 / 67108864 * h))
        )
        return h * (1 - self.h1 * h / 524288)


def _raw(function: Callable[[float], float], wanted: float, most: int) -> int:
    """Return the raw value of a rising function, by halving."""
    low, high = 0.0, float(most)
    for _ in range(40):
        middle = (low + high) / 2
        if function(middle) < wanted:
            low = middle
        else:
            high = middle
    return round(low)


class Bme280(FaultyI2CDevice):
    """The part in `air`. Reads count the address up, writes are pairs of address and value.

    "implausible": its temperature channel is at its end.
    """

    name = "bme280"

    def __init__(
        self, air: Air | None = None, address: int = 0x76, trim: Trim | None = None
    ) -> None:
        self.air = air or SteadyAir()
        self.address = address
        self.trim = trim or Trim()
        self._held: tuple[int, int] | None = None
        super().__init__()

    def power_up(self, now_s: float) -> None:
        """See Part."""
        self._load_until_s = now_s + _LOAD_S
        self._registers = self.trim.registers()
        self._registers.update({_ID: 0x60, _CTRL_HUM: 0, _CTRL_MEAS: 0, _CONFIG: 0})
        self._put(0x80000, 0x8000, 0x80000)
        self._humidity_times = 0
        self._address = 0
        self._done_s: float | None = None

    def move(self, air: Air) -> None:
        """See I2CDevice."""
        self.air = air

    def write(self, data: bytes, now_s: float) -> bool:
        """See I2CDevice."""
        if self.silent:
            return False
        self._finish(now_s)
        if data:
            self._address = data[0]
        for i in range(0, len(data) - 1, 2):
            self._set(data[i], data[i + 1], now_s)
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        """See I2CDevice."""
        if self.silent:
            return None
        self._finish(now_s)
        found = bytearray()
        for i in range(length):
            register = self._address + i & 0xFF
            value = self._registers.get(register, 0)
            if register == _STATUS:
                measuring = self._done_s is not None and now_s >= self._done_s - self._takes_s()
                value = measuring << 3 | (now_s < self._load_until_s)
            found.append(value)
        self._address = self._address + length & 0xFF
        return self.sent(bytes(found))

    def _set(self, register: int, value: int, now_s: float) -> None:
        if register == _RESET and value == 0xB6:
            self.power_up(now_s)
        elif register in (_CTRL_HUM, _CONFIG):
            self._registers[register] = value & (7 if register == _CTRL_HUM else 0xFD)
        elif register == _CTRL_MEAS:
            self._registers[register] = value
            # the humidity's setting takes effect now
            self._humidity_times = _TIMES[self._registers[_CTRL_HUM] & 7]
            self._done_s = now_s + self._takes_s() if value & 3 else None

    def _takes_s(self) -> float:
        """Return the longest time of a measurement (section 9.1)."""
        control = self._registers[_CTRL_MEAS]
        ms = 1.25
        if temperature := _TIMES[control >> 5]:
            ms += 2.3 * temperature
        for times in (_TIMES[control >> 2 & 7], self._humidity_times):
            if times:
                ms += 2.3 * times + 0.575
        return ms / 1000

    def _finish(self, now_s: float) -> None:
        if self._done_s is None or now_s < self._done_s:
            return
        self._measure(self._done_s)
        control = self._registers[_CTRL_MEAS]
        if control & 3 == 3:
            period_s = self._takes_s() + _STANDBY_S[self._registers[_CONFIG] >> 5]
            self._done_s += period_s * (int((now_s - self._done_s) / period_s) + 1)
        else:
            self._registers[_CTRL_MEAS] = control & 0xFC
            self._done_s = None

    def _measure(self, at_s: float) -> None:
        control = self._registers[_CTRL_MEAS]
        if not (self.stuck and self._held):
            temperature_c, humidity_percent = self.air.now()
            drawn = round(at_s * 1e6)
            trim = self.trim
            wanted_c = temperature_c + 0.005 * noise(drawn, 1)
            raw_t = _raw(trim.temperature_c, wanted_c, 0xFFFFF)
            fine = trim.fine(raw_t)
            wanted = humidity_percent + 0.02 * noise(drawn, 2)
            raw_h = _raw(lambda raw: trim.humidity_percent(raw, fine), wanted, 0xFFFF)
            self._held = raw_t, raw_h
        raw_t, raw_h = self._held or (0x80000, 0x8000)
        if self.implausible:
            raw_t = 0xFFFFF
        self._put(
            raw_t if control >> 5 else 0x80000,
            raw_h if self._humidity_times else 0x8000,
            415148 if control >> 2 & 7 else 0x80000,
        )

    def _put(self, raw_t: int, raw_h: int, raw_p: int) -> None:
        words = (raw_p << 4).to_bytes(3, "big") + (raw_t << 4).to_bytes(3, "big")
        words += raw_h.to_bytes(2, "big")
        self._registers.update({0xF7 + i: byte for i, byte in enumerate(words)})
