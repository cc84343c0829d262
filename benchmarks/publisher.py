"""A publisher that is faster than what it feeds: MQTT 3.1.1 packets made beforehand, QoS 1."""

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


def publish(host: str, port: int, messages: Sequence[tuple[str, bytes]]) -> None:
    """Publish all (topic, payload) and return once the broker has acknowledged each."""
    with socket.create_connection((host, port), timeout=60) as wire:
        wire.sendall(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x00" + _text("bench-publisher")))
        if _read(wire, _CONNACK_BYTES)[3] != 0:
            raise ConnectionError("the broker refused the connection")
        for start in range(0, len(messages), WINDOW):
            batch = messages[start : start + WINDOW]
            wire.sendall(
                b"".join(
                    _packet(0x32, _text(topic) + (1 + n).to_bytes(2, "big") + payload)
                    for n, (topic, payload) in enumerate(batch)
                )
            )
            _read(wire, _PUBACK_BYTES * len(batch))
        wire.sendall(b"\xe0\x00")
