"""One suite of behaviours over both engines, each the real thing."""

from pathlib import Path

import pytest
from lampione.store import Engine
from lampione.store.engine import open_engine

from tests.controller.store.contract import Contract


class TestSqlite(Contract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return open_engine(tmp_path / "x.db")


class TestPostgres(Contract):
    @pytest.fixture
    def engine(self, postgres_url: str) -> Engine:
        return open_engine(postgres_url)
