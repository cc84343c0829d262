"""Where a broker is, as people write it: `mqtt://user:password@host:port`, `mqtts://...`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

PORT = 1883
TLS_PORT = 8883


class BrokerUrlError(ValueError):
    """Not a broker's URL. The text never holds the password."""


@dataclass(frozen=True)
class BrokerUrl:
    """One broker. `str()` leaves the password out.

    ca, cert, key: files for TLS, from `?ca=...&cert=...&key=...`; without `ca` the system's.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BrokerUrlError."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise BrokerUrlError(
                "a broker's URL is mqtt://host:port or mqtts://host:port"
            ) from None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
            raise BrokerUrlError("a broker's URL is mqtt://host:port or mqtts://host:port")
        tls = parts.scheme == "mqtts"
        files = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = files.keys() - {"ca", "cert", "key"}
        if unknown or (files and not tls):
            raise BrokerUrlError("after `?` only ca=, cert= and key= are known, and only for mqtts")
        if ("cert" in files) != ("key" in files):
            raise BrokerUrlError("a client certificate needs both cert= and key=")
        return cls(
            parts.hostname,
            port or (TLS_PORT if tls else PORT),
            tls,
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
            *(Path(files[name]) if name in files else None for name in ("ca", "cert", "key")),
        )

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}"
