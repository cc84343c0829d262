"""The thread that looks after a store: folds by itself, does wishes, goes on after failures."""

import threading
from pathlib import Path

import pytest
from lampione.core.upkeep import Upkeep
from lampione.store import Folder, Keeper, StoreError
from lampione.store.sqlite import SqliteEngine

from tests.brokers import wait_until
from tests.controller.store.test_keep import append
from tests.controller.store.test_kill import NODES


def waiting(engine: SqliteEngine) -> int:
    keeper = engine.keeper()
    count = keeper.space()["waiting"].rows
    keeper.close()
    return count


def test_it_folds_by_itself_and_drops_what_is_too_old(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "x.db")
    append(engine, 0, 50)
    keeper = engine.keeper()
    keeper.set_policy({"health": 1.0})
    keeper.close()
    with Upkeep(engine, fold_s=0.01, first_s=0):
        wait_until("it is folded", lambda: waiting(engine) == 0)
        append(engine, 50, 10)
        wait_until("what comes later too", lambda: waiting(engine) == 0)
    found = engine.keeper().space()
    assert found["reports"].rows == 30 * len(NODES)
    # It is months old: the first round dropped it, and the next does so in an hour.
    assert found["health"].rows < 25 * len(NODES)


def test_of_several_workers_one_folds(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "x.db")
    append(engine, 0, 50)
    asked = threading.Event()

    def may() -> bool:
        asked.set()
        return False

    with Upkeep(engine, may, fold_s=0.001, first_s=0):
        assert asked.wait(20)
    assert waiting(engine) == 45 * len(NODES)


def test_wishes_are_done_between_and_failures_told(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "x.db")
    append(engine, 0, 50)
    with Upkeep(engine) as upkeep:
        assert upkeep.ask(lambda: threading.current_thread().name).result(20) == "upkeep"
        done = upkeep.ask(lambda: upkeep.perform("fold", {})).result(20)
        assert done["frames"] == 45 * len(NODES)
        with pytest.raises(StoreError, match="classes are"):
            upkeep.ask(lambda: upkeep.perform("retain", {"nothing": 1.0})).result(20)
        assert upkeep.ask(lambda: 3).result(20) == 3


def test_it_goes_on_after_a_failure(tmp_path: Path) -> None:
    class Failing(SqliteEngine):
        tries = 0

        def folder(self) -> Folder:  # type: ignore[override]
            self.tries += 1
            if self.tries < 3:
                raise StoreError("the disk is full") if self.tries == 1 else OSError("and more")
            return super().folder()

    engine = Failing(tmp_path / "x.db")
    append(engine, 0, 50)
    with Upkeep(engine, fold_s=0.01, first_s=0):
        wait_until("it is folded in the end", lambda: waiting(engine) == 0)
    assert engine.tries >= 3


def test_what_cannot_be_folded_keeps_nothing_from_being_dropped(tmp_path: Path) -> None:
    dropped = threading.Event()

    class Damaged(SqliteEngine):
        def folder(self) -> Folder:  # type: ignore[override]
            raise StoreError("chunk 7 is damaged")

        def keeper(self) -> Keeper:  # type: ignore[override]
            dropped.set()
            return super().keeper()

    engine = Damaged(tmp_path / "x.db")
    engine.writer().close()
    with Upkeep(engine, fold_s=0.01, first_s=0):
        assert dropped.wait(20)
