"""A store with known rows, for tests of what is given away."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lampione import seeds, values
from lampione.export.places import Places
from lampione.export.rows import Reading
from lampione.export.things.catalogue import Catalogue
from lampione.store import Engine, Frame
from lampione.store.engine import open_engine
from lampione_protocol import codec, schema

START = 1_790_000_040  # 2026-09-21, a whole minute
NODES = ("bligny-1", "caldara-1")

GOOD: dict[str, Any] = {
    "duration_s": 60,
    "clock": "ntp",
    "pm1": 4.5,
    "pm2_5": 8,
    "pm10": 15.5,
    "no2": 21,
    "o3": 30,
    "temperature": -3.2,
    "humidity": 71,
    "laeq": 62.4,
    "lafmax": 78.1,
    "la10": 65.2,
    "la50": 60,
    "la90": 55.6,
    "lceq": 70,
    "sound_valid": 100,
    "vehicles_toward": 4,
    "vehicles_away": 3,
    "speed_mean": 43,
    "speed_max": 61,
    "presence": 8,
    "ambient_light": 12.5,
    "lamp_level": 80,
    "lamp_reason": "program",
    "lamp_power": 47.5,
    "valid": ["particulates", "no2", "o3", "climate", "sound", "radar", "light", "energy", "tilt"],
    "faults": [],
}


def body(message: str, **given: Any) -> bytes:
    """Return a message's bytes of values as people read them; what is not given is unknown."""
    kind = values.TYPES[message]
    found = []
    for name, how, _, _, _, steps, *_ in values.FIELDS[kind]:
        value = given.get(name)
        if value is None:
            found.append(0 if how == "c" else None)
        elif isinstance(value, list):
            flags = values.flags_of(name)
            assert flags is not None
            found.append(sum(1 << flags.index(word) for word in value))
        elif isinstance(value, str):
            codes = values.codes_of(values.NAMES[kind], name)
            assert codes is not None
            found.append(codes.index(value))
        elif name in ("start", "time"):
            found.append(value - schema.EPOCH_2020)
        else:
            found.append(round(value * steps if steps > 0 else value / -steps))
    return codec.encode(values.FIELDS[kind], found)


def report(at: int, **given: Any) -> bytes:
    """Return a good report, but for what is given; None: unknown."""
    return body("report", **(GOOD | {"start": at} | given))


Said = tuple[str, str, int, bytes]
"""Node, message, time and body."""


def fill(engine: Engine, said: Iterable[Said], *, untimed: bool = False, first: int = 1) -> None:
    """Store messages, numbered from `first` as they come."""
    store = engine.writer()
    known = {node.name: node.id for node in store.nodes()}
    frames = []
    for seq, (name, message, at, text) in enumerate(said, first):
        if name not in known:
            known[name] = store.add_node(name).id
        epoch = store.epoch_id(known[name], b"\x01\x02\x03\x04", 1)
        frames.append(
            Frame(epoch, seq, values.TYPES[message], at + 61.0, None if untimed else at, text)
        )
    store.frames(frames)
    store.commit()
    store.close()


def folded(engine: Engine) -> Engine:
    """Return the store with everything folded into chunks and roll-ups."""
    folder = engine.folder()
    folder.fold(START + 10 * 86400.0)
    folder.close()
    return engine


def engine_of(folder: Path, said: Iterable[Said]) -> Engine:
    """Return a new store with these messages."""
    engine = open_engine(folder / "lampione.db")
    fill(engine, said)
    return engine


def hour_of_two(**given: Any) -> list[Said]:
    """Return an hour of reports of two nodes, with their health before it."""
    said: list[Said] = []
    for n, node in enumerate(NODES):
        health: Mapping[str, Any] = {"clock": "ntp", "correction_set": 3 + n, "energy": 123450}
        said.append((node, "health", START - 30, body("health", time=START - 30, **health)))
        for minute in range(60):
            at = START + 60 * minute
            said.append((node, "report", at, report(at, laeq=50 + n + minute / 10, **given)))
    return said


def reading_of(engine: Engine) -> Reading:
    """Return what reads a store, with Milan's sites."""
    return Reading(engine.reader, Places(seeds.load()))


def catalogue_of(reading: Reading) -> Catalogue:
    """Return what SensorThings has of the nodes that are stored."""
    return Catalogue(sorted(reading.names.values()), reading.places)
