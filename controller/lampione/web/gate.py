"""Who may come in: a token once, a cookie after that, and no page but ours."""

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from lampione import private

TOKEN_BYTES = 32
_LONGEST = 512  # of what claims to be a token
_LEAST = 22  # letters: 128 bits
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_WORDS = "open the address that `lampione web` printed: it has the token\n"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TokenError(Exception):
    """The token cannot be used; the text says what to do."""


def is_loopback(host: str) -> bool:
    """Say whether nobody but this computer reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(path: Path | None) -> str:
    """Return a new token, or that of a file, made where it is missing. Raises TokenError."""
    if path is None:
        return secrets.token_urlsafe(TOKEN_BYTES)
    try:
        found = private.read(path).decode("ascii").strip()
    except FileNotFoundError:
        found = secrets.token_urlsafe(TOKEN_BYTES)
        private.put(path, f"{found}\n".encode())
    except private.NotPrivateError as error:
        raise TokenError(f"{error}: and write another token") from None
    except UnicodeDecodeError:
        found = ""
    if len(found) < _LEAST or not all(c.isalnum() or c in "-_" for c in found):
        raise TokenError(
            f"{path} has no token: remove it, and one is made; a token has {_LEAST} letters or more"
        )
    return found


class Gate:
    """Lets in whoever has the token; after that by a cookie that is of this run alone.

    Args:
        hosts: what a browser may call us, with the port: anything else is another page's trick.
    """

    def __init__(self, token: str, port: int, hosts: frozenset[str]) -> None:
        self._token = token.encode()
        self._pass = secrets.token_urlsafe(TOKEN_BYTES).encode()
        self._hosts = hosts
        self.cookie = f"lampione-{port}"  # cookies know no ports

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 401 or 403, or let the request through."""
        response = await self._answer(request, handler)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if host not in self._hosts:
            return _no(403, "this address is not ours\n")
        origin = request.headers.get("Origin")
        asks_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if (origin is None and asks_socket) or origin not in (None, f"http://{host}"):
            return _no(403, "another page may not ask\n")
        if request.method not in ("GET", "HEAD"):
            return _no(405, "GET only\n")
        if self._same(request.cookies.get(self.cookie), self._pass):
            return await handler(request)
        if request.path == "/" and self._same(request.query.get("token"), self._token):
            # Not in the address any longer: histories and screens are looked at.
            answer = web.Response(status=303, headers={"Location": "/"})
            answer.set_cookie(
                self.cookie, self._pass.decode(), httponly=True, samesite="Strict", path="/"
            )
            return answer
        return _no(401, _WORDS)

    def _same(self, given: str | None, wanted: bytes) -> bool:
        said = (given or "")[:_LONGEST].encode("utf-8", "replace")
        return hmac.compare_digest(said, wanted)


def _no(status: int, words: str) -> web.Response:
    return web.Response(status=status, text=words)
