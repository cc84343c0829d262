"""Leases in PostgreSQL. A paused worker that holds a row makes others wait two seconds at most."""

from typing import Any

import psycopg

from lampione.store import Engine
from lampione.store.leases import Leases
from lampione.store.postgres.connect import Link

_SETTINGS = "SET lock_timeout = '2s'; SET statement_timeout = '5s'"


def postgres_leases(engine: Engine) -> Leases:
    """Connect. Raises StoreError."""
    link = Link(engine.url, autocommit=True, settings=_SETTINGS)

    def run(sql: str, values: tuple[Any, ...]) -> list[Any]:
        def work(db: psycopg.Connection[Any]) -> list[Any]:
            cursor = db.execute(sql.replace("?", "%s").encode(), values or None)
            return cursor.fetchall() if cursor.description else []

        return link.run(work)

    now = "extract(epoch FROM clock_timestamp())::double precision"
    return Leases(run, now, link.close, {"integer": "bigint", "real": "double precision"})
