"""One board in the supervisor: its power, its process, its serial line, its clock."""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lampione_hil.virtual import spawn
from lampione_hil.virtual.console import SOFT_REBOOT
from lampione_hil.virtual.microphone import Loop, Microphone
from lampione_hil.virtual.radio import Relay, Station
from lampione_hil.virtual.running import RunningWorld
from lampione_hil.virtual.serial import SerialLine

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
BOOT = Path(__file__).parent / "board" / "_boot.py"
# The simulated modules live in the board's own heap; a real board has them in flash.
MODULES_BYTES = 41_000
VIRTUAL_EPOCH_UNIX_S = 1_767_225_600  # 2026-01-01, where the virtual clock begins
_TRACE = 100_000


@dataclass
class Settings:
    """What the host says of a board."""

    name: str
    flash: Path
    control: Path
    flash_bytes: int
    unique_id: bytes
    heap_bytes: int
    autorestart: bool
    ticks_base_ms: int
    world: RunningWorld


class Home(Protocol):
    """What a board needs of its supervisor."""

    selector: selectors.BaseSelector
    relay: Relay
    virtual: bool
    virtual_us: int

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call later."""

    def changed(self, life: "Life") -> None:
        """Something happened that somebody may wait for."""

    def loop(self, path: Path) -> Loop:
        """The sound in a file, shared."""
        ...


class Life:
    """A board: off, or a process with a serial line and a wire."""

    def __init__(self, home: Home, settings: Settings, answer: Callable[..., None]) -> None:
        self.home = home
        self.settings = settings
        self.world = settings.world
        self._answer = answer
        self.serial = SerialLine(home.selector, lambda: home.changed(self))
        self.powered = False
        self.pid = 0
        self.boots = 0
        self.cause = PWRON_RESET
        self.exits: list[str] = []  # why each boot ended
        self.trace: deque[tuple[int, str, int, int]] = deque(maxlen=_TRACE)
        self.pwm: dict[int, tuple[int, int]] = {}
        self.pins: dict[int, int] = {}
        self._wire: socket.socket | None = None
        self._uarts: dict[int, socket.socket] = {}
        self._i2s: dict[int, tuple[int, int]] = {}
        self._rtc_us = 0  # RTC, at the time below
        self._rtc_at_us = 0
        self.boot_us = 0
        self.last_us = 0  # when the program said that it is about to reset
        self.bites_s = 0.0  # watchdog
        self.bite_after_s = 0.0
        self.raw_boot = False  # stay in the raw REPL after this boot, do not run main.py
        self.waiting_us: int | None = None  # virtual clock: until when it wants to wait
        world = self.world
        loop = None if world.sound is None else home.loop(world.sound)
        self.microphone = Microphone(loop, world.sound_hz, world.dump)
        self.station = Station(world.wifi, home.after, dead_air=home.virtual)

    # Time

    def now_us(self) -> int:
        """The world's clock in microseconds."""
        return self.home.virtual_us if self.home.virtual else time.monotonic_ns() // 1000

    def world_us(self, ticks_us: int) -> int:
        """The world's clock when the board's tick counter showed `ticks_us`."""
        return self.boot_us + ticks_us - self.settings.ticks_base_ms * 1000

    def ticks_us(self, world_us: int) -> int:
        """The inverse of `world_us`."""
        return world_us - self.boot_us + self.settings.ticks_base_ms * 1000

    def set_rtc(self, value_us: int, world_us: int) -> None:
        """The board has set its clock."""
        self._rtc_us, self._rtc_at_us = value_us, world_us

    # Power

    def power_on(self) -> None:
        """Switch on; does nothing when it is on."""
        if self.powered:
            return
        self.powered = True
        self.serial.power_on()
        self.boot_us = self.now_us()
        self.set_rtc(0, self.boot_us)
        self._boot(PWRON_RESET)

    def power_off(self, why: str = "off") -> None:
        """Switch off, at once."""
        if self.powered:
            self._end(why, drain=False)
            self.powered = False
            self.home.changed(self)

    def restart(self, cause: int, why: str, world_us: int | None = None) -> None:
        """Reset: end the process and boot again (or stay off, when asked not to restart)."""
        if not self.powered:
            return
        self._end(why, drain=True)
        if cause == PWRON_RESET:
            self.set_rtc(0, self.now_us())
        if self.settings.autorestart or why == "reset line":
            self.boot_us = self.now_us() if world_us is None else world_us
            self._boot(cause)
        else:
            self.powered = False
        self.home.changed(self)

    def ended(self, status: int) -> None:
        """The process ended by itself: a soft reset, as after Ctrl-D."""
        self.pid = 0
        if not self.powered:
            return
        self.serial.drain()
        code = os.waitstatus_to_exitcode(status)
        self._release()
        # A Ctrl-C between two programs finds nobody to catch it; a board would not mind.
        if code != -signal.SIGINT and (code < 0 or code == spawn.FAILED):
            # The interpreter itself fell over: it would do so again.
            self.serial.show(b"\r\nthe interpreter ended with %d\r\n" % code)
            self.exits.append(f"crash {code}")
            self.powered = False
            self.home.changed(self)
        else:
            self._again()

    def soft_reset(self, world_us: int) -> None:
        """The program has ended with SystemExit. Its connections are closed in order."""
        self.last_us = world_us
        self.serial.drain()
        self._kill()
        self._release()
        self._again()

    def _again(self) -> None:
        self.serial.show(SOFT_REBOOT)
        self.exits.append("soft reset")
        if self.settings.autorestart:
            self.boot_us = max(self.now_us(), self.last_us)
            self._boot(SOFT_RESET, raw=self.serial.console.raw)
        else:
            self.powered = False
        self.home.changed(self)

    def close(self) -> None:
        """End everything."""
        self.power_off()
        self.microphone.close()
        self.serial.close()

    def _boot(self, cause: int, raw: bool = False) -> None:
        self.cause = cause
        self.boots += 1
        self.bites_s = 0.0
        self.waiting_us = None
        self.pwm.clear()
        self.pins.clear()
        self.raw_boot = raw
        settings = self.settings
        slave = self.serial.open()
        kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
        try:
            self._wire, wire = socket.socketpair(socket.AF_UNIX, kind)
        except OSError:  # no packet streams here: datagrams keep their bounds too
            self._wire, wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        files = [
            os.open(settings.flash, os.O_RDWR),
            os.open(settings.control, os.O_RDWR),
        ]
        places = {3: files[0], 4: wire.fileno(), 5: files[1]}
        if self.home.virtual and self.world.sound is not None:
            files.append(os.open(self.world.sound, os.O_RDONLY))
            places[6] = files[-1]
        others: list[socket.socket] = [wire]
        for number in self.world.uarts:
            self._uarts[number], other = socket.socketpair()
            self._uarts[number].setblocking(False)
            other.setblocking(False)
            others.append(other)
            places[10 + number] = other.fileno()
        if not self.home.virtual:
            for number in (0, 1):
                read_end, write_end = os.pipe()
                os.set_blocking(read_end, False)
                os.set_blocking(write_end, False)
                self._i2s[number] = (read_end, write_end)
                places[20 + number] = read_end
        heap = settings.heap_bytes + MODULES_BYTES
        self.pid = spawn.spawn(["-X", f"heapsize={heap}", "-i", str(BOOT)], places, slave)
        os.close(slave)
        for file in files:
            os.close(file)
        for other in others:
            other.close()
        watch = self.home.selector.register
        watch(self._wire, selectors.EVENT_READ, self._from_wire)
        for number, line in self._uarts.items():
            watch(line, selectors.EVENT_READ, lambda _, n=number: self._from_uart(n))

    def _end(self, why: str, drain: bool) -> None:
        if drain:
            self.serial.drain()
        self._kill()
        self.exits.append(why)
        self.station.abandon()
        self._release()

    def _kill(self) -> None:
        if self.pid:
            # Killed, then reaped here: nothing of it runs when the next boot begins.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = 0

    def _release(self) -> None:
        self.station.reset()
        self.microphone.stop()
        self.bites_s = 0.0
        self.waiting_us = None
        self.serial.hang_up()
        forget = self.home.selector.unregister
        if self._wire is not None:
            forget(self._wire)
            self._wire.close()
            self._wire = None
        for line in self._uarts.values():
            forget(line)
            line.close()
        for read_end, write_end in self._i2s.values():
            os.close(read_end)
            os.close(write_end)
        self._uarts.clear()
        self._i2s.clear()

    def ready(self) -> None:
        """The boot script has put everything in place."""
        self.serial.ready(raw=self.raw_boot)
        self.home.changed(self)

    def prompt(self) -> None:
        """main.py is over."""
        self.serial.prompt()
        self.home.changed(self)

    def type(self, data: bytes) -> None:
        """Send to the board's serial line as if somebody typed."""
        if self.powered:
            self.serial.type(data)

    # The wire and the lines of the parts

    def _from_wire(self, _: int) -> None:
        if self._wire is None:
            return
        try:
            message = self._wire.recv(65536)
        except OSError:
            message = b""
        if message:
            self._answer(self, message)
        elif self._wire is not None:
            self.home.selector.unregister(self._wire)
            self._wire.close()
            self._wire = None

    def reply(self, data: bytes) -> None:
        """Answer on the wire."""
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.send(data)

    def _from_uart(self, number: int) -> None:
        line = self._uarts[number]
        try:
            data = line.recv(4096)
        except OSError:
            return
        if data:
            device = self.world.uarts[number]
            if device.name not in self.world.unplugged:
                self.say(number, device.feed(data, self.now_us() / 1e6))

    def say(self, number: int, data: bytes) -> None:
        """Send what a part on UART `number` says."""
        if data and number in self._uarts:
            with contextlib.suppress(OSError):
                self._uarts[number].send(data)

    def uart_tick(self) -> None:
        """Let the parts speak that speak by themselves."""
        for number in self._uarts:
            device = self.world.uarts[number]
            if device.name not in self.world.unplugged:
                self.say(number, device.due(self.now_us() / 1e6))

    def i2s_open(self, number: int, ring_frames: int) -> bool:
        """The board opens its receiver."""
        if number not in self._i2s:
            return self.home.virtual
        self.microphone.start(*self._i2s[number], ring_frames)
        return True

    def boot_info(self) -> dict[str, Any]:
        """What the board asks at its start."""
        settings = self.settings
        return {
            "virtual": self.home.virtual,
            "flash_bytes": settings.flash_bytes,
            "unique_id": settings.unique_id.hex(),
            "mac": settings.unique_id.hex(),
            "ip": f"10.20.{settings.unique_id[-2]}.{settings.unique_id[-1]}",
            "cause": self.cause,
            "raw": self.raw_boot,
            "ticks_us": settings.ticks_base_ms * 1000,
            "rtc_us": self._rtc_us + self.boot_us - self._rtc_at_us,
            "relay_port": self.home.relay.port,
            "relay_key": self.station.key.hex(),
            "sound_hz": self.world.sound_hz,
            "uarts": list(self.world.uarts),
        }
