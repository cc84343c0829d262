"""Entities as one JSON array, written as they come."""

import json
from typing import Any, BinaryIO


class ArrayWriter:
    """`[`, an entity a line, `]`: what brokers and JSON-LD processors take."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._before = b"[\n"

    def write(self, entity: dict[str, Any]) -> None:
        """Write one entity."""
        self._file.write(self._before + json.dumps(entity, ensure_ascii=False).encode())
        self._before = b",\n"

    def close(self) -> None:
        """End the array."""
        self._file.write(b"\n]\n" if self._before == b",\n" else b"[]\n")
