"""TCP between boards and the hub, in virtual time: everything takes LATENCY_US one way.

While a board has no air, what is under way in either direction waits and goes on when it has; a
board that dies leaves its connection half open, as no radio says goodbye for it.
"""

from collections import deque
from collections.abc import Callable

from lampione_hil.virtual.hub import BENCH, Hub
from lampione_hil.virtual.packets import Message
from lampione_hil.virtual.radio import Station
from lampione_hil.virtual.timeline import LATENCY_US

SEND_BYTES = 5760  # lwIP's TCP_SND_BUF on the ESP32: what may be under way unacknowledged
READABLE, WRITABLE, FAILED, HUNG_UP = 1, 4, 8, 16  # as `select.poll` says it

At = Callable[[int, Callable[[], None]], None]


class HubLink:
    """One connection of a board, as both ends see it."""

    def __init__(
        self, net: "HubNet", number: int, station: Station, news: Callable[[int], None], now_us: int
    ) -> None:
        self._net = net
        self._news = news  # to be told when something comes to the board
        self.number = number
        self._station = station
        self._alive = True  # the board's end
        self._connected = self._failed = self._ended = self._full = False
        self._received = bytearray()
        self._coming: deque[tuple[int, bytes | None]] = deque()  # when; b"": end; None: no such
        self._going: deque[list[int]] = deque()  # bytes, when acknowledged (-1: not sent yet)
        self._held_up: list[tuple[Callable[[int], None], list[int] | None]] = []
        self._held_down: list[bytes | None] = []
        station.links.append(self)
        self._up(net.opens(self), now_us)

    # The board's end

    def status(self, now_us: int) -> int:
        """Return what `select.poll` would say."""
        while self._coming and self._coming[0][0] <= now_us:
            data = self._coming.popleft()[1]
            if data is None:
                self._failed = True
            elif not self._connected:
                self._connected = True
            elif data:
                self._received += data
            else:
                self._ended = True
        if self._failed:
            return READABLE | WRITABLE | FAILED | HUNG_UP
        found = READABLE if self._received or self._ended else 0
        self._full = self._connected and not self._room(now_us)
        return found | (WRITABLE if self._connected and not self._full else 0)

    def next_us(self, now_us: int) -> int | None:
        """When there is something to do since the last `status`, as far as is known."""
        if self._received or self._ended or self._failed:
            return now_us
        times = [self._coming[0][0]] if self._coming else []
        if self._full and self._room(now_us):
            times.append(now_us)
        elif self._full and self._going[0][1] >= 0:
            times.append(self._going[0][1])
        return min(times, default=None)

    def send(self, data: bytes, now_us: int) -> int:
        """Send; return how many bytes were taken, -1: the connection is over."""
        status = self.status(now_us)
        if self._failed or not self._alive:
            return -1
        if not status & WRITABLE:
            return 0
        data = data[: self._room(now_us)]
        entry = [len(data), -1]
        self._going.append(entry)
        self._up(self._net.brings(self, data), now_us, entry)
        return len(data)

    def receive(self, length: int, now_us: int) -> bytes | None:
        """Return what has come, b"" at the end, None: nothing yet. Raises ConnectionError."""
        self.status(now_us)
        if self._received:
            found = bytes(self._received[:length])
            del self._received[:length]
            return found
        if self._failed:
            raise ConnectionError
        return b"" if self._ended else None

    def close(self, now_us: int) -> None:
        """Say goodbye."""
        if self._alive:
            self._alive = False
            self._up(self._net.ends(self), now_us)
            self._forget()

    def abandon(self) -> None:
        """The board has died: nobody is told."""
        self._alive = False
        self._held_up.clear()
        self._held_down.clear()
        self._forget()

    def _forget(self) -> None:
        if not self._alive and not self._held_up and self in self._station.links:
            self._station.links.remove(self)

    # The air

    def _room(self, now_us: int) -> int:
        while self._going and 0 <= self._going[0][1] <= now_us:
            self._going.popleft()
        return SEND_BYTES - sum(size for size, _ in self._going)

    def _up(self, call: Callable[[int], None], now_us: int, entry: list[int] | None = None) -> None:
        if not self._station.joined_at(now_us):
            self._held_up.append((call, entry))
            return
        at_us = now_us + LATENCY_US
        if entry is not None:
            entry[1] = at_us + LATENCY_US
        self._net.at(at_us, lambda: self._net.happens(call, at_us))

    def down(self, data: bytes | None, now_us: int) -> None:
        """Send what the hub says: bytes, b"" for its end, None: there is nobody."""
        if not self._alive:
            return
        if self._station.joined_at(now_us):
            self._coming.append((now_us + LATENCY_US, data))
            self._news(now_us + LATENCY_US)
        else:
            self._held_down.append(data)

    def air_changed(self, now_us: int) -> None:
        """The board's station has joined, or left."""
        if not self._station.joined_at(now_us):
            return
        held_up, self._held_up = self._held_up, []
        held_down, self._held_down = self._held_down, []
        for call, entry in held_up:
            self._up(call, now_us, entry)
            if entry is not None:
                self._news(entry[1])
        for data in held_down:
            self.down(data, now_us)
        self._forget()


class HubNet:
    """The hub with its connections."""

    def __init__(self, at: At) -> None:
        self.at = at
        self.hub = Hub()
        self.up = True
        self._links: dict[int, HubLink] = {}
        self._count = 0
        self._tick_us: int | None = None

    def connect(self, station: Station, news: Callable[[int], None], now_us: int) -> HubLink:
        """Connect a board to the hub; `news(us)` is called when something comes at a time."""
        self._count += 1
        return HubLink(self, self._count, station, news, now_us)

    def publish(self, message: Message, now_us: int) -> None:
        """Publish, as the bench."""
        self.happens(lambda at_us: self.hub.publish(BENCH, message, at_us), now_us)

    def set_up(self, up: bool, now_us: int) -> None:
        """Switch the hub; what it keeps of its clients outlives that."""
        if self.up and not up:
            self.happens(lambda _: self.hub.stop(), now_us)
        self.up = up

    # What comes over the air

    def opens(self, link: HubLink) -> Callable[[int], None]:
        """Return what happens when a connection's first packet comes."""

        def opened(at_us: int) -> None:
            if self.up:
                self._links[link.number] = link
                self.hub.opened(link.number, at_us)
                link.down(b"", at_us)  # the handshake
            else:
                link.down(None, at_us)

        return opened

    def brings(self, link: HubLink, data: bytes) -> Callable[[int], None]:
        """Return what happens when data come."""
        return lambda at_us: self.hub.received(link.number, data, at_us)

    def ends(self, link: HubLink) -> Callable[[int], None]:
        """Return what happens when a board's goodbye comes."""

        def ended(at_us: int) -> None:
            self.hub.lost(link.number, at_us)
            self._links.pop(link.number, None)

        return ended

    def happens(self, call: Callable[[int], None], at_us: int) -> None:
        """Let something happen at the hub, and pass on what it says."""
        call(at_us)
        for number, data in self.hub.take():
            link = self._links.get(number)
            if link is not None:
                link.down(data or b"", at_us)
                if data is None:
                    del self._links[number]
        due_us = self.hub.due_us()
        if due_us is not None and (self._tick_us is None or due_us < self._tick_us):
            self._tick_us = due_us
            self.at(due_us, lambda: self._tick(due_us))

    def _tick(self, due_us: int) -> None:
        if self._tick_us == due_us:
            self._tick_us = None
            self.happens(self.hub.tick, due_us)
