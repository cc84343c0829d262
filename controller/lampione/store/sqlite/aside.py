"""Rows that are damaged go into the table `aside`."""

from collections.abc import Iterable

from lampione.store import aside
from lampione.store.sqlite.connect import Step

_TABLES = {"chunk": "chunks", "rollup": "rollups", "batch": "batches"}


def put(kind: str, damaged: Iterable[tuple[int, str]], now: float) -> list[Step]:
    """Return what moves rows, (id, why) each, out of the way: of `kind` chunk, rollup or batch."""
    rows = list(damaged)
    if not rows:
        return []
    for _, why in rows:
        aside.tell(why)
    table = _TABLES[kind]
    place = ", ".join(f"'{name}', {name}" for name in aside.COLUMNS[kind])
    return [
        (
            "INSERT INTO aside (at, kind, place, why, body) "  # noqa: S608 - names of ours
            f"SELECT ?, '{kind}', json_object({place}), ?, body FROM {table} WHERE id = ?",
            [(now, why, number) for number, why in rows],
        ),
        (f"DELETE FROM {table} WHERE id = ?", [(number,) for number, _ in rows]),  # noqa: S608
    ]
