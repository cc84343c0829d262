"""Which database: a path, `sqlite:PATH` or `postgresql://...`."""

from pathlib import Path

from lampione.store import Engine, StoreError
from lampione.store.move import Carrier
from lampione.store.sqlite import SqliteEngine
from lampione.store.sqlite.carry import SqliteCarrier


def path_of(where: str | Path) -> Path | None:
    """Return the file of a SQLite database; None: it is PostgreSQL's. Raises StoreError."""
    if isinstance(where, Path):
        return where
    scheme, colon, rest = where.partition(":")
    if not colon or scheme == "sqlite":
        name = rest if colon else where
        if not name:
            raise StoreError("a store without a name: give a path or postgresql://...")
        if Path(name).is_dir():
            raise StoreError(f"{name} is a folder: name the store's file in it, as lampione.db")
        return Path(name)
    if scheme not in ("postgresql", "postgres"):
        raise StoreError(f"{scheme}: no such kind of store; give a path or postgresql://...")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise StoreError(
            "psycopg is not installed, which PostgreSQL needs: pip install 'lampione[postgres]'"
        ) from None
    return None


def open_engine(where: str | Path) -> Engine:
    """Return the engine of a database; nothing is opened yet. Raises StoreError."""
    path = path_of(where)
    if path is not None:
        return SqliteEngine(path)
    from lampione.store.postgres import PostgresEngine

    return PostgresEngine(str(where))


def open_carrier(where: str | Path, *, target: bool = False) -> Carrier:
    """Return one end of a move. Raises StoreError."""
    path = path_of(where)
    if path is not None:
        return SqliteCarrier(path, target=target)
    from lampione.store.postgres.carry import PostgresCarrier

    return PostgresCarrier(str(where), target=target)
