"""The grammar of `lampione broker`."""

from pathlib import Path
from typing import Any

from lampione.cli import values

FOLDER = "broker-config"
_EXAMPLES = """\
  lampione broker start
  lampione broker start --port 1884
  lampione broker status --json
  lampione broker stop
  lampione broker config --tls --hosts nats-1.example,nats-2.example,nats-3.example
  lampione broker config --nodes 3 --tls           three on this machine, to try it
  lampione broker config --mosquitto --hosts mqtt.example

`config` writes the files of brokers that others run: a NATS cluster, or one mosquitto, with mutual
TLS and rules for every node that the fleet's file or keys.json knows. Run it again when a node
comes or goes; docs/brokers.md says how a running broker takes it in.
"""


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "broker",
        "lampione.cli.service:broker",
        "start, stop or look at the broker that comes with Lampione; configure a city's",
        _EXAMPLES,
    )
    command.add_argument(
        "action", nargs="?", choices=("start", "status", "stop", "config"), default="status"
    )
    command.add_argument(
        "--port",
        type=values.port,
        help="to listen on (default: as before, else 1883, else a free one; of `config` 8883)",
    )
    config = command.add_argument_group("config")
    config.add_argument(
        "--nodes",
        dest="count",
        type=int,
        choices=(1, 3, 5),
        metavar="N",
        help="servers of the cluster: 1, 3 or 5 (default: as many as hosts, else 3)",
    )
    config.add_argument(
        "--hosts",
        type=lambda text: text.split(","),
        metavar="A,B,C",
        help="where they run, as nodes and neighbours reach them (default: the loopback)",
    )
    config.add_argument("--tls", action="store_true", help="certificates, and rules for each node")
    config.add_argument(
        "--sync",
        type=_sync,
        default="always",
        metavar="T",
        help="NATS: let a message be in memory alone for T (default: always on disk first)",
    )
    config.add_argument("--mosquitto", action="store_true", help="one mosquitto; always with TLS")
    config.add_argument(
        "--out",
        type=Path,
        default=Path(FOLDER),
        metavar="DIR",
        help=f"write here (default: {FOLDER})",
    )
    config.add_argument(
        "--installed",
        type=Path,
        metavar="DIR",
        help="where the files will lie on the broker's machine (default: where they are written)",
    )
    config.add_argument("--fleet", type=Path, metavar="FILE", help="the fleet's file")
    config.add_argument(
        "--ca",
        type=values.folder,
        metavar="DIR",
        help="the fleet's authority (default: LAMPIONE_CA, else XDG data)",
    )


def _sync(text: str) -> str:
    sync_s = 0.0 if text == "always" else values.duration_s(text)
    return f"{sync_s:g}s" if sync_s else "always"
