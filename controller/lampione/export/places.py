"""Where nodes stand, of the fleet's file; and which of them are asked for."""

from collections.abc import Iterable
from typing import NamedTuple

from lampione.export import ExportError
from lampione.seeds import Seed


class Place(NamedTuple):
    """A site, as a reader of the data needs it. Degrees; None: the fleet has no such node."""

    id: str
    name: str
    latitude: float | None
    longitude: float | None
    approximate: bool


class Places:
    """The sites of a fleet's nodes.

    name: of the fleet.
    least_vehicles: with fewer in an interval, no speed is told.
    rated_w, sensors: of nodes, by name.
    """

    def __init__(self, seed: Seed):
        sites = {
            site.id: Place(site.id, site.name, site.latitude, site.longitude, site.approximate)
            for site in seed.sites
        }
        self.name = seed.fleet.name
        self.least_vehicles = seed.fleet.least_vehicles
        self.time_zone = seed.fleet.time_zone
        self._of = {node.id: sites[node.site] for node in seed.nodes}
        self._profiles = {node.id: seed.profiles[node.profile] for node in seed.nodes}

    def __contains__(self, node: str) -> bool:
        return node in self._of

    def of(self, node: str) -> Place:
        """Return where a node stands; a place without a position when it is not in the file."""
        return self._of.get(node) or Place("", "", None, None, True)

    def rated_w(self, node: str) -> float | None:
        """Return the power of a node's lamp at full level."""
        profile = self._profiles.get(node)
        return None if profile is None else profile.lamp.rated_w

    def box(self, nodes: Iterable[str]) -> tuple[float, float, float, float] | None:
        """Return least longitude and latitude, greatest longitude and latitude of nodes."""
        found = [
            (place.longitude, place.latitude)
            for place in map(self.of, nodes)
            if place.longitude is not None and place.latitude is not None
        ]
        if not found:
            return None
        longitudes, latitudes = zip(*found, strict=True)
        return min(longitudes), min(latitudes), max(longitudes), max(latitudes)

    def sensors(self, node: str) -> frozenset[str]:
        """Return the sensors that a node's profile has."""
        profile = self._profiles.get(node)
        return frozenset() if profile is None else frozenset(profile.sensors)

    def chosen(
        self, stored: Iterable[str], nodes: list[str] | None, sites: list[str] | None
    ) -> list[str] | None:
        """Return the nodes that are asked for by name or site; None: all. Raises ExportError."""
        if nodes is None and sites is None:
            return None
        known = set(stored)
        found: dict[str, None] = {}
        for name in nodes or ():
            if name not in known and name not in self:
                raise ExportError(f"there is no node {name!r}, neither stored nor in the fleet")
            found[name] = None
        wanted = {site.casefold() for site in sites or ()}
        missing = wanted - {
            text.casefold() for place in self._of.values() for text in (place.id, place.name)
        }
        if missing:
            raise ExportError(f"the fleet has no site {min(missing)!r}")
        for name, place in self._of.items():
            if {place.id.casefold(), place.name.casefold()} & wanted:
                found[name] = None
        return [name for name in found if name in known]
