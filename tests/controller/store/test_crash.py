"""kill -9 at any instant of append, fold, refold, retention, vacuum and backup.

The store opens, is whole by its own check, and holds what was acknowledged; backups are whole or
not there.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import threading
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from lampione.store.sqlite import SqliteEngine
from lampione_protocol import schema

from tests.controller.store.test_kill import A_ROUND, DAY, NODES, frame_of
from tests.controller.store.whole import frames_in

EVENTS_KEPT_S = 3000.0
HEALTH_KEPT_S = 30_000.0
KILLS_A_STORE = 10
A_STEP = 8  # rounds
_SEQ_S = 131  # of `frame_of`
_POLICY = {
    "events": EVENTS_KEPT_S, "health": HEALTH_KEPT_S, "rollups-5min": 7200.0, "commands": 1.0,
}  # fmt: skip


STEPS = ("fold", "refold", "retain", "vacuum", "backup")


def live(path: Path, first: int, said: Connection, step: Any) -> None:
    """Append for ever, saying what is committed; look after the store beside it."""
    engine = SqliteEngine(path)
    store = engine.writer()
    seq = first
    rounds = threading.Semaphore(A_STEP)  # as fast as it can it would fill the disk

    def at(number: int) -> None:
        step.value = number
        rounds.release(A_STEP)

    def upkeep() -> None:
        try:
            look_after()
        finally:
            os._exit(1)

    def look_after() -> None:
        folder, keeper = engine.folder(), engine.keeper()
        copies = 0
        while True:
            now = DAY + seq * _SEQ_S
            at(0)
            folder.fold(now)
            at(1)
            folder.refold(now + 90 * 86400.0)
            at(2)
            keeper.retain(_POLICY, now, lambda: False)
            at(3)
            keeper.vacuum(lambda: False)
            at(4)
            copies += 1
            copy = path.with_name(f"copy-{copies % 3}.db")
            copy.unlink(missing_ok=True)
            keeper.backup(copy)

    threading.Thread(target=upkeep, daemon=True).start()
    while True:
        rounds.acquire()
        store.frames([frame_of(1 + n, seq + m) for n in range(len(NODES)) for m in range(A_ROUND)])
        store.commit()
        seq += A_ROUND
        said.send(seq)


def run_until_killed(path: Path, said: int, target: int, dice: random.Random) -> tuple[int, int]:
    """Kill it when it is at a step; return what was acknowledged, and the step it was in."""
    step = multiprocessing.RawValue("i", 0)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=live, args=(path, said, theirs, step)
    )
    child.start()
    theirs.close()
    with contextlib.suppress(EOFError):
        for _ in range(dice.randint(1, 6)):
            said = ours.recv()
        while step.value != target:
            if ours.poll(0.0001):
                said = ours.recv()
        for _ in range(int(2 ** dice.uniform(0, 22))):  # somewhere within what comes next
            pass
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with contextlib.suppress(EOFError):
        while True:
            said = ours.recv()
    ours.close()
    return said, step.value


def look(path: Path, said: int) -> int:
    """See that the store is whole; return the number after its last."""
    engine = SqliteEngine(path)
    keeper = engine.keeper()
    assert keeper.check(full=True) == []
    keeper.close()
    stored = [(frame.epoch, frame.seq) for _, frame in frames_in(path)]
    assert len(stored) == len(set(stored))
    last = max((seq for _, seq in stored), default=-1)
    assert last + 1 in (said, said + A_ROUND)  # committed, and killed before it could say so
    oldest = DAY + (last + 1) * _SEQ_S
    for epoch in range(1, len(NODES) + 1):
        for seq in sorted(set(range(last + 1)) - {seq for one, seq in stored if one == epoch}):
            frame = frame_of(epoch, seq)
            kept = {schema.EVENT: EVENTS_KEPT_S, schema.HEALTH: HEALTH_KEPT_S}.get(frame.type)
            assert kept is not None, f"{epoch}/{seq} is lost"
            assert frame.at is not None
            assert frame.at < oldest - kept
    copies = sorted(path.parent.glob("copy-?.db"), key=lambda copy: copy.stat().st_mtime_ns)
    for copy in copies[-1:]:
        keeper = SqliteEngine(copy).keeper()
        assert keeper.check(full=True) == []
        keeper.close()
    return last + 1


def kill_again_and_again(folder: Path, stores: int, seed: int) -> None:
    dice = random.Random(seed)
    hit: Counter[str] = Counter()
    for number in range(stores):
        path = folder / str(number) / "x.db"
        path.parent.mkdir()
        store = SqliteEngine(path).writer()
        for place, node in enumerate(NODES, 1):
            store._write("INSERT INTO nodes (id, name) VALUES (?, ?)", (node, f"n-{node}"))
            assert store.epoch_id(node, b"abcd", 1) == place
        store.commit()
        store.close()
        said = 0
        for kill in range(KILLS_A_STORE):
            said, step = run_until_killed(path, said, kill % len(STEPS), dice)
            hit[STEPS[step]] += 1
            said = look(path, said)
        store = SqliteEngine(path).writer()
        everything = [frame_of(1 + n, seq) for n in range(len(NODES)) for seq in range(said)]
        assert store.frames(everything) == 0  # what was dropped, too, has been here
        store.close()
    assert min(hit[name] for name in STEPS) >= stores // 2, hit


@pytest.mark.timeout(600)
@pytest.mark.parametrize("half", [1, 2])
def test_killed_a_hundred_times(tmp_path: Path, half: int) -> None:
    kill_again_and_again(tmp_path, 5, half)


@pytest.mark.soak
@pytest.mark.timeout(6000)
def test_killed_a_thousand_times(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 100, 3)
