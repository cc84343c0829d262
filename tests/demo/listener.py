"""Hears every frame on the broker, as an attacker who owns the network does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt
from lampione_protocol import seal, topics
from paho.mqtt.enums import CallbackAPIVersion


@dataclass
class Heard:
    """Frames by what their nonce and key are made of: (topic, header) to the whole frames."""

    frames: dict[tuple[str, bytes], set[bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, topic: str, frame: bytes) -> None:
        """Note a frame."""
        parsed = topics.parse(topic)
        if parsed is None or parsed[2] == topics.STATE:
            return
        size = seal.UP_HEADER if parsed[2] == topics.UP else seal.DOWN_HEADER
        with self.lock:
            self.frames.setdefault((topic, frame[:size]), set()).add(frame)

    def nonces_with_two_texts(self) -> list[tuple[str, bytes]]:
        """Return what was used for more than one text. The same frame sent again is none."""
        with self.lock:
            return [nonce for nonce, frames in self.frames.items() if len(frames) > 1]

    def count(self, leaf: str, kind: int) -> int:
        """Return how many different frames of a kind went up or down."""
        with self.lock:
            return sum(
                len(frames)
                for (topic, header), frames in self.frames.items()
                if topic.endswith(leaf) and header[0] & 31 == kind
            )


@contextmanager
def listening(port: int) -> Iterator[Heard]:
    """Listen while a `with` lasts."""
    heard = Heard()
    subscribed = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener")

    def on_connect(*_: object) -> None:
        client.subscribe("lampione/#", 1)

    def on_subscribe(*_: object) -> None:
        subscribed.set()

    def on_message(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        heard.add(message.topic, bytes(message.payload))

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert subscribed.wait(10)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()
