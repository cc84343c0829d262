"""A plausible full report, the same values for every codec, and the peers' encodings of it."""

import json
import random
from typing import Any

import cbor2
import msgpack
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from lampione_protocol.schema import REPORT_FIELDS

Field = descriptor_pb2.FieldDescriptorProto


def steps(seed: int) -> list[int | None]:
    """Return a report's values, in steps, each within its field's range and none unknown."""
    rng = random.Random(seed)
    typical = {
        "start": 216_000_000 + 60 * seed,
        "duration_s": 60,
        "clock": 3,
        "pm1": 18,
        "pm2_5": 31,
        "pm10": 52,
        "no2": 23,
        "o3": 41,
        "temperature": 184,
        "humidity": 61,
        "laeq": 652,
        "lafmax": 791,
        "la10": 338,
        "la50": 318,
        "la90": 287,
        "lceq": 371,
        "sound_valid": 25,
        "vehicles_toward": 12,
        "vehicles_away": 9,
        "speed_mean": 43,
        "speed_max": 67,
        "presence": 3,
        "ambient_light": 248,
        "lamp_level": 70,
        "lamp_reason": 1,
        "lamp_power": 121,
        "valid": 511,
        "faults": 0,
    }
    values: list[int | None] = []
    for name, kind, _bits, low, high, *_ in REPORT_FIELDS:
        if kind == "x":
            values.append(None)
            continue
        value = typical[name]
        if kind == "i" and name not in ("start", "duration_s"):
            value = min(high, max(low, round(value * rng.uniform(0.7, 1.3))))
        values.append(value)
    return values


def physical(values: list[int | None]) -> dict[str, float | int]:
    """Return the same report as a person would write it: names and units' values."""
    report: dict[str, float | int] = {}
    for (name, kind, _bits, _low, _high, per_unit, *_), value in zip(
        REPORT_FIELDS, values, strict=True
    ):
        if kind == "x" or value is None:
            continue
        report[name] = value * -per_unit if per_unit < 0 else value / per_unit
        if per_unit < 0 or per_unit == 1:
            report[name] = int(report[name])
    return report


def as_json(report: dict[str, Any]) -> bytes:
    """JSON without spaces."""
    return json.dumps(report, separators=(",", ":")).encode()


def as_cbor(report: dict[str, Any]) -> bytes:
    """CBOR, an array in field order."""
    return cbor2.dumps(list(report.values()))


def as_msgpack(report: dict[str, Any]) -> bytes:
    """MessagePack, an array in field order, single precision."""
    packed: bytes = msgpack.packb(list(report.values()), use_single_float=True)
    return packed


def protobuf_class() -> Any:
    """Return a message class: floats where a value has a fraction, unsigned numbers elsewhere."""
    file = descriptor_pb2.FileDescriptorProto(
        name="report.proto", package="benchmark", syntax="proto3"
    )
    message = file.message_type.add(name="Report")
    number = 0
    for name, kind, _bits, low, _high, per_unit, *_ in REPORT_FIELDS:
        if kind == "x":
            continue
        number += 1
        fraction = per_unit > 1
        kind_of = Field.TYPE_FLOAT if fraction else Field.TYPE_SINT32
        if not fraction and low >= 0:
            kind_of = Field.TYPE_UINT32
        message.field.add(name=name, number=number, type=kind_of, label=Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("benchmark.Report"))
