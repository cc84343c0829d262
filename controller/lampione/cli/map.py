"""`lampione map`: the district once, as the screen draws it."""

import argparse
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from lampione.cli.errors import OK, UNKNOWN_NODE, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, columns, printer, rows
from lampione.core.client import CoreError, every_node
from lampione.desk import drawing, quantities, streets
from lampione.desk.braille import WIDE
from lampione.desk.desk import STREETS
from lampione.desk.mapping import District, Sight
from lampione.desk.text import clean, filled

_STYLES = {
    "green": ("green",), "good": ("green",), "yellow": ("yellow",), "warn": ("yellow",),
    "red": ("red",), "bad": ("red",), "dim": ("dim",), drawing.STREET: ("dim",), "name": ("dim",),
    "cursor": ("bold",),
}  # fmt: skip


def show(options: argparse.Namespace) -> int:
    """`lampione map`."""
    out = printer(options)
    quantity = quantities.BY_KEY[options.by]
    path: Path = options.streets or options.state / STREETS
    if options.streets is not None and not path.exists():
        raise CliError(f"{path}: there is no such file", USAGE)
    try:
        lines = streets.read(path)
    except streets.StreetsError as error:
        raise CliError(str(error)) from None
    with core(options) as client:
        found = {row["node"]: row for row in every_node(client)}
        district = District(client.call("places"), list(found))
        severities = quantities.severities(_alarms(client))
    marks = drawing.judged(district, quantity, found.get, time.time(), severities)
    if out.as_json:
        for line in _json(district, marks, found, severities):
            out.json(line)
        return OK
    if options.at is not None and district.place(options.at) is None:
        why = "has no position" if options.at in found else "is not of this fleet"
        raise CliError(f"{options.at} {why}", UNKNOWN_NODE)
    legend = quantity.legend()
    across, down = options.size or (columns(), rows() - 1)
    below = ["  ".join(legend[n] for n in line) for line in filled(legend, across)]
    sight = _sight(options, district, across, max(down - len(below) - 1, 1))
    picture = drawing.draw(
        district, sight, marks, sight.streets(district.origin.segments(lines)), options.at
    )
    _print(out, quantity, district, sight, picture, below)
    return OK


def _alarms(client: Any) -> list[Any]:
    try:
        found: list[Any] = client.call("alarms")
    except CoreError as error:
        if error.kind != "unknown":  # a controller that knows no alarms
            raise
        return []
    return found


def _sight(options: argparse.Namespace, district: District, across: int, down: int) -> Sight:
    sight = Sight.of(district.at, across, down)
    if options.across is not None:
        sight = sight.zoomed(options.across / (across * WIDE) / sight.scale)
    n = district.place(options.at)
    if n is not None:
        east, north = district.at[n].tolist()
        sight = sight._replace(east=east, north=north)
    return sight


def _print(
    out: Printer,
    quantity: quantities.Quantity,
    district: District,
    sight: Sight,
    picture: list[list[drawing.Cell]],
    legend: list[str],
) -> None:
    bar, length = sight.bar(20)
    head = f"{quantity.title}, {len(district.names)} nodes"
    if district.without:
        head += f", {len(district.without)} without a position"
    out.line(out.paint(f"{head}   ├{'─' * max(bar - 2, 0)}┤ {length}"[: sight.columns], "bold"))
    for line in picture:
        parts = [
            out.paint(clean("".join(letter for letter, _ in cells)), *_STYLES.get(tone, ()))
            for tone, group in groupby(line, lambda cell: cell[1])
            if (cells := list(group))
        ]
        out.line("".join(parts) if any(letter != " " for letter, _ in line) else "")
    for text in legend:
        out.line(text)


def _json(
    district: District,
    marks: drawing.Marks,
    rows: dict[str, Any],
    severities: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """Yield a line a node; those without a position, too."""
    now = time.time()
    for name in sorted(rows):
        n = district.place(name)
        seen = quantities.Seen(rows[name], now, severities.get(name))
        band = marks.quantity.band(marks.quantity.judge(seen))
        latitude, longitude = (None, None) if n is None else district.degrees[n].tolist()
        yield {
            "node": name,
            "latitude": latitude,
            "longitude": longitude,
            "by": marks.quantity.key,
            "letter": band.letter,
            "band": " ".join(filter(None, (band.word, band.range))),
            "value": marks.quantity.told(seen),
        }
