"""A SQLite store as an end of a move. As a target it is made beside its place, and put there."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lampione.store import StoreError
from lampione.store.move import NEWEST, ROLLUPS, TABLES, Rows, united
from lampione.store.sqlite import SqliteEngine
from lampione.store.sqlite.connect import Link, Step
from lampione.store.sqlite.restore import logs

_END = ".moving"


class SqliteCarrier:
    """See `move.Carrier`."""

    def __init__(self, path: Path, *, target: bool = False):
        self._place = path
        self._path = path.with_name(path.name + _END) if target else path
        self._made: Link | None = None
        self.engine = SqliteEngine(self._path)
        if target and path.exists():
            raise StoreError(f"{path} is there already: choose another name")
        if target and not path.parent.is_dir():
            raise StoreError(f"{path.parent} is no folder")
        if not target and not path.is_file():
            raise StoreError(f"{path} is not there")

    @property
    def _link(self) -> Link:
        if self._made is None:
            self._made = Link(self._path)
        return self._made

    def prepare(self) -> None:
        """Make it, bring it up to date."""
        self.engine.writer().close()

    def busy(self) -> str | None:
        """Return None: who has the state folder has its database."""
        return None

    def count(self) -> int:
        """Return how many frames there are."""
        found = 0
        for table, sql in (
            ("frames", "count(*)"),
            ("chunks", "coalesce(sum(count), 0)"),
            ("batches", "coalesce(sum(count), 0)"),
        ):
            if self._has(table):
                found += self._link.read(f"SELECT {sql} FROM {table}")[0][0]  # noqa: S608
        return found

    def _has(self, table: str) -> bool:
        if not self._path.exists():
            return False
        return bool(self._link.read("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)))

    def rows(self, table: str) -> Rows:
        """Return a small table."""
        if not self._has(table):
            return []
        columns, order = TABLES[table]
        by = f"{order}, id" if table == "losses" else order
        return self._link.read(f"SELECT {_names(columns)} FROM {table} ORDER BY {by}")  # noqa: S608

    def rollups(self) -> Iterator[tuple[Any, ...]]:
        """Give all of them."""
        return self._link.stream(f"SELECT {_names(ROLLUPS)} FROM rollups")  # noqa: S608

    def newest(self) -> Rows:
        """Return all of them."""
        return self._link.read(f"SELECT {_names(NEWEST)} FROM newest")  # noqa: S608

    def held(self) -> Iterator[tuple[int, bytes]]:
        """Give the numbers of each boot."""
        return self._link.stream("SELECT id, held FROM epochs WHERE held IS NOT NULL")

    def begun(self) -> tuple[str, int] | None:
        """Return what is being moved here."""
        if not self._has("moving"):
            return None
        source, node = self._link.read("SELECT source, node FROM moving")[0]
        return source, node

    def begin(self, source: str, tables: dict[str, Rows]) -> None:
        """Fill the small tables."""
        steps: list[Step] = [
            ("CREATE TABLE moving (source TEXT NOT NULL, node INTEGER NOT NULL) STRICT", [()]),
            ("INSERT INTO moving VALUES (?, 0)", [(source,)]),
        ]
        for table, rows in tables.items():
            columns, _ = TABLES[table]
            if rows and self._has(table):
                marks = ", ".join("?" * len(columns))
                steps.append((f"INSERT INTO {table} ({_names(columns)}) VALUES ({marks})", rows))  # noqa: S608
        self._link.write(*steps)

    def reached(self, node: int) -> None:
        """Remember the last node that is whole."""
        self._link.write(("UPDATE moving SET node = ?", [(node,)]))

    def finish(
        self,
        rollups: Iterable[tuple[Any, ...]],
        newest: Rows,
        held: Iterable[tuple[int, bytes]],
    ) -> None:
        """Put these in the place of its own."""
        mine = list(self.held())
        self._link.write(
            ("DELETE FROM rollups", [()]),
            (f"INSERT INTO rollups ({_names(ROLLUPS)}) VALUES (?, ?, ?, ?, ?)", rollups),  # noqa: S608
            (f"INSERT OR REPLACE INTO newest ({_names(NEWEST)}) VALUES (?, ?, ?)", newest),  # noqa: S608
            (
                "UPDATE epochs SET held = ? WHERE id = ?",
                ((packed, epoch) for epoch, packed in united(mine, held)),
            ),
            ("DROP TABLE moving", [()]),
        )

    def put_in_place(self) -> None:
        """Give it its name."""
        self._link.read("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        for log in logs(self._place):
            if log.exists():
                raise StoreError(f"{log} is there, of a database that is not: put it elsewhere")
        try:
            os.link(self._path, self._place)  # not over a file that came meanwhile
            self._path.unlink()
            folder = os.open(self._place.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreError(f"{self._place}: {error.strerror}") from None

    def close(self) -> None:
        """Close the connection."""
        made, self._made = self._made, None
        if made is not None:
            made.close()


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
