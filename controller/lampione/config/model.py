"""`NodeConfig`: the truth of what can be set on a node.

The binary config (`blob`), the reference (`docs/config.md`), the JSON schema and forms are made
from it. A section is a field of it; `REBOOT` names those that a node takes up with a restart.
"""

from typing import Annotated, Any, Literal, Self

from lampione_protocol.topics import NAME_MAX, is_name
from pydantic import AfterValidator, SecretBytes, SecretStr, model_validator

from lampione.config.light import Lamp, Night, Plan, Presence, Rule, Traffic
from lampione.config.table import Table, setting
from lampione.wiring import Parts

REBOOT = ("group", "reporting", "parts", "radio")
PLANS_MAX = 16
RULES_MAX = 64
GROUP_KEY_BYTES = 16


def _degrees(value: float) -> float:
    return round(value, 5) + 0.0  # no -0.0


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(f"{value!r} is not a name: use a-z, 0-9 and '-', {NAME_MAX} at most")
    return value


def _key(value: SecretBytes) -> SecretBytes:
    if len(value.get_secret_value()) != GROUP_KEY_BYTES:
        raise ValueError(f"a group's key has {GROUP_KEY_BYTES} bytes")
    return value


Degrees = Annotated[float, AfterValidator(_degrees)]
Name = Annotated[str, AfterValidator(_name)]
GroupKey = Annotated[SecretBytes, AfterValidator(_key)]


class Place(Table):
    """Where the node stands, and its wall clock."""

    latitude: Degrees | None = setting(
        None, "north; unknown: no sunrise and no sunset", "°", ge=-90, le=90
    )
    longitude: Degrees = setting(0.0, "east", "°", ge=-180, le=180)
    utc_offset_min: int = setting(60, "standard time less UTC", "min", ge=-840, le=840)
    summer_time: Literal["none", "eu"] = setting(
        "eu", "eu: an hour more from the last Sunday of March to that of October, 01:00 UTC each"
    )


class Group(Table):
    """The nodes that pass a wave of light along, in the order in which they stand."""

    name: Name = setting(..., "the group's, a part of its topic")
    member: int = setting(..., "the node's place in the row", ge=0, le=65535)
    key: GroupKey = setting(..., "the group's secret, 16 bytes; never shown")


class Reporting(Table):
    """What is told, and how often."""

    report_interval_s: int = setting(60, "a report each", "s", ge=1, le=510)
    health_interval_s: int = setting(900, "a health message each", "s", ge=1, le=86400)
    least_vehicles: int = setting(
        3, "fewer in an interval, and their speeds are not told", ge=3, le=255
    )
    noise_peaks: bool = setting(True, "single loud moments are told as events")


class Network(Table):
    """A network's name."""

    ssid: str = setting(..., "its name", min_length=1, max_length=32)


class Wifi(Network):
    """The network that the node joins."""

    password: SecretStr = setting(SecretStr(""), "never shown", max_length=64)


class Endpoint(Table):
    """A broker, as nodes reach it."""

    host: str = setting(..., "name or address", min_length=1, max_length=253)
    port: int = setting(1883, "TCP", ge=1, le=65535)
    tls: bool = setting(False, "encrypted, and the broker proves who it is")
    ca: str = setting("", "path of the authority's certificate on the flash", max_length=64)
    cert: str = setting("", "path of the node's certificate", max_length=64)
    key: str = setting("", "path of the node's key for it", max_length=64)
    user: str = setting("", "where the broker asks for one", max_length=64)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.tls and not self.ca:
            raise ValueError("ca: needed for tls")
        return self


class Broker(Endpoint):
    """The broker, with the node's password there."""

    password: SecretStr = setting(SecretStr(""), "never shown", max_length=64)


class Radio(Table):
    """How the node reaches the controller."""

    wifi: Wifi = setting(..., "the network")
    broker: Broker = setting(..., "the broker")


class NodeConfig(Table):
    """Everything that a node can be told, checked."""

    site: Place = setting(Place(), "place and time")
    lamp: Lamp = setting(Lamp(), "the luminaire")
    night: Night = setting(Night(), "day or night")
    plans: tuple[Plan, ...] = setting((), "levels of a night", strict=False, max_length=PLANS_MAX)
    rules: tuple[Rule, ...] = setting((), "the calendar", strict=False, max_length=RULES_MAX)
    traffic: Traffic = setting(Traffic(), "less light with little traffic")
    presence: Presence = setting(Presence(), "more light where somebody walks")
    group: Group | None = setting(None, "neighbours; none: the node is alone")
    reporting: Reporting = setting(Reporting(), "intervals and privacy")
    parts: Parts | None = setting(
        None, "sensors, meter and lamp output with their wiring; none: as provisioned"
    )
    radio: Radio | None = setting(None, "network and broker; none: as provisioned")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        numbers = [plan.number for plan in self.plans]
        if len(set(numbers)) < len(numbers):
            raise ValueError("plans: a number is there twice")
        for n, rule in enumerate(self.rules):
            if rule.plan and rule.plan not in numbers:
                raise ValueError(f"rules[{n}] plan: there is no plan {rule.plan}")
        return self

    def radio_settings(self) -> dict[str, Any] | None:
        """Return the radio as a board's settings have it, secrets in clear."""
        if self.radio is None:
            return None
        found: dict[str, Any] = self.radio.model_dump(exclude_defaults=True)
        for part in found.values():
            if "password" in part:
                part["password"] = part["password"].get_secret_value()
        return found
