"""A small server that reads: SensorThings below /v1.1, Prometheus at /metrics.

On the loopback unless it is told otherwise, GET and HEAD only, and for those who know its name:
a page in somebody's browser cannot reach it under a name of its own.
"""

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

from lampione.core.client import Client, CoreError
from lampione.core.folder import StateFolder
from lampione.export.metrics import CONTENT_TYPE, Scrape
from lampione.export.places import Places
from lampione.export.rows import Reading
from lampione.export.things import QueryError
from lampione.export.things.catalogue import Catalogue
from lampione.export.things.service import ROOT, Text, Things
from lampione.store import StoreError, TelemetryReader

CONNECTIONS_MAX = 64
ANSWERS_MAX = 16  # at a time
_NAMES_S = 10.0  # how long the names of the stored nodes are remembered
_TIMEOUT_S = 30.0
_STATUS_S = 2.0
_ADDRESS_MAX = 8192
_log = logging.getLogger("lampione.http")
_INDEX = b"""lampione gives data away here, to be read:
/v1.1      OGC SensorThings 1.1
/metrics   Prometheus
"""


class DataServer(ThreadingHTTPServer):
    """The server.

    Args:
        address: host and port; port 0: any that is free.
        reader: makes a reader of the store.
        url: how the world knows it, behind a proxy.
        state: of the controller whose health /metrics says too.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(
        self,
        address: tuple[str, int],
        reader: Callable[[], TelemetryReader],
        places: Places,
        *,
        health_interval_s: int = 900,
        url: str | None = None,
        state: StateFolder | None = None,
    ):
        self.reader = reader
        self.places = places
        self.health_interval_s = health_interval_s
        self.state = state
        self.places_free = threading.BoundedSemaphore(ANSWERS_MAX)
        self.scraping = threading.Lock()
        self._connections = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._reading: tuple[float, Reading] | None = None
        self._catalogue: tuple[Reading, Catalogue] | None = None
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)
        self.url = url.rstrip("/") if url else None
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        own = {host.lower(), "localhost", "127.0.0.1", "[::1]"}
        self.hosts = {f"{name}:{self.port}" for name in own} | (own if self.port == 80 else set())
        if url:
            self.hosts.add(urlsplit(url).netloc.lower())

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, or none when there are too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def reading(self) -> Reading:
        """Return what reads, with names of nodes that are a few seconds old at most."""
        known = self._reading
        if known is None or time.monotonic() - known[0] > _NAMES_S:
            known = self._reading = time.monotonic(), Reading(self.reader, self.places)
        return known[1]

    def catalogue(self, reading: Reading) -> Catalogue:
        """Return what SensorThings has of these nodes, made again when they are others."""
        known = self._catalogue
        if known is None or known[0] is not reading:
            names = sorted(reading.names.values())
            same = known is not None and known[1].nodes == names
            made = known[1] if known is not None and same else Catalogue(names, self.places)
            known = self._catalogue = reading, made
        return known[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever went away in the middle is none of our errors."""
        _log.debug("%s from %s ended early", request, client_address, exc_info=True)

    def status(self) -> dict[str, Any] | None:
        """Return what the controller says of itself; None: none answers."""
        if self.state is None:
            return None
        try:
            with Client.open(self.state.path, timeout_s=_STATUS_S) as core:
                found: dict[str, Any] = core.call("status", timeout_s=_STATUS_S)
                return found
        except (CoreError, TimeoutError):
            return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lampione"
    sys_version = ""
    timeout = _TIMEOUT_S

    @property
    def own(self) -> DataServer:
        """The server, by its own type."""
        return cast("DataServer", self.server)

    def do_GET(self) -> None:
        self._guarded()

    def do_HEAD(self) -> None:
        self._guarded()

    def _guarded(self) -> None:
        self.close_connection = self.close_connection or self._has_body()
        if self.headers.get("Host", "").lower() not in self.own.hosts:
            self._say(421, "this server is not known by that name: it reads for its own names only")
            return
        if not self.own.places_free.acquire(blocking=False):
            self._say(503, "too many requests at a time: try again", {"Retry-After": "1"})
            return
        try:
            self._answer()
        except QueryError as error:
            self._say(error.status, str(error))
        except StoreError as error:
            self._say(503, f"the store cannot be read: {error}")
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:  # noqa: BLE001 - the next request is another's
            _log.exception("a request could not be answered")
            self._say(500, "this is a fault of the server's: its log says more")
        finally:
            self.own.places_free.release()

    def _has_body(self) -> bool:
        return self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers

    def _answer(self) -> None:
        if len(self.path) > _ADDRESS_MAX:
            raise QueryError("the address is too long", 414)
        path, _, query = self.path.partition("?")
        if path in ("", "/"):
            self._send(200, "text/plain; charset=utf-8", [_INDEX])
        elif path == "/metrics":
            self._metrics()
        elif path == ROOT or path.startswith(ROOT + "/"):
            self._things(path.removeprefix(ROOT), query)
        else:
            raise QueryError(f"nothing is here: {ROOT} and /metrics are", 404)

    def _things(self, path: str, query: str) -> None:
        server = self.own
        base = server.url or f"http://{self.headers['Host']}"
        reading = server.reading()
        catalogue = server.catalogue(reading)
        with contextlib.closing(server.reader()) as reader:
            found = Things(reading, catalogue, reader, base).answer(path, query)
        if isinstance(found, Text):
            self._send(200, "text/plain; charset=utf-8", [found.encode()])
        else:
            text = json.dumps(found, ensure_ascii=False).encode()
            self._send(200, "application/json; charset=utf-8", [text])

    def _metrics(self) -> None:
        server = self.own
        with server.scraping:  # one at a time: two would read the same
            status = server.status()
            reading = server.reading()
            with contextlib.closing(server.reader()) as reader:
                scrape = Scrape(reading, reader, status, server.health_interval_s, time.time())
        self._send(200, CONTENT_TYPE, ["".join(scrape.lines()).encode()])

    def _say(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        text = json.dumps({"code": status, "type": "error", "message": message}).encode()
        self._send(status, "application/json; charset=utf-8", [text], headers)

    def _send(
        self,
        status: int,
        content_type: str,
        pieces: Iterable[bytes],
        headers: dict[str, str] | None = None,
    ) -> None:
        body = b"".join(pieces)
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            if self.close_connection:
                self.send_header("Connection", "close")
            for name, text in (headers or {}).items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def send_error(
        self,
        code: int,
        message: str | None = None,
        explain: str | None = None,  # noqa: ARG002 - the base class's
    ) -> None:
        """Refuse in JSON what the base class refuses; methods that write are among that."""
        self.close_connection = True
        if code == 501:
            code, message = 405, "GET and HEAD only: nothing can be changed here"
        self._say(
            code, message or "not understood", {"Allow": "GET, HEAD"} if code == 405 else None
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Log at a level that is silent unless it is asked for."""
        _log.debug(format, *args)
