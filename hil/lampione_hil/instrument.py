"""The instrument board of a bench, as its host holds it.

    with Instrument("/dev/ttyACM1") as instrument:
        instrument.play_uart(0, frame, baud=9600, every_s=1.0, times=None)
        assert instrument.measure_pwm(0).duty_percent == approx(50, abs=0.2)
        instrument.press_reset()

Any port that pyserial knows will do: a device, a virtual board's terminal, `rfc2217://`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lampione_protocol import bench

from lampione_hil import firmware
from lampione_hil.instrument_link import ANSWER_S, InstrumentError, InstrumentLink

__all__ = ["Checked", "DaliFrame", "Heard", "Instrument", "InstrumentError", "Pwm", "tree"]
_DATA = 200  # bytes of a message's text


@dataclass(frozen=True)
class Pwm:
    """A measured pulse width. `frequency_hz`: None where the level never changed."""

    frequency_hz: float | None
    duty_percent: float
    periods: int


@dataclass(frozen=True)
class Heard:
    """What a line has heard since the last look; `lost` bytes had no room."""

    data: bytes
    lost: int


@dataclass(frozen=True)
class DaliFrame:
    """A frame on the DALI line. `frame`: None where its edges are none."""

    at_s: float
    frame: int | None
    bits: int | None


@dataclass(frozen=True)
class Checked:
    """What came of a self check: "passed", "failed" or "not wired"."""

    verdict: str
    played: int | None
    measured: int | None


def _sources() -> Path:
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "instrument", here.parent / "_instrument"):
        if (folder / "main.py").is_file():
            return folder
    raise FileNotFoundError("the instrument's sources are not installed")


def tree(march: str | None = None) -> dict[str, bytes]:
    """Return {path: content} of an instrument board, compiled.

    march: mpy-cross' architecture, firmware.ESP32 for a board; None: this computer's.
    Raises CompileError, FileNotFoundError.
    """
    return firmware.compile_tree(_sources(), march=march)


def example_settings() -> bytes:
    """Return an /instrument.json to begin with."""
    return (_sources() / "instrument.json").read_bytes()


class Instrument(InstrumentLink):
    """A context manager; every call has an end. Its arguments are InstrumentLink's.

    Raises InstrumentError where it refuses, with what to do; BoardTimeoutError where it is silent;
    those of real.line where the port cannot be opened or is gone, BenchError where what is there is
    no instrument.

    Attributes:
        capabilities: what it can; `lacking`: what is wired and its MicroPython does not know.
        calibrated: {quantity: when it was last held against a reference, or None}.
    """

    def __init__(
        self, port: str, timeout_s: float = ANSWER_S, turn: Callable[[], object] | None = None
    ) -> None:
        super().__init__(port, timeout_s, turn)
        self._open_lines: dict[int, int] = {}

    # Serial lines

    def uart(self, line: int, baud: int) -> None:
        """Open a serial line at a rate, with nothing on it; 0: close it."""
        self.request(bench.UART, line=line, baud=baud)
        self._open_lines[line] = baud

    def _need_line(self, line: int, baud: int | None) -> None:
        if baud is not None and self._open_lines.get(line) != baud:
            self.uart(line, baud)

    def play_uart(
        self,
        line: int,
        data: bytes,
        *,
        baud: int | None = None,
        first_s: float = 0.0,
        every_s: float = 0.0,
        times: int | None = 1,
    ) -> None:
        """Say `data` on a line: after `first_s`, `times` times (None: until it is stopped).

        baud: opens the line at this rate, unless it is open so already.
        """
        _short(data)
        self._need_line(line, baud)
        self.request(
            bench.PLAY,
            line=line,
            first=_ms(first_s),
            every=_ms(every_s),
            times=0 if times is None else times,
            data=data,
        )

    def answer_uart(
        self, line: int, asked: bytes, data: bytes, *, baud: int | None = None, after_s: float = 0.0
    ) -> None:
        """Say `data` on a line whenever it has heard `asked`."""
        _short(asked + data)
        self._need_line(line, baud)
        self.request(
            bench.ANSWER, line=line, after=_ms(after_s), asked=len(asked), data=asked + data
        )

    def heard_uart(self, line: int) -> Heard:
        """Return what a line has heard since the last look, 1 KiB at most."""
        return self._heard(0, line)

    def _heard(self, source: int, line: int) -> Heard:
        data, lost = b"", 0
        while True:
            found = self.request(bench.READ, source=source, line=line)
            data += found["data"] or b""
            lost += found["lost"] or 0
            if not found["more"]:
                return Heard(data, lost)

    # I2C

    def i2c_target(
        self,
        address: int | None,
        *,
        registers: Mapping[int, bytes] | None = None,
        register_bits: int = 8,
        script: Sequence[tuple[bytes, bytes, float]] | None = None,
    ) -> None:
        """Be a device on the node's I2C bus; address None: none.

        registers: {place: bytes}, read and written by the node at any speed.
        script: (command, what is read after it, seconds until that is there). 0xFF until then.
        """
        if registers is not None and script is not None:
            raise ValueError("registers or a script, not both")
        bits = register_bits if script is None else 0
        self.request(bench.TARGET, address=address, register_bits=bits)
        for place, data in (registers or {}).items():
            self.i2c_registers(place, data)
        for command, data, after_s in script or ():
            self.i2c_script(command, data, after_s)

    def i2c_registers(self, place: int, data: bytes) -> None:
        """Change bytes of the device's registers."""
        for at in range(0, len(data), _DATA):
            self.request(bench.REGISTERS, offset=place + at, data=data[at : at + _DATA])

    def i2c_script(self, command: bytes, data: bytes, after_s: float = 0.0) -> None:
        """Change, or add, what is read after a command."""
        _short(command + data)
        self.request(bench.SCRIPT, after=_ms(after_s), asked=len(command), data=command + data)

    def i2c_heard(self) -> list[bytes]:
        """Return the commands that the device has heard since the last look.

        Of one that is not in the script, the first bytes.
        """
        data = self._heard(1, 0).data
        found = []
        while data:
            found.append(data[1 : 1 + data[0]])
            data = data[1 + data[0] :]
        return found

    # Sound

    def tone(self, hz: float | None, db: float = 94.0) -> None:
        """Play a tone of so many dB SPL to the microphone; None: be silent."""
        frequency = None if hz is None else round(hz * 100)
        self.request(bench.TONE, frequency=frequency, level=round(db * 10))

    def doppler(self, hz: float | None, millivolts: float = 10.0) -> None:
        """Play a tone of so many mV peak to the radar's intermediate frequency; None: none."""
        frequency = None if hz is None else round(hz * 100)
        self.request(bench.DOPPLER, frequency=frequency, amplitude=round(millivolts * 10))

    # Measurements

    def _measure(self, quantity: str, channel: int, window_s: float) -> dict[str, Any]:
        return self.request(
            bench.MEASURE,
            self.timeout_s + window_s,
            quantity=bench.QUANTITIES.index(quantity),
            channel=channel,
            window=_ms(window_s),
        )

    def measure_pwm(self, channel: int = 0, window_s: float = 0.1) -> Pwm:
        """Measure a pulse width. Of one slower than the window the level is taken for the duty."""
        found = self._measure("pwm", channel, window_s)
        hz = found["frequency"]
        return Pwm(None if hz is None else hz / 100, found["duty"] / 1000, found["count"])

    def millivolts(self, channel: int = 0, window_s: float = 0.05) -> float:
        """Measure a voltage: the mean of a window."""
        return float(self._measure("voltage", channel, window_s)["voltage"]) / 10

    def milliamps(self, channel: int = 0, window_s: float = 0.05) -> float:
        """Measure a current: the mean of a window."""
        return float(self._measure("current", channel, window_s)["current"]) / 100

    def level(self, channel: int = 0) -> int:
        """Return the level of a digital input."""
        return int(self._measure("level", channel, 0.001)["level"])

    def wait_edge(
        self, channel: int = 0, edge: str = "rising", count: int = 1, within_s: float = 2.0
    ) -> float:
        """Wait for edges at a digital input; return when the last came, s of the instrument.

        Raises InstrumentError (reason "timeout") where they do not come.
        """
        found = self.request(
            bench.TRIGGER,
            self.timeout_s + within_s,
            channel=channel,
            edge=bench.EDGES.index(edge),
            count=count,
            within=_ms(within_s),
        )
        return _at_s(found)

    # Lines that are driven

    def drive(self, channel: int, level: int | None) -> None:
        """Drive a digital output; None: let go of it."""
        self.request(bench.DRIVE, channel=channel, drive=2 if level is None else level)

    def press_reset(self, hold_s: float = 0.2, *, boot: bool = False) -> None:
        """Press the node's reset; boot: hold its boot pin too, so that its ROM's loader runs."""
        self.request(bench.PRESS, self.timeout_s + hold_s, hold=_ms(hold_s), boot=int(boot))

    # DALI

    def dali_send(self, frame: int, bits: int = 16, *, answer: bool = False) -> DaliFrame | None:
        """Send a frame; return its answer, None where there is none, or none was asked for."""
        found = self.request(bench.DALI, frame=frame, bits=bits, answer=int(answer))
        return _dali(found)

    def dali_seen(self) -> list[DaliFrame]:
        """Return the frames that were on the line since the last look, but for our own."""
        found = []
        while True:
            said = self.request(bench.READ, source=2, line=0)
            frame = _dali(said)
            if frame is not None:
                found.append(frame)
            if not said["more"]:
                return found

    # The instrument itself

    def stop(self, capability: str | None = None) -> None:
        """Let go of one thing that is played or driven, or of all."""
        number = None if capability is None else bench.CAPABILITIES.index(capability)
        self.request(bench.STOP, capability=number)
        if capability in (None, "uart"):
            self._open_lines.clear()

    def check(self, capability: str) -> Checked:
        """Let it play into its own input, where the settings' "check" says that they are wired."""
        found = self.request(bench.CHECK, capability=bench.CAPABILITIES.index(capability))
        return Checked(bench.VERDICTS[found["verdict"]], found["played"], found["measured"])

    def now_s(self) -> float:
        """Return the instrument's clock, which `wait_edge` and DALI frames go by."""
        return _at_s(self.request(bench.STOP, capability=bench.CAPABILITIES.index("trigger")))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _at_s(found: Mapping[str, Any]) -> float:
    return float(found["at"]) / 1000 + float(found["at_us"]) / 1e6


def _dali(found: Mapping[str, Any]) -> DaliFrame | None:
    if found["bits"] is None and not found["garbled"]:
        return None
    frame = None if found["garbled"] else int(found["frame"])
    return DaliFrame(_at_s(found), frame, found["bits"])


def _short(data: bytes) -> None:
    if len(data) > _DATA:
        raise ValueError(f"{len(data)} bytes: {_DATA} at most")
