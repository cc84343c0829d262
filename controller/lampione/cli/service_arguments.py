"""The grammar of `demo`, `serve`, `worker` and `keys`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values


def add(commands: Any) -> None:
    """Add the commands. See `parser`."""
    demo = commands.add(
        "demo",
        "lampione.cli.service:demo",
        "run eleven virtual lampposts of Milan with broker, controller and screen",
        "  lampione demo                        reports every 5 s, the screen\n"
        "  lampione demo --interval 60          real minutes\n"
        "  lampione demo --headless --for 20s   a table, and exit 0 if nothing is missing\n"
        "  lampione demo --replay street.wav --spl 70 --dump samples/\n",
    )
    demo.add_argument(
        "--interval",
        type=values.interval_s,
        default=5,
        metavar="S",
        help="a report every S seconds, aligned to the clock (default: 5)",
    )
    demo.add_argument(
        "--replay", type=Path, metavar="FILE", help="feed every microphone this WAV file, looped"
    )
    demo.add_argument(
        "--spl",
        type=values.decibel,
        metavar="DB",
        help="level of the whole file, unweighted (default: 70)",
    )
    demo.add_argument(
        "--dump",
        type=values.folder,
        metavar="DIR",
        help="write the samples that each microphone delivered to DIR",
    )
    demo.add_argument("--headless", action="store_true", help="print tables instead of the screen")
    demo.add_argument(
        "--for",
        dest="for_s",
        type=values.duration_s,
        metavar="T",
        help="end after T; counts from the moment that all boards run",
    )
    demo.add_argument("--keep", action="store_true", help="keep the state folder at the end")

    serve = commands.add(
        "serve",
        "lampione.cli.service:serve",
        "run the controller: one for a state folder, every other command talks to it",
        "  lampione serve\n"
        "  lampione serve --broker mqtts://broker.example:8883 --shard milan\n"
        "  lampione serve --broker 'mqtts://user@broker.example?password-file=FILE'\n",
    )
    _serving(serve)
    worker = commands.add(
        "worker",
        "lampione.cli.service:serve",
        "serve some of a city's shards, beside other workers on one PostgreSQL",
        "  lampione worker --store postgresql://db.example/lampione\n"
        "  lampione worker --store postgresql://db.example/lampione --shards north,south\n\n"
        "Give every worker the same keys.json, fleet's file and shards, and a state folder of its\n"
        "own. They share the shards among them; when one dies, the others take its shards over.\n",
    )
    _serving(worker)
    worker.add_argument(
        "--lease",
        dest="lease_s",
        type=values.duration_s,
        default=10.0,
        metavar="T",
        help="others take the shards of a worker that has died after T (default: 10s)",
    )

    keys = commands.add(
        "keys",
        "lampione.cli.service:keys",
        "make the secret keys of nodes and groups",
        "  lampione keys new bligny-1\n"
        "  lampione keys new --all    for every node and group of the fleet\n",
    )
    keys.add_argument("action", choices=("new",))
    keys.add_argument("nodes", nargs="*", metavar="NODE")
    keys.add_argument(
        "--all", action="store_true", help="every node and group of the fleet that has none"
    )
    keys.add_argument("--fleet", type=Path, metavar="FILE", help="the fleet's file")


def _serving(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--broker",
        metavar="URL",
        help="an MQTT 3.1.1 broker (default: LAMPIONE_BROKER, else our own, see `lampione "
        "broker`); its password: LAMPIONE_BROKER_PASSWORD, or ?password-file=FILE, mode 0600",
    )
    command.add_argument(
        "--shard",
        "--shards",
        dest="shards",
        type=lambda text: text.split(","),
        metavar="A,B",
        help="the shares of the fleet to read (default: all of the fleet's file)",
    )
    command.add_argument(
        "--store",
        metavar="URL",
        help="postgresql://... or sqlite:FILE (default: lampione.db in the folder)",
    )
    command.add_argument(
        "--fleet",
        type=Path,
        metavar="FILE",
        help="the fleet's file (default: fleet.toml in the folder, else Milan's)",
    )
    command.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
