"""The checker of the lock: every kind of incompatible change is caught, additions are not."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import schema_lock
from tools.schema_lock import Lock, compare, current, run, to_text

ROOT = Path(__file__).parents[2]
NEXT = current()["revision"] + 1
Change = Callable[[Lock], object]


def field(lock: Lock, message: str, name: str) -> list[object]:
    found: list[object] = next(f for f in lock["messages"][message]["fields"] if f[0] == name)
    return found


def fields(lock: Lock, message: str) -> list[list[object]]:
    found: list[list[object]] = lock["messages"][message]["fields"]
    return found


def chain(*changes: Change) -> Change:
    def change(lock: Lock) -> None:
        for one in changes:
            one(lock)

    return change


def set_column(name: str, value: object) -> Change:
    at = schema_lock.COLUMNS.index(name)
    return lambda lock: field(lock, "Report", "laeq").__setitem__(at, value)


def swap(lock: Lock) -> None:
    listed = fields(lock, "Report")
    at = listed.index(field(lock, "Report", "la10"))
    listed[at], listed[at + 1] = listed[at + 1], listed[at]


def carve(lock: Lock, *new: list[object], message: str = "Health") -> None:
    """Cut fields from a message's spare bits."""
    lock["revision"] = NEXT
    spare = field(lock, message, "spare")
    listed = fields(lock, message)
    at = listed.index(spare)
    listed[at:at] = new
    assert isinstance(spare[2], int)
    spare[2] -= sum(f[2] for f in new if isinstance(f[2], int))


def append(lock: Lock, message: str, *new: list[object]) -> None:
    lock["revision"] = NEXT
    fields(lock, message).extend(new)


NEW: list[object] = ["wind", "i", 5, 0, 30, 1, "m/s", NEXT]

INCOMPATIBLE: dict[str, tuple[Change, str]] = {
    "field renamed": (set_column("name", "leq"), "Report.laeq: renamed to 'leq'"),
    "kind": (set_column("kind", "e"), "Report.laeq: changed, kind 'i' to 'e'"),
    "bits": (set_column("bits", 11), "bits 10 to 11"),
    "low": (set_column("low", 100), "low 200 to 100"),
    "high": (set_column("high", 1221), "high 1222 to 1221"),
    "steps": (set_column("steps", 5), "steps 10 to 5"),
    "unit": (set_column("unit", "Pa"), "unit 'dB' to 'Pa'"),
    "since": (set_column("since", 2), "since 1 to 2"),
    "field removed": (
        lambda lock: fields(lock, "Report").remove(field(lock, "Report", "no2")),
        "Report.no2: removed",
    ),
    "last field removed": (lambda lock: fields(lock, "Log").pop(), "Log.text: removed"),
    "fields moved": (swap, "Report.la10: moved"),
    "field put in between": (
        lambda lock: fields(lock, "Event").insert(1, NEW),
        "Event.clock: moved",
    ),
    "spare bits removed": (lambda lock: fields(lock, "Report").pop(), "8 spare bits removed"),
    "spare bits shrunk": (
        lambda lock: field(lock, "Report", "spare").__setitem__(2, 5),
        "3 spare bits removed",
    ),
    "spare bits overrun": (
        chain(
            lambda lock: carve(lock, NEW, message="Result"),
            lambda lock: field(lock, "Result", "spare").__setitem__(2, 4),
        ),
        "beyond the spare bits",
    ),
    "flags cut from spare bits": (
        lambda lock: carve(lock, ["more", "c", 3, 0, 7, 1, "", NEXT]),
        "has no unknown",
    ),
    "bytes cut from spare bits": (
        lambda lock: carve(lock, ["more", "y", 8, 0, 0, 1, "", NEXT]),
        "has no unknown",
    ),
    "revision not raised": (
        chain(
            lambda lock: append(lock, "Event", NEW),
            lambda lock: lock.__setitem__("revision", NEXT - 1),
        ),
        "REVISION must grow",
    ),
    "since not raised": (
        lambda lock: append(lock, "Event", [*NEW[:-1], 1]),
        "REVISION must grow",
    ),
    "field behind a text": (lambda lock: append(lock, "Log", NEW), "nothing can follow a text"),
    "revision back": (lambda lock: lock.__setitem__("revision", 0), "REVISION went back"),
    "message removed": (lambda lock: lock["messages"].pop("Log"), "Log: removed"),
    "message renumbered": (
        lambda lock: lock["messages"]["Log"].__setitem__("number", 20),
        "Log: number changed from 9 to 20",
    ),
    "number taken": (
        lambda lock: lock["messages"].update(New={"number": 9, "fields": [NEW]}),
        "belongs to Log",
    ),
    "kept number taken": (
        lambda lock: lock["messages"].update(New={"number": 11, "fields": [NEW]}),
        "kept for Image",
    ),
    "number too high": (
        lambda lock: lock["messages"].update(New={"number": 32, "fields": [NEW]}),
        "not from 1 to 31",
    ),
    "kept number dropped": (lambda lock: lock["reserved"].pop("Bench"), "kept for it is gone"),
    "name inserted": (lambda lock: lock["names"]["op"].insert(2, "dance"), "names of op"),
    "name removed": (lambda lock: lock["names"]["op"].pop(), "names of op"),
    "name changed": (lambda lock: lock["names"]["valid"].__setitem__(0, "dust"), "names of valid"),
    "list removed": (lambda lock: lock["names"].pop("reason"), "names of reason: removed"),
    "wire version": (
        lambda lock: lock["constants"].__setitem__("wire_version", 2),
        "wire_version: changed",
    ),
    "tag": (lambda lock: lock["constants"].__setitem__("tag_bytes", 4), "tag_bytes: changed"),
    "bench messages gone": (lambda lock: lock.pop("bench"), "bench: the schema"),
    "bench message removed": (
        lambda lock: lock["bench"]["messages"].pop("Tone"),
        "bench: Tone: removed",
    ),
    "bench name inserted": (
        lambda lock: lock["bench"]["names"]["reason"].insert(0, "tired"),
        "bench: names of reason: only additions",
    ),
    "key label": (lambda lock: lock["constants"]["keys"].__setitem__(0, ""), "keys: changed"),
}

COMPATIBLE: dict[str, Change] = {
    "nothing": lambda lock: None,
    "field behind the last": lambda lock: append(lock, "Event", NEW),
    "flags behind the last, at a byte": lambda lock: append(
        lock, "Event", ["more", "c", 8, 0, 255, 1, "", NEXT]
    ),
    "field from spare bits": lambda lock: carve(lock, NEW),
    "two fields from spare bits": lambda lock: carve(lock, NEW, ["gust", "i", 4, 0, 14, *NEW[5:]]),
    "all spare bits": chain(
        lambda lock: carve(lock, ["co2", "i", 8, 0, 254, -10, "ppm", NEXT], message="Report"),
        lambda lock: fields(lock, "Report").pop(),
    ),
    "name at the end": lambda lock: lock["names"]["code"].append("rain"),
    "bench name at the end": lambda lock: lock["bench"]["names"]["quantity"].append("frost"),
    "new list": lambda lock: lock["names"].update(weather=["dry", "wet"]),
    "new message": lambda lock: lock["messages"].update(New={"number": 20, "fields": [NEW]}),
    "message at its kept number": chain(
        lambda lock: lock["messages"].update(Image={"number": 11, "fields": [NEW]}),
        lambda lock: lock["reserved"].pop("Image"),
    ),
}


@pytest.mark.parametrize("what", INCOMPATIBLE)
def test_incompatible_changes_are_caught(what: str, tmp_path: Path) -> None:
    change, said = INCOMPATIBLE[what]
    new = copy.deepcopy(current())
    change(new)
    assert said in "\n".join(compare(current(), new))
    lock = tmp_path / "schema.lock"
    lock.write_text(to_text(current()), encoding="utf-8")
    assert run(lock, new, write=True)  # refused
    assert lock.read_text(encoding="utf-8") == to_text(current())


@pytest.mark.parametrize("what", COMPATIBLE)
def test_additions_are_allowed(what: str, tmp_path: Path) -> None:
    new = copy.deepcopy(current())
    COMPATIBLE[what](new)
    lock = tmp_path / "schema.lock"
    assert "missing" in run(lock, current(), write=False)[0]
    assert run(lock, current(), write=True) == []
    ahead = run(lock, new, write=False)
    assert ("behind the schema" in ahead[0]) if what != "nothing" else ahead == []
    assert run(lock, new, write=True) == []
    assert run(lock, new, write=False) == []
    assert compare(new, current()) or what == "nothing"  # there is no way back


def test_the_text_holds_everything() -> None:
    assert json.loads(to_text(current())) == current()


def test_the_projects_own_lock() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.schema_lock", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
