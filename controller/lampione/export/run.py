"""One export: from what is asked for to files that are whole, or entities that a broker took."""

import contextlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from lampione.export import csvw
from lampione.export.json_array import ArrayWriter
from lampione.export.ngsi import Entities
from lampione.export.parquet import ParquetWriter
from lampione.export.push import ContextBroker
from lampione.export.rows import Column, Reading, Rows, Wanted
from lampione.export.text import CsvWriter, JsonWriter
from lampione.export.whole_file import target, whole

TABLES = ("csv", "jsonl", "parquet")
FORMS = (*TABLES, "ngsi-ld")
ENDINGS = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "ngsi-ld": ".jsonld"}

Tell = Callable[[int, float], None]
"""Told how many rows are done, and which part of the whole (0 to 1)."""


class Place(NamedTuple):
    """Where a form goes. path: None for the standard output."""

    form: str
    path: Path | None


class Writer(Protocol):
    """What takes pieces of a table."""

    def write(self, rows: Rows) -> None: ...
    def close(self) -> None: ...


class Meter:
    """Which part of an export is done, by the node and the time of the last row."""

    def __init__(self, nodes: Sequence[int], since: int, until: int, tell: Tell):
        self._nodes = sorted(nodes)
        self._since, self._span = since, max(1, until - since)
        self._tell = tell
        self.rows = 0

    def done(self, count: int, node: int, at: int) -> None:
        """Count rows, the last of which is of that node and time."""
        self.rows += count
        within = min(1.0, max(0.0, (at - self._since) / self._span))
        place = bisect_left(self._nodes, node)
        self._tell(self.rows, min(1.0, (place + within) / max(1, len(self._nodes))))


def writer_of(
    form: str, file: BinaryIO, columns: Sequence[Column], about: Mapping[str, str]
) -> Writer:
    """Return what writes a table in a form. Raises ExportError."""
    if form == "csv":
        return CsvWriter(file, columns)
    if form == "jsonl":
        return JsonWriter(file, columns)
    return ParquetWriter(file, columns, about)


def write_tables(
    pieces: Iterator[Rows],
    columns: Sequence[Column],
    places: Sequence[Place],
    about: Mapping[str, str],
    meter: Meter,
) -> None:
    """Write pieces of a table to every place; metadata beside each CSV file.

    Raises ExportError, StoreError, OSError.
    """
    with contextlib.ExitStack() as stack, contextlib.closing(pieces):  # type: ignore[type-var]
        writers = [
            writer_of(p.form, stack.enter_context(target(p.path)), columns, about) for p in places
        ]
        for rows in pieces:
            for writer in writers:
                writer.write(rows)
            meter.done(rows.size, rows.node, rows.at)
        for writer in writers:
            writer.close()
    for form, path in places:
        if form == "csv" and path is not None:
            with whole(path.with_name(path.name + csvw.SUFFIX)) as file:
                file.write(as_json(csvw.metadata(path.name, columns, about)))


def write_entities(
    reading: Reading,
    wanted: Wanted,
    entities: Entities,
    to: Path | ContextBroker | None,
    meter: Meter,
) -> None:
    """Write entities to a file, the standard output or a broker.

    Raises ExportError, StoreError, OSError.
    """
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(contextlib.closing(reading.reader()))
        writer = (
            to if isinstance(to, ContextBroker) else ArrayWriter(stack.enter_context(target(to)))
        )
        for entity, node, at in entities.of(reader, wanted):
            writer.write(entity)
            meter.done(1, node, at)
        writer.close()


def places_of(forms: Sequence[str], output: Path | None) -> list[Place]:
    """Return where each form goes: one to the path as it is, several to it with their endings."""
    if output is None or (len(forms) == 1 and output.suffix):
        return [Place(form, output) for form in forms]
    stem = output.name
    for ending in ENDINGS.values():
        stem = stem.removesuffix(ending)
    return [Place(form, output.with_name(stem + ENDINGS[form])) for form in forms]


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as people read it."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
