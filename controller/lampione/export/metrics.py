"""Prometheus: what every node last said, as long as it is fresh, and how store and broker are.

A series is there only while its value holds: a node that fell silent has none, rather than its
last one again and again. Base units, as Prometheus wants them.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import names, schema

from lampione import batch
from lampione.export.places import Places
from lampione.export.rows import Reading, Wanted
from lampione.export.words import MEANINGS
from lampione.rollup.measures import SENSOR_OF
from lampione.store import Series, StoreError, TelemetryReader

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NODES_MAX = 10_000  # with more, a scrape would be hundreds of megabytes: ask the store itself
_LATE_S = 5
_DURATION_MAX_S = 510
_RECENT_S = 4 * 60 + _LATE_S  # where a minute's report that holds must lie
_HOLDS_S = 4 * _DURATION_MAX_S + _LATE_S  # and any other
_AHEAD_S = 60


class Gauge(NamedTuple):
    """A field as a metric. factor: of the field's unit, to make the base unit."""

    field: str
    name: str
    factor: float
    kind: str = "gauge"


REPORT = (
    Gauge("pm1", "lampione_pm1_grams_per_cubic_meter", 1e-6),
    Gauge("pm2_5", "lampione_pm2_5_grams_per_cubic_meter", 1e-6),
    Gauge("pm10", "lampione_pm10_grams_per_cubic_meter", 1e-6),
    Gauge("no2", "lampione_no2_mole_ratio", 1e-9),
    Gauge("o3", "lampione_o3_mole_ratio", 1e-9),
    Gauge("temperature", "lampione_air_temperature_celsius", 1),
    Gauge("humidity", "lampione_air_humidity_ratio", 0.01),
    Gauge("laeq", "lampione_sound_laeq_decibels", 1),
    Gauge("lafmax", "lampione_sound_lafmax_decibels", 1),
    Gauge("la10", "lampione_sound_la10_decibels", 1),
    Gauge("la50", "lampione_sound_la50_decibels", 1),
    Gauge("la90", "lampione_sound_la90_decibels", 1),
    Gauge("lceq", "lampione_sound_lceq_decibels", 1),
    Gauge("sound_valid", "lampione_sound_valid_ratio", 0.01),
    Gauge("vehicles_toward", "lampione_vehicles_toward", 1),
    Gauge("vehicles_away", "lampione_vehicles_away", 1),
    Gauge("speed_mean", "lampione_vehicle_speed_mean_meters_per_second", 1 / 3.6),
    Gauge("speed_max", "lampione_vehicle_speed_max_meters_per_second", 1 / 3.6),
    Gauge("presence", "lampione_presence_ratio", 0.01),
    Gauge("ambient_light", "lampione_ambient_light_lux", 1),
    Gauge("lamp_level", "lampione_lamp_level_ratio", 0.01),
    Gauge("lamp_power", "lampione_lamp_power_watts", 1),
    Gauge("duration_s", "lampione_report_interval_seconds", 1),
)
HEALTH = (
    Gauge("energy", "lampione_lamp_energy_joules_total", 3600, "counter"),
    Gauge("burn_hours", "lampione_lamp_burn_seconds_total", 3600, "counter"),
    Gauge("voltage", "lampione_mains_volts", 1),
    Gauge("board_temperature", "lampione_node_temperature_celsius", 1),
    Gauge("rssi", "lampione_node_radio_dbm", 1),
    Gauge("tilt", "lampione_lamppost_tilt_degrees", 1),
    Gauge("free_heap", "lampione_node_free_heap_bytes", 1),
    Gauge("uptime", "lampione_node_uptime_seconds", 1),
    Gauge("outbox_depth", "lampione_node_outbox_frames", 1),
    Gauge("outbox_drops", "lampione_node_outbox_dropped_frames_total", 1, "counter"),
    Gauge("idle", "lampione_node_idle_ratio", 0.01),
)
_FIELDS = {
    "report": {f[0]: f for f in schema.REPORT_FIELDS},
    "health": {f[0]: f for f in schema.HEALTH_FIELDS},
}
_COUNTERS = {
    "stored": "frames that were stored",
    "duplicates": "frames that came again",
    "refused": "frames from the air that were refused",
    "lost": "frames that no node holds any more",
}


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_label(text)}"' for name, text in labels.items()) + "}"


def _family(name: str, kind: str, meaning: str, samples: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a metric; none when there are no samples."""
    first = True
    for sample in samples:
        if first:
            meaning = meaning.replace("\\", "\\\\").replace("\n", " ")
            yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
            first = False
        yield f"{name}{sample}\n"


class _Last:
    """The last message of each node: its values in steps."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, dict[str, int]]] = {}  # node: (at, values)

    def take(self, series: Series) -> None:
        # Ordered by node then time: a node's last row of the piece is its newest there.
        ends = np.append(np.nonzero(np.diff(series.nodes))[0], len(series.nodes) - 1)
        columns = {name: column[ends].tolist() for name, column in series.columns.items()}
        for n, (node, at) in enumerate(
            zip(series.nodes[ends].tolist(), series.at[ends].tolist(), strict=True)
        ):
            if node not in self.rows or at >= self.rows[node][0]:
                self.rows[node] = at, {name: column[n] for name, column in columns.items()}


def _latest(
    reading: Reading,
    reader: TelemetryReader,
    message: str,
    now: float,
    within_s: float,
    nodes: list[str] | None = None,
) -> _Last:
    fields = list(_FIELDS[message])
    fields.remove("spare")
    for gone in ("start", "time"):
        with contextlib.suppress(ValueError):
            fields.remove(gone)
    wanted = Wanted(message, int(now - within_s), int(now) + _AHEAD_S, nodes, fields)
    last = _Last()
    for series in reading.series(reader, wanted, timed=True):
        last.take(series)
    return last


def _fresh(last: _Last, now: float, *, within_s: float | None) -> dict[int, dict[str, int]]:
    """Return what still holds. within_s: for how long, or None: three intervals of the report."""
    found = {}
    for node, (at, values) in last.rows.items():
        duration = values.get("duration_s", batch.UNKNOWN)
        if within_s is None and duration == batch.UNKNOWN:
            continue
        # By the end of what was measured, however late it came.
        until = at + (4 * duration + _LATE_S if within_s is None else within_s)
        if now <= until:
            found[node] = values
    return found


class Scrape:
    """What one scrape says. `status` is the core's (`api.Status`), None where none answers."""

    def __init__(
        self,
        reading: Reading,
        reader: TelemetryReader,
        status: Mapping[str, Any] | None,
        health_interval_s: int,
        now: float,
    ):
        self._reading = reading
        self._status = status
        self._now = now
        self._labels: dict[int, str] = {}
        self._size: int | None = None
        self._report: dict[int, dict[str, int]] = {}
        self._health: dict[int, dict[str, int]] = {}
        self.error: str | None = None
        self._ends: dict[int, int] = {}
        try:
            self._size = reader.size_bytes()
            last = _latest(reading, reader, "report", now, _RECENT_S)
            rest = [name for number, name in reading.names.items() if number not in last.rows]
            if rest:
                last.rows |= _latest(reading, reader, "report", now, _HOLDS_S, rest).rows
            self._report = _fresh(last, now, within_s=None)
            self._ends = {
                node: last.rows[node][0] + values["duration_s"]
                for node, values in self._report.items()
            }
            within_s = 3 * health_interval_s + _LATE_S
            self._health = _fresh(
                _latest(reading, reader, "health", now, within_s), now, within_s=within_s
            )
        except StoreError as error:
            self.error = str(error)

    def lines(self) -> Iterator[str]:
        """Yield the text, in pieces."""
        yield from _family(
            "lampione_build_info", "gauge", "the program's version",
            [_labels(version=version("lampione"), revision=str(schema.REVISION)) + " 1"],
        )  # fmt: skip
        yield from self._store()
        yield from self._controller()
        chosen = sorted({*self._report, *self._health})
        left = max(0, len(chosen) - NODES_MAX)
        yield from _family(
            "lampione_nodes_left_out", "gauge", "fresh nodes that are too many for this page",
            [f" {left}"],
        )  # fmt: skip
        shown = chosen[:NODES_MAX]
        self._label_nodes(shown, self._reading.places)
        report = {node: self._report[node] for node in shown if node in self._report}
        health = {node: self._health[node] for node in shown if node in self._health}
        yield from _family(
            "lampione_report_end_timestamp_seconds", "gauge",
            "end of the interval that the node's last report is of",
            (f"{self._labels[node]} {self._ends[node]}" for node in report),
        )  # fmt: skip
        yield from self._gauges("report", REPORT, report)
        yield from self._gauges("health", HEALTH, health)
        yield from _family(
            "lampione_sensor_valid", "gauge", "whether the sensor's values are good",
            (
                f'{labels[:-1]},sensor="{sensor}"}} {values["valid"] >> bit & 1}'
                for node, values in report.items()
                for labels in (self._labels[node],)
                for bit, sensor in enumerate(names.SENSORS)
            ),
        )  # fmt: skip

    def _label_nodes(self, nodes: list[int], places: Places) -> None:
        for number in nodes:
            name = self._reading.names.get(number, f"node {number}")
            self._labels[number] = _labels(node=name, site=places.of(name).name)

    def _store(self) -> Iterator[str]:
        yield from _family(
            "lampione_store_up", "gauge", "whether the store can be read",
            [f" {int(self.error is None)}"],
        )  # fmt: skip
        if self._size is not None:
            yield from _family(
                "lampione_store_size_bytes", "gauge", "space that the store takes",
                [f" {self._size}"],
            )  # fmt: skip
        yield from _family(
            "lampione_nodes_fresh", "gauge", "nodes whose last report still holds",
            [f" {len(self._report)}"],
        )  # fmt: skip

    def _controller(self) -> Iterator[str]:
        status = self._status
        yield from _family(
            "lampione_controller_up", "gauge", "whether a controller answers",
            [f" {int(status is not None)}"],
        )  # fmt: skip
        if status is None:
            return
        yield from _family(
            "lampione_broker_connected", "gauge", "whether the controller has its broker",
            [f" {int(status['broker']['connected'])}"],
        )  # fmt: skip
        yield from _family(
            "lampione_broker_connects_total", "counter", "connections to the broker so far",
            [f" {status['broker']['connects']}"],
        )  # fmt: skip
        yield from _family(
            "lampione_nodes_online", "gauge", "nodes that are connected and speak",
            [f" {status['online']}"],
        )  # fmt: skip
        yield from _family(
            "lampione_frames_missing", "gauge", "frames that are still expected",
            [f" {status['counters']['missing']}"],
        )  # fmt: skip
        for name, meaning in _COUNTERS.items():
            yield from _family(
                f"lampione_frames_{name}_total", "counter", meaning,
                [f" {status['counters'][name]}"],
            )  # fmt: skip

    def _gauges(
        self, message: str, gauges: tuple[Gauge, ...], rows: dict[int, dict[str, int]]
    ) -> Iterator[str]:
        for field, name, factor, kind in gauges:
            steps = _FIELDS[message][field][5]
            scale = (1 / steps if steps > 0 else -steps) * factor
            sensor = SENSOR_OF.get(field) if message == "report" else None
            bit = None if sensor is None else names.SENSORS.index(sensor)
            meaning = MEANINGS[message.capitalize()].get(field, "length of the interval")
            yield from _family(
                name, kind, meaning,
                (
                    f"{self._labels[node]} {values[field] * scale:.9g}"
                    for node, values in rows.items()
                    if values[field] != batch.UNKNOWN
                    and (bit is None or values["valid"] >> bit & 1)
                ),
            )  # fmt: skip
