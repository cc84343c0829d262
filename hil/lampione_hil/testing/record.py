"""The conformance record: what a run found out, put together from its results.jsonl."""

import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lampione_hil.testing.signing import FORMAT, VERSION, BenchKey
from lampione_hil.testing.verdict import judge

_ENDS = {
    0: "",
    1: "",
    2: "it was interrupted",
    3: "pytest failed inside",
    4: "pytest refuses what was asked",
    5: "no test was found",
}


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a results.jsonl; one that a kill cut off is left out."""
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def build(
    results: Iterable[dict[str, Any]],
    *,
    suites: list[str],
    part: bool,
    doctor: dict[str, Any] | None,
    key: BenchKey | None,
    now: datetime.datetime,
) -> dict[str, Any]:
    """Return the record of a run, with its verdict, signed where there is a key.

    Args:
        suites: names of those that were asked for.
        part: whether they are less than all of ours.
    """
    by: dict[str, list[dict[str, Any]]] = {}
    for line in results:
        by.setdefault(line["kind"], []).append(line)
    begin = (by.get("begin") or [_NOTHING])[0]
    end = by.get("end", [None])[-1]
    wrong = [f"{e['where']}: {e['why']}" for e in by.get("suite error", [])]
    tests = _tests(by.get("test", []))
    collected = [name for line in by.get("collected", []) for name in line["tests"]]
    missing = [name for name in collected if name not in tests]
    ended = "it was killed" if end is None else _ENDS.get(end["exit"], f"pytest said {end['exit']}")
    late = f"{len(missing)} of its tests did not run" if missing else ""
    left_out = {name for line in by.get("deselected", []) for name in line["tests"]}
    rig = begin["rig"]
    record: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made": now.astimezone(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round((end["at"] if end else begin["at"]) - begin["at"], 1),
        "rig": {
            "name": rig["name"],
            "digest": begin["rig_digest"],
            "boards": [
                {"name": b["name"], "kind": b["kind"], "serial_number": b["serial_number"]}
                for b in rig["boards"]
            ],
            "instruments": [
                {
                    "name": i["name"],
                    "serial_number": i["serial_number"],
                    "calibrated": i["calibrated"],
                    "valid_days": i["valid_days"],
                    "expired": begin["expired"].get(i["name"], []),
                }
                for i in rig["instruments"]
            ],
        },
        "firmware": {"id": begin["firmware_id"], "revision": begin["revision"]},
        "versions": {
            **{key: begin[key] for key in ("lampione", "python", "system")},
            "micropython": _micropython(by.get("test", [])) or begin["micropython"],
        },
        "asked": {
            "suites": suites,
            "part": part,
            "keyword": begin["keyword"],
            "smoke": begin["smoke"],
            "count": begin["count"],
            "left_out": sorted(left_out - set(tests)),
        },
        "complete": not (ended or wrong or missing),
        "ended": "; ".join(filter(None, [*wrong, ended, late])),
        "broken": sorted(set((end or {}).get("broken", {}).values())),
        "tests": [tests[name] for name in sorted(tests)],
        "did_not_run": missing,
        "doctor": doctor,
    }
    verdict = judge(record, signed=key is not None, today=now.date())
    record["verdict"] = verdict.as_json()
    record["signed_by"] = None
    return record if key is None else key.sign(record)


def _micropython(results: list[dict[str, Any]]) -> str:
    """Return what real boards say that they run; "" for virtual ones."""
    return ", ".join(sorted({v for line in results for v in line["micropython"].values()}))


def _tests(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in sorted(results, key=lambda line: (line["test"], line["turn"])):
        test = found.setdefault(
            line["test"],
            {"test": line["test"], "needs": line["needs"], "flaky": line["flaky"], "runs": []},
        )
        run = {key: line[key] for key in _RUN}
        test["runs"].append(run)
    return found


_RUN = (
    "turn",
    "outcome",
    "why",
    "details",
    "seconds",
    "boards",
    "clock",
    "board_s",
    "measurements",
)
_NOTHING: dict[str, Any] = {
    "at": 0.0,
    "rig": {"name": "?", "boards": [], "instruments": []},
    "rig_digest": "",
    "firmware_id": "",
    "revision": "",
    "lampione": "",
    "micropython": "",
    "python": "",
    "system": "",
    "expired": {},
    "keyword": "",
    "smoke": False,
    "count": 1,
}
