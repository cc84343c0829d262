"""The air between a board and its access point: the station's state, and a relay for its TCP.

While the Wi-Fi is out, the relay holds what is under way. When a board loses its power, its
connections are left half open, as no radio says goodbye for a node that died.
"""

import secrets
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Protocol

IDLE, CONNECTING, GOT_IP, NO_AP, WRONG_PASSWORD = range(5)
JOIN_US = 200_000
_HEAD = 15  # key 8, blocking 1, address 4, port 2
_CHUNK = 65536

At = Callable[[int, Callable[[], None]], None]


class Carried(Protocol):
    """A connection over the air."""

    def air_changed(self, now_us: int) -> None:
        """The station has joined, or left."""

    def abandon(self) -> None:
        """The board has died without a word."""


class Station:
    """The Wi-Fi station of one board.

    Its times are the world's. A board on the virtual clock may be ahead of what has happened, so
    everything says at which time it is asked.
    """

    def __init__(self, up: bool, at: At, network: tuple[str, str] | None = None) -> None:
        self.key = secrets.token_bytes(8)
        self.up = up
        self.active = False
        self.state = IDLE
        self.links: list[Carried] = []
        self._wanted = False
        self._at = at
        self._network = network  # name and password of the access point; None: any
        self._asked = ("", "")
        self._joins_us = 0

    def reset(self) -> None:
        """The board has been reset: nothing is joined any more."""
        self.active = False
        self._wanted = False
        self.state = IDLE

    def set_active(self, flag: bool, now_us: int) -> None:
        """Switch the interface."""
        self.active = flag
        if not flag:
            self.disconnect(now_us)

    def connect(self, name: str, password: str, now_us: int) -> None:
        """Join, and join again whenever the access point comes back."""
        self._wanted = True
        self._asked = name, password
        self._try(now_us)

    def _try(self, now_us: int) -> None:
        if not self.up or (self._network and self._network[0] != self._asked[0]):
            self.state = NO_AP
        elif self._network and self._network != self._asked:
            self.state = WRONG_PASSWORD
        else:
            self.state = CONNECTING
            self._joins_us = now_us + JOIN_US
            self._at(self._joins_us, lambda: self._settle(self._joins_us))

    def disconnect(self, now_us: int) -> None:
        """Leave."""
        self._wanted = False
        self.state = IDLE
        self._air_changed(now_us)

    def set_up(self, up: bool, now_us: int) -> None:
        """Switch the access point."""
        self.up = up
        if self._wanted:
            self._try(now_us)
        self._air_changed(now_us)

    def _air_changed(self, now_us: int) -> None:
        for link in list(self.links):
            link.air_changed(now_us)

    @property
    def joined(self) -> bool:
        """Whether packets pass."""
        return self.state == GOT_IP

    def joined_at(self, now_us: int) -> bool:
        """Whether packets pass at a time."""
        self._settle(now_us)
        return self.joined

    def _settle(self, now_us: int) -> None:
        if self.state == CONNECTING and now_us >= self._joins_us:
            self.state = GOT_IP
            self._air_changed(self._joins_us)

    def abandon(self) -> None:
        """The board died without a word: its peers are not told."""
        for link in list(self.links):
            link.abandon()
        self.reset()


class Link:
    """One TCP connection: `inner` to the board, `outer` to the world."""

    def __init__(self, relay: "Relay", inner: socket.socket) -> None:
        self._relay = relay
        self._inner: socket.socket | None = inner
        self._outer: socket.socket | None = None
        self._station: Station | None = None
        self._head = b""
        self._blocking = False
        self._connected = False
        self._to_outer = bytearray()
        self._to_inner = bytearray()
        self._inner_ended = self._outer_ended = False
        inner.setblocking(False)
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        relay.watch(inner, selectors.EVENT_READ, self._header)

    def _header(self, _: int) -> None:
        assert self._inner is not None
        try:
            data = self._inner.recv(_HEAD - len(self._head))
        except OSError:
            data = b""
        self._head += data
        if not data:
            self.close()
        elif len(self._head) == _HEAD:
            self._dial()

    def _dial(self) -> None:
        self._station = self._relay.station(self._head[:8])
        if self._station is None:
            self.close()
            return
        self._station.links.append(self)
        self._blocking = self._head[8] == 1
        host = ".".join(str(b) for b in self._head[9:13])
        port = struct.unpack(">H", self._head[13:15])[0]
        self._outer = socket.socket()
        self._outer.setblocking(False)
        self._outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._outer.connect_ex((host, port))
        self.refresh()

    def air_changed(self, now_us: int) -> None:
        """The station has joined, or left."""
        del now_us
        self.refresh()

    def refresh(self) -> None:
        """Watch what may move now."""
        if self._outer is None or self._station is None:
            return
        air = self._station.joined
        if self._inner is not None:
            events = 0
            if air and not self._inner_ended and len(self._to_outer) < _CHUNK:
                events |= selectors.EVENT_READ
            if air and self._to_inner:
                events |= selectors.EVENT_WRITE
            self._relay.watch(self._inner, events, self._inner_ready)
        events = 0
        if not self._outer_ended and len(self._to_inner) < _CHUNK and (air or not self._inner):
            events |= selectors.EVENT_READ
        if not self._connected or (air and self._to_outer):
            events |= selectors.EVENT_WRITE
        self._relay.watch(self._outer, events, self._outer_ready)

    def _outer_ready(self, events: int) -> None:
        assert self._outer is not None
        if not self._connected:
            if self._outer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.close(refused=True)
                return
            self._connected = True
            if self._blocking:
                self._to_inner += b"\x01"
        try:
            if events & selectors.EVENT_READ:
                data = self._outer.recv(_CHUNK)
                if self._inner is not None:
                    self._to_inner += data
                self._outer_ended |= not data
            if events & selectors.EVENT_WRITE and self._to_outer:
                del self._to_outer[: self._outer.send(self._to_outer)]
        except BlockingIOError:
            pass
        except OSError:
            self.close(refused=True)
            return
        self._ends()

    def _inner_ready(self, events: int) -> None:
        assert self._inner is not None
        try:
            if events & selectors.EVENT_READ:
                data = self._inner.recv(_CHUNK)
                self._to_outer += data
                self._inner_ended |= not data
            if events & selectors.EVENT_WRITE and self._to_inner:
                del self._to_inner[: self._inner.send(self._to_inner)]
        except BlockingIOError:
            pass
        except OSError:
            self.close(refused=True)
            return
        self._ends()

    def _ends(self) -> None:
        served = self._outer_ended and (self._inner is None or not self._to_inner)
        sent = self._inner_ended and not self._to_outer and self._connected
        if served or sent:
            self.close()
        else:
            self.refresh()

    def abandon(self) -> None:
        """Drop the board's side; the other side stays open until its peer ends it."""
        if not self._connected:
            self.close()
            return
        if self._inner is not None:
            self._relay.forget(self._inner)
            self._inner.close()
            self._inner = None
        self._to_outer.clear()
        self._to_inner.clear()
        if self._station is not None and self in self._station.links:
            self._station.links.remove(self)
        self.refresh()

    def close(self, refused: bool = False) -> None:
        """Close both sides; `refused`: with a reset."""
        for side in (self._inner, self._outer):
            if side is None:
                continue
            self._relay.forget(side)
            if refused:
                linger = struct.pack("ii", 1, 0)
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            side.close()
        if self._station is not None and self in self._station.links:
            self._station.links.remove(self)
        self._inner = self._outer = None
        self._relay.links.discard(self)


class Relay:
    """The access point: a listener on the loopback that knows each board by its key."""

    def __init__(
        self, selector: selectors.BaseSelector, station: Callable[[bytes], Station | None]
    ) -> None:
        self._selector = selector
        self.station = station
        self.links: set[Link] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.watch(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self, _: int) -> None:
        try:
            inner, _address = self._listener.accept()
        except OSError:
            return
        self.links.add(Link(self, inner))

    def watch(self, sock: socket.socket, events: int, call: Callable[[int], None]) -> None:
        """Have `call` called on `events` (0: forget the socket)."""
        known = sock in self._selector.get_map()
        if not events:
            self.forget(sock)
        elif known:
            self._selector.modify(sock, events, call)
        else:
            self._selector.register(sock, events, call)

    def forget(self, sock: socket.socket) -> None:
        """Stop watching."""
        if sock in self._selector.get_map():
            self._selector.unregister(sock)
