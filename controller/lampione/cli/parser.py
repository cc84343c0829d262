"""The command line's grammar. Imports argparse and nothing heavy: `--help` must be instant."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from lampione.cli import (
    alarms_arguments,
    attach_arguments,
    audit_arguments,
    board_arguments,
    boards_arguments,
    broker_arguments,
    config_arguments,
    export_arguments,
    flash_arguments,
    hil_arguments,
    locks_arguments,
    map_arguments,
    nodes_arguments,
    notes_arguments,
    operators_arguments,
    provision_arguments,
    show_arguments,
    statistics_arguments,
    store_arguments,
    values,
    views_arguments,
    web_arguments,
    where_arguments,
)
from lampione.cli.errors import EXIT_CODES, USAGE

HANDLER = "handler"  # "module:function", imported when the command runs

EPILOG = f"""\
without a command: the screen, attached to a controller that runs

examples:
  lampione demo                            eleven virtual lampposts of Milan, live
  lampione serve                           the controller
  lampione --ssh crew@controller.example   the screen of a controller elsewhere
  lampione nodes                           the fleet, one line a node
  lampione send bligny-1 level 40 --ramp 5s --for 10m
  lampione history bligny-1 --since 2h --json
  lampione statistics bligny-1 --noise it  day, evening and night of a week
  lampione program show                    the light of every night of a year

{EXIT_CODES}
LAMPIONE_DEBUG=1 shows the traceback behind an error; NO_COLOR=1 prints without colour.
"""


def state_folder() -> Path:
    """Return where the controller keeps its state: LAMPIONE_STATE, or XDG_STATE_HOME/lampione."""
    chosen = os.environ.get("LAMPIONE_STATE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "lampione"


def _common() -> argparse.ArgumentParser:
    """Options of every command, before its name or after it."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--state",
        metavar="DIR",
        type=values.folder,
        help="the controller's folder (default: LAMPIONE_STATE, else XDG state)",
    )
    common.add_argument(
        "--ssh", metavar="HOST", help="the controller is there; ssh brings its socket here"
    )
    common.add_argument(
        "--offline",
        action="store_true",
        help="no controller runs: show what its store last knew, and do nothing",
    )
    common.add_argument("--json", action="store_true", help="print JSON, one object a line")
    common.add_argument(
        "--operator",
        metavar="NAME",
        help="who you are (default: LAMPIONE_OPERATOR, else your name here); the PIN is asked for, "
        "or read from the file LAMPIONE_PIN_FILE",
    )
    return common


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and where help is."""
        self.exit(USAGE, f"{self.prog.split(' NODE')[0]}: {message} (see --help)\n")


class _Commands:
    """Adds commands that all look alike."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str, common: Any) -> None:
        self._sub = parser.add_subparsers(dest=dest, metavar="COMMAND", title="commands")
        self._common = common

    def add(
        self, name: str, handler: str, summary: str, examples: str = "", **defaults: object
    ) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = self._sub.add_parser(
            name,
            help=summary,
            description=summary[:1].upper() + summary[1:] + ".",
            epilog=f"examples:\n{examples}" if examples else None,
            parents=[self._common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(**{HANDLER: handler}, **defaults)
        return command


def build() -> argparse.ArgumentParser:
    """Return the parser of `lampione`."""
    common = _common()
    parser = _Parser(
        prog="lampione",
        description="Smart lampposts: a fleet's measurements, its lamps and their control.",
        epilog=EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    parser.add_argument("--read-only", action="store_true", help="the screen changes nothing")
    parser.add_argument(
        "--streets",
        type=Path,
        metavar="FILE",
        help="GeoJSON under the map (default: streets.geojson in the state folder)",
    )
    parser.set_defaults(**{HANDLER: "lampione.cli.screen:screen"})
    commands = _Commands(parser, "command", common)
    _services(commands)
    _configuring(commands, common)
    _reading(commands)
    _sending(commands, common)
    _lighting(commands, common)
    board_arguments.add(commands, common, _Commands)
    hil_arguments.add(commands, common, _Commands)
    flash_arguments.add(commands, common)
    boards_arguments.add(commands)
    provision_arguments.add(commands)
    provision_arguments.add_swap(commands)
    attach_arguments.add(commands)
    where_arguments.add(commands)
    web_arguments.add(commands)
    store_arguments.add(commands, common, _Commands)
    export_arguments.add(commands)
    locks_arguments.add(commands)
    alarms_arguments.add(commands, common, _Commands)
    audit_arguments.add(commands)
    notes_arguments.add(commands, common, _Commands)
    views_arguments.add(commands, common, _Commands)
    operators_arguments.add(commands, common, _Commands)
    return parser


def _services(commands: _Commands) -> None:
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

    broker_arguments.add(commands)

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


def _configuring(commands: _Commands, common: argparse.ArgumentParser) -> None:
    config = commands.add(
        "config",
        "lampione.cli.config:status",
        "compare, push and follow what nodes are set to",
        "  lampione config diff --all\n"
        "  lampione config push bligny-1 --trial 5m\n"
        "  lampione config status\n",
    )
    configuring = _Commands(config, "action", common)
    configuring._sub.required = True
    config_arguments.add(configuring)


def _reading(commands: _Commands) -> None:
    nodes_arguments.add(commands)
    map_arguments.add(commands)

    watch = commands.add(
        "watch",
        "lampione.cli.fleet:watch",
        "print reports as they come, until Ctrl-C",
        "  lampione watch\n  lampione watch bligny-1 --for 1m --json\n",
    )
    watch.add_argument("nodes", nargs="*", metavar="NODE", help="these only")
    watch.add_argument(
        "--for", dest="for_s", type=values.duration_s, metavar="T", help="end after T"
    )

    show_arguments.add(commands)

    history = commands.add(
        "history",
        "lampione.cli.fleet:history",
        "print what a node reported",
        "  lampione history bligny-1 --since 2h\n"
        "  lampione history bligny-1 --since 1d --fields laeq,la90 --json\n"
        "  lampione history bligny-1 --message health\n",
    )
    history.add_argument("node", metavar="NODE")
    history.add_argument(
        "--since",
        dest="since_s",
        type=values.duration_s,
        default=3600.0,
        metavar="T",
        help="how far back (default: 1h)",
    )
    history.add_argument(
        "--until",
        dest="until_s",
        type=values.duration_s,
        default=0.0,
        metavar="T",
        help="and until how long ago (default: now)",
    )
    history.add_argument(
        "--message", choices=("report", "health", "hour", "raw", "event", "log", "result"),
        default="report", help="of this kind (default: report)",
    )  # fmt: skip
    history.add_argument("--fields", metavar="A,B", help="these fields only (default: all)")

    statistics_arguments.add(commands)

    gaps = commands.add(
        "gaps",
        "lampione.cli.fleet:gaps",
        "list the sequence numbers that are missing or lost",
        "  lampione gaps\n  lampione gaps bligny-1 --json\n",
    )
    gaps.add_argument("node", nargs="?", metavar="NODE")

    commands.add(
        "refused",
        "lampione.cli.fleet:refused",
        "count the frames that were not accepted, those of no known node too",
        "  lampione refused\n  lampione refused --json\n",
    )


def _sending(commands: _Commands, common: argparse.ArgumentParser) -> None:
    send = commands.add(
        "send",
        "lampione.cli.send:send",
        "send a command to a node, or to many, and wait for what became of it",
        "  lampione send bligny-1 level 40 --ramp 5s --for 10m\n"
        "  lampione send bligny-1 resume\n"
        "  lampione send bligny-1 identify --for 30s\n"
        "  lampione send bligny-1 maintenance --for 30m    dark, and nobody can light it\n"
        "  lampione send bligny-1 maintenance --end\n"
        "  lampione send bligny-1,lazio-1 level 30 --for 30m --yes\n"
        "  lampione send 'site=\"Viale Lazio\"' resume\n\n"
        "NODE is a name, several with commas between them, or a question as of `nodes --where`.\n"
        "To many it asks first, unless --yes is said.\n",
    )
    send.add_argument("node", metavar="NODE")
    send.add_argument("--yes", action="store_true", help="many nodes: do not ask")
    orders = _Commands(send, "order", common)
    orders._sub.required = True
    handler = "lampione.cli.send:send"

    def order(name: str, summary: str) -> argparse.ArgumentParser:
        command = orders.add(name, handler, summary)
        command.add_argument(
            "--wait",
            dest="wait_s",
            type=values.duration_s,
            default=30.0,
            metavar="T",
            help="give up after T (default: 30s)",
        )
        return command

    level = order("level", "set the lamp's level for a time, after which it resumes")
    level.add_argument("level", type=values.percent, metavar="PERCENT", help="0 to 100")
    level.add_argument(
        "--ramp",
        dest="ramp_s",
        type=values.duration_s,
        metavar="T",
        help="take T to get there, 409s at most",
    )
    level.add_argument(
        "--for",
        dest="for_s",
        type=values.duration_s,
        default=3600.0,
        metavar="T",
        help="hold it for T, then resume (default: 1h)",
    )
    identify = order("identify", "blink, so that someone in the street sees which one it is")
    identify.add_argument("--for", dest="for_s", type=values.duration_s, metavar="T")
    order("resume", "end an override or an emergency: back to the program")
    emergency = order("emergency", "as much light as the post allows, whatever the program says")
    maintenance = order("maintenance", "dark and locked, while somebody works on the lamp")
    locking = maintenance.add_mutually_exclusive_group()
    for command in (emergency, locking):
        command.add_argument(
            "--for",
            dest="for_s",
            type=values.duration_s,
            default=3600.0,
            metavar="T",
            help="for T (default: 1h); then the program goes on",
        )
    locking.add_argument("--end", action="store_true", help="the work is done: light it again")
    order("read", "read the lamp's level")
    order("reboot", "start the node anew")
    order("clean", "blow the particulate sensor's dust out, ten seconds")
    order("time", "set the node's clock to the controller's")
    order("hello", "ask the node to introduce itself")


def _lighting(commands: _Commands, common: argparse.ArgumentParser) -> None:
    program = commands.add(
        "program",
        "lampione.cli.program:check",
        "look at the lighting programs of the fleet's file; needs no controller",
        "  lampione program check\n  lampione program show --year 2028 --site 'Viale Bligny'\n",
    )
    actions = _Commands(program, "action", common)
    actions._sub.required = True

    def action(name: str, summary: str, examples: str) -> argparse.ArgumentParser:
        command = actions.add(name, f"lampione.cli.program:{name}", summary, examples)
        command.add_argument(
            "--year",
            type=values.year,
            metavar="YEAR",
            help="whose nights, 2020 to 2098 (default: this year)",
        )
        command.add_argument(
            "--fleet",
            type=Path,
            metavar="FILE",
            help="the fleet's file (default: fleet.toml in the folder, else Milan's)",
        )
        return command

    check = action(
        "check",
        "say what of a program does not do what it seems to; exit code 1 on errors",
        "  lampione program check\n"
        "  lampione program check evening --fleet street.toml\n"
        "  lampione program check --json | jq -r 'select(.severity==\"error\").says'\n",
    )
    check.add_argument("programs", nargs="*", metavar="PROGRAM", help="these only (default: all)")
    show = action(
        "show",
        "draw the level of every night of a year, with hours, kWh and what is saved",
        "  lampione program show\n"
        "  lampione program show --year 2026 --site 'Viale Bligny' --rows night | less\n"
        "  lampione program show --node bligny-1 --json | jq 'select(.kind==\"month\")'\n",
    )
    whose = show.add_mutually_exclusive_group()
    whose.add_argument("--site", metavar="NAME", help="name or id (default: the fleet's first)")
    whose.add_argument("--node", metavar="NODE", help="this node (default: the site's first)")
    show.add_argument(
        "--rows",
        choices=("week", "night"),
        default="week",
        help="a row for the nights of a week that have the same plan, or for each night",
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line; common options have their defaults. Exits with 2 on a mistake."""
    options = build().parse_args(arguments)
    options.json = getattr(options, "json", False)
    options.own_state = hasattr(options, "state")
    options.ssh = getattr(options, "ssh", None)
    options.offline = getattr(options, "offline", False)
    options.operator = getattr(options, "operator", None) or os.environ.get("LAMPIONE_OPERATOR")
    options.state = getattr(options, "state", None) or state_folder()
    return options
