"""A real board: what can be reached over its serial port, its switch and its instrument.

`port` may be any that pyserial opens, `rfc2217://` too. The board has one reader; whoever needs
the REPL borrows the port.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from lampione_hil.board import BenchError
from lampione_hil.real import files
from lampione_hil.real.console import SerialConsole
from lampione_hil.real.power import PowerSwitch
from lampione_hil.real.repl import Repl
from lampione_hil.real.wired import Wired

_PROMPT = r"(?:^|\n)>>> $"

# By the number in sys.implementation._mpy (MicroPython, "MicroPython .mpy files").
MARCHES = (
    *("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc", "rv64imc"),
)

State = Literal["unknown", "off", "held", "runs"]
Reset = Literal["lines", "instrument", "none"]


class RealBoard:
    """See lampione_hil.board.Board.

    A real board needs power for its files. They are reached while it is off all the same: it gets
    power for that, its program is interrupted, and it waits at the prompt ("held") until the next
    power_on, which is a true one, or power_off. Without a switch "off" is no more than that, and
    the capability "power" is missing.
    """

    def __init__(
        self,
        find: str | Callable[[], str],
        *,
        name: str,
        serial_number: str = "",
        power: PowerSwitch | None = None,
        instrument: Wired | None = None,
        reset: Reset = "lines",
        baud: int = 115200,
        answer_s: float = 20.0,
    ) -> None:
        """Make a board; nothing is opened yet.

        Args:
            find: its port, or what looks for the port now and raises BenchError when it is gone.
            reset: what resets it: DTR and RTS, the instrument, or only MicroPython itself.
            answer_s: how long its prompt may take, from the moment that it gets power.
        """
        self.name = name
        self.serial_number = serial_number
        self.power = power
        self.instrument = instrument
        self._find = find if callable(find) else lambda: find
        self._reset = reset
        self._answer_s = answer_s
        self._console = SerialConsole(self._find, name=name, baud=baud)
        self._state: State = "unknown"
        self._off_at = 0.0
        self._march = ""
        self._blank = False  # what lies on its flash counts as removed

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do on this bench."""
        found = {"serial", "files"}
        if self.power is not None:
            found.add("power")
        if self._reset != "none":
            found.add("reset")
        if self.instrument is not None:
            found.add("instrument")
            if self.instrument.pwm_pins:
                found.add("pwm")
        return frozenset(found)

    @property
    def running(self) -> bool:
        """Whether it runs its program, as far as the bench knows."""
        if self._state == "unknown":
            return self.power is None or self.power.state() is not False
        return self._state == "runs"

    @property
    def port(self) -> str:
        """The port, now. Raises BenchError."""
        return self._find()

    @property
    def boots(self) -> int:
        """How often it has started since the bench listens."""
        return self._console.boots

    # Power

    def power_on(self) -> None:
        """Switch on, after at least `off_s` of the switch without power; nothing when it runs."""
        if self._state == "runs":
            return
        self._wipe_now()
        if self.power is None:
            self._console.forget()
            self._restart()
            return
        if (
            self._state != "off"
        ):  # it waits at the prompt, or nobody knows: a true start needs a cut
            self._cut(self.power)
        self._console.forget()
        self._give(self.power)
        self._state = "runs"

    def power_off(self) -> None:
        """Switch off; without a switch: end its program. Does nothing when it is off."""
        if self.power is not None and self._state != "off":
            self._cut(self.power)
        elif self.power is None and self._state in ("unknown", "runs"):
            with self._repl():
                pass

    def reset(self) -> None:
        """Pulse the reset line; without one, let MicroPython reset the chip."""
        if self._state in ("off", "held"):
            raise BenchError(f"{self.name} is off: switch it on first")
        self._restart()

    def start(self) -> None:
        """Let MicroPython reset the chip, whatever runs: no switch and no line is needed for it."""
        self._wipe_now()
        with self._repl() as repl:
            self._console.expect_start()
            repl.reset()
        self._state = "runs"

    def close(self) -> None:
        """Let go of its port and its instrument; the power stays as it is."""
        self._console.close()
        if self.instrument is not None:
            self.instrument.close()

    # Files, with the power off

    def write_files(self, files_: Mapping[str, bytes]) -> None:
        """Write {absolute path: content}; folders are made, and what is the same stays."""
        with self._files() as repl:
            if self._blank:
                files.remove_all(repl, keep=files_)
                self._blank = False
            files.write(repl, files_)

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError."""
        self._wipe_now()
        with self._files() as repl:
            return repl.read_file(path)

    def remove_file(self, path: str) -> None:
        """Remove a file. Raises FileNotFoundError."""
        self._wipe_now()
        with self._files() as repl:
            if repl.sha256(path) is None:
                raise FileNotFoundError(path)
            repl.remove(path)

    def list_files(self, path: str = "/") -> dict[str, int]:
        """Return {absolute path: bytes} of every file below a folder."""
        self._wipe_now()
        with self._files() as repl:
            return files.listed(repl, path)

    def wipe(self) -> None:
        """Remove all files, at the latest before anything looks.

        What the next write_files brings again stays where it is: it spares the flash, and minutes.
        """
        self._need_off()
        self._blank = True

    @property
    def march(self) -> str:
        """The architecture of its native code, as mpy-cross names it. Raises BenchError."""
        if not self._march:
            number = self.evaluate("__import__('sys').implementation._mpy >> 10 & 15")
            assert isinstance(number, int)
            self._march = MARCHES[number]
        return self._march

    def evaluate(self, expression: str) -> object:
        """Return what an expression is on the board, off as for files. Raises BenchError."""
        with self._files() as repl:
            return repl.eval(expression)

    # Serial line

    def console(self) -> str:
        """Return the end (64 KiB) of what it printed since power-on."""
        return self._console.text()

    def forget(self) -> None:
        """Drop what it has printed so far."""
        self._console.forget()

    def wait_console(self, pattern: str, timeout_s: float = 10.0) -> str:
        """Wait until the console shows a regular expression; return what matched.

        Raises BoardTimeoutError, with the end of the console.
        """
        return self._console.wait_pattern(pattern, timeout_s)

    def wait_boots(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until it has started `count` times. Raises BoardTimeoutError."""
        self._console.wait_boots(count, timeout_s)

    def wait_prompt(self, timeout_s: float = 10.0) -> None:
        """Wait until its program has ended. Raises BoardTimeoutError."""
        self._console.wait_pattern(_PROMPT, timeout_s)

    def wait_port(self, timeout_s: float = 15.0) -> None:
        """Wait until its port is open. Raises BenchError."""
        self._console.wait_port(timeout_s)

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until its port is gone; return whether it is."""
        return self._console.wait_gone(timeout_s)

    def type(self, text: str | bytes) -> None:
        """Type on its serial line."""
        self._console.write(text.encode() if isinstance(text, str) else text)

    # Measurements

    def pwm_duty(self, pin: int) -> int:
        """Return the duty of a PWM pin, 0 to 65535, measured. Raises KeyError, BenchError."""
        if self.instrument is None:
            raise BenchError(f"{self.name}: nothing measures its pins")
        return self.instrument.pwm_duty(pin)

    # Inside

    def _need_off(self) -> None:
        if self._state == "runs":
            raise BenchError(f"{self.name} is on: switch it off first")

    def _cut(self, power: PowerSwitch) -> None:
        power.off()
        self._off_at = time.monotonic()
        self._state = "off"

    def _give(self, power: PowerSwitch) -> None:
        left = self._off_at + power.off_s - time.monotonic()
        if left > 0:
            time.sleep(left)
        self._console.settle()  # so that it hears the first words where the port stays
        self._console.expect_start()
        power.on()

    def _restart(self) -> None:
        if self._reset == "instrument" and self.instrument is not None:
            self._console.wait_port()
            self._console.expect_start()
            self.instrument.reset()
        elif self._reset == "lines":
            self._console.pulse()
        else:
            self.start()
        self._state = "runs"

    @contextlib.contextmanager
    def _files(self) -> Iterator[Repl]:
        self._need_off()
        if self.power is not None and self._state in ("unknown", "off"):
            if self._state == "unknown" and self.power.state() is not False:
                self._cut(self.power)
            self._give(self.power)
            self._state = "held"  # as soon as it has been interrupted
        with self._repl() as repl:
            yield repl

    @contextlib.contextmanager
    def _repl(self) -> Iterator[Repl]:
        with self._console.lent() as line:
            repl = Repl(line)  # the port stays open after it
            repl.enter(self._answer_s)
            self._state = "held"
            yield repl

    def _wipe_now(self) -> None:
        if self._blank:
            with self._files() as repl:
                files.remove_all(repl)
            self._blank = False
