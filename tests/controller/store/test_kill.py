"""kill -9 while a process appends, folds and refolds: what it acknowledged is there, once."""

import contextlib
import functools
import multiprocessing
import os
import random
import signal
import sqlite3
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from lampione.store import SERIES, Frame
from lampione.store.sqlite import SqliteEngine
from lampione_protocol import schema

from tests.controller.fake_node import text

DAY = 1_780_272_000
NODES = (*range(1, 9), 1500)
A_ROUND = 7  # frames


def frame_of(epoch: int, seq: int) -> Frame:
    """Return the frame with a number: time goes on an hour in some thirty, over several days."""
    kind = schema.EVENT if seq % 10 == 9 else SERIES[seq % 2]
    at = DAY + seq * 131
    return Frame(epoch, seq, kind, at + 5.0, at, _body(kind, at - schema.EPOCH_2020, seq))


@functools.cache  # the nodes say the same, and are asked again what they said
def _body(kind: int, time: int, seq: int) -> bytes:
    if kind == schema.REPORT:
        return text(kind, start=time, duration_s=60, clock=3, valid=511, laeq=400 + seq % 500)
    return text(kind, time=time, clock=3)


def live(path: Path, first: int, said: Connection) -> None:
    """Append for ever, saying what is committed; fold and refold beside it."""
    engine = SqliteEngine(path)
    store = engine.writer()

    def upkeep() -> None:
        folder = engine.folder()
        while True:
            folder.fold(DAY)
            folder.refold(DAY + 90 * 86400.0)

    threading.Thread(target=upkeep, daemon=True).start()
    seq = first
    while True:
        frames = [frame_of(1 + n, seq + m) for n in range(len(NODES)) for m in range(A_ROUND)]
        store.frames(frames)
        store.commit()
        seq += A_ROUND
        said.send(seq)


def kill_again_and_again(path: Path, times: int, seed: int) -> None:
    dice = random.Random(seed)
    engine = SqliteEngine(path)
    store = engine.writer()
    for number, node in enumerate(NODES, 1):
        store._write("INSERT INTO nodes (id, name) VALUES (?, ?)", (node, f"n-{node}"))
        assert store.epoch_id(node, b"abcd", 1) == number
    store.commit()
    store.close()
    said = 0
    for _ in range(times):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=live, args=(path, said, theirs))
        child.start()
        theirs.close()
        with contextlib.suppress(EOFError):
            for _ in range(dice.randint(1, 25)):
                said = ours.recv()
            for _ in range(dice.randint(0, 20_000)):  # somewhere within what comes next
                pass
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with contextlib.suppress(EOFError):
            while True:
                said = ours.recv()
        ours.close()
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.close()
        reader = engine.reader()
        found = [frame for _, frame in reader.frames()]
        reader.close()
        stored = {(frame.epoch, frame.seq) for frame in found}
        assert len(found) == len(stored)  # none doubled
        last = max((seq for _, seq in stored), default=-1)
        assert {seq for _, seq in stored} == set(range(last + 1))
        assert len(stored) == (last + 1) * len(NODES)
        assert last + 1 in (said, said + A_ROUND)  # committed, and killed before it could say so
        said = last + 1
    folder = engine.folder()
    folder.fold(DAY)
    folder.refold(DAY + 90 * 86400.0)
    folder.close()
    reader = engine.reader()
    for node, frame in reader.frames():
        assert node == NODES[frame.epoch - 1]
        assert frame == frame_of(frame.epoch, frame.seq)
    counted = reader.rollups(86400, 0, 2**33, "laeq_energy").arrays["n"].sum(axis=0)
    reports = [seq for seq in range(said) if frame_of(1, seq).type == schema.REPORT]
    assert counted.tolist() == [len(reports)] * len(NODES)
    reader.close()


def test_killed_at_any_instant(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path / "x.db", 12, 1)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_killed_a_thousand_times(tmp_path: Path) -> None:
    for seed in range(20):
        kill_again_and_again(tmp_path / f"{seed}.db", 50, seed)
