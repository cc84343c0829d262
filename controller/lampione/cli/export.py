"""`lampione export`: from the store to files, or to a broker of context data."""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lampione.cli.errors import OK, UNKNOWN_NODE, USAGE, CliError
from lampione.cli.output import Printer
from lampione.cli.service import fleet_file

if TYPE_CHECKING:
    from lampione.export.places import Places
    from lampione.export.push import ContextBroker
    from lampione.export.rows import Wanted
    from lampione.export.run import Place
    from lampione.seeds import Seed

_DAY_S = 86400.0
_DRAW_S = 0.2
TERMINATED = 143  # 128 + SIGTERM


def places_of(options: argparse.Namespace) -> "tuple[Seed, Places]":
    """Return the fleet's file, and where its nodes stand. Raises SeedError."""
    from lampione import seeds
    from lampione.export.places import Places

    seed = seeds.load(fleet_file(options))
    return seed, Places(seed)


class _Progress:
    """Rows, percent and rate on the standard error, drawn over where that is a terminal."""

    def __init__(self) -> None:
        self._out = Printer(as_json=False, stream=sys.stderr)
        self._started = self._drawn = time.monotonic()
        self._shown = False

    def tell(self, rows: int, part: float) -> None:
        now = time.monotonic()
        if not self._out.live or now - self._drawn < _DRAW_S:
            return
        self._drawn, self._shown = now, True
        rate = rows / max(now - self._started, 0.001)
        self._out.raw(f"\r{part * 100:3.0f} %  {rows:,} rows  {rate:,.0f} rows/s\x1b[K")

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Wipe what was drawn, however it ends."""
        try:
            yield
        finally:
            if self._shown:
                self._out.raw("\r\x1b[K")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Have SIGTERM, as of a timer that waits no longer, leave no half file either."""

    def end(*_: object) -> None:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check(options: argparse.Namespace) -> list[str]:
    """Return the forms. Raises CliError for what does not go together."""
    from lampione.export.run import ENDINGS

    output = None if options.output == "-" else Path(options.output)
    forms: list[str] = options.forms or []
    if not forms:
        by_name = {ending: form for form, ending in ENDINGS.items()}
        forms = [by_name.get(output.suffix if output else "", "csv")]
        if options.push:
            forms = ["ngsi-ld"]
    described = [options.publisher, options.licence]
    if any(described) and not all(described):
        raise CliError("a description needs both --publisher and --licence", USAGE)
    entities = "ngsi-ld" in forms
    for wrong, said in (
        (options.since >= options.until, "--since is not before --until"),
        (len(forms) > 1 and output is None, "several forms need an --output file"),
        (any(described) and output is None, "a description stands beside files: give --output"),
        (bool(options.push) and forms != ["ngsi-ld"], "--push takes --format ngsi-ld alone"),
        (bool(options.push) and output is not None, "--push needs no --output"),
        (not options.push and bool(options.token_file or options.tenant),
         "--token-file and --tenant go with --push"),
        (options.latest and not entities, "--latest goes with --format ngsi-ld"),
        (entities and options.message != "report", "NGSI-LD is made of reports"),
        (entities and bool(options.fields or options.by), "NGSI-LD has fields of its own"),
        (bool(options.by) and options.message != "report", "--by goes with reports"),
        (output is None and forms == ["parquet"] and sys.stdout.isatty(),
         "Parquet is not for a terminal: give --output, or a pipe"),
    ):  # fmt: skip
        if wrong:
            raise CliError(said, USAGE)
    return forms


def export(options: argparse.Namespace) -> int:
    """`lampione export`."""
    now = time.time()
    options.until = now if options.until is None else options.until
    options.since = options.until - _DAY_S if options.since is None else options.since
    forms = _check(options)

    from lampione.cli.store_choice import chosen as chosen_store
    from lampione.export import ExportError
    from lampione.export.rows import Reading, Wanted
    from lampione.export.run import Meter
    from lampione.export.run import places_of as targets

    seed, places = places_of(options)
    engine = chosen_store(options)
    reading = Reading(engine.reader, places)
    try:
        chosen = places.chosen(reading.names.values(), options.nodes, options.sites)
    except ExportError as error:
        raise CliError(str(error), UNKNOWN_NODE) from None
    wanted = Wanted(options.message, int(options.since), int(options.until), chosen, options.fields)
    # Roll-ups come by time alone.
    numbers = (
        [0]
        if options.by
        else [n for n, name in reading.names.items() if chosen is None or name in chosen]
    )
    progress = _Progress()
    meter = Meter(numbers, wanted.since, wanted.until, progress.tell)
    job = _Job(options, forms, reading, wanted, meter)
    output = None if options.output == "-" else Path(options.output)
    with progress.shown(), _ended_in_order():
        broker = job.push() if options.push else None
        made = [] if options.push else job.write(targets(forms, output))
        if options.publisher:
            made.append(job.describe(seed.fleet.name, made, now))
    _say(options, made, broker, meter.rows, progress.seconds)
    return OK


class _Job:
    """One export, with everything that was asked for."""

    def __init__(
        self, options: argparse.Namespace, forms: list[str], reading: Any, wanted: "Wanted",
        meter: Any,
    ) -> None:  # fmt: skip
        self._options = options
        self._forms = forms
        self._reading = reading
        self._wanted = wanted
        self._meter = meter

    def _about(self) -> dict[str, str]:
        from lampione.export.text import iso

        options, wanted = self._options, self._wanted
        found = {
            "title": options.title or self._title(),
            "temporal": f"{iso(wanted.since)}/{iso(wanted.until)}",
        }
        if options.publisher:
            found["publisher"] = options.publisher
        if options.licence:
            from lampione.export.dcat import licence_of

            found["license"] = licence_of(options.licence).url
        return found

    def _title(self) -> str:
        from lampione.export.dcat import WORDS

        words, by = WORDS[self._options.language], self._options.by
        kind = words.kinds[f"by {by}" if by else self._options.message]
        return words.title.format(self._reading.places.name, kind)

    def push(self) -> "ContextBroker":
        """Send to the broker."""
        from lampione.export.push import ContextBroker, token_of

        options = self._options
        token = token_of(options.token_file) if options.token_file else None
        broker = ContextBroker(options.push, token=token, tenant=options.tenant)
        self._entities(broker)
        return broker

    def _entities(self, to: Any) -> None:
        from lampione.export.ngsi import Entities
        from lampione.export.run import write_entities

        entities = Entities(
            self._reading, latest=self._options.latest, provider=self._options.publisher
        )
        write_entities(self._reading, self._wanted, entities, to, self._meter)

    def write(self, places: "list[Place]") -> "list[Place]":
        """Write the files, and return them."""
        from lampione.export import rolled, rows
        from lampione.export.run import TABLES, write_tables

        tables = [place for place in places if place.form in TABLES]
        if tables:
            wanted, by = self._wanted, self._options.by
            if by:
                columns = rolled.columns(by, wanted.fields)
                pieces = rolled.rows(self._reading, wanted, by)
            else:
                columns = rows.columns(wanted.message, wanted.fields)
                pieces = self._reading.rows(wanted)
            write_tables(pieces, columns, tables, self._about(), self._meter)
        for place in places:
            if place.form not in TABLES:
                self._entities(place.path)
        return [place for place in places if place.path is not None]

    def describe(self, fleet: str, made: "list[Place]", now: float) -> "Place":
        """Write the description of the files, and return where."""
        from lampione.export import dcat
        from lampione.export.run import Place, as_json
        from lampione.export.whole_file import sha256, whole

        options, wanted, places = self._options, self._wanted, self._reading.places
        files = [
            dcat.Distribution(form, path, path.stat().st_size, sha256(path))
            for form, path in made
            if path is not None
        ]
        output = Path(options.output)
        stem = files[0].path.stem if len(files) == 1 else output.name
        chosen = wanted.nodes or list(self._reading.names.values())
        about = dcat.About(
            identifier=options.identifier or stem,
            title=options.title or self._title(),
            description=dcat.WORDS[options.language].description.format(fleet),
            language=options.language,
            publisher=dcat.Publisher(options.publisher, options.publisher_code),
            licence=dcat.licence_of(options.licence),
            themes=dcat.THEMES[wanted.message],
            keywords=dcat.WORDS[options.language].keywords,
            since=wanted.since,
            until=wanted.until,
            box=places.box(chosen),
            url=options.url,
        )
        path = output.with_name(stem + dcat.SUFFIX)
        with whole(path) as file:
            file.write(as_json(dcat.describe(about, files, now)))
        return Place("dcat", path)


def _say(
    options: argparse.Namespace,
    made: "list[Place]",
    broker: "ContextBroker | None",
    rows: int,
    seconds: float,
) -> None:
    # Where the data goes to the standard output, what is said of it does not.
    stream = sys.stderr if options.output == "-" and broker is None else sys.stdout
    out = Printer(as_json=options.json, stream=stream)
    if out.as_json:
        summary: dict[str, Any] = {
            "rows": rows,
            "files": [str(place.path) for place in made],
            "seconds": round(seconds, 3),
        }
        if broker is not None:
            summary |= {
                "entities": broker.sent, "batches": broker.batches, "repeated": broker.again,
            }  # fmt: skip
        out.json(summary)
        return
    if broker is not None:
        out.line(f"{broker.sent:,} entities in {broker.batches:,} batches")
    elif made:
        out.line(f"{rows:,} rows in {', '.join(str(place.path) for place in made)}")
