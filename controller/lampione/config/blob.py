"""Between a `NodeConfig` and the binary config of `lampione_light.layout`."""

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

from lampione_light import layout
from pydantic import SecretBytes, ValidationError

from lampione.config.light import WEEKDAYS, at_text, date_of, minutes_of
from lampione.config.model import GROUP_KEY_BYTES, NodeConfig

DIGEST_BYTES = 8  # of the SHA-256, on the wire
_SUMMER = ("none", "eu")
_CURVES = ("linear", "logarithmic")
_SOURCES = ("sun", "photocell", "either")
_E5 = 100_000
_LAMP = (
    "design_percent", "min_percent", "max_percent", "rated_w", "budget_w", "curve", "duty_low",
    "duty_high", "start_delay_s", "dwell_s", "hot_c", "hottest_c", "hot_percent",
)  # fmt: skip
_NIGHT = ("source", "on_min", "off_min", "dark_lx", "bright_lx")
_TRAFFIC = ("service_vph", "below_half_percent", "below_quarter_percent")
_PRESENCE = ("percent", "hold_s", "ramp_s", "reach")
_REPORTING = ("report_interval_s", "health_interval_s", "least_vehicles", "noise_peaks")


class BlobError(ValueError):
    """Bytes that are no config, or a config that has no bytes; the text says why."""


def digest(blob: bytes) -> bytes:
    """Return a config's digest: the first bytes of its SHA-256."""
    return hashlib.sha256(blob).digest()[:DIGEST_BYTES]


def encode(config: NodeConfig) -> bytes:
    """Return the binary config: the same bytes for the same config. Raises BlobError."""
    blob = bytearray([layout.FORMAT])
    for section, content in _contents(config):
        blob += struct.pack(">BH", section, len(content)) + content
    if len(blob) > layout.SIZE_MAX:
        raise BlobError(f"the config takes {len(blob)} bytes, {layout.SIZE_MAX} are possible")
    return bytes(blob)


def _contents(config: NodeConfig) -> Iterator[tuple[int, bytes]]:
    def row(section: int, *values: int) -> bytes:
        return struct.pack(layout.FORMATS[section], *values)

    def named(section: int, table: Any, names: tuple[str, ...], **instead: int) -> bytes:
        values = {name: getattr(table, name) for name in names} | instead
        return row(section, *values.values())

    site, lamp, night, presence = config.site, config.lamp, config.night, config.presence
    latitude = layout.NOWHERE if site.latitude is None else round(site.latitude * _E5)
    yield (
        layout.SITE,
        row(
            layout.SITE,
            latitude,
            round(site.longitude * _E5),
            site.utc_offset_min,
            _SUMMER.index(site.summer_time),
        ),
    )
    yield layout.LAMP, named(layout.LAMP, lamp, _LAMP, curve=_CURVES.index(lamp.curve))
    if lamp.upkeep:
        rows = (row(layout.UPKEEP, one.hours // 10, one.percent) for one in lamp.upkeep)
        yield layout.UPKEEP, b"".join(rows)
    yield layout.NIGHT, named(layout.NIGHT, night, _NIGHT, source=_SOURCES.index(night.source))
    for plan in config.plans:
        steps = (
            row(layout.PLAN, *minutes_of(step.at), step.percent, step.ramp_s) for step in plan.steps
        )
        yield layout.PLAN, bytes([plan.number]) + b"".join(steps)
    if config.rules:
        yield (
            layout.RULES,
            b"".join(
                row(
                    layout.RULES,
                    sum(1 << WEEKDAYS.index(day) for day in rule.weekdays),
                    *date_of(rule.first),
                    *date_of(rule.last),
                    rule.plan,
                )
                for rule in config.rules
            ),
        )
    yield layout.TRAFFIC, named(layout.TRAFFIC, config.traffic, _TRAFFIC)
    yield (
        layout.PRESENCE,
        named(layout.PRESENCE, presence, _PRESENCE, ramp_s=round(presence.ramp_s * 10)),
    )
    if config.group is not None:
        key = config.group.key.get_secret_value()
        yield (
            layout.GROUP,
            struct.pack(">H", config.group.member) + key + config.group.name.encode(),
        )
    yield layout.REPORTING, named(layout.REPORTING, config.reporting, _REPORTING)
    if config.parts is not None:
        yield layout.PARTS, _json(config.parts.settings())
    radio = config.radio_settings()
    if radio is not None:
        yield layout.RADIO, _json(radio)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def decode(blob: bytes) -> NodeConfig:
    """Return the config of older, newer and our own programs' bytes. Raises BlobError."""
    try:
        return NodeConfig.model_validate(_tables(blob))
    except layout.ConfigError as error:
        raise BlobError(f"not a config: {error.args[0]} at byte {error.args[1]}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BlobError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
    except (ValueError, IndexError, RecursionError) as error:
        raise BlobError(f"not a config: {error}") from None


def _tables(blob: bytes) -> dict[str, Any]:
    plans: dict[int, list[Any]] = {}
    last: dict[int, bytes] = {}
    for section, content in layout.sections(bytes(blob)):
        if section == layout.PLAN:
            if content:
                plans[content[0]] = layout.rows(layout.PLAN, content[1:])
        else:
            last[section] = content

    def named(section: int, names: tuple[str, ...]) -> dict[str, Any]:
        return dict(zip(names, layout.fields(section, last.get(section, b"")), strict=False))

    latitude, longitude, utc_offset_min, summer = layout.fields(
        layout.SITE, last.get(layout.SITE, b"")
    )[:4]
    lamp = named(layout.LAMP, _LAMP)
    lamp["curve"] = _CURVES[lamp["curve"]]
    lamp["upkeep"] = [
        {"hours": hours * 10, "percent": percent}
        for hours, percent in layout.rows(layout.UPKEEP, last.get(layout.UPKEEP, b""))
    ]
    night = named(layout.NIGHT, _NIGHT)
    night["source"] = _SOURCES[night["source"]]
    presence = named(layout.PRESENCE, _PRESENCE)
    presence["ramp_s"] /= 10
    reporting = named(layout.REPORTING, _REPORTING)
    reporting["noise_peaks"] = bool(reporting["noise_peaks"])
    found: dict[str, Any] = {
        "site": {
            "latitude": None if latitude == layout.NOWHERE else latitude / _E5,
            "longitude": longitude / _E5,
            "utc_offset_min": utc_offset_min,
            "summer_time": _SUMMER[summer],
        },
        "lamp": lamp,
        "night": night,
        "plans": [
            {
                "number": number,
                "steps": [
                    {"at": at_text(anchor, minutes), "percent": percent, "ramp_s": ramp_s}
                    for anchor, minutes, percent, ramp_s in steps
                ],
            }
            for number, steps in plans.items()
        ],
        "rules": [
            {
                "weekdays": [day for n, day in enumerate(WEEKDAYS) if weekdays >> n & 1],
                "first": f"{month:02}-{day:02}",
                "last": f"{last_month:02}-{last_day:02}",
                "plan": plan,
            }
            for weekdays, month, day, last_month, last_day, plan in layout.rows(
                layout.RULES, last.get(layout.RULES, b"")
            )
        ],
        "traffic": named(layout.TRAFFIC, _TRAFFIC),
        "presence": presence,
        "reporting": reporting,
    }
    group = last.get(layout.GROUP)
    if group is not None:
        found["group"] = {
            "member": int.from_bytes(group[:2], "big"),
            "key": SecretBytes(group[2 : 2 + GROUP_KEY_BYTES]),
            "name": group[2 + GROUP_KEY_BYTES :].decode(),
        }
    for section, name in ((layout.PARTS, "parts"), (layout.RADIO, "radio")):
        if section in last:
            found[name] = json.loads(last[section])
    return found
