"""Which database: a path, `sqlite:PATH` or `postgresql://...`."""

from pathlib import Path

from lampione.store import Engine, StoreError
from lampione.store.sqlite import SqliteEngine


def open_engine(where: str | Path) -> Engine:
    """Return the engine of a database; nothing is opened yet. Raises StoreError."""
    if isinstance(where, Path):
        return SqliteEngine(where)
    scheme, colon, rest = where.partition(":")
    if not colon:
        return SqliteEngine(Path(where))
    if scheme == "sqlite":
        return SqliteEngine(Path(rest))
    if scheme in ("postgresql", "postgres"):
        try:
            from lampione.store.postgres import PostgresEngine
        except ImportError as error:
            raise StoreError(
                f"{error.name} is not installed: pip install 'lampione[postgres]'"
            ) from None
        return PostgresEngine(where)
    raise StoreError(f"{scheme}: no such kind of store; give a path or postgresql://...")
