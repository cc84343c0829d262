"""The node's MQTT client over TLS: whom it trusts, and how it says that it does not."""

import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.brokers import KINDS, Broker, Kind, Tls, running_broker
from tests.node.mqtt_peer import Node, NodeError

UP = "lampione/v1/porta/n001/up"
DAY = datetime.timedelta(days=1)


@dataclass
class Authority:
    """A certificate authority that writes its files into `folder`."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        certificate = (
            self._build(self._name, self._key, -1, 10)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self.folder / f"{self.name}.pem"
        self.pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.der = self.folder / f"{self.name}.der"
        self.der.write_bytes(certificate.public_bytes(serialization.Encoding.DER))

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, first: int, last: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first * DAY)
            .not_valid_after(now + last * DAY)
        )

    def issue(
        self,
        name: str,
        first: int = -1,
        last: int = 10,
        encoding: serialization.Encoding = serialization.Encoding.PEM,
    ) -> tuple[Path, Path]:
        """Write a certificate for `name`, valid between two days from now, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "127.0.0.1":
            names = [x509.IPAddress(ipaddress.ip_address(name))]
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._build(subject, key, first, last)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self.folder / f"{name}{first}.cert"
        path.write_bytes(certificate.public_bytes(encoding))
        key_path = path.with_suffix(".key")
        key_path.write_bytes(
            key.private_bytes(
                encoding,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return path, key_path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "city")


@pytest.fixture
def node() -> Iterator[Node]:
    with Node() as running:
        yield running


def secured(broker: Broker, ca: Path, host: str = "localhost", **more: str) -> dict[str, object]:
    return {"host": host, "port": broker.port, "tls": True, "ca": str(ca), **more}


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_of_our_authority_is_trusted(
    kind: Kind, tmp_path: Path, authority: Authority, node: Node
) -> None:
    cert, key = authority.issue("localhost")
    with running_broker(kind, tmp_path, tls=Tls(authority.pem, cert, key)) as broker:
        node.connect(broker, settings=secured(broker, authority.der), later=True)
        node.do("subscribe", topic="lampione/v1/#")
        node.publish(UP, b"x" * 500)
        assert node.message() == (UP, b"x" * 500)
        numbers = [node.send("publish", topic=UP, payload=f"{i:04x}") for i in range(20)]
        for number in numbers:
            node.result(number)
        assert len({node.message()[1] for _ in range(20)}) == 20
        node.do("close")


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_certificate_opens_a_broker_that_asks_for_one(
    kind: Kind, tmp_path: Path, authority: Authority, node: Node
) -> None:
    cert, key = authority.issue("localhost")
    tls = Tls(authority.pem, cert, key, ask_client=True)
    with running_broker(kind, tmp_path, tls=tls) as broker:
        with pytest.raises(NodeError, match=r"MqttUntrusted|MqttClosed"):
            node.connect(broker, settings=secured(broker, authority.der))
        mine, my_key = authority.issue("n001", encoding=serialization.Encoding.DER)
        files = {"cert": str(mine), "key": str(my_key)}
        node.connect(broker, settings=secured(broker, authority.der, **files))
        node.publish(UP, b"in")
        node.do("close")


def test_who_is_not_to_be_trusted(tmp_path: Path, authority: Authority, node: Node) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    cert, key = authority.issue("localhost")
    with running_broker("nats", tmp_path, tls=Tls(authority.pem, cert, key)) as broker:
        for wrong in (
            secured(broker, other.der),  # another authority
            secured(broker, authority.der, host="127.0.0.1"),  # another name
        ):
            with pytest.raises(NodeError, match="MqttUntrusted"):
                node.connect(broker, settings=wrong)
        with pytest.raises(NodeError, match=r"MqttClosed.*ENOENT"):
            node.connect(broker, settings=secured(broker, tmp_path / "nowhere"))
        node.connect(broker, settings=secured(broker, authority.der))


@pytest.mark.parametrize(("first", "last"), [(-5, -2), (2, 5)])
def test_a_certificate_out_of_its_dates_is_refused(
    first: int, last: int, tmp_path: Path, authority: Authority, node: Node
) -> None:
    cert, key = authority.issue("localhost", first, last)
    with (
        running_broker("nats", tmp_path, tls=Tls(authority.pem, cert, key)) as broker,
        pytest.raises(NodeError, match="MqttUntrusted"),
    ):
        node.connect(broker, settings=secured(broker, authority.der))


def test_a_plain_broker_is_not_taken_for_a_secure_one(
    tmp_path: Path, authority: Authority, node: Node
) -> None:
    with (
        running_broker("nats", tmp_path) as broker,
        pytest.raises(NodeError, match=r"Mqtt(Untrusted|Closed|Timeout)"),
    ):
        node.connect(broker, settings=secured(broker, authority.der), timeout_s=2)
