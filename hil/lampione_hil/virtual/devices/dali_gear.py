"""Control gear for LED lamps on a DALI line (IEC 62386-102, -207) with D4i's memory banks.

Its variables have the names of the standard. What it keeps without power: levels, fades, address,
groups, scenes. Commands that change settings count only when they come twice within 100 ms.
"""

import math
from dataclasses import dataclass, field

from lampione_hil.virtual.devices.dali_banks import Banks, Maker
from lampione_hil.virtual.devices.dali_meter import Meter

MASK = 255
YES = 255
TWICE_S = 0.1
POWER_ON_S = 0.6  # until the level for power-on, where nobody says another
LINE_DEAD_S = 0.55  # low for so long is a failure of the line (part 101: 550 ms)
LED = 6
_SETTINGS = range(0x20, 0x82)
_EXTENDED_SETTINGS = (0xE3,)
_UNITS_S = (0.0, 0.1, 1.0, 10.0, 60.0)  # of the extended fade time
_MEMORY = (0x98, 0x9C, 0x9D)  # what does not end the permission to write, with DTRs and writes


def light_of(arc: int, linear: bool = False) -> float:
    """Return the light of an arc power, 0 to 1."""
    if not arc:
        return 0.0
    return arc / 254 if linear else float(10 ** ((arc - 1) / (253 / 3) - 1)) / 100


@dataclass
class Kept:
    """What outlives a power cut."""

    address: int = MASK
    groups: set[int] = field(default_factory=set)
    max_level: int = 254
    min_level: int = 1
    power_on_level: int = 254
    system_failure_level: int = 254
    fade_time: int = 0
    fade_rate: int = 7
    extended_fade: int = 0
    linear: bool = False
    scenes: list[int] = field(default_factory=lambda: [MASK] * 16)
    last_level: int = 254


class Gear:
    """One gear.

    Attributes:
        meter, banks, kept: what it measures, shows of that, and keeps.
        writes: how often its flash was written.
        heard: every frame that it understood, with its time.
        answer_s: from the end of a frame to its answer; the standard has 2.92 to 9.17 ms.
        te: length of its half-bits, of what they should be.
    """

    def __init__(
        self,
        address: int | None = None,
        rated_w: float = 60.0,
        *,
        maker: Maker | None = None,
        min_level: int = 1,
    ) -> None:
        self.kept = Kept(MASK if address is None else address, min_level=min_level)
        self.meter = Meter(rated_w)
        self.banks = Banks(self.meter, maker or Maker())
        self.writes = 0
        self.heard: list[tuple[float, int]] = []
        self.answer_s = 0.005
        self.te = 1.0
        self.powered = False
        self._now_s = 0.0
        self._dead_s: float | None = None  # the line is low since then
        self._line_dead = False
        self._start()

    def _start(self) -> None:
        self.level = 0  # actualLevel, as far as a fade has come
        self.target = 0
        self.power_cycle_seen = True
        self.limit_error = False
        self.dtr = [0, 0, 0]
        self._fade: tuple[float, float, int] | None = None  # from when, how long, from what
        self._once: tuple[float, int] | None = None  # a command that has to come again
        self._device_type = MASK
        self._may_write = False
        self._idle_until_s: float | None = None  # then the level for power-on

    # From outside

    def fail_lamp(self, failed: bool = True) -> None:
        """Let the lamp burn out, or replace it."""
        self.meter.failures += failed
        self.meter.lamp_failed = failed
        self._shine()

    def mains(self, on: bool) -> None:
        """Switch its supply at the present."""
        self.supply(on, self._now_s)

    def supply(self, on: bool, now_s: float) -> None:
        """Switch its supply."""
        self.pass_time(now_s)
        if on == self.powered:
            return
        self.powered = on
        self._start()
        self.banks.power_up()
        if on:
            self.meter.gear_starts += 1
            self._idle_until_s = now_s + POWER_ON_S
        self._shine()

    def line(self, high: bool, now_s: float) -> None:
        """Learn that the line went low, or is high again."""
        self.pass_time(now_s)
        if high:
            self._dead_s, self._line_dead = None, False
        elif self._dead_s is None:
            self._dead_s = now_s

    def lit(self) -> float:
        """Return the light now, 0 to 1."""
        return self.meter.light

    def pass_time(self, now_s: float) -> None:
        """Let everything happen until now: it fades, it starts, its line is dead."""
        while self._now_s < now_s:
            dues = [now_s]
            if self.powered and self._idle_until_s is not None:
                dues.append(self._idle_until_s)
            if self.powered and self._dead_s is not None and not self._line_dead:
                dues.append(self._dead_s + LINE_DEAD_S)
            if self._fade is not None:
                dues.append(self._now_s + 0.02)
            self._step(max(self._now_s, min(dues)))

    def _step(self, now_s: float) -> None:
        if self.powered:
            self.meter.count(now_s - self._now_s)
        self._now_s = now_s
        if not self.powered:
            return
        if self._idle_until_s is not None and now_s >= self._idle_until_s:
            self._by_itself(self.kept.power_on_level)
        if self._dead_s is not None and not self._line_dead and now_s >= self._dead_s + LINE_DEAD_S:
            self._line_dead = True
            self._by_itself(self.kept.system_failure_level)
        if self._fade is not None:
            began_s, seconds, before = self._fade
            share = (now_s - began_s) / seconds
            if share >= 1:
                self._fade, self.level = None, self.target
            else:
                # off is beyond the lowest level
                least = self.kept.min_level
                end = self.target or least
                self.level = round((before or least) + (end - (before or least)) * share)
            self._shine()

    def _by_itself(self, level: int) -> None:
        self._idle_until_s = None
        if level != MASK or not self.level:
            self._go(self.kept.last_level if level == MASK else level, 0.0)

    def _shine(self) -> None:
        lit = self.powered and not self.meter.lamp_failed
        self.meter.shine(light_of(self.level, self.kept.linear) if lit else 0.0)

    # Levels

    def _fade_s(self) -> float:
        kept = self.kept
        if kept.fade_time:
            return 0.5 * math.sqrt(2**kept.fade_time)
        return _UNITS_S[min(4, kept.extended_fade >> 4)] * ((kept.extended_fade & 15) + 1)

    def _go(self, level: int, seconds: float) -> None:
        self._idle_until_s = None
        kept = self.kept
        wanted = level
        if level:
            level = max(kept.min_level, min(kept.max_level, level))
        self.limit_error = level != wanted
        self.target = level
        if level:
            kept.last_level = level
        if seconds and level != self.level:
            self._fade = (self._now_s, seconds, self.level)
        else:
            self._fade, self.level = None, level
        self._shine()

    def status(self) -> int:
        """Return its status byte."""
        kept = self.kept
        bits = (
            self.meter.gear_failed,
            self.meter.lamp_failed,
            self.meter.light > 0,
            self.limit_error,
            self._fade is not None,
            kept == Kept(kept.address, min_level=kept.min_level, last_level=kept.last_level),
            kept.address == MASK,
            self.power_cycle_seen,
        )
        return sum(bit << n for n, bit in enumerate(bits))

    # Frames

    def hear(self, frame: int, now_s: float) -> int | None:
        """Take a forward frame that ended now; return the byte that answers, None: none."""
        self.pass_time(now_s)
        if not self.powered:
            return None
        self.heard.append((now_s, frame))
        address, data = frame >> 8, frame & 255
        once, self._once = self._once, None
        if 0xA0 <= address <= 0xCF and address & 1:
            self._special(address, data)
            return self._write(address, data)
        if not self._meant(address):
            return None
        device_type, self._device_type = self._device_type, MASK
        if not address & 1:
            self._may_write = False
            if data != MASK:
                self.power_cycle_seen = False
                self._go(data, self._fade_s())
            elif self._fade is not None:
                self._fade, self.target = None, self.level
            return None
        if data not in (*_MEMORY, 0x81):
            self._may_write = False
        if data in _SETTINGS or data in _EXTENDED_SETTINGS:
            if once is None or once[1] != frame or now_s - once[0] > TWICE_S:
                self._once = (now_s, frame)
            elif data in _SETTINGS or device_type == LED:
                self._set(data)
            if self._once and device_type != MASK:
                self._device_type = device_type
            return None
        if data < 0x20:
            self._order(data)
            return None
        return self._answer(data, device_type)

    def _meant(self, address: int) -> bool:
        to = address >> 1
        if to == 0x7F:
            return True
        if to == 0x7E:
            return self.kept.address == MASK
        return to - 0x40 in self.kept.groups if to & 0x40 else to == self.kept.address

    def _special(self, address: int, data: int) -> None:
        if address == 0xA3:
            self.dtr[0] = data
        elif address == 0xC3:
            self.dtr[1] = data
        elif address == 0xC5:
            self.dtr[2] = data
        elif address == 0xC1:
            self._device_type = data
        if address not in (0xA3, 0xC3, 0xC5, 0xC7, 0xC9):
            self._may_write = False

    def _write(self, address: int, data: int) -> int | None:
        if address not in (0xC7, 0xC9) or not self._may_write:
            return None
        written = self.banks.write(self.dtr[1], self.dtr[0], data)
        self.dtr[0] = min(255, self.dtr[0] + 1)
        return data if written and address == 0xC7 else None

    def _order(self, command: int) -> None:
        kept = self.kept
        self.power_cycle_seen = False
        if command >= 0x10:
            scene = kept.scenes[command - 0x10]
            if scene != MASK:
                self._go(scene, self._fade_s())
            return
        level = {
            0x00: 0,
            0x03: min(kept.max_level, self.level + 1) if self.level else 0,
            0x04: max(kept.min_level, self.level - 1) if self.level else 0,
            0x05: kept.max_level,
            0x06: kept.min_level,
            0x07: self.level - 1 if self.level > kept.min_level else 0,
            0x08: self.level + 1 if self.level else kept.min_level,
            0x0A: kept.last_level,
        }.get(command)
        if level is not None:
            self._go(level, self._fade_s() if command == 0x0A else 0.0)

    def _set(self, command: int) -> None:
        kept, value = self.kept, self.dtr[0]
        self.writes += command != 0x81
        if command == 0x81:
            self._may_write = True
        elif command == 0x20:
            self.kept = Kept(kept.address, min_level=kept.min_level)
            self.power_cycle_seen = False
            self._go(254, 0.0)
        elif command == 0x2A:
            kept.max_level = min(254, max(kept.min_level, value))
        elif command == 0x2B:
            kept.min_level = min(kept.max_level, max(1, value))
        elif command == 0x2C:
            kept.system_failure_level = value
        elif command == 0x2D:
            kept.power_on_level = value
        elif command == 0x2E:
            kept.fade_time = min(15, value)
        elif command == 0x2F:
            kept.fade_rate = min(15, max(1, value))
        elif command == 0x30:
            kept.extended_fade = value if value <= 0x4F else 0
        elif 0x40 <= command < 0x60:
            kept.scenes[command & 15] = value if command < 0x50 else MASK
        elif 0x60 <= command < 0x70:
            kept.groups.add(command & 15)
        elif 0x70 <= command < 0x80:
            kept.groups.discard(command & 15)
        elif command == 0x80 and (value == MASK or (value & 1 and value < 128)):
            kept.address = MASK if value == MASK else value >> 1
        elif command == 0xE3:
            kept.linear = value == 1

    def _answer(self, question: int, device_type: int) -> int | None:
        kept = self.kept
        if question == 0xC5:
            found = self.banks.read(self.dtr[1], self.dtr[0])
            if self.dtr[1] in self.banks.maker.banks:
                self.dtr[0] = min(255, self.dtr[0] + 1)
            return found
        if 0xB0 <= question < 0xC0:
            return kept.scenes[question & 15]
        if question == 0xEE:
            return int(kept.linear) if device_type == LED else None
        status = self.status()
        groups = sum(1 << n for n in kept.groups)
        answers: dict[int, int | None] = {
            0x90: status,
            0x91: YES,
            0x92: YES if status & 2 else None,
            0x93: YES if status & 4 else None,
            0x94: YES if status & 8 else None,
            0x95: YES if status & 32 else None,
            0x96: YES if status & 64 else None,
            0x97: 2 << 2,
            0x98: self.dtr[0],
            0x99: LED,
            0x9A: 1,
            0x9B: YES if status & 128 else None,
            0x9C: self.dtr[1],
            0x9D: self.dtr[2],
            0x9F: LED,
            0xA0: MASK if self._idle_until_s is not None else self.level,
            0xA1: kept.max_level,
            0xA2: kept.min_level,
            0xA3: kept.power_on_level,
            0xA4: kept.system_failure_level,
            0xA5: kept.fade_time << 4 | kept.fade_rate,
            0xA8: kept.extended_fade,
            0xAA: YES if status & 1 else None,
            0xC0: groups & 255,
            0xC1: groups >> 8,
        }
        return answers.get(question)
