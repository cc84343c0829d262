"""Brokers from the files that `lampione broker config` writes, and clients with certificates."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import paho.mqtt.client as mqtt
from lampione import seeds
from lampione.provision.brokers import folder, mosquitto, nats, rules
from lampione.provision.ca import Authority
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import free_port, program, wait_until

HOST = "127.0.0.1"
SEED = """
[fleet]
name = "test"
shard = "a"
[profiles.plain]
hardware = "esp32-s3"
sensors = []
[profiles.plain.parts]
lamp = { pin = 10 }
[[sites]]
id = "here"
name = "Here"
latitude = 45.4
longitude = 9.2
[[sites]]
id = "there"
name = "There"
latitude = 45.4
longitude = 9.2
shard = "b"
"""


def seed_of(path: Path, here: Sequence[str], there: Sequence[str] = ()) -> seeds.Seed:
    """Return a fleet of nodes in shard a, and in shard b."""
    rows = [(node, "here") for node in here] + [(node, "there") for node in there]
    text = SEED + "".join(
        f'[[nodes]]\nid = "{node}"\nsite = "{site}"\nprofile = "plain"\n' for node, site in rows
    )
    path.write_text(text)
    return seeds.load(path)


@dataclass
class Cluster:
    """Processes of one broker or of several, by name."""

    path: Path
    authority: Authority | None
    ports: dict[str, int]
    commands: dict[str, list[str]]
    monitors: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def urls(self) -> str:
        """Every server, as `BrokerUrl` reads it."""
        return ",".join(f"{HOST}:{port}" for port in self.ports.values())

    def start(self, name: str) -> None:
        """Start one server; `ready` waits for it."""
        with (self.path / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.commands[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill9(self, name: str) -> None:
        """Kill one server as a power cut would."""
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def whole(self) -> bool:
        """Say whether every NATS server has what the others have."""
        try:
            for port in self.monitors.values():
                with urlopen(f"http://{HOST}:{port}/healthz", timeout=5) as answer:
                    answer.read()
        except OSError:  # HTTPError is one
            return False
        return True

    def log(self, name: str) -> str:
        """Return what a server said."""
        return (self.path / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End all of them."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            if process.poll() is None:
                process.kill()
                process.wait()
        self.processes.clear()


@contextmanager
def running(cluster: Cluster) -> Iterator[Cluster]:
    """Run all of its servers."""
    try:
        for name in cluster.commands:
            cluster.start(name)
        yield cluster
    finally:
        cluster.stop()


def nats_cluster(
    path: Path, clients: Sequence[rules.Client], authority: Authority | None, count: int = 3
) -> Cluster:
    """Write the files of a cluster on free ports of the loopback."""
    servers = [
        nats.Server(f"nats-{n}", HOST, free_port(), free_port(), free_port(), path / f"nats-{n}")
        for n in range(1, count + 1)
    ]
    folder.write_nats(path, servers, clients, authority, file_bytes=1 << 30)
    return Cluster(
        path,
        authority,
        {server.name: server.mqtt_port for server in servers},
        {s.name: [program("nats"), "-c", str(s.folder / "nats.conf")] for s in servers},
        {s.name: s.monitor_port for s in servers},
    )


def mosquitto_alone(path: Path, clients: Sequence[rules.Client], authority: Authority) -> Cluster:
    """Write the files of one mosquitto on a free port."""
    command = program("mosquitto")
    port = free_port()
    folder.write_mosquitto(path, HOST, port, clients, authority)
    file = path / "mosquitto" / "mosquitto.conf"
    assert (path / "mosquitto" / mosquitto.ACL).exists()
    return Cluster(path, authority, {"mosquitto": port}, {"mosquitto": [command, "-c", str(file)]})


class Client:
    """An MQTT client; what it heard and what it was told."""

    def __init__(
        self,
        cluster: Cluster,
        server: str,
        cert: tuple[Path, Path] | None,
        client_id: str,
        user: str | None = None,
    ):
        assert cluster.authority is not None
        self.heard: list[tuple[str, bytes]] = []
        self.granted: list[bool] = []
        self.connected: bool | None = None
        self.lost = threading.Event()
        client = self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=False, reconnect_on_failure=False
        )
        context = ssl.create_default_context(
            cadata=cluster.authority.certificate_pem().decode("ascii")
        )
        if cert is not None:
            context.load_cert_chain(*cert)
        client.tls_set_context(context)
        if user is not None:
            client.username_pw_set(user, "")
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: self.lost.set()
        client.on_message = lambda _c, _u, m: self.heard.append((m.topic, bytes(m.payload)))
        client.on_subscribe = self._on_subscribe
        self._port = cluster.ports[server]

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: Any, _props: Any) -> None:
        self.connected = not reason.is_failure

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, reasons: Any, _props: Any) -> None:
        self.granted += [not reason.is_failure for reason in reasons]

    def connect(self) -> bool:
        """Connect; say whether the broker greets us."""
        try:
            self._client.connect(HOST, self._port, 30)
        except OSError:
            return False
        self._client.loop_start()
        wait_until("an answer", lambda: self.connected is not None or self.lost.is_set())
        return bool(self.connected)

    def subscribe(self, topic: str) -> bool:
        """Subscribe with QoS 1; say whether it was granted."""
        before = len(self.granted)
        self._client.subscribe(topic, 1)
        wait_until("a SUBACK", lambda: len(self.granted) > before or self.lost.is_set())
        return self.granted[before:] == [True]

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> Any:
        """Publish with QoS 1."""
        return self._client.publish(topic, payload, 1, retain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def eventually(ends: ExitStack, make: Callable[[], Client], what: str) -> Client:
    """Return a client that is connected: a cluster that has just met refuses for a while."""
    found: list[Client] = []

    def connected() -> bool:
        client = make()
        if client.connect():
            found.append(ends.enter_context(client))
            return True
        client.__exit__()
        return False

    wait_until(what, connected, 30)
    return found[0]
