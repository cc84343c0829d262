"""The config that a fleet's file wants of a node."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretBytes, SecretStr, ValidationError

from lampione import private
from lampione.config.model import Broker, Group, NodeConfig, Place, Radio, Reporting, Wifi
from lampione.program_table import Program
from lampione.seeds import BrokerTable, RadioTable, Seed, SeedError, WifiTable
from lampione.wiring import Parts
from lampione.zones import rule_of


def of(
    seed: Seed, node_id: str, group_keys: Mapping[str, bytes], secrets: Path = Path()
) -> NodeConfig:
    """Return a node's config.

    Args:
        group_keys: secrets of groups by name.
        secrets: folder of the radios' password files.

    Raises KeyError for a node that the fleet does not have, SeedError for a secret that is not
    there.
    """
    node = seed.node(node_id)
    site = seed.site_of(node)
    fleet = seed.fleet
    offset_min, summer_time = rule_of(fleet.time_zone)
    group = None
    place = seed.group_of(node_id)
    if place is not None:
        name, member = place
        if name not in group_keys:
            raise SeedError(f"groups.{name}: has no key: make it with `lampione keys new --all`")
        group = Group(name=name, member=member, key=SecretBytes(group_keys[name]))
    program_name = seed.program_of(node)
    program = seed.programs[program_name] if program_name else Program()
    return NodeConfig.model_validate(
        {
            "site": Place(
                latitude=site.latitude,
                longitude=site.longitude,
                utc_offset_min=offset_min,
                summer_time=summer_time,
            ),
            "lamp": seed.profiles[node.profile].lamp,
            **program.sections(),
            "group": group,
            "reporting": Reporting(
                report_interval_s=fleet.report_interval_s,
                health_interval_s=fleet.health_interval_s,
                least_vehicles=fleet.least_vehicles,
                noise_peaks=fleet.noise_peaks,
            ),
            "parts": Parts.model_validate(seed.parts_of(node)),
            "radio": _radio(seed.radio_of(node), secrets),
        }
    )


def _radio(table: RadioTable | None, secrets: Path) -> Radio | None:
    if table is None:
        return None

    def password(of: WifiTable | BrokerTable) -> SecretStr:
        if of.password_file is None:
            return SecretStr("")
        path = secrets / of.password_file
        try:
            return SecretStr(private.read(path).decode().rstrip("\n"))
        except private.NotPrivateError as error:
            raise SeedError(str(error)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SeedError(f"{path}: {getattr(error, 'strerror', 'not UTF-8 text')}") from None

    try:
        return Radio(
            wifi=Wifi(ssid=table.wifi.ssid, password=password(table.wifi)),
            broker=Broker(
                **table.broker.model_dump(exclude={"password_file"}),
                password=password(table.broker),
            ),
        )
    except ValidationError as error:
        raise SeedError(f"a password: {error.errors()[0]['msg']}") from None
