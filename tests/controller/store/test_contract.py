"""One suite of behaviours over both engines, each the real thing."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from lampione.store import Engine
from lampione.store.engine import open_engine

from tests.controller.store.contract import Contract, Harm


class TestSqlite(Contract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return open_engine(tmp_path / "x.db")

    @pytest.fixture
    def harm(self, tmp_path: Path) -> Harm:
        def harm(sql: str) -> None:
            with sqlite3.connect(tmp_path / "x.db") as db:
                db.execute(sql)
            db.close()

        return harm


class TestPostgres(Contract):
    @pytest.fixture
    def engine(self, postgres_url: str) -> Engine:
        return open_engine(postgres_url)

    @pytest.fixture
    def harm(self, postgres_url: str) -> Harm:
        def harm(sql: str) -> None:
            with psycopg.connect(postgres_url) as db:
                db.execute(sql.encode())

        return harm
