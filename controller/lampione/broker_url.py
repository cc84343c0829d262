"""Where a broker is, as people write it: `mqtt://user:password@host:port`, `mqtts://...`.

The servers of a cluster stand side by side: `mqtts://one:8883,two:8883,three:8883?ca=ca.pem`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from lampione import private

URL_VARIABLE = "LAMPIONE_BROKER"
PASSWORD_VARIABLE = "LAMPIONE_BROKER_PASSWORD"  # noqa: S105 - the variable's name
PORT = 1883
TLS_PORT = 8883


class BrokerUrlError(ValueError):
    """Not a broker's URL. The text never holds the password."""


_NO_USER = "a password needs a user: mqtt://user@host"


@dataclass(frozen=True)
class BrokerUrl:
    """One broker. `str()` leaves the password out.

    ca, cert, key: files for TLS, from `?ca=...&cert=...&key=...`; without `ca` the system's.
        In the names of certificate and key `{shard}` stands for the shard of a session.
    password: from the URL, or of the file in `?password-file=...`, which only its owner may read.
    others: further servers of the same cluster.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    others: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL, and the file of the password. Raises BrokerUrlError."""
        try:
            parts = urlsplit(text)
            user, at, servers = parts.netloc.rpartition("@")
            first, *more = servers.split(",")
            parts = parts._replace(netloc=user + at + first)
            port = parts.port
            others = [urlsplit(f"//{other}") for other in more]
            places = [(other.hostname, other.port) for other in others]
            if not all(host for host, _ in places):
                raise ValueError
        except ValueError:
            raise BrokerUrlError(
                "a broker's URL is mqtt://host:port or mqtts://host:port"
            ) from None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
            raise BrokerUrlError("a broker's URL is mqtt://host:port or mqtts://host:port")
        tls = parts.scheme == "mqtts"
        files = dict(parse_qsl(parts.query, keep_blank_values=True))
        password_file = files.pop("password-file", None)
        unknown = files.keys() - {"ca", "cert", "key"}
        if unknown or (files and not tls):
            raise BrokerUrlError(
                "after `?` only password-file= is known, and for mqtts ca=, cert= and key="
            )
        if ("cert" in files) != ("key" in files):
            raise BrokerUrlError("a client certificate needs both cert= and key=")
        password = None if parts.password is None else unquote(parts.password)
        if password_file is not None:
            if password is not None:
                raise BrokerUrlError("the password stands in the URL and in a file: leave one out")
            password = _password_of(Path(password_file))
        if password is not None and not parts.username:
            raise BrokerUrlError(_NO_USER)
        ca, cert, key = (
            Path(files[name]) if name in files else None for name in ("ca", "cert", "key")
        )
        usual = TLS_PORT if tls else PORT
        return cls(
            parts.hostname,
            port or usual,
            tls,
            None if parts.username is None else unquote(parts.username),
            password,
            ca,
            cert,
            key,
            tuple((host, port or usual) for host, port in places if host),
        )

    def for_session(self, shard: str, turn: int) -> Self:
        """Return the one server to try in this turn, with the certificate of this shard."""
        places = ((self.host, self.port), *self.others)
        host, port = places[turn % len(places)]
        cert, key = (
            None if path is None else Path(str(path).replace("{shard}", shard))
            for path in (self.cert, self.key)
        )
        return replace(self, host=host, port=port, cert=cert, key=key, others=())

    @classmethod
    def of(cls, argument: str | None, environment: Mapping[str, str]) -> Self | None:
        """Return the broker that a command line and its environment name, None for our own.

        The argument may not hold a password, since all users of the machine can read it.
        Raises BrokerUrlError.
        """
        text = argument or environment.get(URL_VARIABLE)
        if not text:
            return None
        if argument and _has_password(argument):
            raise BrokerUrlError(
                "a password on the command line can be read by everybody on this machine: put it "
                f"into {PASSWORD_VARIABLE}, the whole URL into {URL_VARIABLE}, or the password "
                "into a file of mode 0600 and add ?password-file=FILE"
            )
        url = cls.parse(text)
        password = environment.get(PASSWORD_VARIABLE)
        if not password or url.password is not None:
            return url
        if url.user is None:
            if argument:
                return url  # another one than the password is for
            raise BrokerUrlError(_NO_USER)
        return replace(url, password=password)

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        places = ((self.host, self.port), *self.others)
        shown = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places
        )
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{shown}"


def _has_password(text: str) -> bool:
    try:
        return urlsplit(text).password is not None
    except ValueError:
        return False  # `parse` says what is wrong


def _password_of(path: Path) -> str:
    try:
        return private.read(path).decode().rstrip("\r\n")
    except private.NotPrivateError as error:
        raise BrokerUrlError(str(error)) from None
    except UnicodeDecodeError:
        raise BrokerUrlError(f"{path} is no password: it is not UTF-8") from None
    except OSError as error:
        raise BrokerUrlError(f"{path}: {error.strerror}") from None
