"""What an MQTT broker keeps of a client, connected or not: subscriptions and what it still owes."""

from collections import deque

from lampione_hil.virtual.packets import Message, Publish, matches

QUEUE_MAX = 1000  # messages that wait for a client that is away; what comes then is dropped
IN_FLIGHT_MAX = 20  # messages that wait for their PUBACK at the same time


class Session:
    """One client's. `connection` is its number, or None while the client is away."""

    def __init__(self, client_id: str, clean: bool) -> None:
        self.client_id = client_id
        self.clean = clean
        self.connection: int | None = None
        self.filters: dict[str, int] = {}
        self._in_flight: dict[int, Message] = {}
        self._queue: deque[Message] = deque()
        self._mid = 0

    def wants(self, topic: str) -> int | None:
        """Return the highest QoS at which it subscribes to a topic, None where it does not."""
        found = [qos for pattern, qos in self.filters.items() if matches(pattern, topic)]
        return max(found, default=None)

    def give(self, message: Message) -> list[Publish]:
        """Take a message for the client; return what is to be sent now."""
        if not message.qos:
            return [] if self.connection is None else [Publish(message)]
        if len(self._queue) < QUEUE_MAX:
            self._queue.append(message)
        return self.due()

    def acknowledged(self, mid: int) -> list[Publish]:
        """Hear a PUBACK; return what is to be sent now. One for nothing is nothing."""
        self._in_flight.pop(mid, None)
        return self.due()

    def resumed(self) -> list[Publish]:
        """Return what is sent again, then what has waited, in order [4.4, 4.6]."""
        again = [Publish(message, mid, True) for mid, message in self._in_flight.items()]
        return again + self.due()

    def due(self) -> list[Publish]:
        """Return what may go out now."""
        found: list[Publish] = []
        while self.connection is not None and self._queue and len(self._in_flight) < IN_FLIGHT_MAX:
            message = self._queue.popleft()
            while True:
                self._mid = self._mid % 0xFFFF + 1
                if self._mid not in self._in_flight:
                    break
            self._in_flight[self._mid] = message
            found.append(Publish(message, self._mid))
        return found
