"""One virtual board, as its caller holds it."""

import errno
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lampione_hil.board import BenchError, BoardTimeoutError
from lampione_hil.virtual.air import Air
from lampione_hil.virtual.flash import Flash, FlashStats


class Bench(Protocol):
    """What a board needs of its bench."""

    folder: Path

    def ask(self, name: str, *arguments: object, timeout_s: float = 30.0) -> Any:
        """Ask the supervisor."""


class Change(NamedTuple):
    """What a pin did: at `us` (world clock) pin `pin` got a "pwm" duty or a "pin" level."""

    us: int
    kind: str
    pin: int
    value: int


class WorldControl:
    """Changes what a board senses, while it runs.

    Parts have names: "microphone", "doppler", "sht45", those that the World was given.
    """

    def __init__(self, bench: Bench, name: str) -> None:
        self._bench = bench
        self._name = name

    def _do(self, what: str, *arguments: object) -> Any:
        return self._bench.ask("world", self._name, what, *arguments)

    def unplug(self, part: str) -> None:
        """Take a part off its bus and its supply: it hears and says nothing."""
        self._do("unplug", part, True)

    def plug(self, part: str) -> None:
        """Put it back: it starts from its power-up state."""
        self._do("unplug", part, False)

    def fault(self, part: str, kind: str) -> None:
        """Let a part behave wrongly, as its model knows ("stuck", "crc", "silent", ...; "": well).

        The microphone and the Doppler radar can be "stuck" (their line is high), "silent" and
        "clipped" (a square wave of full scale). The bus "i2c" can be "held": its SDA is low.
        Raises BenchError where the part has no such fault.
        """
        self._do("fault", part, kind)

    def stick(self, part: str) -> None:
        """Let a part repeat its last reading for ever."""
        self._do("fault", part, "stuck")

    def spoil_crc(self, part: str) -> None:
        """Let a part send wrong checksums."""
        self._do("fault", part, "crc")

    def heal(self, part: str) -> None:
        """End a part's fault."""
        self._do("fault", part, "")

    def wifi(self, up: bool) -> None:
        """Switch the access point. Down: connections stall, up again: they go on."""
        self._do("wifi", up)

    def rssi(self, dbm: int) -> None:
        """Set the signal strength, -120 to 0 dBm."""
        self._do("rssi", dbm)

    def air(self, air: Air) -> None:
        """Put the board into another air."""
        self._do("air", air)

    def microvolts(self, pin: int, value: int) -> None:
        """Set the voltage at an analogue pin."""
        self._do("microvolts", pin, value)

    def level(self, pin: int, value: int) -> None:
        """Set the level at a digital input."""
        self._do("level", pin, value)

    def call(self, part: str, method: str, *values: object) -> Any:
        """Call a method of a part's model, or of what belongs to it: see `set`."""
        return self._do("call", part, method, values)

    def set(self, part: str, **attributes: object) -> None:
        """Set attributes of a part's model, or of what belongs to it.

        `set("sps30", fan_rpm=0)` sets one of the model itself; `set("sps30.dust", pm2_5=80.0)` one
        of the object that is the model's `dust`, for every part that shares it. On the virtual
        clock this is exactly between two `run_for`. Raises BenchError for a part or an attribute
        that is not there.
        """
        self._do("set", part, attributes)


class VirtualBoard:
    """See lampione_hil.board.Board. Made by VirtualBench.board."""

    capabilities = frozenset({"power", "reset", "serial", "files", "flash", "pwm", "world"})

    def __init__(
        self, bench: Bench, name: str, serial_number: str, flash: Flash, port: str
    ) -> None:
        self.name = name
        self.serial_number = serial_number
        self.world = WorldControl(bench, name)
        self.port = port
        self._flash = flash
        self._bench = bench
        self._jobs = 0

    # Power

    def power_on(self) -> None:
        """Switch the power on; nothing happens when it is."""
        self._bench.ask("power", self.name, True)

    def power_off(self) -> None:
        """Switch the power off, at once; peers are not told."""
        self._bench.ask("power", self.name, False)

    def reset(self, loader: bool = False) -> None:
        """Pulse the reset line: as on the chip, the cause reads as power-on.

        loader: with GPIO0 low, so that the ROM boot loader waits for esptool.
        """
        self._bench.ask("reset", self.name, loader)

    def brown_out(self) -> None:
        """Let the supply sag: the chip resets itself, the parts keep their power.

        As on the chip, the cause reads as power-on.
        """
        self._bench.ask("brown_out", self.name)

    # The cable

    def unplug(self) -> None:
        """Pull the cable: power and serial line are gone, and whoever has the port open sees it."""
        self.port = self._bench.ask("cable", self.name, False)

    def plug(self) -> None:
        """Put the cable in again: there is a new port, and the power is on."""
        self.port = self._bench.ask("cable", self.name, True)

    @property
    def rfc2217(self) -> str:
        """The URL of its serial line with reset lines, made when first asked for.

        RTS holds the chip in reset, DTR lets the next reset end in the ROM boot loader, as the
        two transistors of a development board have it. One client at a time. Empty while the
        cable is out.
        """
        return str(self._bench.ask("rfc2217", self.name))

    def state(self) -> dict[str, Any]:
        """Return all that can be seen from outside at this instant."""
        found: dict[str, Any] = self._bench.ask("state", self.name)
        return found

    @property
    def running(self) -> bool:
        """Whether it has power. A torn write takes it away."""
        return bool(self.state()["powered"])

    @property
    def boots(self) -> int:
        """How often it has booted."""
        return int(self.state()["boots"])

    @property
    def exits(self) -> list[str]:
        """Why each boot ended: "off", "power cut", "reset line", "reset", "watchdog", ..."""
        return list(self.state()["exits"])

    @property
    def pins(self) -> dict[int, int]:
        """Levels of the digital outputs that the program has set."""
        return dict(self.state()["pins"])

    @property
    def sound_dropped(self) -> int:
        """Samples lost because the program did not read in time."""
        return int(self.state()["dropped"])

    @property
    def doppler_dropped(self) -> int:
        """Frames of the radar's signal lost because the program did not read in time."""
        return int(self.state()["doppler_dropped"])

    @property
    def uart_lost(self) -> dict[int, int]:
        """Bytes lost by each UART because the program did not read before its buffer was full."""
        return dict(self.state()["uart_lost"])

    def pwm_duty(self, pin: int) -> int:
        """Return the duty of a PWM pin, 0 to 65535. Raises KeyError when it has no PWM."""
        return int(self.state()["pwm"][pin][1])

    def pwm_freq(self, pin: int) -> int:
        """Return the frequency of a PWM pin in Hz. Raises KeyError when it has no PWM."""
        return int(self.state()["pwm"][pin][0])

    def trace(self) -> list[Change]:
        """Return what its pins did, the last 100,000 changes."""
        return [Change(*change) for change in self._bench.ask("trace", self.name)]

    # Waiting

    def _wait(self, what: str, argument: object, timeout_s: float, said: str) -> Any:
        value = self._bench.ask(
            "wait", self.name, what, argument, timeout_s, timeout_s=timeout_s + 30
        )
        if not value:
            raise BoardTimeoutError(
                f"{self.name}: {said} not within {timeout_s:g} s; the console ends with:\n"
                + self.console()[-1500:]
            )
        return value

    def wait_exit(self, timeout_s: float = 10.0) -> None:
        """Wait until it is off (a torn write, or autorestart=False). Raises BoardTimeoutError."""
        self._wait("off", None, timeout_s, "off")

    def wait_asleep(self, timeout_s: float = 10.0) -> None:
        """Wait until it sleeps deeply. Raises BoardTimeoutError."""
        self._wait("asleep", None, timeout_s, "deep sleep")

    def wait_boots(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until it has booted `count` times. Raises BoardTimeoutError."""
        self._wait("boots", count, timeout_s, f"{count} boots")

    def wait_prompt(self, timeout_s: float = 10.0) -> None:
        """Wait until main.py has ended. Raises BoardTimeoutError."""
        self._wait("prompt", None, timeout_s, "the prompt")

    def wait_pwm(self, pin: int, low: int, high: int, timeout_s: float = 10.0) -> None:
        """Wait until a PWM duty lies within low..high. Raises BoardTimeoutError."""
        self._wait("pwm", (pin, low, high), timeout_s, f"duty {low}..{high} at pin {pin}")

    # Serial line

    def console(self) -> str:
        """Return the end (64 KiB) of what it printed since power-on."""
        data: bytes = self._bench.ask("console", self.name)
        return data.decode("utf-8", "replace")

    def wait_console(self, pattern: str, timeout_s: float = 10.0) -> str:
        """Wait until the console shows a regular expression; return what matched.

        Raises BoardTimeoutError, with the end of the console.
        """
        found = self._wait("console", pattern.encode(), timeout_s, repr(pattern))
        return str(found)

    def type(self, text: str | bytes) -> None:
        """Type on its serial line."""
        self._bench.ask("type", self.name, text.encode() if isinstance(text, str) else text)

    # Flash, with the power off

    @property
    def flash(self) -> Path:
        """The image of its flash."""
        return self._flash.path

    @property
    def chip_flash(self) -> Path:
        """What esptool has written to the chip; not there before that."""
        return self._flash.path.with_suffix(".chip")

    def snapshot(self, path: Path) -> None:
        """Copy the flash image to `path`. Raises BenchError when the power is on."""
        self._need_off()
        self._flash.snapshot(path)

    def restore(self, path: Path) -> None:
        """Put a flash image back. Raises BenchError when the power is on, ValueError for a size."""
        self._need_off()
        self._flash.restore(path)

    def wipe(self) -> None:
        """Erase the flash. Raises BenchError when the power is on."""
        self._need_off()
        self._flash.wipe()

    def write_rom(self, image: bytes) -> None:
        """Put a ROMFS image into its ROM partition; the power must be off.

        Raises BenchError when it is on, ValueError when the image is too long.
        """
        self._need_off()
        self._flash.write_rom(image)

    def flash_stats(self) -> FlashStats:
        """Return how often each block was written and erased."""
        return self._flash.stats()

    def cut_power_at_write(self, number: int, kept: float = 0.5) -> None:
        """Cut the power in the `number`-th block program from now (0: do not).

        Of its bytes, the share `kept` (0 to 1) lands, from the beginning.
        """
        self._flash.cut_at(write=number, kept=kept)

    def cut_power_at_erase(self, number: int, kept: float = 0.5) -> None:
        """Cut the power in the `number`-th erase from now (0: do not); see cut_power_at_write."""
        self._flash.cut_at(erase=number, kept=kept)

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Write {absolute path: content}; folders are made. The power must be off.

        Raises BenchError when it is on, OSError when the flash is full.
        """
        requests = [({"op": "write", "path": path}, data) for path, data in files.items()]
        for path, (answer, _) in zip(files, self._job(requests), strict=False):
            _check(answer, path)

    def read_file(self, path: str) -> bytes:
        """Return a file's content; the power must be off. Raises FileNotFoundError."""
        answer, data = self._job([({"op": "read", "path": path}, b"")])[0]
        _check(answer, path)
        return data

    def remove_file(self, path: str) -> None:
        """Remove a file; the power must be off. Raises FileNotFoundError."""
        _check(self._job([({"op": "remove", "path": path}, b"")])[0][0], path)

    def list_files(self, path: str = "/") -> dict[str, int]:
        """Return {absolute path: bytes} of every file below a folder; the power must be off."""
        answer, _ = self._job([({"op": "list", "path": path}, b"")])[0]
        _check(answer, path)
        return dict(answer["files"])

    def _need_off(self) -> None:
        if self.running:
            raise BenchError(f"{self.name} is on: switch it off first")

    def _job(
        self, requests: Iterable[tuple[dict[str, Any], bytes]]
    ) -> list[tuple[dict[str, Any], bytes]]:
        self._jobs += 1
        asked = self._bench.folder / f"{self.name}.{self._jobs}.asked"
        answers = asked.with_suffix(".answers")
        log = asked.with_suffix(".log")
        try:
            with asked.open("wb") as file:
                file.write(json.dumps({"flash_bytes": self._flash.fs_bytes}).encode() + b"\n")
                for request, data in requests:
                    file.write(json.dumps({**request, "size": len(data)}).encode() + b"\n" + data)
            answers.write_bytes(b"")
            flash = self._flash
            status = self._bench.ask("job", flash.path, flash.control, asked, answers)
            if status:
                text = log.read_text(errors="replace").strip().splitlines()
                raise BenchError(f"{self.name}: {text[-1] if text else status}")
            return _answers(answers.read_bytes())
        finally:
            for path in (asked, answers, log):
                path.unlink(missing_ok=True)


def _answers(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    found = []
    while data:
        line, _, data = data.partition(b"\n")
        answer = json.loads(line)
        found.append((answer, data[: answer["size"]]))
        data = data[answer["size"] :]
    return found


def _check(answer: dict[str, Any], path: str) -> None:
    number = answer.get("error")
    if number:
        kind = FileNotFoundError if number == errno.ENOENT else OSError
        raise kind(number, os.strerror(number), path)
