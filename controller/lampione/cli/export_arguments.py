"""The grammar of `lampione export` and `lampione http`."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lampione.cli import values

MESSAGES = ("report", "health", "hour", "event", "raw")
FORMS = ("csv", "jsonl", "parquet", "ngsi-ld")
LICENCES = ("cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "odbl-1.0", "iodl-2.0")
PORT = 8490
_EXPORT = """\
  lampione export --since 1d > yesterday.csv
  lampione export --since 2026-11-01 --until 2026-12-01 --format csv,parquet --output november
  lampione export --by hour --sites bligny,sarfatti --fields laeq,pm2_5 --format jsonl
  lampione export health --nodes bligny-1 --since 7d | head
  lampione export --since 2026-11-01 --until 2026-12-01 --format csv,parquet --output november \\
      --publisher 'Comune di Milano' --publisher-code c_f205 --licence cc-by-4.0 \\
      --url https://dati.example/lampposts/
  lampione export --format ngsi-ld --latest --push https://broker.example --token-file token

Times are UTC. Quality stands beside every value: docs/open-data.md has columns, units and forms.
"""
_HTTP = """\
  lampione http
  curl -s 'http://localhost:8490/v1.1/Things?$expand=Datastreams'
  curl -s http://localhost:8490/metrics
  lampione http --url https://data.example    behind a proxy that has this name
"""


def moment(text: str) -> float:
    """Read a time as Unix seconds: how long ago, or a date, UTC where it says no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return time.time() - values.duration_s(text)
        except argparse.ArgumentTypeError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no time: write how long ago (2h, 1d) or 2026-11-28, 2026-11-28T20:00Z"
            ) from None
    try:
        return max(0.0, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, OSError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is out of the time that is known") from None


def _listed(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r}: names with commas between them go here")
    return found


def _forms(text: str) -> list[str]:
    found = list(dict.fromkeys(_listed(text)))
    for form in found:
        if form not in FORMS:
            raise argparse.ArgumentTypeError(f"{form!r} is no form: one of {', '.join(FORMS)}")
    return found


def _port(text: str) -> int:
    return 0 if text == "0" else values.port(text)


def add(commands: Any) -> None:
    """Add the commands to `commands`, see `parser`."""
    _add_export(commands)
    http = commands.add(
        "http",
        "lampione.cli.http:http",
        "serve SensorThings and Prometheus metrics, to be read, on this computer",
        _HTTP,
    )
    http.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: 127.0.0.1)"
    )
    http.add_argument(
        "--port", type=_port, default=PORT, help=f"to listen on; 0: any (default: {PORT})"
    )
    http.add_argument(
        "--url", metavar="URL", help="how others know it, where a proxy stands before it"
    )
    _add_sources(http)


def _add_sources(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store",
        metavar="URL",
        help="the store (default: the one of the controller of --state)",
    )
    command.add_argument(
        "--fleet",
        type=Path,
        metavar="FILE",
        help="the fleet's file, with sites and positions (default: fleet.toml in the folder, "
        "else Milan's)",
    )


def _add_export(commands: Any) -> None:
    command = commands.add(
        "export",
        "lampione.cli.export:export",
        "give data away: CSV, JSON Lines, Parquet, NGSI-LD; needs no controller",
        _EXPORT,
    )
    command.add_argument(
        "message",
        nargs="?",
        choices=MESSAGES,
        default="report",
        help="what of (default: report)",
    )
    which = command.add_argument_group("which rows")
    which.add_argument(
        "--since", type=moment, metavar="T", help="from T on: 2h, 7d, a date (default: 1d)"
    )
    which.add_argument("--until", type=moment, metavar="T", help="before T (default: now)")
    which.add_argument("--nodes", type=_listed, metavar="A,B", help="of these nodes")
    which.add_argument("--sites", type=_listed, metavar="A,B", help="of the nodes at these sites")
    which.add_argument(
        "--by", choices=("hour", "day"), help="roll-ups instead of reports: means, extremes, counts"
    )
    which.add_argument(
        "--latest",
        action="store_true",
        help="NGSI-LD: of each node the last of each entity, whose id stays",
    )
    form = command.add_argument_group("in which form")
    form.add_argument("--fields", type=_listed, metavar="A,B", help="these fields (default: all)")
    form.add_argument(
        "--format",
        dest="forms",
        type=_forms,
        metavar="A,B",
        help=f"{', '.join(FORMS)} (default: by the file's name, else csv)",
    )
    form.add_argument(
        "--output",
        metavar="FILE",
        default="-",
        help="the file, without its ending where there are several forms; -: the standard "
        "output (default)",
    )
    about = command.add_argument_group("a description for a portal (DCAT-AP), beside the files")
    about.add_argument("--publisher", metavar="NAME", help="who gives the data away")
    about.add_argument(
        "--publisher-code", metavar="CODE", help="the publisher's code, in Italy that of the IPA"
    )
    about.add_argument(
        "--licence", metavar="NAME", help=f"{', '.join(LICENCES)}, or its text's address"
    )
    about.add_argument("--title", metavar="TEXT", help="of the data set (default: made up)")
    about.add_argument(
        "--identifier",
        metavar="ID",
        help="of the data set at the portal (default: the file's name)",
    )
    about.add_argument(
        "--language", choices=("en", "it"), default="en", help="of the title (default: en)"
    )
    about.add_argument("--url", metavar="URL", help="the folder where the files will be found")
    push = command.add_argument_group("to a broker of context data, instead of a file")
    push.add_argument("--push", metavar="URL", help="NGSI-LD's batch upsert, in batches")
    push.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a bearer token, alone in a file, mode 0600"
    )
    push.add_argument("--tenant", metavar="NAME", help="at the broker")
    _add_sources(command)
