"""Memory banks of a D4i gear: 0 (IEC 62386-102), 202-204 (DiiA part 252), 205-207 (part 253).

Every bank begins with its last location, a reserved one, and (but bank 0) the lock byte; numbers
have their first byte first. All ones but the last bit: not now (TMASK); all ones: never (MASK).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from lampione_hil.virtual.devices.dali_meter import Meter

LATCH = 0xAA
LOCK = 2
LOCKABLE = range(202, 208)


def mask(size: int) -> bytes:
    """Return what stands where a value is never to be had."""
    return b"\xff" * size


def tmask(size: int) -> bytes:
    """Return what stands where a value is not to be had now."""
    return b"\xff" * (size - 1) + b"\xfe"


def scaled(value: float | None, power: int, size: int) -> bytes:
    """Return a number after its power of ten; None: not now."""
    head = power.to_bytes(1, "big", signed=True)
    if value is None:
        return head + tmask(size)
    return head + int(value * 10.0**-power + 1e-6).to_bytes(size, "big")


def plain(value: float | None, size: int, unknown: Callable[[int], bytes] = mask) -> bytes:
    """Return a number; None: as `unknown` says."""
    if value is None:
        return unknown(size)
    return min(round(value), (1 << 8 * size) - 3).to_bytes(size, "big")


@dataclass
class Maker:
    """What a maker writes into a gear."""

    gtin: int = 4_012_345_678_901
    serial: int = 0x0102_0304_0506_0708
    energy_power: int = -1  # of ten: 0.1 Wh
    power_power: int = -2  # 0.01 W
    rated_life_h: int = 100_000
    rated_starts: int = 20_000
    reference_c: int = 65
    banks: tuple[int, ...] = (0, 202, 203, 204, 205, 206, 207)


@dataclass
class Banks:
    """The banks over a gear's meter.

    unavailable: bank and location of values that are not to be had now.
    """

    meter: Meter
    maker: Maker = field(default_factory=Maker)
    unavailable: set[tuple[int, int]] = field(default_factory=set)
    _held: dict[int, bytes] = field(default_factory=dict)  # banks that are latched
    _lock: dict[int, int] = field(default_factory=dict)

    def power_up(self) -> None:
        """Forget what RAM held."""
        self._held.clear()
        self._lock.clear()

    def read(self, bank: int, location: int) -> int | None:
        """Return what stands there, or None: nothing."""
        if bank not in self.maker.banks:
            return None
        if location == LOCK and bank in LOCKABLE:
            return self._lock.get(bank, 0xFF)
        data = self._held.get(bank) or self.content(bank)
        return data[location] if location < len(data) and location != 1 else None

    def write(self, bank: int, location: int, value: int) -> bool:
        """Write; return whether there is something that can be written."""
        if bank not in self.maker.banks or bank not in LOCKABLE or location != LOCK:
            return False
        self._lock[bank] = value
        if value == LATCH:
            self._held[bank] = self.content(bank)
        else:
            self._held.pop(bank, None)
        return True

    def content(self, bank: int) -> bytes:
        """Return a bank as it is at this moment."""
        values = {
            0: self._about,
            202: lambda: self._energy(202),
            203: lambda: self._energy(203),
            204: lambda: self._energy(204),
            205: self._gear,
            206: self._light_source,
            207: self._maintenance,
        }[bank]()
        data = bytearray(b"\0\xff\xff") if bank else bytearray(b"\0\xff")
        head = 1 if bank in (202, 203, 204) else 0  # a power of ten is always to be had
        for value in values:
            if (bank, len(data)) in self.unavailable:
                data += value[:head] + tmask(len(value) - head)
            else:
                data += value
        data[0] = len(data) - 1
        return bytes(data)

    def _about(self) -> list[bytes]:
        maker = self.maker
        return [
            bytes([max(maker.banks)]),
            maker.gtin.to_bytes(6, "big"),
            b"\x01\x02",  # firmware
            maker.serial.to_bytes(8, "big"),
            b"\x03\x00",  # hardware
            bytes([2 << 2, 2 << 2, 0xFF, 0, 1, 0]),  # parts 101, 102, no 103; units; index
        ]

    def _energy(self, bank: int) -> list[bytes]:
        meter = self.meter
        energy, power = {
            202: (meter.energy_wh, meter.power_w),
            203: (meter.apparent_vah, meter.apparent_va),
            204: (meter.load_wh, meter.load_w),
        }[bank]
        maker = self.maker
        return [
            b"\x01",
            scaled(energy, maker.energy_power, 6),
            scaled(power, maker.power_power, 4),
        ]

    def _gear(self) -> list[bytes]:
        meter = self.meter
        one = [
            b"\x01",
            plain(meter.operating_s, 4),
            plain(meter.gear_starts, 3),
            plain(meter.supply_v * 10, 2),
            plain(meter.supply_hz, 1),
            plain(meter.power_factor * 100, 1),
        ]
        flags = (meter.gear_failed, False, False, False, meter.derating, False)
        pairs = [plain(n, 1) for flag in flags for n in (flag, meter.failures if flag else 0)]
        return [*one, *pairs, plain(meter.gear_c + 60, 1), plain(meter.light * 100, 1)]

    def _light_source(self) -> list[bytes]:
        meter = self.meter
        open_circuit = meter.lamp_failed
        return [
            b"\x01",
            plain(meter.lamp_starts, 3),
            plain(meter.lamp_starts, 3),
            plain(meter.burnt_s, 4),
            plain(meter.burnt_s, 4),
            plain(meter.lamp_v * 10 if meter.light else None, 2, tmask),
            plain(meter.lamp_ma, 2),
            plain(open_circuit, 1),
            plain(meter.failures, 1),
            plain(0, 1),
            plain(0, 1),
            plain(open_circuit, 1),
            plain(meter.failures, 1),
            *[plain(0, 1)] * 4,
            mask(1),  # no sensor at the light source
        ]

    def _maintenance(self) -> list[bytes]:
        maker = self.maker
        return [
            b"\x01",
            plain(maker.rated_life_h / 1000, 1),
            plain(maker.reference_c + 60, 1),
            plain(maker.rated_starts / 100, 2),
        ]
