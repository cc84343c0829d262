"""What a bench on the virtual clock lets its caller do to the hub between its boards."""

from typing import Any, Protocol

from lampione_hil.virtual.hub import Publication


class Bench(Protocol):
    """What it needs of its bench."""

    def ask(self, name: str, *arguments: object, timeout_s: float = 30.0) -> Any:
        """Ask the supervisor."""


class HubControl:
    """The MQTT broker of a bench: it moves with virtual time, between two `run_for` it stands."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def published(self, since: int = 0) -> list[Publication]:
        """Return what was published by boards and bench, in order, without the first `since`."""
        found: list[Publication] = self._bench.ask("hub_published", since)
        return found

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish now; it comes to a board when it has gone its way in virtual time.

        Raises BenchError for a topic or a QoS (0 or 1) that is none.
        """
        self._bench.ask("hub_publish", topic, payload, qos, retain)

    def up(self, up: bool) -> None:
        """Switch the broker. Down: it ends every connection; it keeps sessions and messages."""
        self._bench.ask("hub_up", up)

    def refused(self) -> list[str]:
        """Return why clients were cut off, in order."""
        found: list[str] = self._bench.ask("hub_refused")
        return found
