"""The configuration of one server of a NATS cluster, and the users that all of them share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lampione.provision.brokers.rules import Client

USERS = "users.conf"
REPLICAS_MAX = 3  # more copies cost more and survive no likelier accident

# A session of a controller may leave 20,000 messages unacknowledged a subscription; NATS allows
# 65,535 over all of a session's. What is acknowledged is on the disks of most servers: each syncs
# every write. A full store refuses to acknowledge, and nodes keep what they have.
_SERVER = """\
# Written by `lampione broker config`: change nothing here, it is written again.
server_name: {name}
listen: "127.0.0.1:-1"          # nobody speaks NATS itself
http: "127.0.0.1:{monitor}"      # /healthz: this server has what the others have
max_payload: 64KB
max_connections: {connections}
jetstream {{
  store_dir: {store}
  sync_interval: always
  max_file_store: {file_bytes}
  max_memory_store: 268435456
}}
mqtt {{
  listen: {mqtt}
  stream_replicas: {replicas}
  max_ack_pending: 20000
  ack_wait: "10s"
{mqtt_tls}}}
{cluster}include {users}
"""

_CLUSTER = """\
cluster {{
  name: lampione
  listen: {listen}
  no_advertise: true
  routes: [{routes}]
{tls}}}
"""

# Nodes have certificates of the same authority: only the servers' own keys open a route.
_ROUTE_TLS = """\
  tls {{
    cert_file: {cert}
    key_file: {key}
    ca_file: {ca}
    verify: true
    timeout: 5
    pinned_certs: [{pins}]
  }}
"""

_MQTT_TLS = """\
  tls {{
    cert_file: {cert}
    key_file: {key}
    ca_file: {ca}
    verify_and_map: true
    timeout: 10
  }}
"""


@dataclass(frozen=True)
class Server:
    """One server. `folder`: where its files lie on its own machine."""

    name: str
    host: str
    mqtt_port: int
    route_port: int
    monitor_port: int
    folder: Path


def server_config(
    server: Server,
    servers: Sequence[Server],
    *,
    clients: int,
    file_bytes: int,
    pins: Sequence[str] | None,
) -> str:
    """Return nats.conf.

    Args:
        servers: all of the cluster, this one too; alone, it is none.
        clients: that may be connected.
        file_bytes: of messages that wait, at most.
        pins: SHA-256 of the servers' public keys, hex; None: without TLS, on loopback only.
    """
    files = {
        name: json.dumps(str(server.folder / file))
        for name, file in (("cert", "server.pem"), ("key", "server.key"), ("ca", "ca.pem"))
    }
    cluster = ""
    if len(servers) > 1:
        routes = [f"nats-route://{s.host}:{s.route_port}" for s in servers if s is not server]
        quoted = ", ".join(json.dumps(pin) for pin in pins or ())
        cluster = _CLUSTER.format(
            listen=json.dumps(f"{server.host}:{server.route_port}"),
            routes=", ".join(json.dumps(route) for route in routes),
            tls="" if pins is None else _ROUTE_TLS.format(pins=quoted, **files),
        )
    return _SERVER.format(
        name=server.name,
        monitor=server.monitor_port,
        connections=clients * 2 + 100,  # those that changed networks are still there for a while
        store=json.dumps(str(server.folder / "store")),
        file_bytes=file_bytes,
        mqtt=json.dumps(f"{server.host}:{server.mqtt_port}"),
        replicas=min(len(servers), REPLICAS_MAX),
        mqtt_tls="" if pins is None else _MQTT_TLS.format(**files),
        cluster=cluster,
        users=json.dumps(USERS),
    )


def users_config(clients: Sequence[Client]) -> str:
    """Return users.conf: one user a client, by its certificate, over MQTT alone.

    `$MQTT.sub` is where NATS delivers what a session subscribed with QoS 1.
    """
    lines = ["authorization {", "  users: ["]
    for client in clients:
        publish = ", ".join(_subject(topic) for topic in client.publishes)
        subscribe = ", ".join(_subject(topic) for topic in client.subscribes)
        lines.append(
            f'    {{ user: {json.dumps("CN=" + client.name)}, allowed_connection_types: ["MQTT"], '
            f"permissions: {{ publish: [{publish}], "
            f'subscribe: [{subscribe}, "$MQTT.sub.>"] }} }}'
        )
    return "\n".join([*lines, "  ]", "}", ""])


def _subject(topic: str) -> str:
    """Return a topic as NATS writes it; our names have no dot."""
    return json.dumps(topic.replace("/", ".").replace("+", "*"))
