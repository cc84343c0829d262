"""From the wire's integers to what a person reads, and back for commands."""

import math
from typing import Any

from lampione_protocol import codec, names, schema
from lampione_protocol.errors import ProtocolError

from lampione.api import Json, Order, Values

FIELDS: dict[int, tuple[Any, ...]] = {kind: fields for kind, _, fields in names.ALL_MESSAGES}
NAMES: dict[int, str] = {kind: name for kind, name, _ in names.ALL_MESSAGES}
TYPES: dict[str, int] = {name.lower(): kind for kind, name in NAMES.items()}
_TIMES = {"start", "time", "expires"}
_HELLO_VERSION = "firmware"


def unix(l_seconds: int) -> int:
    """Return Unix seconds of the wire's seconds."""
    return l_seconds + schema.EPOCH_2020


def wire_seconds(at: float) -> int:
    """Return the wire's seconds of Unix seconds, rounded up, never below 0."""
    return max(0, math.ceil(at - schema.EPOCH_2020))


def codes_of(message: str, field: str) -> tuple[str, ...] | None:
    """Return the words of a coded field, or None."""
    if field.startswith("state_"):
        return names.SENSOR_STATES
    found = names.CODES.get(f"{message}.{field}") or names.CODES.get(field)
    return tuple(found) if found is not None else None


def flags_of(field: str) -> tuple[str, ...] | None:
    """Return the words of a field of flags, bit 0 first, or None."""
    if field == "profile":
        return tuple(names.SENSORS)
    found = names.FLAGS.get(field)
    return tuple(found) if found is not None else None


def readable(message: str, field: tuple[Any, ...], value: Any) -> Json:
    """Return one value as people read it."""
    name, kind, steps = field[0], field[1], field[5]
    if value is None:
        return None
    if kind == "y":
        return bytes(value).hex()
    if kind == "t":
        return bytes(value).decode(errors="replace")
    flags = flags_of(name)
    if flags is not None:
        return [word for bit, word in enumerate(flags) if value >> bit & 1]
    if name in _TIMES:
        return unix(value)
    if kind in "ec":
        words = codes_of(message, name)
        if words is not None and field[6] == "":
            return words[value] if value < len(words) else f"code {value}"
    if steps == 1:
        return value
    return value / steps if steps > 0 else value * -steps


def read(kind: int, body: bytes) -> Values:
    """Return a message's values as people read them. Raises ProtocolError, KeyError."""
    fields = FIELDS[kind]
    decoded = codec.decode(fields, body, 0, len(body))
    name = NAMES[kind]
    return {
        field[0]: readable(name, field, value)
        for field, value in zip(fields, decoded, strict=True)
        if field[1] != "x"
    }


def try_read(kind: int, body: bytes | None) -> Values:
    """As `read`; nothing for what cannot be read."""
    if body is None:
        return {}
    try:
        return read(kind, body)
    except (ProtocolError, KeyError):
        return {}


def steps(kind: int, body: bytes) -> dict[str, Any]:
    """Return a message's values in steps, by name. Raises ProtocolError."""
    fields = FIELDS[kind]
    decoded = codec.decode(fields, body, 0, len(body))
    return {field[0]: value for field, value in zip(fields, decoded, strict=True)}


class OrderError(ValueError):
    """Not an order; the text says why."""


_RANGES = {
    # name: (field, steps of the wire in one of ours)
    "level": ("level", 1),
    "ramp_s": ("ramp", 10),
    "for_s": ("for_s", 1),
    "first_seq": ("first_seq", 1),
    "last_seq": ("last_seq", 1),
}
# An override without an end would outlive its reason: nodes refuse it.
_NEEDS = {
    "level": ("level", "for_s"),
    "fetch": ("first_seq", "last_seq"),
    "emergency": ("for_s",),
    "maintenance": ("for_s",),  # 0 ends it
}
# What a config's rollout sends by itself.
_SETUPS = ("offer", "apply", "confirm", "revert")
_LEAST = {"for_s": 1}  # 0 would be over before it begins
_MAY = {"level": ("ramp_s",), "resume": ("ramp_s",), "identify": ("for_s",)}


def limits(name: str) -> tuple[float, float]:
    """Return the least and the greatest value of a part of an order, as people give it."""
    field, scale = _RANGES[name]
    low, high = schema.COMMAND_FIELDS[codec.index(schema.COMMAND_FIELDS, field)][3:5]
    return _LEAST.get(name, low / scale), high / scale


def check_order(order: Json) -> Order:
    """Return an order that the wire can carry. Raises OrderError."""
    ops = [op for op in names.OPS if op not in _SETUPS]
    if not isinstance(order, dict) or order.get("op") not in ops:
        raise OrderError(f"a command is an object with an op of {', '.join(ops)}")
    op = order["op"]
    needed = _NEEDS.get(op, ())
    for name in needed:
        if order.get(name) is None:
            raise OrderError(f"{op} needs {name}")
    for name, value in order.items():
        if name == "op":
            continue
        if name not in needed + _MAY.get(op, ()):
            raise OrderError(f"{op} has no {name!r}")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise OrderError(f"{name} is a number")
        low, high = limits(name)
        low = 0 if op == "maintenance" else low
        scale = _RANGES[name][1]
        if not math.isfinite(value) or not low * scale <= round(value * scale) <= high * scale:
            raise OrderError(f"{name} is from {low:.10g} to {high:.10g}")
    kept: Order = {name: value for name, value in order.items() if value is not None}  # type: ignore[assignment]
    return kept


def encode_order(
    order: Order,
    *,
    expires: float,
    challenge: bytes | None,
    ask: bytes | None = None,
    now: float | None = None,
) -> bytes:
    """Return the text of a `Command`. `now`: for op "time", Unix seconds."""
    values: dict[str, Any] = {
        "op": names.OPS.index(order["op"]),
        "expires": wire_seconds(expires),
        "challenge": challenge,
        "ask": ask,
    }
    given: dict[str, Any] = dict(order)
    for name, (field, scale) in _RANGES.items():
        if given.get(name) is not None:
            values[field] = round(given[name] * scale)
    if now is not None:
        whole, part = divmod(now - schema.EPOCH_2020, 1)
        values["time"], values["time_ms"] = int(whole), int(part * 1000)
    return codec.encode(
        schema.COMMAND_FIELDS,
        [values.get(field[0], _absent(field)) for field in schema.COMMAND_FIELDS],
    )


def _absent(field: tuple[Any, ...]) -> int | None:
    return 0 if field[1] == "c" else None
