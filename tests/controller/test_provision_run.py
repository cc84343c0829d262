"""A run over a list: who gets which board, what a failure and Ctrl-C do. Boards are names here."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione import seeds
from lampione.core.client import NoCore
from lampione.provision import record, run
from lampione.provision.commission import Bench, Stopped
from lampione.provision.errors import ProvisionError
from lampione.provision.hands import Place
from lampione.provision.queue import Queue
from lampione.provision.record import Record
from lampione.provision.rows import Row
from lampione.provision.run import Outcome, Run
from lampione.provision.signoff import Check, judge
from lampione_hil.board import BenchError

from tests.brokers import wait_until
from tests.controller.test_provision_signoff import good

SEED = seeds.load()
NODES = [node.id for node in SEED.running]


class Hands:
    """Boards that are plugged in; a test changes them."""

    def __init__(self, *boards: str) -> None:
        self.boards = list(boards)
        self.looks = 0
        self.at: dict[int, Callable[[], None]] = {}  # done at a look

    def find(self) -> list[Place]:
        self.looks += 1
        self.at.pop(self.looks, lambda: None)()
        return [Place(f"/dev/{one}", one) for one in self.boards]


class View:
    """Keeps what is said, and does what a test wants of whoever hears it."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self.said: list[str] = []
        self.ends: dict[str, str] = {}
        self.checks: dict[str, Sequence[Check]] = {}

    def tell(self, name: str, step: str, part: float | None = None) -> None: ...

    def measured(self, name: str, checks: Sequence[Check]) -> None:
        self.checks[name] = checks

    def end(self, name: str, text: str, good: bool) -> None:
        self.ends[name] = text

    def say(self, text: str) -> None:
        self.said.append(text)
        self._heard()


Work = Callable[[Row, Place], None]


class Workshop:
    """Runs a list with boards that are names; `became` is who got which."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, hands: Hands) -> None:
        self.folder = folder
        self.hands = hands
        self.became: dict[str, str] = {}
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self.work: Mapping[str, Work] = {}  # by node or board, instead of success
        self.heard: Callable[[], None] = lambda: None
        self.asked = 0  # to end
        self.audit_fails = False
        self.audit: list[tuple[str, str | None, dict[str, Any]]] = []
        monkeypatch.setattr(run, "commission", self._commission)
        monkeypatch.setattr(run, "_LOOK_S", 0.005)

    def _commission(
        self, bench: Bench, row: Row, place: Place, board_of: str | None, record: Record, told: Any
    ) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            for step in ("who it is", "flash"):
                record.step = step
                told(step, None)
                if bench.stop.is_set():
                    raise Stopped
                for name in (row.node, place.serial_number):
                    if name in self.work and step in ("flash", "who it is"):
                        self.work[name](row, place)
            record.checks = judge(good())
            told("sensors", None)
            record.outcome, record.step = "signed off", None
            self.became[row.node] = place.serial_number
        finally:
            with self._lock:
                self._now -= 1

    def run(
        self, queue: Queue, *, jobs: int = 4, wait_s: float = 0.0, replace: bool = False
    ) -> tuple[Outcome, View]:
        view = View(self.heard)
        bench = Bench(
            seed=SEED, state=self.folder, authority=None, broker=None,  # type: ignore[arg-type]
            hands=self.hands, controller=None, wifi=lambda _: None, replace=replace,  # type: ignore[arg-type]
        )  # fmt: skip
        work = Run(
            bench,
            queue,
            self.folder / "records",
            view,
            jobs=jobs,
            wait_s=wait_s,
            tell=self._tell,
            asked=lambda: self.asked,
        )
        return work.run(), view

    def _tell(self, action: str, node: str | None = None, **detail: Any) -> None:
        self.audit.append((action, node, {k: v for k, v in detail.items() if v is not None}))
        if self.audit_fails:
            raise NoCore("the core ended the connection")


def fail(error: Exception) -> Work:
    def work(row: Row, place: Place) -> None:
        raise error

    return work


def listed(folder: Path, *rows: Row) -> tuple[list[Row], Path]:
    path = folder / "l.toml"
    path.touch()
    return list(rows), path


def test_named_boards_go_to_their_rows_and_the_rest_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x", "y", "z"))
    rows, path = listed(tmp_path, Row(NODES[0]), Row(NODES[1], "x"), Row(NODES[2]))
    outcome, _ = shop.run(Queue(rows, path), jobs=2)
    assert outcome.good
    assert shop.became == {NODES[0]: "y", NODES[1]: "x", NODES[2]: "z"}
    assert shop.most <= 2


def test_the_audit_hears_of_each_board_and_whether_it_was_signed_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x", "y"))
    rows, path = listed(tmp_path, Row(NODES[0], "x"), Row(NODES[1], "y"))
    shop.work = {"y": fail(BenchError("/dev/y: the cable was pulled: connect it"))}
    _, view = shop.run(Queue(rows, path), jobs=1)
    assert view.checks == {NODES[0]: judge(good())}  # before its end
    assert shop.audit == [
        ("provision", NODES[0], {"result": "done", "board": "x"}),
        ("sign-off", NODES[0], {"result": "passed", "board": "x", "checks": 13}),
        ("provision", NODES[1], {
            "result": "failed", "board": "y", "step": "who it is",
            "why": "/dev/y: the cable was pulled",
        }),
    ]  # fmt: skip
    shop.audit_fails, shop.work = True, {}
    outcome, view = shop.run(Queue(rows, path))
    assert outcome.done == [NODES[1]]  # whatever becomes of the audit
    assert f"the audit does not have {NODES[1]}: the core ended the connection" in view.said


def test_one_failure_stops_no_other_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x", "y", "z"))
    rows, path = listed(tmp_path, Row(NODES[0], "x"), Row(NODES[1], "y"), Row(NODES[2], "z"))
    shop.work = {
        "x": fail(BenchError("/dev/x: the cable was pulled: connect it")),
        "y": fail(ZeroDivisionError("of ours, with a secret")),
    }
    outcome, view = shop.run(Queue(rows, path))
    assert (outcome.done, sorted(outcome.failed)) == ([NODES[2]], sorted(NODES[:2]))
    assert view.ends[NODES[0]] == "/dev/x: the cable was pulled: connect it"
    assert view.ends[NODES[1]] == "unexpected ZeroDivisionError: please report it"
    entry = Queue(rows, path).entries()[0]
    assert (entry.why, entry.do) == ("/dev/x: the cable was pulled", "connect it")
    shop.work = {}
    again, _ = shop.run(Queue(rows, path))
    assert sorted(again.done) == sorted(NODES[:2]), "what is left"


def test_a_row_keeps_its_board_and_others_do_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x"))
    rows, path = listed(tmp_path, Row(NODES[0]), Row(NODES[1]))
    shop.work = {NODES[0]: fail(BenchError("no light: see"))}
    outcome, _ = shop.run(Queue(rows, path))
    assert (outcome.failed, outcome.missing) == ([NODES[0]], [NODES[1]])
    shop.work = {}
    shop.hands.boards = ["w", "x"]
    shop.run(Queue(rows, path))
    assert shop.became == {NODES[0]: "x", NODES[1]: "w"}


def test_a_board_that_is_somebodys_is_put_aside_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x"))
    rows, path = listed(tmp_path, Row(NODES[0]))
    shop.work = {"x": fail(ProvisionError("this board is node b already", "plug in another"))}
    shop.heard = lambda: shop.hands.boards.append("y")
    outcome, view = shop.run(Queue(rows, path), wait_s=30)
    shop.heard = lambda: None
    assert outcome.done == [NODES[0]]
    assert shop.became == {NODES[0]: "y"}
    assert f"next is {NODES[0]}: plug in a board" in view.said
    # By its record it is known to be a node, and is not the next one for another.
    shop.work = {}
    shop.hands.boards = ["y"]
    rows, path = listed(tmp_path, Row(NODES[1]))
    outcome, _ = shop.run(Queue(rows))
    assert outcome.missing == [NODES[1]]
    assert record.boards(tmp_path / "records") == {"y": NODES[0]}
    outcome, _ = shop.run(Queue(rows), replace=True)
    assert outcome.done == [NODES[1]]


def test_two_boards_of_one_name_are_never_on_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x", "y"))
    rows, path = listed(tmp_path, Row(NODES[0], "x"))
    shop.work = {"x": fail(BenchError("no light: see"))}
    shop.run(Queue(rows, path))
    shop.work = {}
    rows, path = listed(tmp_path, Row(NODES[0], "y"))
    outcome, view = shop.run(Queue(rows, path))
    assert outcome.failed == [NODES[0]]
    assert "board x" in view.ends[NODES[0]]
    assert "unplug that one" in view.ends[NODES[0]]
    shop.hands.boards = ["y"]
    outcome, _ = shop.run(Queue(rows, path))
    assert outcome.done == [NODES[0]]


def test_ctrl_c_ends_what_runs_at_its_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x", "y"))
    rows, path = listed(tmp_path, Row(NODES[0], "x"), Row(NODES[1], "y"), Row(NODES[2], "z"))
    begun, pressed = threading.Event(), threading.Event()

    def slow(row: Row, place: Place) -> None:
        begun.set()
        assert pressed.wait(20)
        raise Stopped

    def press() -> None:
        assert begun.wait(20)
        wait_until("the other is done", lambda: NODES[1] in shop.became)
        shop.asked = 1

    shop.heard = pressed.set  # "stopping", once the boards are told
    shop.work = {"x": slow}
    shop.hands.at = {3: press}
    outcome, view = shop.run(Queue(rows, path))
    assert outcome.interrupted
    assert not outcome.good
    assert outcome.stopped == [NODES[0]]
    assert outcome.done == [NODES[1]]
    assert view.ends[NODES[0]] == "stopped: run this again to go on"
    entry = Queue(rows, path).entries()[0]
    assert (entry.state, entry.step) == ("begun", "who it is")
    shop.work, shop.asked = {}, 0
    outcome, _ = shop.run(Queue(rows, path))
    assert outcome.missing == [NODES[2]]
    assert {entry.state for entry in Queue(rows, path).entries()[:2]} == {"done"}


def test_a_second_ctrl_c_waits_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Workshop(tmp_path, monkeypatch, Hands("x"))
    rows, path = listed(tmp_path, Row(NODES[0], "x"))
    over = threading.Event()

    def press() -> None:
        shop.asked += 1

    def slow(row: Row, place: Place) -> None:
        assert over.wait(20)

    shop.work = {"x": slow}
    shop.hands.at, shop.heard = {2: press}, press
    outcome, _ = shop.run(Queue(rows, path))
    over.set()
    assert (outcome.interrupted, outcome.stopped) == (True, [NODES[0]])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_however_boards_come_and_fail_nobody_gets_two(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("run")
    names = ["p", "q", "r", "s"]
    boards = data.draw(st.permutations(names).map(lambda p: p[: data.draw(st.integers(0, 4))]))
    named = data.draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
    rows = [Row(NODES[n], named[n] if n < len(named) else None) for n in range(4)]
    bad = data.draw(st.sets(st.sampled_from([*boards, *NODES[:4]])))
    with pytest.MonkeyPatch.context() as patch:
        shop = Workshop(folder, patch, Hands(*boards))
        shop.work = {name: fail(BenchError("no: do")) for name in bad}
        path = folder / "l.toml"
        first, _ = shop.run(Queue(rows, path), jobs=data.draw(st.integers(1, 4)))
        ends = [*first.done, *first.failed, *first.missing]
        assert sorted(ends) == sorted(NODES[:4]), "each ends once"
        shop.work = {}
        second, _ = shop.run(Queue(rows, path))
        assert not {*first.done} & {*second.done, *second.failed, *second.missing}
        assert not second.failed
        assert len(set(shop.became.values())) == len(shop.became), "no board is two nodes"
        for row in rows:
            if row.board:
                assert shop.became.get(row.node) in (None, row.board)
                assert (row.node in shop.became) == (row.board in boards)
