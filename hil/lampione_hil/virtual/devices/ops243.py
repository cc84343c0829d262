"""OmniPreSense OPS243-A: a 24.125 GHz radar on a serial line (UM-003-A and API note AN-010).

From the manual: commands, units, buffers, the resolution rate / samples * wavelength / 2 (0.0607
m/s at 10,000 and 1024), 8N1 at 19200, silence while USB is enumerated, squelch 100. Of reports it
says "5 to 30 Hz" at 512 samples; a processing time of 59 µs a sample gives that. What magnitude
belongs to an echo it does not say: here 25 is the noise, so that the squelch is 12 dB above it.
"""

import json
import math
import zlib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import Any

from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.devices.moving import Movement, Steady, Targets, ahead

WAVELENGTH_M = 299_792_458 / 24.125e9
PROCESSING_S = 59e-6  # a sample
NOISE = 25.0  # magnitude

_UNITS = {
    "M": ("m-per-sec", "mps", 1.0),
    "C": ("cm-per-sec", "cmps", 100.0),
    "F": ("ft-per-sec", "fps", 1 / 0.3048),
    "K": ("km-per-hr", "kmph", 3.6),
    "S": ("mph", "mph", 3600 / 1609.344),
}
_RATES_HZ = {"I": 1_000, "V": 5_000, "X": 10_000, "1": 10_000, "2": 20_000}
_RATES_HZ |= {"L": 50_000, "C": 100_000}
_SAMPLES = {">": 1024, "<": 512, "{": 256}
_BAUDS = {"1": 9600, "2": 19200, "3": 57600, "4": 115200, "5": 230400}
_NUMBERED = ("R>", "R<", "M>", "M<")
_QUERIES = {
    "?V": {"Version": "1.3.1"},
    "?P": {"Product": "OPS243 Doppler"},
    "?B": {"Build": "20181005_1335"},
    "?U": {"UID": "b2000040b7a12400d5188041"},
    "?R": {"ResetReason": "Status from bitmask", "Power On": True},
}
_FAULTS = ("", "stuck", "crc", "silent", "usb", "half", "implausible", "brownout")


@dataclass(frozen=True)
class Setup:
    """All that commands change but the baud rate, as delivered."""

    unit: str = "M"
    decimals: int = 2
    rate_hz: int = 10_000
    samples: int = 1024
    json: bool = False
    magnitude: bool = False
    time: bool = False
    speed: bool = True
    reports: int = 1
    direction: str = "|"
    slowest: float = 0.0  # in the unit; 0: no limit
    fastest: float = 0.0
    weakest: float = 100.0  # squelch
    strongest: float = 0.0
    active: bool = True

    @cached_property
    def resolution_mps(self) -> float:
        """What tells two speeds apart."""
        return self.rate_hz / self.samples * WAVELENGTH_M / 2

    @cached_property
    def period_s(self) -> float:
        """From report to report."""
        return self.samples * (1 / self.rate_hz + PROCESSING_S)

    @cached_property
    def lag_s(self) -> float:
        """From the middle of a report's samples to the report."""
        return self.period_s - self.samples / self.rate_hz / 2

    @cached_property
    def factor(self) -> float:
        """How much of the unit is a m/s."""
        return _UNITS[self.unit][2]

    @cached_property
    def least_db(self) -> float:
        """What no draw of a magnitude lifts over the squelch is weaker."""
        return 20 * math.log10(max(self.weakest, 1e-9) / (1.03 * NOISE)) - 0.1

    def lets_through(self, speed: float, magnitude: float) -> bool:
        """Whether the filters do, both in the units of the report."""
        return (
            magnitude >= self.weakest
            and (not self.strongest or magnitude <= self.strongest)
            and abs(speed) >= self.slowest
            and (not self.fastest or abs(speed) <= self.fastest)
            and (self.direction == "|" or (speed > 0) == (self.direction == "+"))
        )


class Ops243(UartDevice):
    """The part before `movement`; `quoted`: the newer firmware, whose JSON has texts for numbers.

    Faults: "stuck" repeats the last line, "crc" spoils bytes of every line, "silent" and "usb" say
    nothing, "half" ends in the middle of a line, "implausible" sees 1000 km/h, "brownout" is back
    at the saved settings at once.
    """

    name = "ops243"
    baud = 19200
    foreseeable = True

    def __init__(
        self, movement: Movement | None = None, *, quoted: bool = False, baud: int = 19200
    ) -> None:
        self.movement: Movement = movement or Steady()
        self.quoted = quoted
        self.baud = self._saved_baud = baud
        self.setup = self._saved = Setup()
        self._fault = ""
        self._typed = ""
        self._up_s = 0.0
        self._next_s: float | None = None
        self._last = "5.55"
        self._draws = 0
        self.forget()

    def look(self, movement: Movement) -> None:
        """Put it before another street."""
        self.movement = movement
        self.forget()

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in _FAULTS:
            raise ValueError(f"ops243 has no fault {kind!r}: {', '.join(_FAULTS[1:])}")
        self.forget()
        if kind == "brownout":
            self._restart()
        else:
            self._fault = kind

    def power_up(self, now_s: float) -> None:
        """See Part."""
        self.forget()
        self._up_s = now_s
        self._next_s = None
        self._restart()

    def _restart(self) -> None:
        self.setup, self.baud = self._saved, self._saved_baud
        self._typed = ""

    # Commands

    def _put(self, **changes: Any) -> None:
        self.setup = replace(self.setup, **changes)

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        before = self.setup
        said = ""
        for byte in data:
            character = chr(byte)
            if self._typed[:2] in _NUMBERED:
                if character in "\r\n":
                    said += self._number(self._typed)
                    self._typed = ""
                else:
                    self._typed = (self._typed + character)[:20]
            elif character in "\r\n":
                self._typed = ""
            else:
                self._typed += character
                if len(self._typed) == 2 and self._typed not in _NUMBERED:
                    said += self._command(self._typed[0], self._typed[1], now_s)
                    self._typed = ""
        if self.setup != before:
            self.forget()
        return self._sent(said)

    def _number(self, typed: str) -> str:
        try:
            value = float(typed[2:])
        except ValueError:
            return ""
        names = {"R>": "slowest", "R<": "fastest", "M>": "weakest", "M<": "strongest"}
        self._put(**{names[typed[:2]]: value})
        return self._filters() if typed[0] == "R" else ""

    def _filters(self) -> str:
        return _line({"RequiredMinSpeed": f"{self.setup.slowest:.3f}"})

    def _command(self, kind: str, what: str, now_s: float) -> str:
        setup = self.setup
        if kind == "U" and (what in _UNITS or what == "?"):
            self._put(unit=setup.unit if what == "?" else what)
            return _line({"Units": _UNITS[self.setup.unit][0]})
        if kind == "F" and what in "012345":
            self._put(decimals=int(what))
        elif kind == "S" and what in _RATES_HZ:
            self._put(rate_hz=_RATES_HZ[what])
        elif kind == "S" and what in _SAMPLES:
            self._put(samples=_SAMPLES[what])
        elif kind == "R" and what in "+-|":
            self._put(direction=what)
        elif kind == "R" and what == "?":
            return self._filters()
        elif kind == "O":
            return self._output(what)
        elif kind == "P" and what in "AI":
            self._put(active=what == "A")
        elif kind == "A":
            return self._memory(what)
        elif kind == "I":
            # The answer comes at the rate that was.
            self.baud = _BAUDS.get(what, self.baud)
            return _line({"BaudRate": self.baud}) if what in _BAUDS or what == "?" else ""
        elif kind + what == "F?":
            return _line({"Decimals": setup.decimals})
        elif kind + what == "??":
            return self._everything(now_s)
        elif kind + what in _QUERIES:
            return _line(_QUERIES[kind + what])
        return ""

    def _output(self, what: str) -> str:
        names = {"j": "json", "m": "magnitude", "t": "time", "s": "speed"}
        if what.lower() in names:
            self._put(**{names[what.lower()]: what.isupper()})
        elif what in "123456789":
            self._put(reports=int(what))
        else:
            return ""
        return _line({"OutputFeature": what})

    def _memory(self, what: str) -> str:
        if what == "!":
            self._saved = self.setup
        elif what == "I":
            self._saved_baud = self.baud
        elif what == "X":
            self.setup = self._saved = Setup()
        elif what == ".":
            return _line(asdict(self._saved))
        return ""

    def _everything(self, now_s: float) -> str:
        setup = self.setup
        said: list[dict[str, object]] = [
            {"Product": "OPS243"},
            {"Version": "1.0.0"},
            {"SamplingRate": setup.rate_hz, "resolution": round(setup.resolution_mps, 4)},
            {"SampleSize": setup.samples},
            {"Clock": f"{now_s - self._up_s:.0f}"},
            {"PowerMode": "Continuous" if setup.active else "Idle"},
            {"Squelch": f"{setup.weakest:.0f}"},
        ]
        return "".join(_line(part) for part in said) + self._filters()

    # Reports

    def next_due_s(self, now_s: float) -> float | None:
        """See UartDevice."""
        if self._next_s is None or self._next_s < now_s - 1:
            self._next_s = now_s + self.setup.period_s
        return self._next_s

    def due(self, now_s: float) -> bytes:
        """See UartDevice."""
        self._next_s = now_s + self.setup.period_s
        if not self.setup.active or not self.setup.speed:
            return b""
        if self._fault != "stuck":
            line = self._line(now_s)
            if not line:
                return b""
            self._last = line
        return self._sent(self._last + "\r\n")

    def forget(self) -> None:
        """See UartDevice."""
        self._known: dict[tuple[float, int], tuple[str, int]] = {}

    def _line(self, now_s: float) -> str:
        """Return the report; one that was worked out ahead, or taken back, is not so again."""
        asked = now_s, self._draws
        if asked not in self._known:
            self._work_out(now_s)
        line, self._draws = self._known[asked]
        return line

    def _work_out(self, now_s: float) -> None:
        """Know the reports from now to the end of a minute."""
        self.forget()
        setup, draws = self.setup, self._draws
        reports = ahead(self.movement, now_s, setup.period_s, setup.lag_s, setup.least_db)
        for at_s, targets in reports:
            bins = self._bins(targets)
            line = self._report(at_s, self._passing(bins, draws)) if bins else ""
            self._known[at_s, draws] = line, draws + len(bins)
            draws += len(bins)

    def _bins(self, targets: Targets) -> dict[int, float]:
        """Return the magnitude of each line of the spectrum that stands out."""
        if self._fault == "implausible":
            return {round(1000 / 3.6 / self.setup.resolution_mps): 1000.0}
        step, samples = self.setup.resolution_mps, self.setup.samples
        half = samples // 2
        bins: dict[int, float] = {}
        for speed_mps, strength_db in targets:
            # The negative half of the spectrum is the outbound one; beyond an end is the other.
            number = (round(speed_mps / step) + half) % samples - half
            strength = NOISE * 10 ** (strength_db / 20)
            if strength > bins.get(number, 0.0):
                bins[number] = strength
        return bins

    def _passing(self, bins: dict[int, float], draws: int) -> list[tuple[float, float]]:
        """Return (speed in the unit, magnitude) of what is to be reported, strongest first."""
        setup = self.setup
        found = []
        for number, strength in bins.items():
            draws += 1
            if number and strength * _MOST_DRAWN >= setup.weakest:
                magnitude = strength * _drawn(draws)
                speed = number * setup.resolution_mps * setup.factor
                if setup.lets_through(speed, magnitude):
                    found.append((speed, magnitude))
        if len(found) > 1:
            found.sort(key=itemgetter(1), reverse=True)
        return found[: setup.reports]

    def _report(self, now_s: float, found: list[tuple[float, float]]) -> str:
        if not found:
            return ""
        setup = self.setup
        decimals = setup.decimals
        times = [f"{now_s - self._up_s:.3f}"] if setup.time else []
        magnitudes = [f"{pair[1]:.{decimals}f}" for pair in found] if setup.magnitude else []
        speeds = [f"{pair[0]:.{decimals}f}" for pair in found]
        if not setup.json:
            return ",".join(times + magnitudes + speeds)
        said = f'"unit":"{_UNITS[setup.unit][1]}",' if self.quoted else ""
        if times:
            said += f'"time":{self._value(times)},'
        if magnitudes:
            said += f'"magnitude":{self._value(magnitudes)},'
        said += f'"speed":{self._value(speeds)}'
        if not self.quoted and len(found) == 1:
            said += ',"direction":"inbound"' if found[0][0] > 0 else ',"direction":"outbound"'
        return "{" + said + "}"

    def _value(self, texts: list[str]) -> str:
        if self.quoted:
            texts = [f'"{text}"' for text in texts]
        return texts[0] if self.setup.reports == 1 else "[" + ",".join(texts) + "]"

    def _sent(self, text: str) -> bytes:
        data = text.encode()
        if not data or self._fault in ("silent", "usb"):
            return b""
        if self._fault == "half":
            self._fault = "silent"
            return data[: len(data) // 2]
        if self._fault == "crc":
            return bytes(b ^ 0x80 if at % 3 == 1 else b for at, b in enumerate(data))
        return data


def _drawn(number: int) -> float:
    """Return 0.97 to 1.03: no magnitude comes twice, and the same radar gives the same."""
    return 0.97 + 0.06 * (zlib.crc32(b"243 %d" % number) / 0xFFFFFFFF)


_MOST_DRAWN = 0.97 + 0.06


def _line(said: object) -> str:
    return json.dumps(said) + "\r\n"
