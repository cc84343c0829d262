"""A PostgreSQL store as an end of a move."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from lampione.store import StoreError
from lampione.store.move import NEWEST, ROLLUPS, TABLES, Rows, united
from lampione.store.postgres import PostgresEngine, typed
from lampione.store.postgres.connect import Link, shown
from lampione.store.postgres.migrate import version_of
from lampione.store.postgres.writer import CONTROLLER, PostgresStore

_ROWS = 2000
_FLAGS = {"epochs": "superseded", "commands": "final"}  # numbers elsewhere


class PostgresMoving(PostgresEngine):
    """The engine of a store that is not whole."""

    def writer(self) -> PostgresStore:
        """Open the writer."""
        return PostgresStore(self.url, moving=True)


class PostgresCarrier:
    """See `move.Carrier`."""

    def __init__(self, url: str, *, target: bool = False):
        self.engine = PostgresMoving(url)
        self._link = Link(url)
        self._looking = Link(url)  # streams of one are read while the other writes
        self._made = self._link.whole(lambda: version_of(self._link)) > 0
        if not self._made and not target:
            raise StoreError(f"{shown(url)} is no store of ours")

    def prepare(self) -> None:
        """Make it, bring it up to date."""
        self.engine.writer().close()
        self._made = True

    def busy(self) -> str | None:
        """Say who has a writer open."""
        found = self._link.whole(
            lambda: self._link.read(
                "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = current_database() "
                "AND application_name = %s",
                (CONTROLLER,),
            )
        )
        return f"a controller (the server's process {found[0][0]})" if found else None

    def _read(self, sql: str, given: tuple[Any, ...] = ()) -> Rows:
        return self._link.whole(lambda: self._link.read(sql, given))

    def count(self) -> int:
        """Return how many frames there are."""
        if not self._made:
            return 0
        return sum(
            self._read(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
            for table in (*typed.TABLES.values(), "frames")
        )

    def _has(self, table: str) -> bool:
        return self._read("SELECT to_regclass(%s)", (table,)) != [(None,)]

    def rows(self, table: str) -> Rows:
        """Return a small table."""
        if not self._has(table):
            return []
        columns, order = TABLES[table]
        by = f"{order}, number" if table == "losses" else order
        return self._read(f"SELECT {_names(columns)} FROM {table} ORDER BY {by}")  # noqa: S608

    def _stream(self, sql: str) -> Iterator[Any]:
        def open_cursor(db: Any) -> Any:
            cursor = db.cursor(name="stream")
            cursor.itersize = _ROWS
            return cursor.execute(sql.encode())

        cursor = self._looking.run(open_cursor)
        while rows := self._looking.run(lambda _: cursor.fetchmany(_ROWS)):
            yield from rows
        self._looking.rollback()

    def rollups(self) -> Iterator[tuple[Any, ...]]:
        """Give all of them."""
        return self._stream(f"SELECT {_names(ROLLUPS)} FROM rollups")  # noqa: S608

    def newest(self) -> Rows:
        """Return all of them."""
        return self._read(f"SELECT {_names(NEWEST)} FROM newest")  # noqa: S608

    def held(self) -> Iterator[tuple[int, bytes]]:
        """Give the numbers of each boot."""
        return iter(self._read("SELECT epoch, body FROM held"))

    def begun(self) -> tuple[str, int] | None:
        """Return what is being moved here."""
        if not self._has("moving"):
            return None
        source, node = self._read("SELECT source, node FROM moving")[0]
        return source, node

    def begin(self, source: str, tables: dict[str, Rows]) -> None:
        """Fill the small tables."""

        def work() -> None:
            link = self._link
            link.write("CREATE TABLE moving (source text NOT NULL, node integer NOT NULL)")
            link.write("INSERT INTO moving VALUES (%s, 0)", (source,))
            for table, rows in tables.items():
                columns, _ = TABLES[table]
                if not rows or link.read("SELECT to_regclass(%s)", (table,)) == [(None,)]:
                    continue
                self._insert(table, columns, rows)
            link.write(
                "UPDATE ids SET nodes = (SELECT coalesce(max(id), 0) FROM nodes), "
                "epochs = (SELECT coalesce(max(id), 0) FROM epochs), "
                "commands = (SELECT coalesce(max(id), 0) FROM commands), "
                "stages = (SELECT coalesce(max(id), 0) FROM stages), "
                "alarms = (SELECT coalesce(max(id), 0) FROM alarms)"
            )

        self._link.whole(work)

    def _insert(self, table: str, columns: tuple[str, ...], rows: Rows) -> None:
        flag = _FLAGS.get(table)
        if flag is not None:
            place = columns.index(flag)
            rows = [(*row[:place], bool(row[place]), *row[place + 1 :]) for row in rows]
        if table == "losses":
            columns = (*columns, "number")
            rows = [
                (*row, number)
                for _, mine in groupby(rows, key=lambda row: row[0])
                for number, row in enumerate(mine, 1)
            ]
        marks = ", ".join(["%s"] * len(columns))
        self._link.write_many(
            f"INSERT INTO {table} ({_names(columns)}) VALUES ({marks})",  # noqa: S608
            rows,
        )

    def reached(self, node: int) -> None:
        """Remember the last node that is whole."""
        self._link.whole(lambda: self._link.write("UPDATE moving SET node = %s", (node,)))

    def finish(
        self,
        rollups: Iterable[tuple[Any, ...]],
        newest: Rows,
        held: Iterable[tuple[int, bytes]],
    ) -> None:
        """Put these in the place of its own."""
        try:
            self._finish(rollups, newest, united(list(self.held()), held))
        except BaseException:
            self._link.rollback()
            raise

    def _finish(
        self, rollups: Iterable[tuple[Any, ...]], newest: Rows, held: Iterable[tuple[int, bytes]]
    ) -> None:
        link = self._link
        link.write("DELETE FROM rollups")
        pile: Rows = []
        for row in rollups:
            pile.append(row)
            if len(pile) >= _ROWS:
                self._insert("rollups", ROLLUPS, pile)
                pile = []
        self._insert("rollups", ROLLUPS, pile)
        link.write_many(
            "INSERT INTO newest (block, type, body) VALUES (%s, %s, %s) "
            "ON CONFLICT (block, type) DO UPDATE SET body = excluded.body",
            newest,
        )
        link.write_many(
            "INSERT INTO held (epoch, body) VALUES (%s, %s) "
            "ON CONFLICT (epoch) DO UPDATE SET body = excluded.body",
            held,
        )
        link.write("DROP TABLE moving")
        link.commit()

    def put_in_place(self) -> None:
        """It is there."""

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
        self._looking.close()


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
