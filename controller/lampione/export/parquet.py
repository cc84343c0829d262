"""Parquet: typed columns, with units and meanings in the schema's metadata."""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from lampione.export import ExportError
from lampione.export.rows import Column, Filled, Rows

_ROW_GROUP = 131072


def _library() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ExportError(
            "Parquet needs pyarrow, which is not installed: `pip install 'lampione[parquet]'`"
        ) from None
    return pyarrow, pyarrow.parquet


class ParquetWriter:
    """Pieces are gathered into groups of rows, so that a reader skips what it does not want.

    Args:
        about: what the file says of itself.
    """

    def __init__(self, file: BinaryIO, columns: Sequence[Column], about: Mapping[str, str]):
        self._arrow, parquet = _library()
        self._schema = self._arrow.schema(
            [self._field(column) for column in columns],
            {name.encode(): text.encode() for name, text in about.items()},
        )
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._held: list[Any] = []
        self._count = 0

    def _field(self, column: Column) -> Any:
        arrow = self._arrow
        kinds = {
            "time": arrow.timestamp("s", "UTC"),
            "text": arrow.dictionary(arrow.int32(), arrow.string()),
            "real": arrow.float64(),
            "whole": arrow.int64(),
            "truth": arrow.bool_(),
        }
        about = {"description": column.meaning}
        if column.unit:
            about["unit"] = column.unit
        return arrow.field(column.name, kinds[column.kind], metadata=about)

    def _array(self, filled: Filled) -> Any:
        arrow = self._arrow
        unknown = ~filled.known
        if filled.column.kind == "text":
            codes = arrow.array(filled.values.astype(np.int32), mask=unknown)
            return arrow.DictionaryArray.from_arrays(codes, list(filled.words))
        if filled.column.kind == "time":
            return arrow.array(
                filled.values.astype(np.int64), arrow.int64(), mask=unknown
            ).cast(arrow.timestamp("s", "UTC"))  # fmt: skip
        return arrow.array(filled.values, mask=unknown)

    def write(self, rows: Rows) -> None:
        arrays = [self._array(filled) for filled in rows.filled]
        self._held.append(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._count += rows.size
        if self._count >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            table = self._arrow.concat_tables(self._held).unify_dictionaries()
            self._writer.write_table(table, row_group_size=_ROW_GROUP)
        self._held, self._count = [], 0

    def close(self) -> None:
        self._flush()
        self._writer.close()
