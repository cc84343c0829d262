"""The instrument board of a bench, as its host holds it.

    with Instrument("/dev/ttyACM1") as instrument:
        instrument.play_uart(0, frame, baud=9600, every_s=1.0, times=None)
        assert instrument.measure_pwm(0).duty_percent == approx(50, abs=0.2)
        instrument.press_reset()

Any port that pyserial knows will do: a device, a virtual board's terminal, `rfc2217://`.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import serial
from lampione_protocol import bench, codec, stream
from lampione_protocol.errors import ProtocolError

from lampione_hil import firmware
from lampione_hil.board import BenchError, BoardTimeoutError

ANSWER_S = 3.0
_STEP_S = 0.05
_START_S = 6.0
_DATA = 200  # bytes of a message's text
_YEAR_2020 = date(2020, 1, 1)
_CALIBRATED = ("pwm", "voltage", "current", "tone", "doppler")
# Interrupts whatever program runs, then restarts the interpreter, which runs main.py.
_RESTART = b"\r\x03\x03\x02\x04"


class InstrumentError(BenchError):
    """The instrument cannot do it. `reason` is one of bench.REASONS."""

    def __init__(self, text: str, reason: str = "failed") -> None:
        super().__init__(text)
        self.reason = reason


_WHAT_TO_DO = {
    "unknown message": "its firmware is older than this host: flash it anew",
    "malformed": "its firmware is another than this host's: flash it anew",
    "not wired": "wire it and name its pins in /instrument.json",
    "not on this board": "it needs a later MicroPython, or an ESP32-S3",
    "not open": "open it first",
    "full": "stop something first",
    "no signal": "look at the wire and the node's power",
}


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


def tree(march: str | None = None) -> dict[str, bytes]:
    """Return {path: content} of an instrument board, compiled.

    march: mpy-cross' architecture, firmware.ESP32 for a board; None: this computer's.
    Raises CompileError, FileNotFoundError.
    """
    checkout = Path(__file__).resolve().parents[1] / "instrument"
    installed = Path(__file__).resolve().parent / "_instrument"
    for folder in (checkout, installed):
        if (folder / "main.py").is_file():
            return firmware.compile_tree(folder, march=march)
    raise FileNotFoundError("the instrument's sources are not installed")


class Instrument:
    """A context manager; every call has an end.

    Args:
        port: a path or URL of pyserial's.
        timeout_s: for an answer, what the call itself takes not counted.
        turn: called while it waits, where no time passes by itself: of a virtual bench on the
            virtual clock, `lambda: bench.run_for(0.01)`.

    Raises InstrumentError where it refuses, with what to do; BoardTimeoutError where it is silent;
    BenchError where the port cannot be opened, or nothing on it is an instrument.
    """

    def __init__(
        self, port: str, timeout_s: float = ANSWER_S, turn: Callable[[], object] | None = None
    ) -> None:
        self.port = port
        self._turn = turn
        self.timeout_s = timeout_s
        self.capabilities: frozenset[str] = frozenset()
        self.lacking: frozenset[str] = frozenset()
        self.calibrated: dict[str, date | None] = {}
        self.serial_number = ""
        self.firmware = ""
        self._serial: Any = None  # of whichever of pyserial's classes the port asks for
        self._decoder = stream.Decoder(bench.FRAME_MAX)
        self._ask = 0
        self._open_lines: dict[int, int] = {}

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the port and ask what is there; start the instrument where it is at its REPL."""
        try:
            step_s = _STEP_S if self._turn is None else 0
            self._serial = serial.serial_for_url(self.port, 115200, timeout=step_s)
        except (OSError, serial.SerialException, ValueError) as error:
            raise BenchError(f"{self.port}: {error}: is the instrument plugged in?") from None
        try:
            try:
                self._identify(min(1.0, self.timeout_s))
            except BoardTimeoutError:
                self._restart()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of everything, and of the port."""
        if self._serial is None:
            return
        try:
            if self.serial_number:
                with contextlib.suppress(BenchError):
                    self.stop()
        finally:
            with contextlib.suppress(OSError, serial.SerialException):
                self._serial.close()
            self._serial = None

    def _restart(self) -> None:
        self._write(_RESTART)
        until_s = time.monotonic() + max(_START_S, self.timeout_s)
        while True:
            try:
                self._identify(0.5)
                return
            except BoardTimeoutError:
                if time.monotonic() > until_s:
                    raise BenchError(
                        f"{self.port}: no instrument answers: is it the right port, and was the "
                        "instrument's firmware flashed?"
                    ) from None

    def _identify(self, timeout_s: float) -> None:
        found = self._request(bench.IDENTIFY, timeout_s, revision=bench.REVISION)
        self.capabilities = _flags(found["capabilities"])
        self.lacking = _flags(found["lacking"])
        self.serial_number = found["serial"].hex()
        number = found["firmware"]
        self.firmware = f"{number >> 12}.{number >> 6 & 63}.{number & 63}"
        self.calibrated = {}
        for name in _CALIBRATED:
            days = found[f"calibrated_{name}"]
            self.calibrated[name] = None if days is None else _YEAR_2020 + timedelta(days)

    # The line

    def _write(self, data: bytes) -> None:
        if self._serial is None:
            raise BenchError(f"{self.port}: the instrument is closed")
        try:
            self._serial.write(data)
        except (OSError, serial.SerialException) as error:
            raise BenchError(f"{self.port}: {error}: was the cable pulled?") from None

    def _read(self) -> bytes:
        if self._turn is not None:
            self._turn()
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except (OSError, serial.SerialException) as error:
            raise BenchError(f"{self.port}: {error}: was the cable pulled?") from None

    def _request(self, kind: int, timeout_s: float | None = None, **values: Any) -> dict[str, Any]:
        """Ask and return the answer's fields by name, with its kind as "kind"."""
        fields = _fields(kind)
        text = codec.encode(fields, [values.get(field[0]) for field in fields])
        self._ask = self._ask % bench.ASK_MAX + 1
        self._write(stream.wrap(bench.head(kind, self._ask) + text))
        wait_s = self.timeout_s if timeout_s is None else timeout_s
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s:
            for frame in self._decoder.feed(self._read()):
                answer = self._understand(frame)
                if answer is not None:
                    return answer
        name = next(n for number, n, _ in bench.MESSAGES if number == kind)
        raise BoardTimeoutError(f"{self.port}: no answer to {name} within {wait_s:g} s")

    def _understand(self, frame: bytes) -> dict[str, Any] | None:
        """Return the answer to the request under way, None where it is none. May raise."""
        try:
            kind, ask = bench.parse(frame)
            fields = bench.fields_of(kind)
            if ask != self._ask or fields is None or kind < bench.INSTRUMENT:
                return None
            values = codec.decode(fields, frame, bench.HEAD_BYTES, len(frame))
        except ProtocolError:
            return None
        found = {field[0]: value for field, value in zip(fields, values, strict=True)}
        if kind == bench.REFUSED:
            number = found["reason"]
            reason = dict(enumerate(bench.REASONS)).get(number, "failed")
            said = (found["text"] or b"").decode("utf-8", "replace")
            advice = _WHAT_TO_DO.get(reason)
            text = f"{self.port}: the instrument refuses: {reason} ({said})"
            raise InstrumentError(f"{text}: {advice}" if advice else text, reason)
        return {"kind": kind, **found}

    # Serial lines

    def uart(self, line: int, baud: int) -> None:
        """Open a serial line at a rate, with nothing on it; 0: close it."""
        self._request(bench.UART, line=line, baud=baud)
        self._open_lines[line] = baud

    def _line(self, line: int, baud: int | None) -> None:
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
        self._line(line, baud)
        self._request(
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
        self._line(line, baud)
        self._request(
            bench.ANSWER, line=line, after=_ms(after_s), asked=len(asked), data=asked + data
        )

    def heard_uart(self, line: int) -> Heard:
        """Return what a line has heard since the last look, 1 KiB at most."""
        return self._heard(0, line)

    def _heard(self, source: int, line: int) -> Heard:
        data, lost = b"", 0
        while True:
            found = self._request(bench.READ, source=source, line=line)
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
        self._request(bench.TARGET, address=address, register_bits=bits)
        for place, data in (registers or {}).items():
            self.i2c_registers(place, data)
        for command, data, after_s in script or ():
            self.i2c_script(command, data, after_s)

    def i2c_registers(self, place: int, data: bytes) -> None:
        """Change bytes of the device's registers."""
        for at in range(0, len(data), _DATA):
            self._request(bench.REGISTERS, offset=place + at, data=data[at : at + _DATA])

    def i2c_script(self, command: bytes, data: bytes, after_s: float = 0.0) -> None:
        """Change, or add, what is read after a command."""
        _short(command + data)
        self._request(bench.SCRIPT, after=_ms(after_s), asked=len(command), data=command + data)

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
        self._request(bench.TONE, frequency=frequency, level=round(db * 10))

    def doppler(self, hz: float | None, millivolts: float = 10.0) -> None:
        """Play a tone of so many mV peak to the radar's intermediate frequency; None: none."""
        frequency = None if hz is None else round(hz * 100)
        self._request(bench.DOPPLER, frequency=frequency, amplitude=round(millivolts * 10))

    # Measurements

    def _measure(self, quantity: str, channel: int, window_s: float) -> dict[str, Any]:
        return self._request(
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
        found = self._request(
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
        self._request(bench.DRIVE, channel=channel, drive=2 if level is None else level)

    def press_reset(self, hold_s: float = 0.2, *, boot: bool = False) -> None:
        """Press the node's reset; boot: hold its boot pin too, so that its ROM's loader runs."""
        self._request(bench.PRESS, self.timeout_s + hold_s, hold=_ms(hold_s), boot=int(boot))

    # DALI

    def dali_send(self, frame: int, bits: int = 16, *, answer: bool = False) -> DaliFrame | None:
        """Send a frame; return its answer, None where there is none, or none was asked for."""
        found = self._request(bench.DALI, frame=frame, bits=bits, answer=int(answer))
        return _dali(found)

    def dali_seen(self) -> list[DaliFrame]:
        """Return the frames that were on the line since the last look, but for our own."""
        found = []
        while True:
            said = self._request(bench.READ, source=2, line=0)
            frame = _dali(said)
            if frame is not None:
                found.append(frame)
            if not said["more"]:
                return found

    # The instrument itself

    def stop(self, capability: str | None = None) -> None:
        """Let go of one thing that is played or driven, or of all."""
        number = None if capability is None else bench.CAPABILITIES.index(capability)
        self._request(bench.STOP, capability=number)
        if capability in (None, "uart"):
            self._open_lines.clear()

    def check(self, capability: str) -> Checked:
        """Let it play into its own input, where the settings' "check" says that they are wired."""
        found = self._request(bench.CHECK, capability=bench.CAPABILITIES.index(capability))
        return Checked(bench.VERDICTS[found["verdict"]], found["played"], found["measured"])

    def now_s(self) -> float:
        """Return the instrument's clock, which `wait_edge` and DALI frames go by."""
        return _at_s(self._request(bench.STOP, capability=bench.CAPABILITIES.index("trigger")))


def main() -> None:
    """Write an instrument board's files into a folder, for mpremote to copy."""
    if len(sys.argv) != 2:
        sys.exit("python -m lampione_hil.instrument FOLDER")
    for path, data in tree(firmware.ESP32).items():
        place = Path(sys.argv[1]) / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _fields(kind: int) -> tuple[Any, ...]:
    fields = bench.fields_of(kind)
    assert fields is not None
    return fields


def _flags(number: int) -> frozenset[str]:
    return frozenset(name for n, name in enumerate(bench.CAPABILITIES) if number >> n & 1)


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


if __name__ == "__main__":
    main()
