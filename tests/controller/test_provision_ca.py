"""The fleet's authority: what it keeps, what it refuses, what others make of its certificates."""

import json
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lampione.provision import ca
from lampione.provision.ca import Authority
from lampione.provision.errors import ProvisionError

from tests.brokers import KINDS, Kind, Tls, running_broker
from tests.node.mqtt_peer import Node, NodeError


def opened(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "ca", "Milan", apart_from=tmp_path / "state")


def test_its_key_is_private_and_stays_the_same(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert stat.S_IMODE((tmp_path / "ca" / ca.KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert opened(tmp_path).fingerprint() == first.fingerprint()
    assert isinstance(first.certificate.public_key(), ec.EllipticCurvePublicKey)
    assert "PRIVATE" not in repr(first.issue_node("a-1"))


def test_a_certificate_names_its_node_and_is_written_down(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    issued = [authority.issue_node("bligny-1"), authority.issue_node("bligny-1")]
    for one in issued:
        read = x509.load_der_x509_certificate(one.certificate_der())
        read.verify_directly_issued_by(authority.certificate)
        assert read.subject.rfc4514_string() == "CN=bligny-1"
        assert read.not_valid_after_utc <= authority.certificate.not_valid_after_utc
        key = serialization.load_der_private_key(one.key_der(), None)
        assert key.public_key() == read.public_key()
    noted = ca.issued(tmp_path / "ca")
    assert [one["serial"] for one in noted] == [one.serial for one in issued]
    assert issued[0].serial != issued[1].serial
    with (tmp_path / "ca" / ca.ISSUED).open("a") as file:
        file.write('{"serial": "torn by a power c')
    assert len(ca.issued(tmp_path / "ca")) == 2


def test_openssl_believes_it(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    server = authority.issue_server("mqtt.example")
    (tmp_path / "s.pem").write_bytes(server.certificate_pem())
    (tmp_path / "n.pem").write_bytes(authority.issue_node("a-1").certificate_pem())
    authority_file = tmp_path / "ca" / ca.CERTIFICATE
    for what, name in (("sslserver", "s.pem"), ("sslclient", "n.pem")):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", what, "-CAfile", str(authority_file),
             str(tmp_path / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    context = ssl.create_default_context(cafile=str(authority_file))
    assert context.cert_store_stats()["x509_ca"] == 1


def test_what_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="apart"):
        Authority.open(tmp_path / "state" / "ca", "Milan", apart_from=tmp_path / "state")
    opened(tmp_path)
    key, certificate = tmp_path / "ca" / ca.KEY, tmp_path / "ca" / ca.CERTIFICATE
    key.chmod(0o644)
    with pytest.raises(ProvisionError, match="chmod 600"):
        opened(tmp_path)
    key.chmod(0o600)
    (tmp_path / "ca").chmod(0o755)
    with pytest.raises(ProvisionError, match="chmod 700"):
        opened(tmp_path)
    (tmp_path / "ca").chmod(0o700)
    other = Authority.open(tmp_path / "other", "Rome", apart_from=tmp_path / "state")
    whole = certificate.read_bytes()
    certificate.write_bytes(other.certificate_pem())
    with pytest.raises(ProvisionError, match="do not belong together"):
        opened(tmp_path)
    certificate.write_bytes(b"rubbish")
    with pytest.raises(ProvisionError, match="holds no authority"):
        opened(tmp_path)
    certificate.write_bytes(whole)
    key.unlink()
    with pytest.raises(ProvisionError, match=r"ca\.key is missing"):
        opened(tmp_path)


def test_a_cut_between_key_and_certificate_is_made_good(tmp_path: Path) -> None:
    opened(tmp_path)
    (tmp_path / "ca" / ca.CERTIFICATE).unlink()
    (tmp_path / "ca" / f"{ca.CERTIFICATE}.new").write_bytes(b"torn")
    again = opened(tmp_path)
    again.issue_node("a-1").certificate.verify_directly_issued_by(again.certificate)


@pytest.mark.parametrize("kind", KINDS)
def test_node_and_broker_believe_each_other_by_it(kind: Kind, tmp_path: Path) -> None:
    authority = opened(tmp_path)
    server = authority.issue_server("localhost")
    issued = authority.issue_node("n001")
    rome = Authority.open(tmp_path / "b", "Rome", apart_from=tmp_path / "state")
    stranger = rome.issue_node("n001")
    names = {}
    for name, content in (
        ("server.pem", server.certificate_pem()), ("server.key", server.key_pem()),
        ("ca.der", authority.certificate_der()),
        ("node.der", issued.certificate_der()), ("node.key", issued.key_der()),
        ("x.der", stranger.certificate_der()), ("x.key", stranger.key_der()),
    ):  # fmt: skip
        names[name] = tmp_path / name
        names[name].write_bytes(content)
        names[name].chmod(0o600)
    tls = Tls(
        tmp_path / "ca" / ca.CERTIFICATE, names["server.pem"], names["server.key"], ask_client=True
    )
    with running_broker(kind, tmp_path, tls=tls) as broker:
        settings = {"host": "localhost", "port": broker.port, "tls": True,
                    "ca": str(names["ca.der"])}  # fmt: skip
        with Node() as node:
            own = {"cert": str(names["node.der"]), "key": str(names["node.key"])}
            node.connect(broker, settings=settings | own, later=True)
            node.do("close")
        foreign = {"cert": str(names["x.der"]), "key": str(names["x.key"])}

        def come(node: Node) -> None:
            node.connect(broker, settings=settings | foreign, later=True)
            node.do("subscribe", topic="lampione/v1/#")

        with Node() as node, pytest.raises(NodeError):
            come(node)


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(ca.VARIABLE, raising=False)
    assert ca.default_folder() == tmp_path / "lampione-ca"
    monkeypatch.setenv(ca.VARIABLE, "/elsewhere")
    assert ca.default_folder() == Path("/elsewhere")


def test_lines_of_many_processes_do_not_mix(tmp_path: Path) -> None:
    opened(tmp_path)
    program = (
        "import sys; from pathlib import Path; from lampione.provision.ca import Authority\n"
        "a = Authority.open(Path(sys.argv[1]), 'Milan', apart_from=Path('/nowhere'))\n"
        "for n in range(20): a.issue_node(f'n-{n}')"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "ca")]) for _ in range(2)
    ]
    assert [one.wait(30) for one in running] == [0, 0]
    lines = (tmp_path / "ca" / ca.ISSUED).read_text().splitlines()
    assert len({json.loads(line)["serial"] for line in lines}) == 40
