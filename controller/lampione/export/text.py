"""CSV and JSON Lines: a row a line.

Each value is written once a piece, however often it stands there: measurements repeat.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

import numpy as np

from lampione.export.rows import Column, Filled, Rows

EMPTY = ""  # CSV's unknown; JSON has null


def iso(at: float) -> str:
    """Write Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(filled: Filled) -> Callable[[Any], Any]:
    """Return what makes a Python value of a column's."""
    kind = filled.column.kind
    if kind == "time":
        return iso
    if kind == "text":
        return lambda n: filled.words[int(n)]
    if kind == "truth":
        return bool
    if kind == "whole":
        return int
    return lambda v: round(float(v), 6)


def texts(filled: Filled, write: Callable[[Any], str], unknown: str) -> list[str]:
    """Return a column's values as text."""
    found, which = np.unique(filled.values, return_inverse=True)
    plain = _plain(filled)
    table = np.array([*(write(plain(value)) for value in found.tolist()), unknown], object)
    which = np.where(filled.known, which, len(found))
    written: list[str] = table[which].tolist()
    return written


def values_of(filled: Filled) -> list[Any]:
    """Return a column's values as Python has them, None where unknown."""
    plain = _plain(filled)
    return [
        plain(value) if known else None
        for value, known in zip(filled.values.tolist(), filled.known.tolist(), strict=True)
    ]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        quoted = any(sign in value for sign in ',"\r\n')
        return '"' + value.replace('"', '""') + '"' if quoted else value
    return f"{value:.10g}" if isinstance(value, float) else str(value)


class CsvWriter:
    """RFC 4180, UTF-8, one line of names, a full stop for the decimals, nothing where unknown."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]):
        self._file = file
        file.write((",".join(column.name for column in columns) + "\r\n").encode())

    def write(self, rows: Rows) -> None:
        cells = [texts(filled, _cell, EMPTY) for filled in rows.filled]
        lines = map(",".join, zip(*cells, strict=True))
        self._file.write(("\r\n".join(lines) + "\r\n").encode())

    def close(self) -> None:
        pass


class JsonWriter:
    """One object a line; every column in each, null where unknown."""

    def __init__(self, file: BinaryIO, _: Sequence[Column]):
        self._file = file

    def write(self, rows: Rows) -> None:
        cells = [
            texts(
                filled,
                lambda value, name=filled.column.name: (  # type: ignore[misc]
                    f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
                ),
                f"{json.dumps(filled.column.name)}: null",
            )
            for filled in rows.filled
        ]
        lines = map(", ".join, zip(*cells, strict=True))
        self._file.write(("{" + "}\n{".join(lines) + "}\n").encode())

    def close(self) -> None:
        pass
