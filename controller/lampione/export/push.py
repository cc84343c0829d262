"""Entities to a context broker: NGSI-LD's batch upsert, tried again where that can help."""

import email.utils
import http.client
import json
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lampione import private
from lampione.export import ExportError

PATH = "/ngsi-ld/v1/entityOperations/upsert?options=update"
BATCH = 100
BATCH_BYTES = 512 * 1024  # brokers refuse bodies of 1 MB and more
TRIES = 6
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_TIMEOUT_S = 30.0
_ANSWER_MAX = 1 << 20
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


def token_of(path: Path) -> str:
    """Read a bearer token from a file of mode 0600. Raises ExportError; nothing shows the token."""
    try:
        token = private.read(path).decode("ascii").strip()
    except private.NotPrivateError as error:
        raise ExportError(str(error)) from None
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        token = ""
    if not token or any(character.isspace() or not character.isprintable() for character in token):
        raise ExportError(f"{path} holds no token: one line of letters and signs")
    return token


class ContextBroker:
    """A broker that takes entities.

    Args:
        url: of the broker; `/ngsi-ld/v1/...` is added unless it is there.
        token: for `Authorization: Bearer`.
        tenant: for `NGSILD-Tenant`.
        wait: instead of time.sleep.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        tenant: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ):
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ExportError("a broker's URL is http://host:port or https://host:port")
        if token is not None and parts.scheme == "http" and not _is_here(parts.hostname):
            raise ExportError("a token goes over https only: anybody on the way could read it")
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/").removesuffix("/ngsi-ld/v1") + PATH
        self._headers = {"Content-Type": "application/ld+json", "Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        if tenant is not None:
            self._headers["NGSILD-Tenant"] = tenant
        host = parts.hostname
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        )
        self._wait = wait
        self._held: list[bytes] = []
        self._ids: set[str] = set()
        self._size = 0
        self.sent = 0  # entities
        self.batches = 0
        self.again = 0  # tries that were repeated

    def write(self, entity: dict[str, Any]) -> None:
        """Add an entity; send when a batch is full. Raises ExportError."""
        text = json.dumps(entity, ensure_ascii=False).encode()
        full = len(self._held) >= BATCH or self._size + len(text) > BATCH_BYTES
        if full or entity["id"] in self._ids:  # of two with one id the order would be the broker's
            self._flush()
        self._held.append(text)
        self._ids.add(entity["id"])
        self._size += len(text) + 1

    def close(self) -> None:
        """Send what is left. Raises ExportError."""
        self._flush()
        self._connection.close()

    def _flush(self) -> None:
        if not self._held:
            return
        body = b"[" + b",".join(self._held) + b"]"
        count = len(self._held)
        self._held, self._ids, self._size = [], set(), 0
        wait_s = _FIRST_WAIT_S
        said = ""
        for left in reversed(range(TRIES)):
            try:
                status, answer, after_s = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                said = f"cannot be reached: {getattr(error, 'strerror', None) or error}"
                after_s = None
            else:
                if status in (200, 201, 204):
                    self.sent += count
                    self.batches += 1
                    return
                said = f"answers {status}: {_told(answer)}"
                if status not in _AGAIN:
                    break
            if not left:
                break
            self.again += 1
            self._wait(min(after_s if after_s is not None else wait_s, _LONGEST_WAIT_S))
            wait_s *= 2
        self._connection.close()
        raise ExportError(
            f"the broker {self._where} {said}; {self.sent} entities had been taken before"
        )

    def _post(self, body: bytes) -> tuple[int, bytes, float | None]:
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read(_ANSWER_MAX)
        if response.read(1):
            self._connection.close()  # what is left of it would be taken for the next answer
        return response.status, answer, _seconds(response.headers.get("Retry-After"))


def _is_here(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _told(answer: bytes) -> str:
    """Return what a broker says of an error, in one line: its problem details, or its text."""
    try:
        found = json.loads(answer)
    except ValueError:
        return _line(answer.decode(errors="replace"))
    errors: Sequence[Any] = found.get("errors", ()) if isinstance(found, dict) else ()
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        told = _problem(first.get("error")) or _problem(first)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return _line(f"{first.get('entityId', 'an entity')}: {told}{more}")
    return _line(_problem(found))


def _line(text: str) -> str:
    """Return text of a stranger's as one short line that steers no terminal."""
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)[:300] or "nothing more"


def _problem(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    return ": ".join(str(found[key]) for key in ("title", "detail") if found.get(key))
