"""What goes onto a node: identity, key, certificates, settings, config. Secrets are in it.

/node.key           K_node, 32 bytes
/certs/ca.der       whom the node believes to be the broker
/certs/node.der     its own certificate, and /certs/node.key the key of it
/settings.json      id, shard, broker, Wi-Fi, parts with their calibration
/config/good        the config that runs from the first boot on
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lampione import keys, seeds, wanted
from lampione.broker_url import BrokerUrl
from lampione.config import blob, flash
from lampione.config.model import NodeConfig, Wifi
from lampione.provision.ca import Authority, Issued
from lampione.provision.errors import ProvisionError

KEY = "/node.key"
SETTINGS = "/settings.json"
CA, CERTIFICATE, CERTIFICATE_KEY = "/certs/ca.der", "/certs/node.der", "/certs/node.key"
CONFIG = flash.GOOD


@dataclass(frozen=True)
class NodeFiles:
    """One node's files.

    identity: all but the config, {path: content}.
    config: the binary config that the fleet's file wants.
    signing: the same, with an interval of reports fit for the sign-off.
    """

    node: str
    key: bytes = field(repr=False)
    identity: Mapping[str, bytes] = field(repr=False)
    config: bytes = field(repr=False)
    signing: bytes = field(repr=False)
    certificate: Issued

    def with_config(self, version: int, *, signing: bool) -> dict[str, bytes]:
        """Return all of them, in the order in which they are to be put in place."""
        config = self.signing if signing else self.config
        return {CONFIG: flash.file_of(version, config), **self.identity}


def make(
    seed: seeds.Seed,
    node: str,
    secrets: keys.Keys,
    authority: Authority,
    broker: BrokerUrl,
    wifi: Wifi | None,
    folder: Path,
    interval_s: int,
) -> NodeFiles:
    """Make a node's files, with a certificate of its own.

    Args:
        seed: the fleet, calibrations applied.
        broker: as the node reaches it.
        wifi: None: a network by cable, or the fleet's radio.
        folder: of the radios' password files.
        interval_s: of the reports while it is signed off.

    Raises ProvisionError, SeedError, OSError.
    """
    config = wanted.of(seed, node, secrets.groups, folder)
    certificate = authority.issue_node(node)
    settings = seeds.settings(
        seed,
        node,
        host=broker.host,
        port=broker.port,
        user=broker.user,
        password=broker.password,
        ssid="" if wifi is None else wifi.ssid,
        wifi_password="" if wifi is None else wifi.password.get_secret_value(),
    )
    if wifi is None:
        del settings["wifi"]
    if broker.tls:
        settings["broker"] |= {"tls": True, "ca": CA, "cert": CERTIFICATE, "key": CERTIFICATE_KEY}
    radio = config.radio_settings()
    if radio is not None:  # else the node would begin with one network and go on with another
        settings |= radio
    believed = authority.certificate_der() if broker.ca is None else _der(broker.ca)
    identity = {
        CA: believed,
        CERTIFICATE: certificate.certificate_der(),
        CERTIFICATE_KEY: certificate.key_der(),
        KEY: secrets[node],
        SETTINGS: json.dumps(settings).encode(),  # last: with it, it is the node
    }
    return NodeFiles(
        node,
        secrets[node],
        identity,
        blob.encode(config),
        blob.encode(_signing(config, interval_s)),
        certificate,
    )


def _signing(config: NodeConfig, interval_s: int) -> NodeConfig:
    """Return a config that reports often, starts at once and is otherwise the same."""
    tables: dict[str, Any] = config.model_dump()
    tables["reporting"]["report_interval_s"] = interval_s
    tables["lamp"]["start_delay_s"] = 0
    return NodeConfig.model_validate(tables)


def _der(path: Path) -> bytes:
    """Return the first certificate of a PEM file as nodes read it."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ProvisionError(
            f"{path}: {error.strerror}", "name the certificate of the broker's authority with ?ca="
        ) from None
    except ValueError:
        raise ProvisionError(
            f"{path} is no certificate in PEM", "name that of the broker's authority with ?ca="
        ) from None
    return certificate.public_bytes(serialization.Encoding.DER)
