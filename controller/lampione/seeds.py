"""The fleet as people write it: one TOML file of profiles, sites and nodes, checked at the edge.

Every mistake is named by file, table and key. `seeds/milan.toml` is the example.
"""

import tomllib
from collections.abc import Callable, Container, Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from lampione.config.model import Endpoint, Name, Network
from lampione.config.table import Table
from lampione.program_table import Program
from lampione.wiring import PINS, UNITS, Parts, Profile
from lampione.zones import rule_of

SHIPPED = "milan"


class SeedError(ValueError):
    """The fleet's file cannot be used; the message names file, table and key."""


def _zone(value: str) -> str:
    rule_of(value)
    return value


class Site(Table):
    """Where a node stands. Degrees north and east; approximate: not surveyed.

    shard: of the nodes that stand there, instead of the fleet's.
    """

    id: Name
    name: str = Field(min_length=1, max_length=60)
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    approximate: bool = False
    shard: Name | None = None
    measures: tuple[Literal["environmental", "acoustic", "traffic"], ...] = Field(
        default=(), strict=False
    )


class Node(Table):
    """The computer in a lamppost; planned: it has a place and nothing to run.

    calibration: what differs from unit to unit, {part: {setting: number}}, over the profile's.
    program, radio: instead of the profile's.
    latitude, longitude: its own place, surveyed, instead of its site's; for maps.
    feeder: what its mains come from; when most of a feeder is silent, that is one alarm.
    """

    id: Name
    site: Name
    profile: Name
    planned: bool = False
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    calibration: dict[str, dict[str, int]] = Field(default_factory=dict)
    program: Name | None = None
    radio: Name | None = None
    feeder: Name | None = None

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        return self


class WifiTable(Network):
    """A network; its password stands alone in a file of mode 0600, as the broker's does."""

    password_file: str | None = None


class BrokerTable(Endpoint):
    """A broker."""

    password_file: str | None = None


class RadioTable(Table):
    """How nodes reach the controller, where it is not left as it was provisioned."""

    wifi: WifiTable
    broker: BrokerTable


class GroupTable(Table):
    """Neighbours that pass a wave of light along, in the order in which they stand."""

    nodes: tuple[Name, ...] = Field(strict=False, min_length=1)


class FleetTable(Table):
    """What holds for all nodes. Intervals in seconds.

    least_vehicles: with fewer in an interval, speeds are not told.
    """

    name: str = Field(min_length=1)
    shard: Name
    time_zone: Annotated[str, AfterValidator(_zone)] = "Europe/Rome"
    report_interval_s: int = Field(default=60, ge=1, le=510)
    health_interval_s: int = Field(default=900, ge=10, le=86400)
    least_vehicles: int = Field(default=3, ge=3, le=255)
    noise_peaks: bool = True


def _unique(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for n, one in enumerate(ids):
        if one in seen:
            raise ValueError(f"{what}[{n}] id: {one!r} is there twice")
        seen.add(one)


class Seed(Table):
    """A fleet's file."""

    fleet: FleetTable
    profiles: dict[Name, Profile]
    programs: dict[Name, Program] = Field(default_factory=dict)
    radios: dict[Name, RadioTable] = Field(default_factory=dict)
    sites: tuple[Site, ...] = Field(strict=False)
    nodes: tuple[Node, ...] = Field(strict=False)
    groups: dict[Name, GroupTable] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _unique("sites", (s.id for s in self.sites))
        _unique("nodes", (n.id for n in self.nodes))
        sites = {s.id for s in self.sites}
        for n, node in enumerate(self.nodes):
            if node.site not in sites:
                raise ValueError(f"nodes[{n}] site: there is no site {node.site!r}")
            if node.profile not in self.profiles:
                raise ValueError(f"nodes[{n}] profile: there is no profile {node.profile!r}")
            try:
                self.parts_of(node)
            except ValueError as error:
                raise ValueError(f"nodes[{n}] calibration: {error}") from None
        self._check_named("program", self.programs)
        self._check_named("radio", self.radios)
        self._check_groups()
        return self

    def _check_named(self, what: str, known: Container[str]) -> None:
        places = {f"profiles.{name}": profile for name, profile in self.profiles.items()}
        for place, table in (
            *places.items(),
            *((f"nodes[{n}]", m) for n, m in enumerate(self.nodes)),
        ):
            name = getattr(table, what)
            if name is not None and name not in known:
                raise ValueError(f"{place} {what}: there is no {what} {name!r}")

    def _check_groups(self) -> None:
        ids = {node.id for node in self.nodes}
        groups: dict[str, str] = {}
        for name, group in self.groups.items():
            for n, node_id in enumerate(group.nodes):
                place = f"groups.{name} nodes[{n}]"
                if node_id not in ids:
                    raise ValueError(f"{place}: there is no node {node_id!r}")
                if node_id in groups:
                    raise ValueError(
                        f"{place}: {node_id!r} is in group {groups[node_id]!r} already"
                    )
                groups[node_id] = name
            if len({self.shard_of(node_id) for node_id in group.nodes}) > 1:
                raise ValueError(f"groups.{name} nodes: they are of more than one shard")

    def shard_of(self, node_id: str) -> str:
        """Return the shard of a node; one that is not of the file is of the fleet's."""
        return self._shards.get(node_id, self.fleet.shard)

    @cached_property
    def _shards(self) -> dict[str, str]:
        sites = {site.id: site.shard for site in self.sites}
        return {node.id: sites[node.site] or self.fleet.shard for node in self.nodes}

    @property
    def shards(self) -> list[str]:
        """Every shard of the fleet."""
        return sorted({self.fleet.shard, *self._shards.values()})

    @property
    def running(self) -> tuple[Node, ...]:
        """The nodes that are not planned."""
        return tuple(n for n in self.nodes if not n.planned)

    def node(self, node_id: str) -> Node:
        """Return a node by its id. Raises KeyError."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def program_of(self, node: Node) -> str | None:
        """Return the name of a node's program; None: the design level by sun and photocell."""
        return node.program or self.profiles[node.profile].program

    def radio_of(self, node: Node) -> RadioTable | None:
        """Return a node's radio; None: as provisioned."""
        name = node.radio or self.profiles[node.profile].radio
        return None if name is None else self.radios[name]

    def group_of(self, node_id: str) -> tuple[str, int] | None:
        """Return (group, member number) of a node; None: it is alone."""
        for name, group in self.groups.items():
            if node_id in group.nodes:
                return name, group.nodes.index(node_id)
        return None

    def parts_of(self, node: Node) -> dict[str, dict[str, int | str]]:
        """Return the settings of a node's parts, its own calibration in them. Raises ValueError."""
        parts = self.profiles[node.profile].parts.settings()
        for part, settings in node.calibration.items():
            if part not in parts:
                raise ValueError(f"{part}: its profile has no such part")
            for name in settings:
                if name in PINS or name in UNITS:
                    raise ValueError(f"{part}.{name}: wiring belongs to the profile")
            parts[part] |= settings
        try:
            return Parts.model_validate(parts).settings()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            raise ValueError(f"{place}: {_WORDS.get(first['type'], first['msg'])}") from None

    def site_of(self, node: Node) -> Site:
        """Return the site where a node stands."""
        return next(s for s in self.sites if s.id == node.site)


def shipped(name: str = SHIPPED) -> Path:
    """Return the path of a fleet that comes with Lampione, in a checkout or installed.

    Raises SeedError.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "_seeds", here.parents[1] / "seeds"):
        path = folder / f"{name}.toml"
        if path.is_file():
            return path
    raise SeedError(f"no fleet {name!r} comes with Lampione: give the path of a .toml file")


def _place(loc: tuple[int | str, ...], ids: Callable[[str, int], str | None]) -> str:
    """Write a place as people do: `nodes[3] (bligny-1) site`, `profiles.x.parts.lamp pin`."""
    tables = ""
    for n, step in enumerate(loc[:-1]):
        if isinstance(step, int):
            known = ids(str(loc[n - 1]), step)
            tables += f"[{step}]" + (f" ({known})" if known else "")
        else:
            tables += ("." if tables else "") + step
    last = loc[-1] if loc else ""
    if isinstance(last, int):
        return f"{tables}[{last}]"
    return f"{tables} {last}".strip()


_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; check the spelling",
    "union_tag_invalid": "is of no kind that is known here",
}


def _explain(error: ValidationError, document: dict[str, Any]) -> str:
    def ids(table: str, n: int) -> str | None:
        try:
            found = document[table][n]["id"]
        except (KeyError, IndexError, TypeError):
            return None
        return found if isinstance(found, str) else None

    # A misspelt key also leaves one missing: name the misspelling.
    first, *more = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    # Of a part with several kinds pydantic names the class that it tried.
    loc = tuple(
        s for s in first["loc"] if s != "[key]" and not (isinstance(s, str) and s[:1].isupper())
    )
    message = _WORDS.get(first["type"])
    if message is None:
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:] if message[:1].isalpha() else message
    place = _place(loc, ids)
    text = f"{place}: {message}" if place else message
    if more:
        text += f" (and {len(more)} more)"
    return text


def loads(text: str, name: str) -> Seed:
    """Read a fleet from TOML text; `name` is the file's in messages. Raises SeedError."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, a thousand brackets
        raise SeedError(f"{name}: not TOML: {error}") from None
    try:
        return Seed.model_validate(document)
    except ValidationError as error:
        raise SeedError(f"{name}: {_explain(error, document)}") from None


def load(path: Path | None = None) -> Seed:
    """Read a fleet's file, or Milan's when none is given. Raises SeedError."""
    path = shipped() if path is None else path
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SeedError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SeedError(f"{path}: not UTF-8 text") from None
    return loads(text, path.name)


def settings(
    seed: Seed,
    node_id: str,
    *,
    host: str,
    port: int,
    report_interval_s: int | None = None,
    health_interval_s: int | None = None,
    user: str | None = None,
    password: str | None = None,
    ssid: str = "",
    wifi_password: str = "",
) -> dict[str, Any]:
    """Return a node's `/settings.json`.

    Args:
        host, port: of the broker, as the node reaches it.
        report_interval_s, health_interval_s: instead of the fleet's.
        user, password: at the broker, where it asks for them.
        ssid, wifi_password: of the network that the node joins.

    Raises KeyError for a node that the fleet does not have.
    """
    node = seed.node(node_id)
    profile = seed.profiles[node.profile]
    broker: dict[str, Any] = {"host": host, "port": port}
    if user is not None:
        broker |= {"user": user, "password": password or ""}
    return {
        "node": node.id,
        "shard": seed.shard_of(node.id),
        "broker": broker,
        "wifi": {"ssid": ssid, "password": wifi_password},
        "report_interval_s": report_interval_s or seed.fleet.report_interval_s,
        "health_interval_s": health_interval_s or seed.fleet.health_interval_s,
        "parts": seed.parts_of(node),
        "lamp": profile.lamp.model_dump(include={"design_percent", "rated_w"}),
        "outbox_bytes": profile.outbox_bytes,
    }
