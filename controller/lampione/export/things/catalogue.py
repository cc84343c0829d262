"""Everything but Observations: made of the fleet's file and of the names of stored nodes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from lampione_protocol import schema

from lampione.export.places import Place, Places
from lampione.export.text import iso
from lampione.export.words import MEANINGS, SENSORS
from lampione.rollup.measures import SENSOR_OF

STREAMS = {**SENSOR_OF, "lamp_level": "lamp"}
"""Field of a report that is a Datastream of its own, to the sensor that it comes from."""
_NAMES = {**SENSORS, "lamp": "luminaire"}
LAYOUT = {field[0]: field for field in schema.REPORT_FIELDS}
_POLLUTANT = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/"
_DEFINITIONS = {
    "pm1": _POLLUTANT + "6002",
    "pm2_5": _POLLUTANT + "6001",
    "pm10": _POLLUTANT + "5",
    "no2": _POLLUTANT + "8",
    "o3": _POLLUTANT + "7",
}
_QUDT = "http://qudt.org/vocab/unit/"
_UNITS = {
    # as people read it: (name, QUDT's)
    "": ("number", "NUM"),
    "%": ("percent", "PERCENT"),
    "dB": ("decibel", "DeciB"),
    "km/h": ("kilometre per hour", "KiloM-PER-HR"),
    "lx": ("lux", "LUX"),
    "ppb": ("part per billion", "PPB"),
    "W": ("watt", "W"),
    "°C": ("degree Celsius", "DEG_C"),
    "µg/m³": ("microgram per cubic metre", "MicroGM-PER-M3"),
}
_COUNT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation"
_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_GEOJSON = "application/geo+json"


class Relation(NamedTuple):
    """Where a link leads. many: to a set."""

    to: str
    many: bool


RELATIONS: dict[str, dict[str, Relation]] = {
    "Things": {
        "Locations": Relation("Locations", True),
        "HistoricalLocations": Relation("HistoricalLocations", True),
        "Datastreams": Relation("Datastreams", True),
    },
    "Locations": {
        "Things": Relation("Things", True),
        "HistoricalLocations": Relation("HistoricalLocations", True),
    },
    "HistoricalLocations": {
        "Thing": Relation("Things", False),
        "Locations": Relation("Locations", True),
    },
    "Datastreams": {
        "Thing": Relation("Things", False),
        "Sensor": Relation("Sensors", False),
        "ObservedProperty": Relation("ObservedProperties", False),
        "Observations": Relation("Observations", True),
    },
    "Sensors": {"Datastreams": Relation("Datastreams", True)},
    "ObservedProperties": {"Datastreams": Relation("Datastreams", True)},
    "Observations": {
        "Datastream": Relation("Datastreams", False),
        "FeatureOfInterest": Relation("FeaturesOfInterest", False),
    },
    "FeaturesOfInterest": {"Observations": Relation("Observations", True)},
}


class Catalogue:
    """The sets of entities by id. Ids are text: a node's name, a site's id, `node:field`.

    Made once for a fleet, and used by many requests at a time: nothing in it changes.

    Args:
        nodes: names that are stored, in order.
    """

    def __init__(self, nodes: Sequence[str], places: Places):
        self.nodes = nodes
        self._nodes = frozenset(nodes)
        self._places = places
        self._at: dict[str, list[str]] = {}
        for node in nodes:
            if node in places:
                self._at.setdefault(places.of(node).id, []).append(node)

    def fields(self, node: str) -> list[str]:
        """Return the fields that a node measures, all where its profile is not known."""
        sensors = self._places.sensors(node)
        if node not in self._places:
            return list(STREAMS)
        return [f for f, sensor in STREAMS.items() if sensor == "lamp" or sensor in sensors]

    def nodes_at(self, site: str) -> list[str]:
        """Return the stored nodes of a site."""
        return self._at.get(site, [])

    def ids(self, kind: str) -> Iterator[str]:
        """Yield the ids of a set."""
        if kind in ("Things", "HistoricalLocations"):
            yield from self.nodes
        elif kind in ("Locations", "FeaturesOfInterest"):
            yield from self._at
        elif kind == "Sensors":
            yield from _NAMES
        elif kind == "ObservedProperties":
            yield from STREAMS
        else:
            for node in self.nodes:
                for field in self.fields(node):
                    yield f"{node}:{field}"

    def related(self, kind: str, identifier: str, link: str) -> Iterator[str]:
        """Yield the ids that a link of an entity leads to; Observations are not among these."""
        if kind in ("Things", "HistoricalLocations"):
            if link == "Datastreams":
                yield from (f"{identifier}:{field}" for field in self.fields(identifier))
            elif link == "Locations":
                if identifier in self._places:
                    yield self._places.of(identifier).id
            else:  # a node's one history has the node's id
                yield identifier
        elif kind == "Locations":
            yield from self.nodes_at(identifier)
        elif kind == "Datastreams":
            node, _, field = identifier.partition(":")
            yield {"Thing": node, "Sensor": STREAMS[field], "ObservedProperty": field}[link]
        elif kind == "Observations":
            node, field = identifier.split(":")[:2]
            if link == "Datastream":
                yield f"{node}:{field}"
            elif node in self._places:
                yield self._places.of(node).id
        else:
            for stream in self.ids("Datastreams"):
                field = stream.partition(":")[2]
                if identifier == (STREAMS[field] if kind == "Sensors" else field):
                    yield stream

    def entity(
        self, kind: str, identifier: str, placed_at: Callable[[str], float | None]
    ) -> dict[str, Any] | None:
        """Return an entity's own properties; None: there is none.

        `placed_at`: when a node was first heard, Unix seconds, or None.
        """
        if kind == "HistoricalLocations":
            if identifier not in self._nodes or identifier not in self._places:
                return None
            at = placed_at(identifier)
            return None if at is None else {"time": iso(at)}
        make = {
            "Things": self._thing,
            "Locations": self._location,
            "Datastreams": self._stream,
            "Sensors": self._sensor,
            "ObservedProperties": self._property,
            "FeaturesOfInterest": self._feature,
        }[kind]
        return make(identifier)

    def _thing(self, node: str) -> dict[str, Any] | None:
        if node not in self._nodes:
            return None
        place = self._places.of(node)
        return {
            "name": node,
            "description": f"a lamppost, {place.name}" if place.name else "a lamppost",
            "properties": {
                "site": place.name or None,
                "sensors": sorted(self._places.sensors(node)),
            },
        }

    def _place(self, site: str) -> Place | None:
        nodes = self._at.get(site)
        return None if nodes is None else self._places.of(nodes[0])

    def _location(self, site: str) -> dict[str, Any] | None:
        place = self._place(site)
        return None if place is None else _placed(place, "location")

    def _feature(self, site: str) -> dict[str, Any] | None:
        place = self._place(site)
        return None if place is None else _placed(place, "feature")

    def _stream(self, identifier: str) -> dict[str, Any] | None:
        node, _, field = identifier.partition(":")
        if node not in self._nodes or field not in self.fields(node):
            return None
        unit = LAYOUT[field][6]
        name, code = _UNITS[unit]
        place = self._places.of(node)
        return {
            "name": f"{field} of {node}",
            "description": MEANINGS["Report"][field],
            "observationType": _COUNT if unit == "" else _MEASUREMENT,
            "unitOfMeasurement": {
                "name": name,
                "symbol": unit or "1",
                "definition": _QUDT + code,
            },
            **({"observedArea": _point(place)} if place.latitude is not None else {}),
        }

    def _sensor(self, name: str) -> dict[str, Any] | None:
        if name not in _NAMES:
            return None
        return {
            "name": name,
            "description": _NAMES[name],
            "encodingType": "text/html",
            "metadata": f"the lampposts' sensor of {_NAMES[name]}; parts: docs/sensors.md",
        }

    def _property(self, field: str) -> dict[str, Any] | None:
        if field not in STREAMS:
            return None
        return {
            "name": field,
            "definition": _DEFINITIONS.get(field, f"urn:x-lampione:report:{field}"),
            "description": MEANINGS["Report"][field],
        }


def _point(place: Place) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [place.longitude, place.latitude]}


def _placed(place: Place, key: str) -> dict[str, Any]:
    return {
        "name": place.name,
        "description": f"{place.name}{', approximate position' if place.approximate else ''}",
        "encodingType": _GEOJSON,
        key: _point(place),
        "properties": {"position_approximate": place.approximate},
    }
