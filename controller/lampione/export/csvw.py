"""What stands in a CSV file, beside it: metadata of the W3C's Tabular Data model (CSVW)."""

from collections.abc import Mapping, Sequence
from typing import Any

from lampione.export.rows import Column

SUFFIX = "-metadata.json"
_TYPES: Mapping[str, Any] = {
    "time": {"base": "dateTime", "format": "yyyy-MM-ddTHH:mm:ssX"},
    "text": "string",
    "real": "double",
    "whole": "integer",
    "truth": {"base": "boolean", "format": "true|false"},
}


def metadata(file_name: str, columns: Sequence[Column], about: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of a CSV file; `about` is what it says of itself as a whole."""
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": file_name,
        **{f"dc:{name}": text for name, text in about.items()},
        "dialect": {"encoding": "utf-8", "header": True, "lineTerminators": ["\r\n", "\n"]},
        "tableSchema": {
            "columns": [_column(column) for column in columns],
            "aboutUrl": "#row={_row}",
        },
    }


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name,
        "titles": column.name,
        "dc:description": column.meaning,
        "datatype": _TYPES[column.kind],
        "required": column.name in ("at", "node"),
    }
    if column.unit:
        found["schema:unitText"] = column.unit
    return found
