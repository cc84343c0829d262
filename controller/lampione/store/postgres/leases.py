"""Leases in PostgreSQL. A paused worker that holds a row makes others wait two seconds at most."""

from typing import Any

import psycopg

from lampione.store import Engine, StoreError
from lampione.store.leases import Leases

LOCK_ROWS = " FOR SHARE"  # a lease that is being committed under cannot be taken before the end
_OPTIONS = "-c lock_timeout=2s -c statement_timeout=5s -c synchronous_commit=on"


def postgres_leases(engine: Engine) -> Leases:
    """Connect. Raises StoreError."""
    try:
        database = psycopg.connect(
            engine.url, autocommit=True, connect_timeout=5, options=_OPTIONS,
            tcp_user_timeout=5000,
        )  # fmt: skip
    except psycopg.Error as error:
        raise StoreError(f"{engine.url}: {error}") from None

    def run(sql: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            cursor = database.execute(sql.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise StoreError(f"{engine.url}: {error}") from error

    now = "extract(epoch FROM clock_timestamp())::double precision"
    return Leases(run, now, database.close, {"integer": "bigint", "real": "double precision"})
