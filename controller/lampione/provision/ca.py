"""The fleet's own certificate authority: small, offline, in a folder apart from everything else.

    ca.key         EC P-256, mode 0600: whoever has it makes nodes that the broker believes
    ca.pem         its certificate, public: the broker gets it, and every node
    issued.jsonl   what was ever issued, a line each: name, serial number, dates

There is no revocation list: a node that is lost is taken out of the broker's rules by its name,
and out of `keys.json`. The serial numbers are kept so that one can be made.
"""

import contextlib
import datetime
import fcntl
import ipaddress
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lampione import private
from lampione.core.folder import FolderError, make_private
from lampione.provision.errors import ProvisionError

KEY = "ca.key"
CERTIFICATE = "ca.pem"
ISSUED = "issued.jsonl"
VARIABLE = "LAMPIONE_CA"

_YEAR = datetime.timedelta(days=365)
_CA_YEARS = 30
_NODE_YEARS = 15  # as long as a lamppost's electronics last; a node cannot ask for another
_SERVER_YEARS = 2
_EARLY = datetime.timedelta(days=1)  # a clock that is a little behind believes it too
_RESTORE = "restore both from their backup, or begin a new authority in another folder"
_lock = threading.Lock()


def default_folder() -> Path:
    """Return where the authority is kept: LAMPIONE_CA, or XDG_DATA_HOME/lampione-ca."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "lampione-ca"


@dataclass(frozen=True)
class Issued:
    """A certificate and its key. The key is nowhere else: it is not kept here."""

    name: str
    serial: str  # hex
    not_before: datetime.datetime
    not_after: datetime.datetime
    certificate: x509.Certificate = field(repr=False)
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def certificate_der(self) -> bytes:
        """Return the certificate as MicroPython reads it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key_der(self) -> bytes:
        """Return the key as MicroPython reads it."""
        return self.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )

    def key_pem(self) -> bytes:
        """Return the key as servers read it."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def certificate_pem(self) -> bytes:
        """Return the certificate as servers read it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """Use `open`."""

    def __init__(
        self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        self.folder = folder
        self._key = key
        self.certificate = certificate

    @classmethod
    def open(cls, folder: Path, fleet: str, *, apart_from: Path) -> Self:
        """Return the authority of a folder; it is made where there is none.

        Args:
            fleet: the fleet's name, for a new one's certificate.
            apart_from: the controller's folder, which must not hold it.

        Raises ProvisionError.
        """
        inside = folder.absolute()
        if inside == apart_from.absolute() or apart_from.absolute() in inside.parents:
            raise ProvisionError(
                f"the authority's folder {folder} lies in the controller's",
                "choose one apart from it with --ca: a backup of one must not hold the other",
            )
        try:
            make_private(folder)
            with _held(folder):
                if not (folder / CERTIFICATE).exists():
                    _make(folder, fleet)
                return cls(folder, *_load(folder))
        except FolderError as error:
            raise ProvisionError(str(error), "or choose another folder with --ca") from None
        except private.NotPrivateError as error:
            raise ProvisionError(str(error), "and see who may have read it") from None
        except FileNotFoundError as error:
            raise ProvisionError(f"{error.filename} is missing", _RESTORE) from None
        except (ValueError, TypeError, InvalidSignature):
            raise ProvisionError(f"{folder} holds no authority", _RESTORE) from None
        except OSError as error:
            raise ProvisionError(
                f"the authority in {folder}: {error.strerror}", "see who may write there"
            ) from None

    def certificate_der(self) -> bytes:
        """Return the authority's own certificate, as nodes read it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def certificate_pem(self) -> bytes:
        """Return the authority's own certificate, as servers read it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the authority's certificate, in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def issue_node(self, name: str) -> Issued:
        """Issue a node's client certificate. Its common name is the node's, and brokers' rules
        go by that. Raises OSError.
        """
        return self._issue(name, _NODE_YEARS, [ExtendedKeyUsageOID.CLIENT_AUTH], [])

    def issue_server(self, host: str, *, of_cluster: bool = False) -> Issued:
        """Issue a broker's certificate, for a name or an address. Raises OSError.

        Args:
            of_cluster: it connects to its neighbours, too, and shows the same certificate there.
        """
        names: list[x509.GeneralName]
        try:
            names = [x509.IPAddress(ipaddress.ip_address(host))]
        except ValueError:
            names = [x509.DNSName(host)]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH]
        if of_cluster:
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._issue(host, _SERVER_YEARS, usages, names)

    def _issue(
        self,
        name: str,
        years: int,
        usages: list[x509.ObjectIdentifier],
        names: list[x509.GeneralName],
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        ends = min(_now() + years * _YEAR, self.certificate.not_valid_after_utc)
        builder = _builder(_name(name), key, self.certificate.subject, ends)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        issued = Issued(
            name,
            f"{certificate.serial_number:x}",
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            certificate,
            key,
        )
        self._note(issued, "server" if names else "node")
        return issued

    def _note(self, issued: Issued, kind: str) -> None:
        """Write down what is issued, before anybody has it. Raises OSError."""
        line = {
            "serial": issued.serial,
            "name": issued.name,
            "kind": kind,
            "not_before": issued.not_before.isoformat(),
            "not_after": issued.not_after.isoformat(),
            "sha256": issued.certificate.fingerprint(hashes.SHA256()).hex(),
        }
        with _held(self.folder):
            descriptor = os.open(
                self.folder / ISSUED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
            )
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())


def issued(folder: Path) -> list[dict[str, Any]]:
    """Return what was issued, oldest first; a line that a power cut tore is left out."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / ISSUED).read_text("ascii", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, ends: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _EARLY)
        .not_valid_after(ends)
    )


def _make(folder: Path, fleet: str) -> None:
    """Make what is missing: the key, then its certificate, so that a cut can be made good."""
    if not (folder / KEY).exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        private.put(folder / KEY, pem, 0o600)
    key = _load_key(folder)
    subject = _name(f"{fleet[:48]} authority")  # a common name has 64 characters at most
    certificate = (
        _builder(subject, key, subject, _now() + _CA_YEARS * _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private.put(folder / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _load_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(private.read(folder / KEY), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not EC")
    return key


def _load(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = _load_key(folder)
    certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    certificate.verify_directly_issued_by(certificate)
    if key.public_key() != certificate.public_key():
        raise ProvisionError(f"key and certificate in {folder} do not belong together", _RESTORE)
    if certificate.not_valid_after_utc < _now():
        raise ProvisionError(
            f"the authority in {folder} ended on {certificate.not_valid_after_utc:%Y-%m-%d}",
            "begin a new one in another folder; the broker has to know both for a while",
        )
    return key, certificate


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder against other threads and processes; nothing is left behind by a crash."""
    with _lock:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
