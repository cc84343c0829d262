"""Connections to a PostgreSQL server, and what goes wrong with them in words.

No password is taken from a URL: command lines can be seen by everybody on a machine. libpq reads
~/.pgpass, or the file that PGPASSFILE or `?passfile=` names.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import psycopg
from psycopg import conninfo, pq

from lampione.store import StoreError

LEAST_VERSION = 14
_TRIES = 5
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "tcp_user_timeout": "30000",  # ms
}
_SECRET = {"password", "sslpassword"}
_WORDS = {
    "28P01": "the password is wrong: it is taken from ~/.pgpass or PGPASSFILE",
    "28000": "the server does not let this user in: see its pg_hba.conf",
    "3D000": "there is no such database: make it with createdb",
    "42501": "this user may not do that; make it the owner of the database",
    "53100": "the server's disk is full",
    "53300": "the server has no connection left: raise max_connections",
    "57P03": "the server is starting up or shutting down",
    "25006": "the server only reads: it is a standby",
}
_Answer = TypeVar("_Answer")


def check_url(url: str) -> str:
    """Return a URL that holds no password. Raises StoreError."""
    parts = urlsplit(url)
    if parts.password is not None or _SECRET & {name for name, _ in parse_qsl(parts.query)}:
        raise StoreError(
            f"{shown(url)}: a password in the URL can be seen by everybody on this machine; "
            "write it to ~/.pgpass, or to a file that PGPASSFILE or ?passfile= names"
        )
    try:
        conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise StoreError(f"{shown(url)}: {_line(error)}") from None
    return url


def shown(url: str) -> str:
    """Return a URL as it may be printed."""
    parts = urlsplit(url)
    where = parts.netloc
    if parts.password is not None:
        user, _, host = where.rpartition("@")
        where = f"{user.partition(':')[0]}:***@{host}"
    pairs = [
        f"{name}={'***' if name.partition('=')[0] in _SECRET else value}"
        for name, _, value in (pair.partition("=") for pair in parts.query.split("&") if pair)
    ]
    return urlunsplit(parts._replace(netloc=where, query="&".join(pairs)))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def in_words(url: str, error: psycopg.Error) -> StoreError:
    """Return what went wrong, for people."""
    words = _WORDS.get(error.sqlstate or "")
    said = _line(error)
    if words is None and "password" in said:  # libpq, before there is a state
        words = (
            _WORDS["28P01"]
            if "authentication failed" in said
            else "the server wants a password, and ~/.pgpass or PGPASSFILE has none for it"
        )
    return StoreError(f"{shown(url)}: {said}" if words is None else f"{shown(url)}: {words}")


def connect(url: str, *, name: str = "lampione") -> psycopg.Connection[Any]:
    """Connect as who commits each statement; `name` is what the server knows us by.

    Raises StoreError.
    """
    given = conninfo.conninfo_to_dict(check_url(url))
    missing: dict[str, Any] = {n: value for n, value in _DEFAULTS.items() if n not in given}
    missing["application_name"] = name
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True, **missing)
    except psycopg.Error as error:
        words = in_words(url, error)
        if error.sqlstate is None and ("refused" in str(error) or "No such file" in str(error)):
            words = StoreError(f"{shown(url)}: no server answers there: {_line(error)}")
        elif error.sqlstate is None:
            words = _by_text(url, error, words)
        raise words from None
    version = connection.info.server_version // 10000
    if version < LEAST_VERSION:
        connection.close()
        raise StoreError(
            f"{shown(url)}: PostgreSQL {version} is too old, {LEAST_VERSION} is the least"
        )
    return connection


def _by_text(url: str, error: psycopg.Error, words: StoreError) -> StoreError:
    """As `in_words`, of refusals to connect, whose state psycopg does not pass on."""
    said = str(error)
    for piece, state in (
        ("password authentication failed", "28P01"),
        ("no pg_hba.conf entry", "28000"),
        ("too many clients", "53300"),
        ("starting up", "57P03"),
        ("shutting down", "57P03"),
    ):
        if piece in said:
            return StoreError(f"{shown(url)}: {_WORDS[state]}")
    if "database" in said and "does not exist" in said:
        return StoreError(f"{shown(url)}: {_WORDS['3D000']}")
    return words


def _has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Say whether the server has closed an idle connection, without asking it."""
    try:
        for _ in range(2):  # its last words, then the end
            connection.pgconn.consume_input()
    except psycopg.Error:
        return True
    return connection.closed


class Link:
    """A connection that is made when it is needed, and again after it was lost."""

    def __init__(
        self, url: str, *, autocommit: bool = False, settings: str = "", name: str = "lampione"
    ) -> None:
        """`settings`: SQL that every new connection begins with; `name`: see `connect`."""
        self.url = check_url(url)
        self._autocommit = autocommit
        self._settings = settings
        self._name = name
        self._connection: psycopg.Connection[Any] | None = None
        self.made = 0  # connections, so far

    @property
    def db(self) -> psycopg.Connection[Any]:
        """The connection. Raises StoreError."""
        if self._connection is not None and self.idle and _has_ended(self._connection):
            self.close()  # between two transactions nothing is lost with it
        if self._connection is None:
            self.made += 1
            made = connect(self.url, name=self._name)
            if self._settings:
                made.execute(self._settings.encode())
            made.autocommit = self._autocommit
            self._connection = made
        return self._connection

    @property
    def idle(self) -> bool:
        """Say whether no transaction is open."""
        db = self._connection
        return db is None or db.info.transaction_status == pq.TransactionStatus.IDLE

    def run(self, work: Callable[[psycopg.Connection[Any]], _Answer]) -> _Answer:
        """Do something with it. Raises StoreError."""
        try:
            return work(self.db)
        except psycopg.Error as error:
            # Within a transaction the caller has to hear of it, and rolls back.
            if self._autocommit and self._connection is not None and self._connection.closed:
                self._connection = None
            raise in_words(self.url, error) from error

    def read(self, sql: str, given: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a question."""
        return self.run(lambda db: db.execute(sql.encode(), given or None).fetchall())

    def write(self, sql: str, given: Sequence[Any] = ()) -> int:
        """Run a statement; return how many rows it concerned."""
        return self.run(lambda db: db.execute(sql.encode(), given or None).rowcount)

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of some rows."""
        listed = list(rows)
        if listed:
            self.run(lambda db: db.cursor().executemany(sql.encode(), listed))

    def commit(self) -> None:
        """Commit."""
        self.run(lambda db: db.commit())

    def rollback(self) -> None:
        """Take back what is not committed; a connection that is broken is given up."""
        db = self._connection
        if db is None:
            return
        try:
            db.rollback()
        except psycopg.Error:
            self._connection = None
            db.close()

    def close(self) -> None:
        """Close it."""
        db, self._connection = self._connection, None
        if db is not None:
            db.close()

    def whole(self, work: Callable[[], _Answer]) -> _Answer:
        """Do something as one transaction, again where another one was in its way."""
        for left in reversed(range(_TRIES)):
            try:
                answer = work()
                self.commit()
            except StoreError as error:
                self.rollback()
                cause = error.__cause__
                if left and isinstance(cause, psycopg.Error) and cause.sqlstate in _AGAIN:
                    continue
                raise
            except BaseException:
                self.rollback()
                raise
            return answer
        raise AssertionError


_AGAIN = {"40001", "40P01"}  # serialization failure, deadlock
