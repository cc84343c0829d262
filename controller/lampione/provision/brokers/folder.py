"""Writes a broker's folder: certificates that still hold stay, everything else is made anew.

A folder a server, with nats.conf and users.conf or mosquitto.conf and acl, ca.pem, server.pem and
server.key; and `controller`, for whoever runs `lampione serve`: ca.pem, ingest-<shard>.pem, .key.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization

from lampione import private
from lampione.core.folder import FolderError, make_private
from lampione.provision.brokers import mosquitto, nats
from lampione.provision.brokers.rules import INGEST, Client
from lampione.provision.ca import Authority, Issued
from lampione.provision.errors import ProvisionError

CONTROLLER = "controller"
FILE_BYTES = 20 << 30  # a day and a half of 140,000 nodes at a report a minute
QUEUED_BYTES = 8 << 30
_RENEW = datetime.timedelta(days=90)


@dataclass(frozen=True)
class Written:
    """What was written: files by name, and which certificates are new."""

    files: tuple[Path, ...]
    issued: tuple[str, ...]


class _Folder:
    def __init__(self, path: Path, authority: Authority | None):
        self._path = path
        self._authority = authority
        self.files: list[Path] = []
        self.issued: list[str] = []
        _make(path)

    def put(self, where: str, content: bytes, mode: int = 0o600) -> None:
        """Write a file, whole or not at all."""
        path = self._path / where
        _make(path.parent)
        private.put(path, content, mode)
        self.files.append(path)

    def certificate(self, where: str, name: str, *, server: bool) -> str:
        """See that there is a certificate; return the SHA-256 of its public key, hex."""
        assert self._authority is not None
        self.put(str(Path(where).parent / "ca.pem"), self._authority.certificate_pem(), 0o644)
        kept = self._kept(where, name)
        if kept is None:
            issued = self._issue(name, server=server)
            self.put(f"{where}.key", issued.key_pem())
            self.put(f"{where}.pem", issued.certificate_pem(), 0o644)
            self.issued.append(name)
            kept = issued.certificate
        der = kept.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(der)
        return digest.finalize().hex()

    def _issue(self, name: str, *, server: bool) -> Issued:
        assert self._authority is not None
        if server:
            return self._authority.issue_server(name, of_cluster=True)
        return self._authority.issue_node(name)

    def _kept(self, where: str, name: str) -> x509.Certificate | None:
        """Return the certificate that is there, if it is good for a while and has its key."""
        assert self._authority is not None
        try:
            found = x509.load_pem_x509_certificate((self._path / f"{where}.pem").read_bytes())
            found.verify_directly_issued_by(self._authority.certificate)
            key = serialization.load_pem_private_key(
                private.read(self._path / f"{where}.key"), None
            )
        except (OSError, ValueError, TypeError, InvalidSignature, private.NotPrivateError):
            return None
        ends = datetime.datetime.now(datetime.UTC) + _RENEW
        good = found.subject.rfc4514_string() == f"CN={name}" and found.not_valid_after_utc > ends
        return found if good and key.public_key() == found.public_key() else None

    def sessions(self, clients: Sequence[Client]) -> None:
        """See that the session of every shard has its certificate."""
        for client in clients:
            if client.name.startswith(INGEST):
                self.certificate(f"{CONTROLLER}/{client.name}", client.name, server=False)

    @property
    def written(self) -> Written:
        return Written(tuple(dict.fromkeys(self.files)), tuple(self.issued))


def write_nats(
    path: Path,
    servers: Sequence[nats.Server],
    clients: Sequence[Client],
    authority: Authority | None,
    file_bytes: int = FILE_BYTES,
    sync: str = nats.SYNC,
) -> Written:
    """Write the files of a cluster, a folder a server. Raises ProvisionError, OSError.

    Args:
        authority: None: without TLS and rules, which is for trying on one machine.
    """
    folder = _Folder(path, authority)
    pins: list[str] | None = None
    if authority is not None:
        pins = [
            folder.certificate(f"{server.name}/server", server.host, server=True)
            for server in servers
        ]
        folder.sessions(clients)
    users = nats.users_config(clients) if authority is not None else ""
    for server in servers:
        text = nats.server_config(
            server, servers, clients=len(clients), file_bytes=file_bytes, pins=pins, sync=sync
        )
        folder.put(f"{server.name}/{nats.USERS}", users.encode())
        folder.put(f"{server.name}/nats.conf", text.encode())
    return folder.written


def write_mosquitto(
    path: Path,
    host: str,
    port: int,
    clients: Sequence[Client],
    authority: Authority,
    installed: Path | None = None,
) -> Written:
    """Write the files of one mosquitto. Raises ProvisionError, OSError."""
    folder = _Folder(path, authority)
    folder.certificate("mosquitto/server", host, server=True)
    folder.sessions(clients)
    folder.put(f"mosquitto/{mosquitto.ACL}", mosquitto.acl(clients).encode())
    lies = (installed or path.absolute()) / "mosquitto"
    _make(path / "mosquitto" / "store")
    text = mosquitto.server_config(host, port, lies, QUEUED_BYTES)
    folder.put("mosquitto/mosquitto.conf", text.encode())
    return folder.written


def _make(path: Path) -> None:
    try:
        make_private(path)
    except FolderError as error:
        raise ProvisionError(str(error), "or choose another folder") from None
