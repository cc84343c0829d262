"""One engine into the other and back: everything is there, whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lampione.cli.run import run
from lampione.core.folder import StateFolder
from lampione.rollup import LEVELS
from lampione.room.audit import Deed
from lampione.room.tags import Tag
from lampione.store import (
    Engine,
    Frame,
    StoredConfig,
    StoredMember,
    StoredNote,
    StoredRollout,
    StoredStages,
    StoreError,
)
from lampione.store.engine import open_carrier, open_engine
from lampione.store.move import TABLES, Moved, Progress, move
from lampione.store.postgres import partitions
from lampione.store.postgres.connect import Link
from lampione_protocol import schema

from tests.brokers import wait_until
from tests.controller.store.contract import T0, command, event, frames_of, report

NODES = 4
Place = Callable[[str], str]


def fill(engine: Engine, days: int = 3, per_day: int = 60) -> None:
    """Some nodes with several boots, odd bodies, and what else a store keeps."""
    store = engine.writer()
    folder = engine.folder()
    for n in range(NODES):
        node = store.add_node(f"n-{n}").id
        for boot in range(2):
            epoch = store.epoch_id(node, bytes([n, 200, boot, 0]), boot)
            at = T0 + 43_200 * boot
            frames = [
                report(epoch, day * 1000 + i, at + 86_400 * day + 60 * i, no2=i % 99)
                for day in range(days)
                for i in range(per_day)
            ]
            frames += [event(epoch, 50_000 + i, at + i) for i in range(3)]
            frames += [Frame(epoch, 60_000, schema.REPORT, at + 0.75, None, b"cut")]
            frames += [report(epoch, 60_001, at, None)._replace(received=at + 9.125, at=5)]
            store.frames(frames)
        store.commit()
        if n == 1:
            folder.fold(T0)
    folder.close()
    store.supersede(1, 2)
    store.greet(2, 3, 7, 5.5, b"hello")
    store.lines([('{"watermark": 3}', 2)])
    store.counter(2, 77)
    store.lose(1, [[1, 2], [5, 6]], 1.5, "why")
    store.lose(2, [[9, 9]], 1.5, "why")
    store.add_totals({"stored": 2**40})
    store.refused({("", "seal"): 1, ("n-1", "seal"): 4}, 1.5)
    store.add_command(1, command({"op": "resume"}))
    state = command({"op": "resume"}, 2.0)
    state["command"] = store.add_command(1, state)
    store.save_command({**state, "final": True, "state": "done"}, b"aaaa", b"frame")
    store.add_config(StoredConfig(1, 3, b"12345678", b"\0\xff", 1.5, None), 3)
    store.save_rollout(StoredRollout(1, 3, "applied", 0, 300, 7, b"aaaa", "why", 1.0, 2.0))
    stages = StoredStages(0, "config", "anna", 1.0, 2.0, "paused", 1, 3.0, "why", 1, 1, "{}", "{}")
    number = store.add_stages(stages, 9)
    store.add_members(number, [(StoredMember(1, 1, "failed", 0, 3, "why", 2.0), b"\0\xff")])
    deed = Deed(1.5, "anna", "operate", "tty", "lock", "n-1", {"reason": "« sì »"})
    store.add_deeds([deed, deed._replace(node=None)])
    store.save_tag(1, Tag("n-1", "anna", "driver", 7.0, 8.0))
    store.add_note(StoredNote(0, 5.0, "anna", "all dark", 0, b""))
    store.commit()
    store.close()


def everything(where: str) -> Any:
    """What is stored, in a form that is the same of every engine."""
    engine = open_engine(where)
    folder = engine.folder()
    folder.fold(T0)
    folder.close()
    reader = engine.reader()
    rolled = {
        (level, measure): {name: a.tolist() for name, a in table.arrays.items()}
        for level in LEVELS
        for measure in ("no2", "laeq_energy")
        for table in [reader.rollups(level, 0, 4e9, measure)]
    }
    reader.close()
    keeper = engine.keeper()
    assert [wrong for wrong in keeper.check() if wrong.startswith("audit")] == []
    keeper.close()
    frames = [frame._replace(received=frame.received // 1) for _, frame in frames_of(engine)]
    store = engine.writer()
    newest = {
        node: frame._replace(received=frame.received // 1)
        for node, frame in store.latest(schema.REPORT).items()
    }
    store.close()
    carrier = open_carrier(where)
    tables = {name: sorted(carrier.rows(name)) for name in TABLES if name != "keeping"}
    carrier.close()
    return frames, rolled, newest, tables


def carried(source: str, target: str, tell: Callable[[Progress], None] = lambda _: None) -> Moved:
    one, other = open_carrier(source), open_carrier(target, target=True)
    try:
        return move(one, other, tell, T0)
    finally:
        one.close()
        other.close()


def test_there_and_back_again(tmp_path: Path, postgres_url: str) -> None:
    first, last = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    fill(open_engine(first))
    steps: list[Progress] = []
    done = carried(first, postgres_url, steps.append)
    total = NODES * 2 * (3 * 60 + 3 + 2)
    assert done == Moved(NODES, total, total, False)
    assert {step.step for step in steps} == {"copy", "compare", "finish"}
    assert all(step.frames <= step.total == total for step in steps)
    expected = everything(first)
    assert everything(postgres_url) == expected
    assert carried(postgres_url, last) == Moved(NODES, total, total, False)
    assert everything(last) == expected
    assert not list(tmp_path.glob("*.moving*"))
    # Numbers go on where they were.
    for where in (postgres_url, last):
        store = open_engine(where).writer()
        assert store.add_node("new").id == NODES + 1
        assert store.epoch_id(NODES + 1, b"aaaa", 1) == 2 * NODES + 1
        assert store.add_command(1, command({"op": "resume"})) == 3
        assert store.add_stages(store.stages(1)[0], 9) == 2
        store.lose(1, [[100, 100]], 1.0, "why")
        store.close()


def test_what_outlives_its_frames_is_carried_too(tmp_path: Path, postgres_url: str) -> None:
    """Roll-ups of days that were dropped, and that their numbers have been here."""
    engine = open_engine(postgres_url)
    fill(engine)
    folder = engine.folder()
    folder.fold(T0)
    folder.close()
    before = everything(postgres_url)
    link = Link(postgres_url, autocommit=True)
    assert partitions.drop(link, "reports", T0 // 86_400) > 0
    link.close()
    target = str(tmp_path / "b.db")
    done = carried(postgres_url, target)
    assert done.frames < len(before[0])
    after = everything(target)
    assert after[1:] == before[1:]
    store = open_engine(target).writer()
    assert store.frames([frame for frame in before[0] if frame.type == schema.REPORT]) == 0
    store.close()


@pytest.mark.parametrize("into", ["postgres", "sqlite"])
def test_killed_in_the_middle_it_goes_on(tmp_path: Path, postgres_url: str, into: str) -> None:
    first, last = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    fill(open_engine(first))
    if into == "postgres":
        source, target = first, postgres_url
    else:
        carried(first, postgres_url)
        source, target = postgres_url, last
    expected = everything(source)
    for turn in range(2):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.controller.store.slow_move", source, target],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(turn + 1):  # pieces that this one carried
            assert child.stdout.readline().startswith("copy")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with pytest.raises(StoreError, match=r"not whole|not there"):
            _ = carried(target, str(tmp_path / "c.db"))
        if into == "postgres":
            with pytest.raises(StoreError, match="not whole"):
                open_engine(target).writer()
        else:
            assert not Path(last).exists()
    done = carried(source, target)
    assert done.resumed
    assert done.copied < done.frames == len(expected[0])
    assert everything(target) == expected


def test_what_differs_is_named(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(tmp_path / "a.db")
    fill(open_engine(source))

    def spoil(step: Progress) -> None:
        if step.step == "compare" and not spoilt:
            spoilt.append(1)
            link = Link(postgres_url)
            link.write("UPDATE reports SET laeq = laeq + 1 WHERE node = 3 AND seq = 1000")
            link.commit()
            link.close()

    spoilt: list[int] = []
    with pytest.raises(
        StoreError, match=r"n-2, 2026-.*120 frames in the source, 120 in the target"
    ):
        carried(source, postgres_url, spoil)
    with pytest.raises(StoreError, match="not whole"):
        open_engine(postgres_url).writer()


def test_it_refuses_what_is_in_use_or_not_empty(tmp_path: Path, postgres_url: str) -> None:
    source = str(tmp_path / "a.db")
    with pytest.raises(StoreError, match="not there"):
        carried(source, postgres_url)
    fill(open_engine(source), 1, 1)
    with pytest.raises(StoreError, match="no store of ours"):
        carried(postgres_url, str(tmp_path / "b.db"))
    store = open_engine(postgres_url).writer()
    with pytest.raises(StoreError, match="target is in use by a controller"):
        carried(source, postgres_url)
    with pytest.raises(StoreError, match="source is in use by a controller"):
        carried(postgres_url, str(tmp_path / "b.db"))
    store.add_node("a-1")
    store.commit()
    store.close()
    wait_until("the writer is gone", lambda: open_carrier(postgres_url).busy() is None)
    with pytest.raises(StoreError, match="not empty"):
        carried(source, postgres_url)
    with pytest.raises(StoreError, match="there already"):
        carried(source, source)


def test_the_command(tmp_path: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    source = str(state / "lampione.db")
    fill(open_engine(source), 1)
    total = len(frames_of(open_engine(source)))
    assert run(["store", "move", source, postgres_url, "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"frames": total, "nodes": NODES, "there": 0, "resumes": False}
    with StateFolder(state).owned():
        assert run(["store", "move", source, postgres_url]) == 1
    assert "a controller runs on" in capsys.readouterr().err
    assert run(["store", "move", source, postgres_url, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1].items() >= {"done": True, "frames": total, "copied": total}.items()
    assert lines[0]["step"] == "copy"
    assert run(["store", "move", postgres_url, str(state / "b.db")]) == 0
    shown = capsys.readouterr()
    assert f"{total:,} frames of {NODES} nodes" in shown.out
    assert "copying" in shown.err
    assert run(["store", "move", source, "postgresql://a:secret@host/x"]) == 1
    assert "secret" not in capsys.readouterr().err
