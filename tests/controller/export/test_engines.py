"""What is given away does not depend on the kind of store that it is in."""

import io
import json
from pathlib import Path
from typing import Any

from lampione.export import rolled
from lampione.export.metrics import Scrape
from lampione.export.ngsi import Entities
from lampione.export.rows import Reading, Wanted
from lampione.export.text import JsonWriter
from lampione.export.things.service import Things
from lampione.store.engine import open_engine

from tests.controller.export.stored import (
    START,
    catalogue_of,
    fill,
    folded,
    hour_of_two,
    reading_of,
)

WANTED = Wanted("report", START - 3600, START + 86400)


def everything(reading: Reading) -> dict[str, Any]:
    """Return all that the forms say, but for ids that are the store's own."""
    tables = {"reports": reading.rows(WANTED), "hours": rolled.rows(reading, WANTED, "hour")}
    found: dict[str, Any] = {}
    for name, pieces in tables.items():
        out = io.BytesIO()
        for piece in pieces:
            JsonWriter(out, []).write(piece)
        found[name] = out.getvalue().decode().splitlines()
    reader = reading.reader()
    found["entities"] = [e for e, _, _ in Entities(reading, latest=False).of(reader, WANTED)]
    newest = "$orderby=phenomenonTime desc&$top=5&$select=result,phenomenonTime"
    for path in ("/Observations", "/Datastreams('caldara-1:laeq')/Observations"):
        answer = Things(reading, catalogue_of(reading), reader, "").answer(path, newest)
        found[path] = [{k: v for k, v in one.items() if k[0] != "@"} for one in answer["value"]]
    scrape = Scrape(reading, reader, None, 900, START + 3600)
    found["metrics"] = [line for line in "".join(scrape.lines()).splitlines() if "size" not in line]
    reader.close()
    return found


def test_both_kinds_of_store_say_the_same(tmp_path: Path, postgres_url: str) -> None:
    said = hour_of_two()
    both = []
    for engine in (open_engine(tmp_path / "lampione.db"), open_engine(postgres_url)):
        fill(engine, said[:90])
        folded(engine)
        fill(engine, said[90:], first=91)
        both.append(everything(reading_of(engine)))
    assert len(both[0]["reports"]) == 120
    assert len(both[0]["hours"]) > 2
    assert json.dumps(both[0]) == json.dumps(both[1])
