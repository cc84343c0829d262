"""A node's history, out of what a store found: the same words of every engine."""

from collections.abc import Iterable, Sequence
from typing import Any

from lampione import batch, values
from lampione.api import History, Json
from lampione.store import Series

ROWS_MAX = 10_000


def asked(
    message: str, fields: Sequence[str] | None, limit: int
) -> tuple[int, list[tuple[Any, ...]], int]:
    """Return the type, the fields and the limit of a question.

    Raises KeyError for a message or a field that does not exist.
    """
    kind = values.TYPES[message.lower()]
    layout = {f[0]: f for f in values.FIELDS[kind] if f[1] not in "x"}
    shown = [layout[name] for name in (layout if fields is None else fields)]
    return kind, shown, max(1, min(limit, ROWS_MAX))


def _answer(
    node: str, kind: int, shown: Sequence[tuple[Any, ...]], rows: list[list[Json]], more: bool
) -> History:
    return {
        "node": node,
        "message": values.NAMES[kind],
        "fields": ["at", *(field[0] for field in shown)],
        "units": ["s", *(field[6] for field in shown)],
        "rows": rows,
        "more": more,
    }


def of_rows(
    node: str, kind: int, shown: Sequence[tuple[Any, ...]], found: list[Any], limit: int
) -> History:
    """Return messages (at, body), in order; `found` may have one more than the limit."""
    more = len(found) > limit
    found = found[:limit]
    rows: list[list[Json]] = [[at] for at, _ in found]
    bodies = [body for _, body in found]
    name = values.NAMES[kind]
    wanted = [field[0] for field in shown]
    columns = batch.decode(values.FIELDS[kind], bodies, wanted) if bodies else None
    for field in shown:
        column = None if columns is None else columns.get(field[0])
        if column is None:  # bytes and text
            for row, body in zip(rows, bodies, strict=True):
                row.append(values.try_read(kind, body).get(field[0]))
            continue
        for row, value in zip(rows, column.tolist(), strict=True):
            row.append(values.readable(name, field, None if value == batch.UNKNOWN else value))
    if columns is not None:
        rows = [row for row, good in zip(rows, columns.sound, strict=True) if good]
    return _answer(node, kind, shown, rows, more)


def of_series(
    node: str, kind: int, shown: Sequence[tuple[Any, ...]], parts: Iterable[Series], limit: int
) -> History:
    """Return messages that hold numbers alone, in order; no more pieces are taken than needed."""
    name = values.NAMES[kind]
    rows: list[list[Json]] = []
    count = 0
    for part in parts:
        columns = [
            [
                values.readable(name, field, None if value == batch.UNKNOWN else value)
                for value in part.columns[field[0]].tolist()
            ]
            for field in shown
        ]
        for at, sound, *row in list(
            zip(part.at.tolist(), part.columns.sound.tolist(), *columns, strict=True)
        )[: max(limit - count, 0)]:
            if sound:
                rows.append([at, *row])
        count += len(part.nodes)
        if count > limit:
            break
    return _answer(node, kind, shown, rows, count > limit)
