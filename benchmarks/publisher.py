"""A publisher that is faster than what it feeds: MQTT 3.1.1 packets made beforehand, QoS 1."""

import contextlib
import select
import socket
from collections.abc import Sequence

WINDOW = 512  # publishes in flight
_CONNACK_BYTES = 4
_PUBACK_BYTES = 4


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    size = len(body)
    length = bytearray()
    while True:
        size, low = size >> 7, size & 127
        length.append(low | 128 if size else low)
        if not size:
            return bytes([first]) + bytes(length) + body


def _read(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = wire.recv(count - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


class Wire:
    """A connection that publishes as told, at QoS 1, and reads acknowledgements when asked to."""

    def __init__(self, host: str, port: int, client: str = "bench-publisher") -> None:
        self._socket = socket.create_connection((host, port), timeout=60)
        self._socket.sendall(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x00" + _text(client)))
        if _read(self._socket, _CONNACK_BYTES)[3] != 0:
            raise ConnectionError("the broker refused the connection")
        self._mid = 0
        self._unread = 0  # bytes of acknowledgements to come

    def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish (topic, payload) of each."""
        packets = []
        for topic, payload in messages:
            self._mid = self._mid % 65535 + 1
            packets.append(_packet(0x32, _text(topic) + self._mid.to_bytes(2, "big") + payload))
        self._unread += _PUBACK_BYTES * len(packets)
        self._socket.sendall(b"".join(packets))

    def read(self) -> None:
        """Take in the acknowledgements that have come."""
        while self._unread and select.select([self._socket], [], [], 0)[0]:
            self._take()

    def drain(self) -> None:
        """Wait until everything is acknowledged."""
        while self._unread:
            self._take()

    def _take(self) -> None:
        data = self._socket.recv(min(self._unread, 1 << 16))
        if not data:
            raise ConnectionError("the broker closed the connection")
        self._unread -= len(data)

    def close(self) -> None:
        """Say goodbye."""
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()


def publish(host: str, port: int, messages: Sequence[tuple[str, bytes]]) -> None:
    """Publish all (topic, payload) and return once the broker has acknowledged each."""
    with contextlib.closing(Wire(host, port)) as wire:
        for start in range(0, len(messages), WINDOW):
            wire.send(messages[start : start + WINDOW])
            wire.drain()
