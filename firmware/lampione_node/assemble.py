"""Puts a node together from its settings. Needed once a boot, and forgotten then: 3 kB."""

import machine
from micropython import const

from .burn import BurnHours
from .clock import Clock
from .commands import Commands
from .identity import Identity
from .outbox import Outbox
from .parts import NAMES, build
from .post import (
    BOOT,
    CONFIG_DAMAGED,
    CONFIG_REVERTED,
    ERROR,
    INFO,
    SETTINGS_DAMAGED,
    WARNING,
    Post,
)
from .report import FAULT_SENSOR, Reporter, degrees
from .sensing.air import Air
from .state import State
from .supervisor import Supervisor

_WATCHDOG_MS = const(45000)  # longer than the longest period of a task
_FAULT_SETTINGS = const(1)
_FAULT_LAMP = const(4)
_GROUP_KEY = const(18)  # bytes before a group's name
_DAMAGED = const(2)  # a config's state


def assemble(node, settings: dict, faults: list, lamp, key: bytes, version: tuple) -> None:  # type: ignore[no-untyped-def]
    """Make the parts of a node.Node and hand each what it needs; `settings` is used up."""
    node.lamp = lamp
    node.faults = _FAULT_SETTINGS if faults else 0
    node.config = config = settings.pop("config", None) or {"version": 0, "state": _DAMAGED}
    node.state = state = State("/state/numbers")
    state.start()
    node.clock = Clock(machine.RTC())
    identity = Identity(settings["node"], key, state.boot)
    outbox = Outbox("/outbox", settings["outbox_bytes"], state.acked)
    node.post = post = Post(identity.sealer, outbox, node.clock)
    if lamp:
        _add_lighting(node, settings)
    node.commands = commands = Commands(post, state, node.lighting)
    watchdog = machine.WDT(timeout=_WATCHDOG_MS)
    node.supervisor = supervisor = Supervisor(watchdog, node.on_fault, node.clock.poll)
    air = Air()
    sensors = _add_sensors(node, settings, air)
    checks = _add_lamp(node, settings, sensors)
    in_order = [sensors[name] for name in NAMES if name in sensors]
    reporter = Reporter(
        post,
        in_order,
        lamp,
        node.status,
        state,
        air,
        settings["report_interval_s"],
        settings["health_interval_s"],
        checks,
    )
    supervisor.add("report", reporter.run, 10)
    commands.on_health = reporter.health
    node.dust = sensors.get("particulates")
    commands.on_clean = node.on_clean
    commands.on_reboot = node.on_reboot
    supervisor.add("commands", node.run_commands, 20)
    profile = 0
    for sensor in in_order:
        for i in range(len(sensor.states)):
            profile |= 1 << sensor.sensor + i
    from .hello import facts, say

    known = facts(version, profile, config)
    if settings["broker"]:
        _add_uplink(node, settings, identity, known)
    node.about = (settings["node"], state.boot, identity.epoch.hex()) + version
    post.event(BOOT, INFO, known[3])
    if faults:
        post.event(SETTINGS_DAMAGED, WARNING, len(faults))
    if config["state"] == _DAMAGED:
        post.event(CONFIG_DAMAGED, ERROR, config["version"])
    if "reverted" in config:
        post.event(CONFIG_REVERTED, WARNING, config["reverted"])
    config["blob"] = None  # the lighting has it
    start = identity.epoch, state.boot, outbox.first_seq, outbox.oldest_held, state.counter
    say(settings["node"], known, start, node.clock.quality())


def _add_lighting(node, settings: dict) -> None:  # type: ignore[no-untyped-def]
    try:
        from .lighting import Lighting

        blob = node.config.get("blob")
        name = settings["node"].encode()
        node.lighting = Lighting(node.lamp, node.clock, node.state, name, blob, degrees)
        if node.config["state"] == _DAMAGED and not blob:
            node.lighting.sensed.fault = True
    except Exception as error:  # the lamp stays at its design level, and the rest serves
        print("lampione: lighting", repr(error))
        node.faults |= _FAULT_LAMP


def _add_sensors(node, settings: dict, air: Air) -> dict:  # type: ignore[no-untyped-def]
    """Return {name: part} of those that could be built."""
    parts = settings["parts"]
    few, peaks = settings.get("privacy", (0, 1))
    if not peaks and "sound" in parts:
        parts["sound"]["peak_db"] = 0
    made = {}
    for name in NAMES:
        if name in parts:
            try:
                made[name] = part = build(name, machine, parts[name], node.post, air)
                node.supervisor.add(name, part.run, part.period_s)
            except Exception as error:  # whatever a part lacks, the others serve
                print("lampione:", name, repr(error))
                node.faults |= FAULT_SENSOR
    if few and "radar" in made:
        made["radar"].traffic.least = few
    return made


def _add_lamp(node, settings: dict, sensors: dict):  # type: ignore[no-untyped-def]
    """Add what looks after the lamp, and its meter to the sensors; return the checks, or None."""
    lamp, lighting, add = node.lamp, node.lighting, node.supervisor.add
    if lighting:
        lighting.ambient = sensors.get("light")
        lighting.radar = sensors.get("radar")
        add("lighting", lighting.run, 20)
    if lamp:
        add("lamp", node.run_lamp, 20)
        output = lamp.output
        if hasattr(output, "run"):  # DALI: it has work of its own, and a meter
            add("dali", output.run, output.period_s)
            if "energy" not in sensors:
                from .parts.gear import Gear

                sensors["energy"] = Gear(output)
        node.burn = BurnHours(node.state, lamp, sensors.get("energy"))
    elif "lamp" in settings["parts"]:
        node.faults |= _FAULT_LAMP
    settings["parts"] = None  # pins and words that nobody needs again
    for name in ("energy", "light", "radar", "tilt"):
        if name in sensors:
            from .sensing.checks import Checks

            energy, tilt = sensors.get("energy"), sensors.get("tilt")
            checks = Checks(node.post, lamp, energy, tilt)
            add("checks", checks.run, 30)
            return checks
    return None


def _add_uplink(node, settings: dict, identity: Identity, facts: tuple) -> None:  # type: ignore[no-untyped-def]
    from .uplink import Uplink
    from .wifi import Wifi

    node.wifi = Wifi(settings["wifi"])
    node.supervisor.add("wifi", node.wifi.run, 30)
    node.uplink = uplink = Uplink(settings, node.wifi, identity, node.post, node.commands, facts)
    uplink.on_config = node.on_config
    group = settings.get("group")
    if node.lighting and group and len(group) > _GROUP_KEY:
        from .waves import Waves

        uplink.waves = Waves(group, settings["shard"], identity.epoch, node.lighting, node.clock)
    node.supervisor.add("uplink", uplink.run, 30)
