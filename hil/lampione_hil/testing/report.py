"""What a run leaves behind: record.json, report.html and junit.xml, in one folder."""

import datetime
import json
from pathlib import Path
from typing import Any

from lampione_hil.put import put
from lampione_hil.testing import doctor, engine, junit, page, record
from lampione_hil.testing.signing import BenchKey

INCONCLUSIVE = 5
CODES = {"pass": 0, "fail": 1, "inconclusive": INCONCLUSIVE}


def write(
    folder: Path, bench: Path, order: engine.Order, now: datetime.datetime | None = None
) -> dict[str, Any]:
    """Write the report of a run that is over; return its record.

    Args:
        folder: of the run; holds its results.jsonl.
        bench: the folder of the bench's key and of what the doctor found.

    Raises BenchError for a key that is not to be used, OSError which names the file.
    """
    lines = record.lines(folder / "results.jsonl")
    name = next((line["rig"]["name"] for line in lines if line["kind"] == "begin"), "")
    made = record.build(
        lines,
        suites=[path.name for path in order.suites] or ["all"],
        part=engine.is_part(order),
        doctor=doctor.found(bench, name),
        key=BenchKey.load(bench),
        now=now or datetime.datetime.now(datetime.UTC),
    )
    text = json.dumps(made, indent=1, ensure_ascii=False)
    put(folder / "record.json", f"{text}\n".encode())
    put(folder / "junit.xml", junit.xml(made))
    put(folder / "report.html", page.page(made).encode())
    return made
