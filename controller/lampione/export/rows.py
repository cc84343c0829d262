"""Rows of what the store has: columns in units, their quality beside, privacy's rules applied."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from lampione_protocol import hour, names, schema
from numpy.typing import NDArray

from lampione import batch, values
from lampione.export import ExportError
from lampione.export.places import Places
from lampione.export.words import COMMON, MEANINGS
from lampione.rollup.measures import SENSOR_OF
from lampione.store import Series, TelemetryReader, pieces

MESSAGES = ("report", "health", "hour", "event", "raw")
LEAST_VEHICLES = 3  # the wire's own rule; a fleet may ask for more
DAY_S = 86400
_HIDDEN = {"Report": ("speed_mean", "speed_max"), "Hour": ("v85", "occupancy")}
_VEHICLES = ("vehicles_toward", "vehicles_away")
_TIMES = ("start", "time")
_NO_WORD = "code {}"

Kind = Literal["time", "text", "real", "whole", "truth"]
Array = NDArray[Any]


class Column(NamedTuple):
    """What a column says. unit: as people read it, "" without one."""

    name: str
    kind: Kind
    unit: str
    meaning: str


class Filled(NamedTuple):
    """A column with its values.

    values: Unix seconds, numbers in the unit, truths, or of a text the place in `words`.
    known: where there is a value.
    """

    column: Column
    values: Array
    known: NDArray[np.bool_]
    words: Sequence[str] = ()


class Rows(NamedTuple):
    """A piece of a table. node, at: of the last row, for progress."""

    size: int
    filled: list[Filled]
    node: int
    at: int


class Wanted(NamedTuple):
    """What is asked for. Times are Unix seconds; until is not included."""

    message: str
    since: int
    until: int
    nodes: Sequence[str] | None = None
    fields: Sequence[str] | None = None


def layout(message: str, fields: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
    """Return the fields of a message that are columns of their own. Raises ExportError."""
    name = message.capitalize()
    every = {
        f[0]: f
        for f in values.FIELDS[values.TYPES[message]]
        if f[1] not in "xyt" and f[0] not in (*_TIMES, "clock", "valid")
    }
    if fields is None:
        return list(every.values())
    for field in fields:
        if field not in every:
            raise ExportError(f"a {name} has no field {field!r}: it has {', '.join(every)}")
    return [every[field] for field in fields]


def _column(message: str, field: tuple[Any, ...]) -> Column:
    name, kind, steps, unit = field[0], field[1], field[5], field[6]
    coded = values.codes_of(message, name) is not None or values.flags_of(name) is not None
    which: Kind = "text" if kind in "ec" and coded else "real" if steps > 1 else "whole"
    return Column(name, which, unit, MEANINGS[message][name])


def common(message: str, fields: Sequence[str] | None = None) -> tuple[list[Column], list[Column]]:
    """Return the columns that stand before the fields, and those of quality behind them."""
    before = [
        Column("at", "time", "", COMMON["at"]),
        Column("node", "text", "", COMMON["node"]),
        Column("site", "text", "", COMMON["site"]),
        Column("latitude", "real", "°", COMMON["latitude"]),
        Column("longitude", "real", "°", COMMON["longitude"]),
        Column("position_approximate", "truth", "", COMMON["position_approximate"]),
    ]
    behind = [Column("clock", "text", "", COMMON["clock"])]
    if message == "report":
        mine = {SENSOR_OF.get(name) for name in fields or SENSOR_OF}
        if fields is None:
            mine |= set(names.SENSORS)
        behind += [
            Column(f"valid_{s}", "truth", "", COMMON[f"valid_{s}"])
            for s in names.SENSORS
            if s in mine
        ]
        behind.append(Column("correction_set", "whole", "", COMMON["correction_set"]))
    return before, behind


def columns(message: str, fields: Sequence[str] | None = None) -> list[Column]:
    """Return all columns of a table. Raises ExportError."""
    before, behind = common(message, fields)
    name = message.capitalize()
    return [*before, *(_column(name, field) for field in layout(message, fields)), *behind]


def hidden(found: Mapping[str, Array], least: int) -> NDArray[np.bool_]:
    """Say of each row whether too few vehicles were counted for anything about their speed.

    An unknown count hides, too. So do the bins of an hour's speeds.
    """
    count = len(found["vehicles_toward"])
    total = np.zeros(count, np.int64)
    unknown = np.zeros(count, np.bool_)
    for name in _VEHICLES:
        total += found[name]
        unknown |= found[name] == batch.UNKNOWN
    few: NDArray[np.bool_] = unknown | (total < max(least, LEAST_VEHICLES))
    return few


def needed(message: str, fields: Sequence[str] | None) -> list[str] | None:
    """Return the fields to read for these columns: what decides about them comes too."""
    if fields is None:
        return None
    known = {f[0] for f in values.FIELDS[values.TYPES[message]]}
    more = {"clock", "valid", *fields}
    if message in ("report", "hour"):
        more.update(_VEHICLES)
    if message == "hour":
        more.add("part")
    return [name for name in known if name in more]


def conceal(message: str, found: batch.Columns, least: int) -> None:
    """Make unknown what privacy forbids to tell, in place."""
    name = message.capitalize()
    if name not in _HIDDEN or not set(_VEHICLES) <= found.keys():
        return
    few = hidden(found, least)
    for field in _HIDDEN[name]:
        if field in found:
            found[field] = np.where(few, batch.UNKNOWN, found[field]).astype(np.int32)
    if name == "Hour":
        speeds = few & (found["part"] >= hour.FIRST_SPEED_PART)
        for n in range(hour.BINS_A_PART):
            field = f"bin_{n}"
            if field in found:
                found[field] = np.where(speeds, batch.UNKNOWN, found[field]).astype(np.int32)


def _words(message: str, field: str, bits: int) -> list[str]:
    flags = values.flags_of(field)
    if flags is not None:
        return [
            "; ".join(word for bit, word in enumerate(flags) if n >> bit & 1)
            for n in range(1 << bits)
        ]
    codes = values.codes_of(message, field) or ()
    return [codes[n] if n < len(codes) else _NO_WORD.format(n) for n in range(1 << bits)]


def _fill(message: str, field: tuple[Any, ...], column: batch.Column) -> Filled:
    what = _column(message, field)
    known = column != batch.UNKNOWN
    if what.kind == "text":
        return Filled(
            what, np.where(known, column, 0), known, _words(message, field[0], min(field[2], 8))
        )
    if what.kind == "real":
        return Filled(what, np.where(known, column, 0) / field[5], known)
    scale = -field[5] if field[5] < 0 else 1
    return Filled(what, np.where(known, column, 0).astype(np.int64) * scale, known)


class Reading:
    """Tables of a store.

    Args:
        reader: makes a reader of the store; two are used at a time.
    """

    def __init__(self, reader: Callable[[], TelemetryReader], places: Places):
        self.reader = reader
        self.places = places
        main = reader()
        try:
            self.names: dict[int, str] = main.names()
        finally:
            main.close()

    def rows(self, wanted: Wanted) -> Iterator[Rows]:
        """Yield pieces, ordered by node then time. Raises ExportError, StoreError."""
        shown = layout(wanted.message, wanted.fields)
        name = wanted.message.capitalize()
        before, behind = common(wanted.message, wanted.fields)
        with_corrections = any(column.name == "correction_set" for column in behind)
        corrections = _Corrections(self.reader, wanted) if with_corrections else None
        reader = self.reader()
        try:
            for series in self.series(reader, wanted):
                filled = self.placed(before, series.nodes, series.at)
                filled += [_fill(name, field, series.columns[field[0]]) for field in shown]
                filled += self._quality(name, behind, series, corrections)
                yield Rows(len(series.at), filled, int(series.nodes[-1]), int(series.at[-1]))
        finally:
            reader.close()
            if corrections is not None:
                corrections.close()

    def series(
        self, reader: TelemetryReader, wanted: Wanted, *, timed: bool = False
    ) -> Iterator[Series]:
        """Yield what is sound of a message, in steps, without what privacy forbids to tell.

        Args:
            timed: leave out what was sent before the node's clock was set.
        """
        kind = values.TYPES[wanted.message]
        fields = needed(wanted.message, wanted.fields)
        for series in reader.series(kind, wanted.since, wanted.until, wanted.nodes, fields):
            good = series.columns.sound
            if timed:
                good = good & series.timed
            kept = series if good.all() else pieces.take(series, good)
            if len(kept.at):
                conceal(wanted.message, kept.columns, self.places.least_vehicles)
                yield kept

    def placed(
        self, before: list[Column], nodes: NDArray[np.uint32], times: NDArray[np.int64]
    ) -> list[Filled]:
        """Return when and where, the columns that stand before all others."""
        ids, which = np.unique(nodes, return_inverse=True)
        found = [self.names.get(int(n), f"node {n}") for n in ids]
        places = [self.places.of(node) for node in found]
        everywhere = np.ones(len(times), np.bool_)
        positioned = np.array([p.latitude is not None for p in places], np.bool_)[which]
        sited = np.array([bool(p.name) for p in places], np.bool_)[which]
        latitudes = np.array([p.latitude or 0.0 for p in places])
        longitudes = np.array([p.longitude or 0.0 for p in places])
        approximate = np.array([p.approximate for p in places], np.bool_)
        at, node, site, latitude, longitude, roughly = before
        return [
            Filled(at, times, everywhere),
            Filled(node, which, everywhere, found),
            Filled(site, which, sited, [p.name for p in places]),
            Filled(latitude, latitudes[which], positioned),
            Filled(longitude, longitudes[which], positioned),
            Filled(roughly, approximate[which], positioned),
        ]

    def _quality(
        self, name: str, behind: list[Column], series: Series, corrections: "_Corrections | None"
    ) -> list[Filled]:
        everywhere = np.ones(len(series.at), np.bool_)
        filled = []
        for column in behind:
            if column.name == "clock":
                clock = series.columns["clock"]
                known = clock != batch.UNKNOWN
                words = _words(name, "clock", 3)
                filled.append(Filled(column, np.where(known, clock, 0), known, words))
            elif column.name == "correction_set":
                assert corrections is not None
                found = corrections.of(series.nodes, series.at)
                known = found != batch.UNKNOWN
                filled.append(Filled(column, np.where(known, found, 0), known))
            else:
                bit = names.SENSORS.index(column.name.removeprefix("valid_"))
                valid = series.columns["valid"]
                good = (valid >> bit & 1).astype(np.bool_)
                filled.append(Filled(column, good, everywhere & (valid != batch.UNKNOWN)))
        return filled


class _Corrections:
    """The correction set that a node last named before an instant; read along with its reports."""

    def __init__(self, reader: Callable[[], TelemetryReader], wanted: Wanted):
        self._reader = reader()
        since = max(0, wanted.since - DAY_S)
        self._pieces = self._reader.series(
            schema.HEALTH, since, wanted.until, wanted.nodes, ["correction_set"]
        )
        self._key = np.empty(0, np.int64)
        self._set = np.empty(0, np.int32)
        self._ended = False

    def of(self, nodes: NDArray[np.uint32], at: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the sets of rows that come in the order of the series; UNKNOWN: none named."""
        keys = _key(nodes, at)
        while not self._ended and (not len(self._key) or self._key[-1] <= keys[-1]):
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            self._key = np.concatenate([self._key, _key(piece.nodes, piece.at)])
            self._set = np.concatenate([self._set, piece.columns["correction_set"]])
        place = np.searchsorted(self._key, keys, side="right") - 1
        found = np.full(len(keys), batch.UNKNOWN, np.int32)
        if len(self._key):
            same = (place >= 0) & (self._key[place] >> _AT_BITS == nodes)
            found[same] = self._set[place[same]]
        keep = max(0, int(place[-1])) if len(place) else 0
        self._key, self._set = self._key[keep:], self._set[keep:]
        return found

    def close(self) -> None:
        # Healths behind the last report were not read: their instant ends before the reader does.
        if isinstance(self._pieces, Generator):
            self._pieces.close()
        self._reader.close()


_AT_BITS = 36


def _key(nodes: NDArray[np.uint32], at: NDArray[np.int64]) -> NDArray[np.int64]:
    return (nodes.astype(np.int64) << _AT_BITS) + at
