"""The lamppost that the suites run on: its parts, where they are wired, what their words mean.

One pin map for every board of a bench (ESP32-S3, as docs/ has it); a rig wires its instruments to
the same pins.
"""

from collections.abc import Mapping
from typing import Any

from lampione_protocol import names, schema

from lampione_hil.testing.uplink import Uplink

LAMP_PIN = 10
I2C: dict[str, int | str] = {"i2c": 0, "scl": 9, "sda": 8}
SERIAL: dict[str, int | str] = {"uart": 0, "tx": 17, "rx": 18}
RADAR: dict[str, int | str] = {"uart": 1, "tx": 15, "rx": 16}
DOPPLER: dict[str, int | str] = {"kind": "doppler", "i2s": 1, "sck": 11, "ws": 12, "sd": 13}
SOUND: dict[str, int | str] = {"i2s": 0, "sck": 5, "ws": 6, "sd": 7}
LAMP: dict[str, int | str] = {"pin": LAMP_PIN}
# All but the microphone: its stream is most of the work.
PARTS: dict[str, Mapping[str, int | str]] = {
    "climate": I2C,
    "particulates": I2C,
    "gases": {**I2C, "warm_min": 1},
    "light": I2C,
    "tilt": I2C,
    "energy": SERIAL,
    "radar": RADAR,
    "lamp": LAMP,
}

# Operations, reasons, states as the wire numbers them
OPS = {name: number for number, name in enumerate(names.OPS)}
REASONS = {name: number for number, name in enumerate(names.LAMP_REASONS)}
REFUSALS = {name: number for number, name in enumerate(names.REFUSALS)}
EVENTS = {name: number for number, name in enumerate(names.EVENTS)}
SENSORS = {name: number for number, name in enumerate(names.SENSORS)}
DONE, REFUSED = names.OUTCOMES.index("done"), names.OUTCOMES.index("refused")
LATE = 2_147_483_646  # when a command expires that never does

# What the node may call a part for a fault of its model, or of its bus ("held"), at some time. A
# brown-out may cost no value at all.
CALLED = {
    "unplugged": {"silent"},
    "silent": {"silent"},
    "half": {"silent", "stale"},
    "crc": {"stale"},
    "exception": {"stale"},
    "usb": {"silent"},
    "implausible": {"implausible"},
    "stuck": {"stuck"},
    "fan": {"implausible"},
    "laser": {"implausible"},
    "speed": {"warming"},
    "clipped": {"implausible"},
    "held": {"silent"},
    "brownout": {"ok", "warming"},
}


def reports(uplink: Uplink, node: Any) -> list[dict[str, Any]]:
    """Return a node's Reports, in the order of their numbers."""
    return uplink.of(node, schema.REPORT)


def events(uplink: Uplink, node: Any, name: str) -> list[dict[str, Any]]:
    """Return its Events of a name."""
    return uplink.events(node, EVENTS[name])


def states(uplink: Uplink, node: Any, sensor: str) -> list[tuple[int, str]]:
    """Return (time, state) of every change that it told of a sensor."""
    told = [(e["time"], e["argument"]) for e in events(uplink, node, "sensor state")]
    number = SENSORS[sensor]
    return [(at, names.SENSOR_STATES[what & 15]) for at, what in told if what >> 4 == number]


def steps(kind: int, name: str) -> int:
    """Return how many steps of a field make one unit (negative: units in one step)."""
    fields = next(fields for number, _, fields in names.ALL_MESSAGES if number == kind)
    return int(next(field[5] for field in fields if field[0] == name))


def value(report: Mapping[str, Any], name: str, kind: int = schema.REPORT) -> float | None:
    """Return a field in its unit; None: unknown."""
    raw = report[name]
    if raw is None:
        return None
    scale = steps(kind, name)
    return float(raw / scale if scale > 0 else raw * -scale)


def set_clock(uplink: Uplink, node: Any, second: int) -> None:
    """Set a node's clock, as a controller does: an answer to a hello of this moment."""
    count = len(uplink.hellos(node))
    uplink.send(node, OPS["hello"], expires=LATE)
    uplink.wait_hello(node, count + 1, 10)
    uplink.outcome(node, uplink.send(node, OPS["time"], time=second, time_ms=0, expires=LATE))
