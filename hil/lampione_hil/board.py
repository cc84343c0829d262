"""A board you can hold, real or virtual: power, reset, files, console, measurements."""

from collections.abc import Mapping
from typing import Protocol


class BenchError(RuntimeError):
    """The bench cannot do what was asked; the text says why in one line."""


class BoardTimeoutError(BenchError):
    """What was waited for did not come about in time."""


class Board(Protocol):
    """What suites and the demo use. A kind that lacks a capability does not list it.

    capabilities: "power" (power_on, power_off), "reset", "serial" (port, console),
        "files" (write_files, read_file, list_files with the power off), "flash" (image, cuts),
        "pwm" (pwm_duty), "world" (stimuli).
    """

    name: str

    @property
    def capabilities(self) -> frozenset[str]:
        """What this board can do on its bench."""
        ...

    @property
    def running(self) -> bool:
        """Whether it has power."""
        ...

    @property
    def port(self) -> str:
        """The serial port that mpremote connects to."""
        ...

    @property
    def boots(self) -> int:
        """How often it has booted on this bench."""
        ...

    def power_on(self) -> None:
        """Switch the power on."""

    def power_off(self) -> None:
        """Switch the power off, at once."""

    def reset(self) -> None:
        """Pulse the reset line."""

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Write {absolute path: content}; folders are made."""

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError."""
        ...

    def list_files(self, path: str = "/") -> dict[str, int]:
        """Return {absolute path: bytes} of every file below a folder."""
        ...

    def console(self) -> str:
        """Return the end of what it printed since power-on."""
        ...

    def wait_console(self, pattern: str, timeout_s: float = 10.0) -> str:
        """Wait until the console shows a regular expression; return what matched.

        Raises BoardTimeoutError, with the end of the console.
        """
        ...

    def pwm_duty(self, pin: int) -> int:
        """Return the duty of a PWM pin, 0 to 65535. Raises KeyError when it has no PWM."""
        ...
