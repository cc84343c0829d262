"""A board's serial line over TCP, with the two lines that reset it, for any RFC 2217 client."""

import contextlib
import selectors
import socket
from collections.abc import Callable

from lampione_hil.virtual.telnet import Events, Session, escaped

_CHUNK = 16384
_MOST = 1 << 20  # waiting for a client; a client that takes nothing loses what is beyond
_BUSY = b"busy: another client has this port\r\n"
CHARGE_S = 0.5  # both lines on, out of a reset: what comes next says which start is meant

After = Callable[[float, Callable[[], None]], None]


class ResetLines:
    """DTR and RTS as the two transistors of a development board have them.

    Only RTS: EN is low, the chip is held in reset. Only DTR: GPIO0 is low, and a reset that ends
    now ends in the ROM boot loader. Both or none: neither, so that a program that opens a port
    (both on) resets nothing. EN rises slowly: between "only RTS" and "only DTR" a client passes
    through "both", and must not start the program there.
    """

    def __init__(
        self, after: After, hold: Callable[[], None], release: Callable[[bool], None]
    ) -> None:
        self._after = after
        self._hold = hold
        self._release = release
        self._held = False
        self._step = 0

    def set(self, dtr: bool, rts: bool) -> None:
        """The lines have changed."""
        self._step += 1
        step = self._step
        if rts and not dtr:
            self._held = True
            self._hold()
        elif self._held and dtr and rts:
            self._after(CHARGE_S, lambda: self._charged(step))
        elif self._held:
            self._rise(loader=dtr)

    def _charged(self, step: int) -> None:
        if self._held and step == self._step:
            self._rise(loader=False)

    def _rise(self, loader: bool) -> None:
        self._held = False
        self._release(loader)


class Rfc2217Port:
    """A listener on the loopback for one client at a time; a second one is told that it is busy."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        lines: ResetLines,
        type_: Callable[[bytes], None],
        forget: Callable[[], None],
    ) -> None:
        self._selector = selector
        self._lines = lines
        self._type = type_
        self._forget = forget  # what was typed and not taken
        self._client: socket.socket | None = None
        self._session: Session | None = None
        self._out = bytearray()  # from the board, not yet escaped
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def url(self) -> str:
        """What pyserial opens."""
        return f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """End the client's connection and listen no more."""
        self._hang_up()
        self._selector.unregister(self._listener)
        self._listener.close()

    def show(self, data: bytes) -> None:
        """Send what the board printed."""
        if self._client is not None and len(self._out) < _MOST:
            self._out += data
            self._pour()

    def _accept(self, _: int) -> None:
        try:
            client, _address = self._listener.accept()
        except OSError:
            return
        if self._client is not None:
            with client, contextlib.suppress(OSError):
                client.send(_BUSY)
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._out.clear()
        self._session = Session(Events(self._type, self._lines.set, self._purge))
        self._selector.register(client, selectors.EVENT_READ, self._ready)
        self._pour()

    def _purge(self, to_client: bool, to_board: bool) -> None:
        if to_client:
            self._out.clear()
        if to_board:
            self._forget()

    def _ready(self, events: int) -> None:
        if self._client is None or self._session is None:
            return
        if events & selectors.EVENT_READ:
            try:
                data = self._client.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                return
            self._session.take(data)
        self._pour()

    def _pour(self) -> None:
        if self._client is None or self._session is None:
            return
        session = self._session
        if not session.suspended and len(session.out) < _CHUNK:
            session.out += escaped(bytes(self._out[:_CHUNK]))
            del self._out[:_CHUNK]
        with contextlib.suppress(BlockingIOError):
            try:
                del session.out[: self._client.send(session.out)]
            except BlockingIOError:
                raise
            except OSError:
                self._hang_up()
                return
        more = session.out or (self._out and not session.suspended)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if more else 0)
        self._selector.modify(self._client, events, self._ready)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._selector.unregister(self._client)
            self._client.close()
            self._client = self._session = None
            self._lines.set(False, False)  # the bridge lets go of both
