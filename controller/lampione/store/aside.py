"""What is damaged is put aside, whole, so that folding goes on; `check` and `space` name it."""

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from lampione import values
from lampione.store import BLOCK

COLUMNS = {
    "chunk": ("node", "type", "start", "span", "count"),
    "rollup": ("level", "start", "measure", "block"),
    "batch": ("count", "oldest", "newest"),
}
_NAMES = {kind: name for name, kind in values.TYPES.items()}
_log = logging.getLogger("lampione.store")


def tell(why: str) -> None:
    """Say that something is put aside."""
    _log.error("%s: it is put aside, see `lampione store check`", why)


def said(rows: Iterable[tuple[float, str, str, str]], names: dict[int, str]) -> Iterator[str]:
    """Give in words what was put aside; `rows`: at, kind, place, why."""
    for at, kind, place, why in rows:
        found = json.loads(place)
        yield f"{_what(kind, found, names)}: {why}; put aside {_time(at)}"


def _what(kind: str, place: dict[str, Any], names: dict[int, str]) -> str:
    if kind == "batch":
        return f"{place['count']} messages of {_time(place['oldest'])} to {_time(place['newest'])}"
    if kind == "rollup":
        return f"{place['measure']} of {_time(place['start'])} ({place['level']} s)"
    node = names.get(place["node"], f"node {place['node']}")
    what = _NAMES.get(place["type"], f"type {place['type']}")
    span = f"{_time(place['start'])} ({place['span']} s)"
    return f"{node}: {place['count']} messages ({what}) of {span}"


def days(places: Iterable[tuple[str]], day_s: int) -> set[tuple[int, int]]:
    """Return (block, begin) of the days that chunks are put aside of."""
    found = (json.loads(place) for (place,) in places)
    return {(each["node"] // BLOCK, each["start"] // day_s * day_s) for each in found}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")
