"""The configuration of one mosquitto, and its access control list."""

import getpass
from collections.abc import Sequence
from pathlib import Path

from lampione.provision.brokers.rules import Client

ACL = "acl"

# mosquitto drops silently what a queue does not take: 0 is no limit of count, so that of bytes
# holds. A client's id is its certificate's name, or one node could take another's session.
_CONFIG = """\
# Written by `lampione broker config --mosquitto`: change nothing here, it is written again.
user {user}
per_listener_settings false
listener {port} {host}
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/{acl}
persistence true
persistence_location {folder}/store/
autosave_interval 60
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes {queued_bytes}
max_packet_size 65536
max_keepalive 600
"""


def server_config(host: str, port: int, folder: Path, queued_bytes: int) -> str:
    """Return mosquitto.conf.

    Args:
        folder: where the files lie on the broker's machine.
        queued_bytes: that wait for one session, at most.
    """
    return _CONFIG.format(
        user=getpass.getuser(),
        port=port,
        host=host,
        folder=folder,
        acl=ACL,
        queued_bytes=queued_bytes,
    )


def acl(clients: Sequence[Client]) -> str:
    """Return the list: a client that is not in it may connect, and do nothing."""
    lines = []
    for client in clients:
        lines.append(f"user {client.name}")
        lines += [f"topic write {topic}" for topic in client.publishes]
        lines += [f"topic read {topic}" for topic in client.subscribes]
        lines.append("")
    return "\n".join(lines)
