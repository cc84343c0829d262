"""One board in the supervisor: its power, its process, its serial line, its clock."""

import contextlib
import hashlib
import os
import selectors
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.virtual import chip, spawn
from lampione_hil.virtual.bridge import Bridge
from lampione_hil.virtual.console import SOFT_REBOOT
from lampione_hil.virtual.crystal import Crystal
from lampione_hil.virtual.devices import LineDevice
from lampione_hil.virtual.home import Home, Settings, Wait
from lampione_hil.virtual.hublink import HubLink
from lampione_hil.virtual.interrupts import Interrupts
from lampione_hil.virtual.microphone import SLACK_S, Source
from lampione_hil.virtual.questions import Questions, packets
from lampione_hil.virtual.radio import Station
from lampione_hil.virtual.rom_loader import NO_PROGRAM, RomLoader, has_program
from lampione_hil.virtual.running import STREAMS
from lampione_hil.virtual.serial import SerialLine
from lampione_hil.virtual.timeline import LATENCY_US
from lampione_hil.virtual.uart import UartLine
from lampione_hil.virtual.uart_pipes import UartPipes, pipe

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
BOOT = Path(__file__).parent / "board" / "_boot.py"
# The simulated modules live in the board's own heap; a real board has them in flash.
MODULES_BYTES = 50_500
CLOCK_BYTES = 12_000  # what those of the virtual clock have more
VIRTUAL_EPOCH_UNIX_S = 1_767_225_600  # 2026-01-01, where the virtual clock begins
_TRACE = 100_000
_EAR = 256  # messages that are heard before all others have their turn


class Life:
    """A board: off, or a process with a serial line and a wire."""

    def __init__(self, home: Home, settings: Settings, answer: Callable[..., None]) -> None:
        self.home = home
        self.settings = settings
        self.world = settings.world
        self._answer = answer
        self.serial = SerialLine(
            home.selector,
            lambda: home.changed(self),
            lambda now: spawn.interrupt(self.pid, now or home.virtual),
            home.after,
        )
        self.bridge = Bridge(home, self)
        self.powered = False
        self.held = False  # its reset line is low
        self.in_loader = False  # of its ROM
        self._in_chip = False  # its file system is in the chip's flash, as the loader was there
        self.asleep = False  # deeply: only the RTC runs
        self.pid = 0
        self._starts = False  # between two processes: time stands still
        self.boots = 0
        self.cause = PWRON_RESET
        self.exits: list[str] = []  # why each boot ended
        self.trace: deque[tuple[int, str, int, int]] = deque(maxlen=_TRACE)
        self.digest = hashlib.sha256()  # of it, and of all that was done on buses, from the start
        self.pwm: dict[int, tuple[int, int]] = {}
        self.pins: dict[int, int] = {}
        self.wired = False  # to another board, or to itself
        self.edges: dict[int, int] = {}  # levels last seen at pins whose edges it wants to know
        self.targets: dict[int, int] = {}  # addresses of its I2CTargets
        self._interrupts: Interrupts | None = None
        self._questions: Questions | None = None
        self._uart_pipes = UartPipes(self, home.after)
        self._i2s: dict[int, tuple[int, int]] = {}
        self.clock = Crystal(settings.world.crystal_ppb, settings.ticks_base_ms * 1000)
        self.last_us = 0  # when the program said that it is about to reset
        self.bites_s = 0.0  # watchdog
        self.bite_after_s = 0.0
        self.raw_boot = False  # stay in the raw REPL after this boot, do not run main.py
        self.wait: Wait | None = None  # virtual clock
        self._news_us: int | None = None  # when the first comes that it does not know of
        self.granted_us = 0  # the world is as it is until then
        self._moved = False  # the world has changed, and it does not know
        self._generation = 0  # of the world: what it said of its parts holds for this one
        self.sockets: dict[int, HubLink] = {}
        world = self.world
        loop = None if world.sound is None else home.loop(world.sound, 1)
        self.microphone = Source(loop, world.sound_hz, world.dump)
        loop = None if world.doppler is None else home.loop(world.doppler, 2)
        self.doppler = Source(loop, world.doppler_hz, channels=2)
        self.sources = dict(zip(STREAMS, (self.microphone, self.doppler), strict=True))
        # With the wall clock, a busy computer is not the program's fault.
        slack_s = 0.0 if home.virtual else SLACK_S
        self.uarts = {n: UartLine(device, slack_s) for n, device in world.uarts.items()}
        self.station = Station(world.wifi, home.at, world.network)

    # Time

    def now_us(self) -> int:
        """The world's clock in microseconds."""
        return self.home.virtual_us if self.home.virtual else time.monotonic_ns() // 1000

    # Power

    def power_on(self) -> None:
        """Switch on; does nothing when it is on."""
        if self.powered:
            return
        if not self.serial.port:
            raise BenchError(f"{self.settings.name}: its cable is out")
        self.powered = True
        self.serial.power_on()
        self.clock.boot_us = self.now_us()
        self.clock.lose_rtc()
        for part in self.world.plugged():
            self.supply(part, True)
        if not self.held:
            self._boot(PWRON_RESET)

    def power_off(self, why: str = "off") -> None:
        """Switch off, at once."""
        if self.powered:
            self._end(why, drain=False)
            self.asleep = self.powered = False
            for line in self.uarts.values():
                line.supply(False, self.now_us())
            self.home.changed(self)

    def hold(self) -> None:
        """The reset line is low: nothing runs."""
        if not self.held:
            self.held = True
            if self.powered:
                self._end("reset line", drain=True)
                self.serial.forget()
                self.home.changed(self)

    def release(self, loader: bool = False) -> None:
        """The reset line is high again; `loader`: with GPIO0 low."""
        if self.held:
            self.held = False
            if self.powered:
                self.clock.boot_us = self.now_us()
                self.clock.lose_rtc()
                if loader:
                    self._load()
                else:
                    self._boot(PWRON_RESET)
                self.home.changed(self)

    def pulse(self, loader: bool) -> None:
        """Press and release the reset button; nothing happens while something else holds it."""
        if not self.held:
            self.hold()
            self.release(loader)

    @property
    def rom_bytes(self) -> int:
        """The size of the ROM partition: a bare chip's table says it."""
        if self.settings.bare:
            return chip.rom_bytes(self.settings.chip_flash)
        return self.settings.rom_bytes

    def _load(self) -> None:
        """Wait for a program to be sent, as the chip's ROM does."""

        def run() -> None:
            self.restart(PWRON_RESET, "loader")

        settings = self.settings
        self._in_chip = chip.into_loader(settings.chip_flash, settings.flash, settings.flash_bytes)
        loader = RomLoader(settings.unique_id, settings.chip_flash, self.serial.show, run)
        self.serial.divert(loader.take)
        self.in_loader = True

    def deep_sleep(self, at_us: int, wakes_us: int | None) -> None:
        """Only the RTC runs on, until a time (None: until a reset). Every output lets go."""
        if not self.powered:
            return
        self._end("deep sleep", drain=True, at_us=at_us)
        self.asleep = True
        self._let_go(at_us)
        boots = self.boots

        def wake() -> None:
            if self.asleep and self.boots == boots:
                self._start_again(DEEPSLEEP_RESET, wakes_us)

        if wakes_us is not None:
            self.home.at(wakes_us, wake)
        self.home.changed(self)

    def brown_out(self) -> None:
        """The supply sags: the chip resets itself, and the parts live through it.

        As on the chip, the cause reads as power-on, and what the RTC held is not to be trusted.
        """
        self.restart(PWRON_RESET, "brown-out")

    def restart(self, cause: int, why: str, world_us: int | None = None) -> None:
        """Reset: end the process and boot again (or stay off, when asked not to restart)."""
        if not self.powered or self.held:
            return
        self._starts = True
        self._end(why, drain=True, at_us=world_us)
        self._start_again(cause, world_us)

    def _start_again(self, cause: int, world_us: int | None) -> None:
        if self.settings.autorestart or cause == PWRON_RESET:
            self.clock.boot_us = self.now_us() if world_us is None else world_us
            if cause == PWRON_RESET:
                self.clock.lose_rtc()
            self._boot(cause)
        else:
            self.asleep = self.powered = False
        self._starts = False
        self.home.changed(self)

    def ended(self, status: int) -> None:
        """The process ended by itself: a soft reset, as after Ctrl-D."""
        self.pid = 0
        if not self.powered:
            return
        self._starts = True
        self.serial.drain()
        code = os.waitstatus_to_exitcode(status)
        self._release()
        # A Ctrl-C between two programs finds nobody to catch it; a board would not mind.
        if code != -signal.SIGINT and (code < 0 or code == spawn.FAILED):
            # The interpreter itself fell over: it would do so again.
            self.serial.show(b"\r\nthe interpreter ended with %d\r\n" % code)
            self.exits.append(f"crash {code}")
            self.powered = self._starts = False
            self.home.changed(self)
        else:
            self._again()

    def soft_reset(self, world_us: int) -> None:
        """The program has ended with SystemExit. Its connections are closed in order."""
        self.last_us = world_us
        self._starts = True
        self.serial.drain()
        self._kill()
        for link in self.sockets.values():
            link.close(world_us)
        self._release(world_us)
        self._again()

    def _again(self) -> None:
        self._starts = True
        self.serial.show(SOFT_REBOOT)
        self.exits.append("soft reset")
        if self.settings.autorestart:
            self.clock.boot_us = max(self.now_us(), self.last_us)
            self._boot(SOFT_RESET, raw=self.serial.console.raw)
        else:
            self.powered = False
        self._starts = False
        self.home.changed(self)

    def close(self) -> None:
        """End everything."""
        self.power_off()
        for source in self.sources.values():
            source.close()
        self.bridge.close()

    def _boot(self, cause: int, raw: bool = False) -> None:
        self.cause = cause
        self.boots += 1
        self.bites_s = 0.0
        self.wait = None
        self.asleep = False
        self._let_go(self.now_us())
        if self.settings.bare and not has_program(self.settings.chip_flash):
            self.serial.show(NO_PROGRAM)
            return
        if self._in_chip:
            self._in_chip = False
            chip.out_of_loader(
                self.settings.chip_flash, self.settings.flash, self.settings.flash_bytes
            )
        self.edges.clear()
        self.targets.clear()
        self.raw_boot = raw
        settings = self.settings
        slave = self.serial.open()
        self._questions = Questions()
        files = [
            os.open(settings.flash, os.O_RDWR),
            os.open(settings.control, os.O_RDWR),
            *self._questions.ends.values(),
        ]
        places = {3: files[0], 5: files[1], **self._questions.ends}
        if self.home.virtual:
            for place, path in ((6, self.world.sound), (7, self.world.doppler)):
                if path is not None:
                    files.append(os.open(path, os.O_RDONLY))
                    places[place] = files[-1]
        else:
            for number in (0, 1):
                self._i2s[number] = pipe()
                places[20 + number] = self._i2s[number][0]
            places.update({10 + n: end for n, end in self._uart_pipes.open().items()})
        far: socket.socket | None = None
        if self.wired and not self.home.virtual:
            near, far = packets()
            self._interrupts = Interrupts(self.home.selector, self.home.after, near)
            places[9] = far.fileno()
        heap = settings.heap_bytes + self.rom_bytes + MODULES_BYTES
        if self.home.virtual:
            heap += CLOCK_BYTES
        self.pid = spawn.spawn(["-X", f"heapsize={heap}", "-i", str(BOOT)], places, slave)
        os.close(slave)
        for file in files:
            os.close(file)
        if far is not None:
            far.close()
        self.home.selector.register(self._questions, selectors.EVENT_READ, self._from_wire)

    def _let_go(self, at_us: int) -> None:
        self.pwm.clear()
        self.pins.clear()
        for part in self.world.lines:
            part.drive(None, at_us / 1e6)

    def _end(self, why: str, drain: bool, at_us: int | None = None) -> None:
        if drain:
            self.serial.drain()
        self._kill()
        self.exits.append(why)
        self.station.abandon()
        self._release(at_us)

    def _kill(self) -> None:
        if self.pid:
            # Killed, then reaped here: nothing of it runs when the next boot begins.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = 0

    def _release(self, at_us: int | None = None) -> None:
        self.in_loader = False
        self.serial.divert(None)
        self.station.reset()
        self.sockets.clear()
        for source in self.sources.values():
            source.stop()
        for uart in self.uarts.values():
            uart.close(self.now_us() if at_us is None else at_us)
        self.bites_s = 0.0
        self.wait = None
        self.serial.hang_up()
        if self._interrupts is not None:
            self._interrupts.close()
            self._interrupts = None
        self._hear_no_more()
        for end in (end for ends in self._i2s.values() for end in ends):
            os.close(end)
        self._i2s.clear()
        self._uart_pipes.close()

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

    def note(self, us: int, kind: str, pin: int, value: int) -> None:
        """Note what a pin did."""
        entry = us, kind, pin, value
        self.trace.append(entry)
        self.digest.update(repr(entry).encode())

    # The wire and the lines of the parts

    def _from_wire(self, _: int) -> None:
        # On the virtual clock the one board that runs has our ear until it waits.
        for _ in range(_EAR if self.home.virtual else 1):
            if self._questions is None:
                return
            message = self._questions.next()
            if message is None:
                return
            if not message:
                self._hear_no_more()
                return
            self._answer(self, message)
            if self.wait is not None:
                return

    def reply(self, data: bytes) -> None:
        """Answer on the wire."""
        if self._questions is not None:
            self._questions.reply(data)

    def _hear_no_more(self) -> None:
        if self._questions is not None:
            self.home.selector.unregister(self._questions)
            self._questions.close()
            self._questions = None

    def interrupt(self, message: bytes, then: Callable[[bytes], None]) -> None:
        """Ask the board's hardware; see Interrupts.ask."""
        if self._interrupts is None:
            then(b"")
        else:
            self._interrupts.ask(message, then)

    def edge(self, pin: int, level: int) -> None:
        """A pin whose edges the board wants to know has another level."""
        self.edges[pin] = level
        if self._interrupts is not None:
            self._interrupts.tell(b"E" + bytes((pin, level)))

    def supply(self, name: str, on: bool) -> None:
        """Give a part its power (it starts anew), or take it away."""
        for number, line in self.uarts.items():
            if line.device.name == name:
                line.supply(on, self.now_us())
                self.uart_moved(number)
                return
        if name in STREAMS:
            return
        part = self.world.part(name)
        if isinstance(part, LineDevice):
            part.join(on, self.now_us() / 1e6)
        if on:
            part.power_up(self.now_us() / 1e6)

    def line(self, tx: int = -1, rx: int = -1) -> LineDevice | None:
        """Return the part whose line is at one of these pins."""
        found = (part for part in self.world.lines if tx == part.tx or rx == part.rx)
        return next(found, None)

    def world_moved(self) -> None:
        """Bring the parts to the present: the world is about to change, or has just changed."""
        now_us = self.now_us()
        for number, line in self.uarts.items():
            line.advance(now_us)
            line.device.forget()
            line.changed()
            self.uart_moved(number)
        for part in self.world.lines:
            part.pass_time(now_us / 1e6)
        for name, source in self.sources.items():
            source.held = self.world.held(name)
        self.stir()

    def stir(self) -> None:
        """With the virtual clock: what the board knows of its world holds no longer."""
        self._moved = True
        self._generation = self._generation + 1 & 0xFFFFFFFF

    def uart_moved(self, number: int) -> None:
        """With the wall clock: tell the board what can be read, and look again in time."""
        if not self.home.virtual:
            self._uart_pipes.moved(number)

    # The virtual clock

    @property
    def idle(self) -> bool:
        """Whether it takes no part in the course of time."""
        return not self._starts and (not self.pid or self.serial.at_prompt)

    def asks_us(self) -> int | None:
        """When it wants to go on; None: it is computing."""
        wait = self.wait
        if wait is None or not wait.once:
            return None if wait is None else wait.until_us
        if self._moved:
            return wait.now_us
        if self._news_us is not None and self._news_us < wait.until_us:
            return max(wait.now_us, self._news_us)
        return wait.until_us

    def news(self, us: int) -> None:
        """Something comes to the board at a time."""
        if self._news_us is None:
            self._news_us = us

    def grant(self, until_us: int) -> None:
        """Answer a board that waits: how far it may go, what comes first, how its world is."""
        since_us = self.home.virtual_us if self.wait is None else self.wait.now_us
        self.wait = self._news_us = None
        self._moved = False
        self.granted_us = until_us
        times = [link.next_us(since_us) for link in self.sockets.values()]
        coming_us = min((us for us in times if us is not None), default=None)
        coming = -1 if coming_us is None else self.clock.ticks_us(coming_us)
        held = [self.world.held(name) for name in STREAMS]
        at = self.clock.ticks_us(until_us, by=True)
        self.reply(struct.pack("<2qI2h", at, coming, self._generation, *held))

    def i2s_open(self, number: int, rate_hz: int, ring_frames: int, channels: int) -> int:
        """The board opens a receiver: 0: it has none such, 1: well, 2: not at that rate."""
        source = list(self.sources.values())[channels - 1]
        if self.home.virtual:
            wanted_hz = (self.world.sound_hz, self.world.doppler_hz)[channels - 1]
            return 1 if rate_hz == (wanted_hz or rate_hz) else 2
        if number not in self._i2s:
            return 0
        if source.loop is not None and rate_hz != source.rate_hz:
            return 2
        self.i2s_close(number)
        source.start(number, self._i2s[number], rate_hz, ring_frames)
        return 1

    def i2s_close(self, number: int) -> None:
        """The board closes a receiver."""
        for source in self.sources.values():
            if source.number == number:
                source.stop()

    def boot_info(self) -> dict[str, Any]:
        """What the board asks at its start."""
        settings = self.settings
        return {
            "virtual": self.home.virtual,
            "flash_bytes": settings.flash_bytes,
            "endurance": settings.flash_endurance,
            "rom_bytes": self.rom_bytes,
            "unique_id": settings.unique_id.hex(),
            "mac": settings.unique_id.hex(),
            "ip": f"10.20.{settings.unique_id[-2]}.{settings.unique_id[-1]}",
            "cause": self.cause,
            "boots": self.boots,
            "raw": self.raw_boot,
            "ticks_us": settings.ticks_base_ms * 1000,
            "rtc_us": self.clock.rtc_us(),
            "ppb": self.clock.ppb,
            "relay_port": self.home.relay.port,
            "relay_key": self.station.key.hex(),
            "latency_us": LATENCY_US,
            "sources": [
                self.world.sound_hz if self.world.sound is not None else 0,
                self.world.doppler_hz,
            ],
            "uarts": list(self.uarts),
            "wired": self.wired and not self.home.virtual,
            "i2s_frames": self.world.i2s_frames,
        }
