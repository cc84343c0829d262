"""NGSI-LD: entities of the Smart Data Models, from reports in steps.

Streetlight is the thing, one a node, as it last was. The others are observations: one for each
interval, whose id ends in its start; or, with `latest`, one a node that is said anew.

A value whose sensor calls it bad is left out, and so is what privacy forbids to tell. Names and
units are those of the models' documentation; units are UN/CEFACT common codes.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from lampione_protocol import names, schema

from lampione import batch
from lampione.export.places import Place
from lampione.export.rows import Reading, Wanted
from lampione.export.text import iso
from lampione.rollup.measures import SENSOR_OF
from lampione.store import Series, TelemetryReader

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"
_MODELS = "https://raw.githubusercontent.com/smart-data-models/dataModel.{}/master/context.jsonld"
TYPES = {
    "Streetlight": "Streetlighting",
    "AirQualityObserved": "Environment",
    "NoiseLevelObserved": "Environment",
    "TrafficFlowObserved": "Transportation",
}
# µg/m³ of a ppb at 293.15 K and 101.325 kPa, as Directive (EU) 2024/2881 reports gases.
UG_M3_OF_PPB = {"no2": 1.9125, "o3": 1.9953}

Entity = dict[str, Any]


class Attribute(NamedTuple):
    """One attribute: field of a Report, what to multiply its value by, unit code."""

    name: str
    field: str
    factor: float
    unit: str | None


AIR = (
    Attribute("pm1", "pm1", 1, "GQ"),
    Attribute("pm25", "pm2_5", 1, "GQ"),
    Attribute("pm10", "pm10", 1, "GQ"),
    Attribute("no2", "no2", UG_M3_OF_PPB["no2"], "GQ"),
    Attribute("o3", "o3", UG_M3_OF_PPB["o3"], "GQ"),
    Attribute("temperature", "temperature", 1, "CEL"),
    Attribute("relativeHumidity", "humidity", 0.01, "C62"),
)
NOISE = (
    Attribute("LAeq", "laeq", 1, "2N"),
    Attribute("LAmax", "lafmax", 1, "2N"),
)
LAMP = (
    Attribute("illuminanceLevel", "lamp_level", 0.01, "C62"),
    Attribute("powerConsumption", "lamp_power", 1, "WTT"),
)
FIELDS = sorted(
    {a.field for a in (*AIR, *NOISE, *LAMP)}
    | {"duration_s", "vehicles_toward", "vehicles_away", "speed_mean", "valid", "faults"}
)
_LAYOUT = {field[0]: field for field in schema.REPORT_FIELDS}
_LAMP_FAULT = names.FAULTS.index("lamp")


class _Row:
    """One report: values in units, None where unknown or bad."""

    def __init__(self, series: Series, row: int):
        self._columns, self._row = series.columns, row
        self.at = int(series.at[row])
        valid = self.steps("valid") or 0
        self._good = {name for bit, name in enumerate(names.SENSORS) if valid >> bit & 1}

    def steps(self, field: str) -> int | None:
        found = int(self._columns[field][self._row])
        return None if found == batch.UNKNOWN else found

    def value(self, field: str) -> float | None:
        found = self.steps(field)
        sensor = SENSOR_OF.get(field)
        if found is None or (sensor is not None and sensor not in self._good):
            return None
        steps = _LAYOUT[field][5]
        return float(found / steps if steps > 0 else found * -steps)


def _stated(value: Any, at: str, unit: str | None = None) -> dict[str, Any]:
    found = {"type": "Property", "value": value, "observedAt": at}
    return found | {"unitCode": unit} if unit else found


def _moment(text: str) -> dict[str, Any]:
    return {"type": "Property", "value": {"@type": "DateTime", "@value": text}}


def _attributes(row: _Row, wanted: tuple[Attribute, ...], at: str) -> dict[str, Any]:
    found = {}
    for name, field, factor, unit in wanted:
        value = row.value(field)
        if value is not None:
            found[name] = _stated(round(value * factor, 4), at, unit)
    return found


class Entities:
    """Makes entities of one fleet."""

    def __init__(self, reading: Reading, *, latest: bool, provider: str | None = None):
        self._reading = reading
        self._latest = latest
        self._provider = provider

    def of(self, reader: TelemetryReader, wanted: Wanted) -> Iterator[tuple[Entity, int, int]]:
        """Yield (entity, node, at), ordered by node. Nodes without a position have none.

        Raises StoreError.
        """
        last: tuple[str, _Row, int] | None = None
        for series in self._reading.series(reader, wanted._replace(fields=FIELDS), timed=True):
            for n, node in enumerate(series.nodes.tolist()):
                name = self._reading.names.get(node)
                if name is None or self._reading.places.of(name).latitude is None:
                    continue
                row = _Row(series, n)
                if last is not None and last[2] != node:
                    yield from self._ended(*last)
                last = name, row, node
                if not self._latest:
                    for entity in self._observed(name, row):
                        yield entity, node, row.at
        if last is not None:
            yield from self._ended(*last)

    def _ended(self, name: str, row: _Row, node: int) -> Iterator[tuple[Entity, int, int]]:
        yield self._streetlight(name, row), node, row.at
        if self._latest:
            for entity in self._observed(name, row):
                yield entity, node, row.at

    def _entity(self, kind: str, name: str, place: Place, start: str | None) -> Entity:
        ending = "" if start is None else f":{start.replace('-', '').replace(':', '')}"
        found: Entity = {
            "id": f"urn:ngsi-ld:{kind}:{name}{ending}",
            "type": kind,
            "name": {"type": "Property", "value": name},
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [place.longitude, place.latitude]},
            },
            "areaServed": {"type": "Property", "value": place.name},
        }
        if self._provider:
            found["dataProvider"] = {"type": "Property", "value": self._provider}
        return found

    def _closed(self, entity: Entity, attributes: dict[str, Any]) -> Entity:
        contexts = [_MODELS.format(TYPES[entity["type"]]), CORE]
        return entity | attributes | {"@context": contexts}

    def _streetlight(self, name: str, row: _Row) -> Entity:
        places = self._reading.places
        at = iso(row.at + int(row.value("duration_s") or 0))
        level = row.value("lamp_level")
        broken = (row.steps("faults") or 0) >> _LAMP_FAULT & 1
        attributes: dict[str, Any] = {
            "status": _stated("defectiveLamp" if broken else "ok", at),
            "observationDateTime": _moment(at),
            "controllingMethod": {"type": "Property", "value": "individual"},
        }
        if level is not None:
            attributes["powerState"] = _stated("on" if level else "off", at)
        rated = places.rated_w(name)
        if rated:
            attributes["powerRating"] = {"type": "Property", "value": rated, "unitCode": "WTT"}
        attributes |= _attributes(row, LAMP, at)
        return self._closed(
            self._entity("Streetlight", name, places.of(name), None), attributes
        )  # fmt: skip

    def _observed(self, name: str, row: _Row) -> Iterator[Entity]:
        place = self._reading.places.of(name)
        start = iso(row.at)
        end = iso(row.at + int(row.value("duration_s") or 0))
        interval: dict[str, Any] = {
            "dateObservedFrom": _moment(start),
            "dateObservedTo": _moment(end),
        }
        id_end = None if self._latest else start

        air = _attributes(row, AIR, start)
        if air:
            air |= {
                "dateObserved": _moment(start),
                "typeofLocation": {"type": "Property", "value": "outdoor"},
            }
            yield self._closed(self._entity("AirQualityObserved", name, place, id_end), air)
        noise = _attributes(row, NOISE, start)
        if noise:
            yield self._closed(
                self._entity("NoiseLevelObserved", name, place, id_end), interval | noise
            )
        toward, away = row.value("vehicles_toward"), row.value("vehicles_away")
        if toward is not None and away is not None:
            traffic = interval | {
                "dateObserved": {"type": "Property", "value": f"{start}/{end}"},
                "intensity": _stated(int(toward + away), start, "C62"),
            }
            speed = row.value("speed_mean")
            if speed is not None:
                traffic["averageVehicleSpeed"] = _stated(speed, start, "KMH")
            yield self._closed(self._entity("TrafficFlowObserved", name, place, id_end), traffic)
