"""A night whose faults are known, and a core that is driven through it by a clock of ours.

Real sealed frames go in at the intake, in the order in which they arrive; everything behind it is
the controller's own, the store's files too. `Night.script` says what happens, `truth` what the
alarms have to be then.
"""

import random
from collections import defaultdict
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lampione import keys
from lampione.broker_url import BrokerUrl
from lampione.core.core import Core
from lampione.core.folder import StateFolder
from lampione.ingest import intake
from lampione.ingest.session import Received
from lampione.store.sqlite import SqliteEngine
from lampione_protocol import names, schema, topics

from tests.controller.fake_node import SHARD, FakeNode, seal_up, text

T0 = 1_790_000_000 // 86_400 * 86_400 + 20 * 3600
MINUTE = 60
STEP_S = 10  # between two rounds
FORGERY = b"\x07" * 32
_STATE = {sensor: f"state_{sensor}" for sensor in names.SENSORS}
_SILENT = names.SENSOR_STATES.index("silent")
RULES = """
[rules.loud]
field = "laeq"
above = 80
clear = 75
for = "3m"
clear_for = "2m"
"""


class Inline(Executor):
    """Does the work at once."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the asker's
            done.set_exception(error)
        return done


class Clock:
    """Time as the night has it."""

    def __init__(self) -> None:
        self.now = float(T0)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclass
class Script:
    """What happens to one node, in minutes of the night."""

    dark: list[tuple[int, int]] = field(default_factory=list)  # no power: nothing is made
    cut: list[tuple[int, int]] = field(default_factory=list)  # no network: it comes later
    lamp: list[tuple[int, int]] = field(default_factory=list)
    loud: list[tuple[int, int]] = field(default_factory=list)
    noise: list[tuple[int, int]] = field(default_factory=list)  # over the limit by night
    air: list[tuple[int, int]] = field(default_factory=list)
    sensor: list[tuple[int, int]] = field(default_factory=list)
    impact: list[int] = field(default_factory=list)
    forged: list[int] = field(default_factory=list)
    reverted: list[int] = field(default_factory=list)
    reboot: list[int] = field(default_factory=list)
    step: dict[int, int] = field(default_factory=dict)  # the clock is so many seconds off from then


Episodes = list[tuple[int, int | None]]
Truth = dict[tuple[str, str], Episodes]


def within(spans: list[tuple[int, int]], minute: int) -> bool:
    return any(begin <= minute < end for begin, end in spans)


class Night:
    """Nodes on feeders, `minutes` of them, drawn by `seed`."""

    def __init__(self, folder: Path, seed: int, feeders: int, each: int, minutes: int) -> None:
        self.random = random.Random(seed)
        self.folder = StateFolder(folder)
        self.minutes = minutes
        self.names = [f"n-{f}-{n}" for f in range(feeders) for n in range(each)]
        keys.new(self.folder.keys, self.names)
        found = keys.load(self.folder.keys)
        self.nodes = {name: FakeNode(name, found[name]) for name in self.names}
        self.scripts = {name: Script() for name in self.names}
        (folder / "alarms.toml").write_text(RULES)
        (folder / "fleet.toml").write_text(
            '[fleet]\nname = "x"\nshard = "test"\ntime_zone = "Europe/Rome"\n'
            + "".join(
                f'[[sites]]\nid = "s{n}"\nname = "S{n}"\nlatitude = 45.0\nlongitude = 9.0\n'
                for n in range(each)
            )
            + "".join(
                f'[[nodes]]\nid = "{name}"\nsite = "s{name.split("-")[2]}"\nprofile = "p"\n'
                f'feeder = "f{name.split("-")[1]}"\n'
                for name in self.names
            )
        )
        self.truth: Truth = defaultdict(list)
        self.members: dict[str, list[str]] = {}
        self.clock = Clock()
        self.restarts: list[int] = []
        self.outages: list[tuple[int, int]] = []  # of the broker, in minutes
        self.core = self._core()

    def _core(self) -> Core:
        engine = SqliteEngine(self.folder.database)
        store = engine.writer()
        store._db.execute("PRAGMA synchronous = OFF")
        core = Core(
            self.folder, store, BrokerUrl.parse("mqtt://localhost:1"), SHARD,
            beside=Inline(),
        )  # fmt: skip
        core.alarming._clock = core.alarming.noticed._clock = self.clock.time
        core.alarming.load()
        core.started = self.clock.now
        core.broker |= {"connected": True, "since": self.clock.now}
        return core

    # --- what is sent, and when it arrives

    def arrivals(self) -> dict[int, list[tuple[str, bytes]]]:
        """Return (topic, payload) by the second in which it comes."""
        found: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
        for name, script in self.scripts.items():
            node = self.nodes[name]
            node.boot()
            up = node.topic(topics.UP)
            later: list[tuple[bytes, bool]] = []
            found[T0 + self.random.randrange(30)].append((up, node.hello_frame()))
            second = self.random.randrange(2, 40)
            error = 0
            for minute in range(self.minutes):
                at = T0 + minute * MINUTE
                error = script.step.get(minute, error)
                came = at + MINUTE + second
                if within(script.dark, minute):
                    continue
                is_cut = within(script.cut, minute)
                if minute in script.reboot:
                    node.boot()
                    if not is_cut:
                        found[came].append((up, node.hello_frame()))
                frames = self._made(node, script, minute, at + error)
                if is_cut:
                    later += [(frame, True) for frame in frames]
                    continue
                if later:
                    self.random.shuffle(later)
                    found[came].append((up, node.hello_frame()))
                    for n, (frame, _) in enumerate(later):  # behind the first that is live
                        found[came + 1 + n // 20].append((up, frame))
                    later = []
                for frame in frames:
                    found[came].append((up, frame))
                    if self.random.random() < 0.05:
                        found[came + self.random.randrange(90)].append((up, frame))
                for _ in range(script.forged.count(minute)):
                    forged = seal_up(FORGERY, name, node.epoch, node.flash.boot, schema.REPORT,
                                     9, frames[0][10:-8])  # fmt: skip
                    found[came + self.random.randrange(20)] += [(up, forged)] * 3
            node.flash.outbox.clear()
        return found

    def _made(self, node: FakeNode, script: Script, minute: int, at: int) -> list[bytes]:
        wire = at - schema.EPOCH_2020
        loud = (
            82.0
            if within(script.loud, minute)
            else 62.0
            if within(script.noise, minute)
            else 40.0 + minute % 7
        )
        report = text(
            schema.REPORT, start=wire, duration_s=60, clock=3, laeq=int(loud * 10),
            pm2_5=2 * (70 if within(script.air, minute) else 8),
            valid=511, faults=4 if within(script.lamp, minute) else 0,
        )  # fmt: skip
        frames = [node.make(schema.REPORT, report, send=False)]
        if minute % 5 == 0:
            states = dict.fromkeys(_STATE.values(), 0)
            if within(script.sensor, minute):
                states["state_radar"] = _SILENT
            body = text(schema.HEALTH, time=wire, clock=3, voltage=460, rssi=-60, tilt=0,
                        board_temperature=30, **states)  # fmt: skip
            frames.append(node.make(schema.HEALTH, body, send=False))
        if minute in script.impact:
            body = text(schema.EVENT, time=wire, clock=3, code=names.EVENTS.index("impact"),
                        severity=2, argument=900)  # fmt: skip
            frames.append(node.make(schema.EVENT, body, send=False))
        return frames

    # --- the core, second by second in which something happens

    def run(self) -> None:
        """Drive the core through the night."""
        with patch.object(intake, "time", self.clock):
            try:
                self._run()
            finally:
                self.core.stop()

    def _run(self) -> None:
        came = self.arrivals()
        end = T0 + self.minutes * MINUTE
        waiting: list[tuple[str, bytes]] = []
        engine = SqliteEngine(self.folder.database)
        folder = engine.folder()
        held = 0.0
        for second in range(T0, end):
            minute, rest = divmod(second - T0, MINUTE)
            waiting += came.get(second, ())
            if rest % STEP_S:
                continue
            self.clock.now = second + 0.5
            if rest == 0 and minute in self.restarts:
                self.core.stop()
                self.core = self._core()
            down = within(self.outages, minute)
            if down == self.core.broker["connected"]:
                self.core.broker |= {"connected": not down, "since": self.clock.now}
            if rest == 0 and not down:
                self._deeds(minute)
            batch = [] if down else [Received(topic, payload, 1) for topic, payload in waiting]
            if not down:
                waiting = []
            self._round(batch)
            if second - held >= 300:
                held = second
                folder.fold(self.clock.now)
        folder.close()

    def _round(self, batch: list[Received]) -> None:
        core = self.core
        if batch:
            core.intake.take(batch)
        core._hear()
        core.alarming.tick(self.clock.now, core.broker, core.started)
        core.alarming.flush()
        core.store.commit()
        core.alarming.tell(lambda _: None)

    def _deeds(self, minute: int) -> None:
        for name, script in self.scripts.items():
            if minute in script.reverted:
                state: Any = {"node": name, "phase": "reverted", "wanted": 3,
                              "reason": "the node went back to its config before"}  # fmt: skip
                self.core._config_ended(state)

    # --- what is stored at the end

    def alarms(self) -> list[Any]:
        reader = SqliteEngine(self.folder.database).reader()
        found = reader.alarms("all", None, 0, 10_000)
        reader.close()
        return found

    def raised(self) -> Truth:
        """Return the episodes of every alarm."""
        store = SqliteEngine(self.folder.database).writer()
        found = {
            (alarm.subject, alarm.rule): [
                (episode.begin, episode.end)
                for number, episode in store.episodes(alarm.subject, alarm.rule, 0)
                if number == alarm.id
            ]
            for alarm in self.alarms()
        }
        store.close()
        return found
