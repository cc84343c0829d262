"""The line between a host and an instrument board: a request, then its answer or why not."""

import contextlib
import time
from collections.abc import Callable
from datetime import date, timedelta
from types import TracebackType
from typing import Any, Self

from lampione_protocol import bench, codec, stream
from lampione_protocol.errors import ProtocolError, RangeError

from lampione_hil.board import BenchError, BoardTimeoutError
from lampione_hil.real.line import Line

ANSWER_S = 3.0
_BAUD = 115200  # of no account on a line of USB
_START_S = 6.0
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


class InstrumentLink:
    """The line to an instrument, open or not. A context manager.

    Args:
        port: a path or URL of pyserial's.
        timeout_s: for an answer, what the call itself takes not counted.
        turn: called while it waits, where no time passes by itself: of a virtual bench on the
            virtual clock, `lambda: bench.run_for(0.01)`.

    Raises InstrumentError where it refuses, with what to do; BoardTimeoutError where it is silent;
    those of real.line where the port cannot be opened or is gone, BenchError where what is there is
    no instrument.
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
        self._line: Line | None = None
        self._decoder = stream.Decoder(bench.FRAME_MAX)
        self._ask = 0

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
        self._line = Line(self.port, _BAUD)
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
        if self._line is None:
            return
        try:
            if self.serial_number:
                with contextlib.suppress(BenchError):
                    self.request(bench.STOP)
        finally:
            self._line.close()
            self._line = None

    def _restart(self) -> None:
        self._opened().write(_RESTART)
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
        found = self.request(bench.IDENTIFY, timeout_s, revision=bench.REVISION)
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

    def _opened(self) -> Line:
        if self._line is None:
            raise BenchError(f"{self.port}: the instrument is closed")
        return self._line

    def _read(self) -> bytes:
        line = self._opened()
        if self._turn is None:
            return line.some()
        self._turn()
        return line.some() if line.inWaiting() else b""

    def request(self, kind: int, timeout_s: float | None = None, **values: Any) -> dict[str, Any]:
        """Ask and return the answer's fields by name, with its kind as "kind"."""
        fields = _fields(kind)
        try:
            text = codec.encode(fields, [values.get(field[0]) for field in fields])
        except RangeError as error:
            name, value, low, high = error.args
            said = f"{self.port}: {name} {value} is not from {low} to {high}"
            raise InstrumentError(said, "out of range") from None
        self._ask = self._ask % bench.ASK_MAX + 1
        self._opened().write(stream.wrap(bench.head(kind, self._ask) + text))
        wait_s = self.timeout_s if timeout_s is None else timeout_s
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s:
            for frame in self._decoder.feed(self._read()):
                answer = self._understand(frame)
                if answer is not None:
                    return answer
        name = next(n for number, n, _ in bench.MESSAGES if number == kind)
        raise BoardTimeoutError(
            f"{self.port}: no answer to {name} within {wait_s:g} s: reset the instrument"
        )

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


def _fields(kind: int) -> tuple[Any, ...]:
    fields = bench.fields_of(kind)
    assert fields is not None
    return fields


def _flags(number: int) -> frozenset[str]:
    return frozenset(name for n, name in enumerate(bench.CAPABILITIES) if number >> n & 1)
