"""Puts the node together from its settings and runs it."""

import asyncio
import gc
import os
import sys

import machine
from lampione_protocol.schema import SETUP
from micropython import const

from .burn import BurnHours
from .clock import Clock
from .commands import Commands
from .drivers import health
from .identity import Identity, read_key
from .outbox import Outbox
from .parts import NAMES, build
from .post import (
    BOOT,
    CONFIG_DAMAGED,
    CONFIG_REVERTED,
    ERROR,
    INFO,
    OVERRIDE_ENDED,
    SETTINGS_DAMAGED,
    TASK_RESTARTED,
    WARNING,
    Post,
)
from .report import (
    FAULT_CLOCK,
    FAULT_NETWORK,
    FAULT_OUTBOX,
    FAULT_SENSOR,
    Reporter,
)
from .sensing.air import Air
from .state import State
from .supervisor import Supervisor

VERSION = (0, 1, 0)

_WATCHDOG_MS = const(45000)  # longer than the longest period of a task
_REBOOT_MS = const(3000)  # for the result of a reboot to go out
_FAULT_SETTINGS = const(1)
_FAULT_LAMP = const(4)
_OVERRIDE = const(3)  # lamp's reason
_RESETS = const(5)
_TRIAL = const(1)  # a config's state
_DAMAGED = const(2)


def hardware() -> int:
    """Return the wire's number of what this runs on."""
    if sys.platform != "esp32":
        return 0
    return 2 if "S3" in os.uname().machine else 1


class Node:
    """Everything of one boot."""

    def __init__(self, settings: dict, faults: list, lamp, key: bytes) -> None:  # type: ignore[no-untyped-def]
        state = State("/state/numbers")
        state.start()
        self._lamp = lamp
        self._faults = _FAULT_SETTINGS if faults else 0
        self._state = state
        self._clock = Clock(machine.RTC())
        identity = Identity(settings["node"], key, state.boot)
        outbox = Outbox("/outbox", settings["outbox_bytes"], state.acked)
        self._post = post = Post(identity.sealer, outbox, self._clock)
        self._commands = Commands(post, state, lamp)
        self._supervisor = supervisor = Supervisor(
            machine.WDT(timeout=_WATCHDOG_MS), self._on_fault, self._clock.poll
        )
        self._setup = None  # made when it is needed, and forgotten: 8 kB
        self._config = config = settings.pop("config")
        parts = settings["parts"]
        cause = min(max(0, machine.reset_cause() - 1), _RESETS)
        sensors = []
        by_name = {}
        air = Air()
        for name in NAMES:
            if name in parts:
                try:
                    sensor = build(name, machine, parts[name], post, air)
                    sensors.append(sensor)
                    by_name[name] = sensor
                    supervisor.add(name, sensor.run, sensor.period_s)
                except Exception as error:  # whatever a part lacks, the others serve
                    print("lampione:", name, repr(error))
                    self._faults |= FAULT_SENSOR
        if lamp:
            supervisor.add("lamp", self._run_lamp, 20)
        elif "lamp" in parts:
            self._faults |= _FAULT_LAMP
        settings["parts"] = None  # pins and words that nobody needs again
        energy = by_name.get("energy")
        checks = None
        if energy or "light" in by_name or "radar" in by_name or "tilt" in by_name:
            from .sensing.checks import Checks

            rated_w = settings["lamp"]["rated_w"]
            checks = Checks(post, lamp, energy, by_name.get("tilt"), rated_w)
            supervisor.add("checks", checks.run, 30)
        if lamp:
            self._burn = BurnHours(state, lamp, energy)
        reporter = Reporter(
            post,
            sensors,
            lamp,
            self._status,
            state,
            air,
            settings["report_interval_s"],
            settings["health_interval_s"],
            checks,
        )
        supervisor.add("report", reporter.run, 10)
        self._commands.on_health = reporter.health
        self._dust = by_name.get("particulates")
        self._commands.on_clean = self._on_clean
        self._commands.on_reboot = self._on_reboot
        supervisor.add("commands", self._run_commands, 20)
        self._uplink = None
        if settings["broker"]:
            from .uplink import Uplink
            from .wifi import Wifi

            self._wifi = Wifi(settings["wifi"])
            supervisor.add("wifi", self._wifi.run, 30)
            profile = 0
            for sensor in sensors:
                for i in range(len(sensor.states)):
                    profile |= 1 << sensor.sensor + i
            major, minor, patch = VERSION
            facts = major << 12 | minor << 6 | patch, hardware(), profile, cause, config
            self._uplink = Uplink(settings, self._wifi, identity, post, self._commands, facts)
            self._uplink.on_config = self._on_config
            supervisor.add("uplink", self._uplink.run, 30)
        self._about = (settings["node"], state.boot, identity.epoch.hex()) + VERSION
        post.event(BOOT, INFO, cause)
        if faults:
            post.event(SETTINGS_DAMAGED, WARNING, len(faults))
        if config["state"] == _DAMAGED:
            post.event(CONFIG_DAMAGED, ERROR, config["version"])
        if "reverted" in config:
            post.event(CONFIG_REVERTED, WARNING, config["reverted"])
        config["blob"] = None  # the lighting has it

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._config["state"] == _TRIAL:
            self._make_setup().begin()
        gc.collect()
        gc.threshold(gc.mem_free() // 4)
        print("lampione node %s boot %d epoch %s firmware %d.%d.%d" % self._about)
        await self._supervisor.run()

    def _on_fault(self, name: str, text: str, restarts: int) -> None:
        print("lampione:", name, text)
        if restarts & (restarts - 1) == 0:  # the first, second, fourth ...: hours cost no flash
            self._post.event(TASK_RESTARTED, WARNING, restarts)
            self._post.log(WARNING, name + " " + text)

    def _status(self) -> tuple:
        faults = self._faults
        if self._config["state"] == _DAMAGED:
            faults |= _FAULT_SETTINGS
        if not self._clock.quality():
            faults |= FAULT_CLOCK
        if self._state.failed or self._post.outbox.failed:
            faults |= FAULT_OUTBOX
        uplink = self._uplink
        if not uplink or not uplink.connected:
            faults |= FAULT_NETWORK
        refused = sum(uplink.refused) if uplink else 0
        rssi = self._wifi.rssi() if uplink else None
        return faults, rssi, self._supervisor.restarts, refused

    async def _run_lamp(self, check_in) -> None:  # type: ignore[no-untyped-def]
        lamp = self._lamp
        was = lamp.reason
        while True:
            check_in()
            await lamp.step()
            lamp.update()
            self._burn.step()
            if was == _OVERRIDE and lamp.reason < _OVERRIDE:
                self._post.event(OVERRIDE_ENDED, INFO, lamp.level_percent)
            was = lamp.reason

    async def _run_commands(self, check_in) -> None:  # type: ignore[no-untyped-def]
        while True:
            check_in()
            await self._commands.step()
            if self._post.exhausted:
                machine.reset()
            if self._setup and self._setup.over:
                self._forget_setup()

    def _on_clean(self) -> bool:
        dust = self._dust
        if not dust or not dust.cleans or dust.states[0] in (health.SILENT, health.ABSENT):
            return False
        self._cleaning = asyncio.create_task(dust.clean())
        return True

    def _make_setup(self):  # type: ignore[no-untyped-def]
        gc.collect()
        from .setup import Setup

        setup = Setup(self._commands, self._post, self._config, self._on_reboot)
        setup.on_config = self._light_by
        self._setup = setup
        return setup

    def _forget_setup(self) -> None:
        self._setup = None
        for name in ("config", "setup"):
            del sys.modules["lampione_node." + name]
            delattr(sys.modules["lampione_node"], name)

    def _on_config(self, kind: int, counter: int, buf: bytearray, start: int, end: int) -> None:
        setup = self._setup
        if kind == SETUP:
            (setup or self._make_setup()).execute(counter, buf, start, end)
        elif setup:
            setup.chunk(buf, start, end)

    def _light_by(self, blob) -> None:  # type: ignore[no-untyped-def]
        """Light by another config from now on; None: by the settings' file alone."""

    def _on_reboot(self, seq: int) -> None:
        self._rebooting = asyncio.create_task(self._reboot(seq))

    async def _reboot(self, seq: int) -> None:
        for _ in range(_REBOOT_MS // 50):
            if not self._uplink or self._uplink.published >= seq:
                break
            await asyncio.sleep_ms(50)
        self._state.acked = self._post.outbox.acked
        self._state.save()
        machine.reset()


def run(settings: dict, faults: list, lamp) -> None:  # type: ignore[no-untyped-def]
    """Run until Ctrl-C; return at once when this node has no name or no key."""
    if not settings["node"]:
        print("lampione: no name in /settings.json: the lamp burns, nothing else runs")
        return
    try:
        key = read_key("/node.key")
    except (OSError, ValueError):
        print("lampione: no key of 32 bytes in /node.key: the lamp burns, nothing else runs")
        return
    asyncio.run(Node(settings, faults, lamp, key).run())
