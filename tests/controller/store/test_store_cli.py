"""`lampione store` where there is no store, another one, or the one that a controller named."""

import shutil
import stat
from pathlib import Path

import pytest
from lampione.cli.run import run
from lampione.core.folder import FolderError, StateFolder
from lampione.store.sqlite import SqliteEngine

from tests.controller.store.test_keep import engine, whole

__all__ = ["engine", "whole"]


@pytest.mark.parametrize("action", ["space", "retain", "vacuum", "fold", "check"])
@pytest.mark.parametrize(
    ("store", "says"),
    [
        (None, "no controller has run there: --state or --store says where one is"),
        ("", "a store without a name"),
        ("sqlite:", "a store without a name"),
        ("{}", "is a folder: name the store's file in it"),
        ("{}/none.db", "none.db is not there: --store names a store's file"),
        ("mysql://x", "no such kind of store"),
    ],
)
def test_what_is_missing_is_said(
    action: str, store: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [] if store is None else ["--store", store.format(tmp_path)]
    assert run(["store", action, *where, "--state", str(tmp_path / "state")]) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "No such file" not in err
    assert not list(tmp_path.iterdir())


def test_another_store_needs_no_state_folder(
    engine: SqliteEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--store", str(engine.path), "--state", str(tmp_path / "state")]
    for action, says in (
        ("fold", "frames folded"),
        ("vacuum", "given back"),
        ("retain", "for ever"),
        ("check", "the store is whole"),
    ):
        assert run(["store", action, *where]) == 0
        assert says in capsys.readouterr().out
    assert not (tmp_path / "state").exists()


def test_restore_makes_a_private_state_folder(engine: SqliteEngine, tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    assert run(["store", "restore", str(tmp_path / "no.db"), "--state", str(state)]) == 1
    assert not state.exists()
    keeper = engine.keeper()
    keeper.backup(tmp_path / "copy.db")
    keeper.close()
    assert run(["store", "restore", str(tmp_path / "copy.db"), "--state", str(state)]) == 0
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert run(["store", "check", "--state", str(state)]) == 0


def test_the_controllers_store_is_found_wherever_it_is(
    engine: SqliteEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    folder = StateFolder(state)
    monkeypatch.chdir(engine.path.parent)
    folder.keep_store(SqliteEngine(Path(engine.path.name)).url)  # as `serve --store x.db` does
    monkeypatch.chdir(state)
    assert stat.S_IMODE((state / "store").stat().st_mode) == 0o600
    assert run(["store", "check", "--state", str(state)]) == 0
    assert run(["store", "fold", "--state", str(state)]) == 0
    assert run(["export", "--state", str(state), "--since", "2020-01-01"]) == 0
    assert "frames folded" in capsys.readouterr().out
    shutil.move(engine.path, tmp_path / "moved.db")
    assert run(["export", "--state", str(state)]) == 1
    assert "--state or --store says where one is" in capsys.readouterr().err
    folder.keep_store(None)
    assert folder.store == folder.database


@pytest.mark.parametrize("content", [b"\xff\xfe", b""])
def test_a_damaged_note_of_the_store(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(content)
    folder = StateFolder(tmp_path)
    if content:
        with pytest.raises(FolderError, match="is damaged: start the controller"):
            folder.store  # noqa: B018
    else:
        assert folder.store == folder.database


@pytest.mark.parametrize("action", ["space", "retain", "fold", "check"])
@pytest.mark.parametrize(
    ("size", "says"),
    [
        (0, "is no store of Lampione's, or one of an older program"),
        (50, "is damaged"),
        (5000, "is damaged"),
        (20_000, "is damaged"),
    ],
)
def test_a_file_that_was_cut_is_said_in_words(
    action: str, size: int, says: str, engine: SqliteEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.path.open("r+b") as file:
        file.truncate(size)
    state = engine.path.parent / "state"
    assert run(["store", action, "--store", str(engine.path), "--state", str(state)]) == 1
    told = capsys.readouterr()
    assert says in told.out + told.err
    assert engine.path.stat().st_size == size
