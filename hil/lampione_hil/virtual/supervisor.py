"""The process that owns the virtual boards of one bench.

It has one thread and no threads of others in it, so it may fork. It ends, with every board, when
its caller ends in whatever way, because then their socket closes.
"""

import contextlib
import hashlib
import heapq
import itertools
import os
import pickle
import re
import selectors
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import spawn
from lampione_hil.virtual.answers import answer
from lampione_hil.virtual.changes import change
from lampione_hil.virtual.home import Settings
from lampione_hil.virtual.hub import Publication
from lampione_hil.virtual.hublink import HubNet
from lampione_hil.virtual.life import Life
from lampione_hil.virtual.microphone import SLACK_S, TICK_S, Loop
from lampione_hil.virtual.packets import Message, check_topic
from lampione_hil.virtual.radio import Relay, Station
from lampione_hil.virtual.timeline import Timeline
from lampione_hil.virtual.wires import WINDOW_US, Wire, Wires

JOB = Path(__file__).parent / "board" / "_job.py"
JOB_HEAP_BYTES = 16 << 20
TOGETHER_S, APART_S = 1.0, 0.05  # the virtual clock: on one processor, then where there is room


class Waiter:
    """A request that is answered when something has come about."""

    def __init__(self, request: int, test: Callable[[], Any], until_s: float) -> None:
        self.request = request
        self.test = test
        self.until_s = until_s


class Supervisor:
    """The boards of one bench and the event loop that serves them."""

    def __init__(self, caller: Connection, *, virtual: bool) -> None:
        self.caller = caller
        self.virtual = virtual
        self.lives: dict[str, Life] = {}
        self.timeline = Timeline(self.lives.values)
        self.net = HubNet(self.timeline.at)
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self.relay = Relay(self.selector, self._station)
        self.wires = Wires()
        self._loops: dict[Path, Loop] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._waiters: list[Waiter] = []
        self._jobs: dict[int, int] = {}
        self._over = False
        self._next_tick_s = 0.0
        self._next_move_s = 0.0
        self._together = False

    # The caller

    def run(self) -> None:
        """Serve until the caller is gone."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(wake_read, selectors.EVENT_READ, lambda _: self._reap(wake_read))
        self.selector.register(self.caller, selectors.EVENT_READ, lambda _: self._hear())
        self.caller.send((0, True, os.getpid()))
        try:
            while not self._over:
                self._turn()
        finally:
            self.timeline.stop()  # what was under way is not done
            for life in self.lives.values():
                life.power_off()
            for pid in self._jobs:
                os.kill(pid, signal.SIGKILL)

    def _turn(self) -> None:
        for key, events in self.selector.select(self._until_next()):
            # What an earlier one in this batch did may have closed a later one.
            if self.selector.get_map().get(key.fd) is key:
                key.data(events)
        now = time.monotonic()
        if self.virtual and now >= self._next_move_s:
            self._together = not self._together
            self._next_move_s = now + (TOGETHER_S if self._together else APART_S)
            boards = [life.pid for life in self.lives.values() if life.pid]
            spawn.together([0, *boards], self._together)
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        if now >= self._next_tick_s and not self.virtual:
            self._next_tick_s = max(self._next_tick_s + TICK_S, now)
            for life in self.lives.values():
                for source in life.sources.values():
                    source.tick()
        for waiter in [w for w in self._waiters if w.until_s <= now]:
            self._waiters.remove(waiter)
            self._say(waiter.request, True, waiter.test())

    def _until_next(self) -> float | None:
        soonest = min([self._timers[0][0]] if self._timers else [], default=None)
        times = [w.until_s for w in self._waiters]
        if soonest is not None:
            times.append(soonest)
        if not self.virtual and any(
            source.running for life in self.lives.values() for source in life.sources.values()
        ):
            times.append(self._next_tick_s)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _hear(self) -> None:
        try:
            request, name, arguments = self.caller.recv()
        except (EOFError, OSError):
            self._over = True
            return
        try:
            # From our own parent over a socket that nobody else has.
            value = getattr(self, f"do_{name}")(request, *pickle.loads(arguments))  # noqa: S301
        except BenchError as error:
            self._say(request, False, str(error))
            return
        except Exception as error:  # noqa: BLE001 - the caller raises it, the bench goes on
            self._say(request, False, f"{type(error).__name__}: {error}")
            return
        if value is not NotImplemented:
            self._say(request, True, value)

    def _say(self, request: int, good: bool, value: object) -> None:
        try:
            self.caller.send((request, good, value))
        except OSError:
            self._over = True

    # What boards need of it

    @property
    def virtual_us(self) -> int:
        """The virtual clock."""
        return self.timeline.now_us

    def at(self, world_us: int, call: Callable[[], None]) -> None:
        """Call `call` when the world's clock shows a time."""
        if self.virtual:
            self.timeline.at(world_us, call)
        else:
            self.after(world_us / 1e6 - time.monotonic(), call)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call `call` in `seconds`."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), call))

    def loop(self, path: Path, channels: int) -> Loop:
        """Return the sound in `path`, one for all boards."""
        if path not in self._loops:
            self._loops[path] = Loop(path, channels)
        return self._loops[path]

    def changed(self, life: Life) -> None:
        """Answer those who waited for it; let the next board of a time slice run."""
        self.wires.moved(life)
        for waiter in list(self._waiters):
            value = waiter.test()
            if value:
                self._waiters.remove(waiter)
                self._say(waiter.request, True, value)
        self.timeline.advance()

    def _station(self, key: bytes) -> Station | None:
        for life in self.lives.values():
            if life.station.key == key:
                return life.station
        return None

    def _reap(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._jobs:
                self._say(self._jobs.pop(pid), True, os.waitstatus_to_exitcode(status))
            for life in self.lives.values():
                if life.pid == pid:
                    life.ended(status)

    # What the caller can ask

    def do_board(self, _: int, settings: Settings) -> str:
        """Make a board, off; return its port."""
        if settings.name in self.lives:
            raise ValueError(f"there is a board {settings.name!r} already")
        self.lives[settings.name] = Life(self, settings, answer)
        return self.lives[settings.name].serial.port

    def do_remove(self, _: int, name: str) -> None:
        """End a board."""
        life = self.lives.pop(name)
        self.wires.remove(life)
        life.close()

    def do_wire(
        self, _: int, one: tuple[str, int], two: tuple[str, int], kind: str, about: dict[str, Any]
    ) -> None:
        """Connect pins of two boards that are off."""
        ends = [(self.lives[name], number) for name, number in (one, two)]
        self.wires.add(Wire(kind, (ends[0], ends[1]), **about), 0.0 if self.virtual else SLACK_S)
        self.timeline.window_us = min(self.timeline.window_us, WINDOW_US)

    def do_power(self, _: int, name: str, on: bool) -> None:
        """Switch."""
        life = self.lives[name]
        if on:
            life.power_on()
        else:
            life.power_off()

    def do_reset(self, _: int, name: str, loader: bool) -> None:
        """Pulse the reset line."""
        self.lives[name].pulse(loader)

    def do_brown_out(self, _: int, name: str) -> None:
        """Let the supply sag."""
        self.lives[name].brown_out()

    def do_cable(self, _: int, name: str, plugged: bool) -> str:
        """Put the cable in or pull it; return the port, empty when there is none."""
        return self.lives[name].bridge.cable(plugged)

    def do_rfc2217(self, _: int, name: str) -> str:
        """Return the URL of its serial line."""
        return self.lives[name].bridge.rfc2217()

    def do_type(self, _: int, name: str, data: bytes) -> None:
        """Type on its serial line."""
        self.lives[name].type(data)

    def do_state(self, _: int, name: str) -> dict[str, Any]:
        """Return what can be seen from outside."""
        life = self.lives[name]
        return {
            "powered": life.powered,
            "asleep": life.asleep,
            "loader": life.in_loader,
            "pid": life.pid,
            "boots": life.boots,
            "exits": list(life.exits),
            "pwm": dict(life.pwm),
            "pins": dict(life.pins),
            "at_prompt": life.serial.at_prompt,
            "dropped": life.microphone.dropped,
            "doppler_dropped": life.doppler.dropped,
            "uart_lost": {number: line.lost for number, line in life.uarts.items()},
            "wifi": life.station.state,
        }

    def do_console(self, _: int, name: str) -> bytes:
        """Return the tail of what it printed."""
        return bytes(self.lives[name].serial.console.tail)

    def do_trace(self, _: int, name: str) -> list[tuple[int, str, int, int]]:
        """Return what its pins did."""
        return list(self.lives[name].trace)

    def do_wait(
        self, request: int, name: str, what: str, argument: Any, timeout_s: float
    ) -> object:
        """Answer when the board's console shows a pattern, or it is off, or boots were counted."""
        life = self.lives[name]
        tests: dict[str, Callable[[], Any]] = {
            "off": lambda: not life.powered,
            "asleep": lambda: life.asleep,
            "boots": lambda: life.boots >= argument,
            "prompt": lambda: life.serial.at_prompt,
        }
        if what == "console":
            pattern: re.Pattern[bytes] = re.compile(argument)

            def seen() -> str | None:
                found = pattern.search(life.serial.console.tail)
                return found.group().decode("utf-8", "replace") if found else None

            tests["console"] = seen
        if what == "pwm":
            pin, low, high = argument
            tests["pwm"] = lambda: low <= life.pwm.get(pin, (0, -1))[1] <= high
        value = tests[what]()
        if value:
            return value
        self._waiters.append(Waiter(request, tests[what], time.monotonic() + timeout_s))
        return NotImplemented

    def do_world(self, _: int, name: str, what: str, *arguments: Any) -> object:
        """Change what the board senses."""
        life = self.lives[name]
        life.world_moved()  # all that was before is the old world's
        try:
            return change(life, what, *arguments)
        finally:
            life.world_moved()

    def do_job(self, request: int, image: Path, control: Path, asked: Path, answers: Path) -> Any:
        """Run a job on the flash of a board that is off; answer with its exit status."""
        for life in self.lives.values():
            if life.settings.flash == image and life.powered:
                raise ValueError(f"{life.settings.name} is on: switch it off first")
        names = {3: image, 5: control, 7: asked, 8: answers}
        files = {at: os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for at, path in names.items()}
        wire = os.open(os.devnull, os.O_RDWR)
        log = os.open(answers.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        places = {**files, 4: wire, 0: wire, 1: log, 2: log}
        pid = spawn.spawn(["-X", f"heapsize={JOB_HEAP_BYTES}", str(JOB)], places)
        for file in (*files.values(), wire, log):
            os.close(file)
        self._jobs[pid] = request
        return NotImplemented

    def do_run_for(self, request: int, seconds: float) -> object:
        """Let virtual time pass: one board after the other, each up to the same instant."""
        if not self.virtual:
            raise ValueError('run_for is for VirtualBench(clock="virtual")')
        until_us = self.virtual_us + round(seconds * 1e6)

        def done() -> None:
            for life in self.lives.values():
                life.serial.drain()  # what was printed until then is to be seen
                for line in life.uarts.values():
                    line.advance(until_us)
            self._say(request, True, until_us / 1e6)

        self.timeline.run(until_us, done)
        return NotImplemented

    def do_trace_hash(self, _: int) -> str:
        """Return a hash of all that was done and published."""
        parts = [life.digest.digest() for _, life in sorted(self.lives.items())]
        return hashlib.sha256(b"".join([*parts, self.net.hub.digest.digest()])).hexdigest()

    def do_hub_published(self, _: int, since: int) -> list[Publication]:
        """Return what was published, without the first `since`."""
        hub = self.net.hub
        return hub.publications[max(0, since - hub.skipped) :]

    def do_hub_publish(self, _: int, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Publish, as the bench."""
        if qos not in (0, 1):
            raise ValueError(f"QoS {qos}: 0 or 1")
        self.net.publish(Message(check_topic(topic), payload, qos, retain), self.virtual_us)

    def do_hub_up(self, _: int, up: bool) -> None:
        """Switch the hub."""
        self.net.set_up(up, self.virtual_us)

    def do_hub_refused(self, _: int) -> list[str]:
        """Return why the hub cut peers off."""
        return list(self.net.hub.refused)


def main() -> None:
    """Serve the caller whose socket is the descriptor named in the arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    caller = Connection(int(sys.argv[1]))
    try:
        spawn.prepare()
    except (NoInterpreterError, ImportError) as error:
        caller.send((0, False, str(error)))
        return
    Supervisor(caller, virtual=sys.argv[2] == "virtual").run()


if __name__ == "__main__":
    main()
