"""`python -m benchmarks [--json] [GROUP ...]`: measure and print."""

import argparse
import importlib
import json
import sys

from benchmarks.row import Row

GROUPS = {
    "sizes": "bytes of a report beside JSON, CBOR, MessagePack and protobuf",
    "decoding": "a batch of reports decoded, a seal opened",
    "device": "allocations, code size and free memory of the node, under MicroPython",
    "stages": "the node's signal stages: time beside plain Python, bytes of code on a board",
    "doppler": "vehicles that a bare Doppler module counts, its stages' time and code",
    "traffic": "vehicles that the node counts behind a radar, beside who drove there",
    "light": "the lamp's level under MicroPython: time beside a report, allocations, code",
    "program": "a year of nights simulated and judged, beside the level asked every minute",
    "virtual": "time of a full node on the virtual clock beside the wall clock",
    "flashing": "seconds to flash a board, beside `mpremote cp -r` of the same tree",
    "city": "a city's months at rest: bytes a report, two questions, beside DuckDB and typed rows",
    "postgres": "the store in PostgreSQL: rows appended a second, beside SQLite and INSERT",
    "ingest": "messages stored a second beside the usual script and the broker's limit",
    "tui": "the fleet on the screen, 10,000 and 100,000 nodes, beside Textual's DataTable",
    "live_state": "a question about 140,000 nodes as they are now, beside an object a node",
    "city_ingest": "ten minutes of a city's reports through the whole controller; when asked for",
}
LONG = {"city_ingest"}


def _line(row: Row) -> str:
    value = f"{row.value:,.3f}".rstrip("0").rstrip(".") if row.value % 1 else f"{row.value:,.0f}"
    ratio = "" if row.ratio is None else f"{row.ratio:,.3g}"
    return f"{row.name:<26} {value:>12} {row.unit:<8} {ratio:>8}  {row.peer:<34} {row.goal}"


def main() -> int:
    """Run the groups that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="groups: " + "; ".join(f"{name}: {what}" for name, what in GROUPS.items()),
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="all but the longest by default")
    parser.add_argument("--json", action="store_true", help="a list of objects, at the end")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)} (there are {', '.join(GROUPS)})")

    rows: list[Row] = []
    if not arguments.json:
        print(f"{'name':<26} {'value':>12} {'unit':<8} {'ratio':>8}  {'peer':<34} goal")
    for name in arguments.groups or [name for name in GROUPS if name not in LONG]:
        print(f"measuring {name}: {GROUPS[name]}", file=sys.stderr)
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            rows.append(row)
            if not arguments.json:
                print(_line(row), flush=True)
    if arguments.json:
        print(json.dumps([row.as_json() for row in rows], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
