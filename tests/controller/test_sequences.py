"""The state machine of sequence numbers, against a node and a network that misbehave."""

import copy
import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lampione.fleet.sequences import LOST_KEPT, Arrival, Greeting, Line, Spans

A, B, C, D = b"aaaa", b"bbbb", b"cccc", b"dddd"


def greet(line: Line, epoch: bytes, boot: int, first: int, held: int = 1, *, ok: bool = False):  # type: ignore[no-untyped-def]
    return line.hello(epoch, boot, first, held, answered=ok)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 9)), max_size=40))
def test_spans_are_a_set(steps: list[tuple[bool, int, int]]) -> None:
    spans = Spans()
    model: set[int] = set()
    for add, first, more in steps:
        if add:
            spans.add(first, first + more)
            model |= set(range(first, first + more + 1))
        else:
            assert spans.remove(first) == (first in model)
            model.discard(first)
        assert {n for a, b in spans.spans for n in range(a, b + 1)} == model
        assert len(spans) == len(model)
        assert all(a[1] + 1 < b[0] for a, b in zip(spans.spans, spans.spans[1:], strict=False))
        holes = {n for a, b in spans.holes(5, 50) for n in range(a, b + 1)}
        assert holes == set(range(5, 51)) - model
        assert (first in spans) == (first in model)


def test_a_line_from_its_start() -> None:
    line = Line()
    assert greet(line, A, 1, 1) == (Greeting.NEW_BOOT, [])
    assert line.receive(A, 1, 1) is Arrival.NEW
    assert line.receive(A, 1, 3) is Arrival.NEW
    assert (line.watermark, line.highest, line.missing()) == (1, 3, [[2, 2]])
    assert line.receive(A, 1, 3) is Arrival.DUPLICATE
    assert line.receive(A, 1, 2) is Arrival.NEW
    assert (line.watermark, line.missing()) == (3, [])


def test_numbers_go_on_across_boots() -> None:
    line = Line()
    greet(line, A, 1, 1)
    line.receive(A, 1, 1)
    assert greet(line, B, 2, 4) == (Greeting.NEW_BOOT, [])
    assert line.missing() == [[2, 3]]  # written by the boot before
    assert line.receive(B, 2, 4) is Arrival.NEW
    assert line.receive(A, 1, 2) is Arrival.NEW
    assert line.receive(A, 1, 4) is Arrival.ASIDE  # that number is B's
    assert line.receive(A, 1, 3) is Arrival.NEW
    assert line.watermark == 4


def test_what_the_node_does_not_hold_is_lost_once_and_found_again() -> None:
    line = Line()
    greet(line, A, 1, 1)
    line.receive(A, 1, 3)
    assert greet(line, A, 1, 1, held=6) == (Greeting.CURRENT, [[1, 2], [4, 5]])
    assert greet(line, A, 1, 1, held=6) == (Greeting.CURRENT, [])
    assert line.watermark == 5
    assert line.receive(A, 1, 4) is Arrival.FOUND
    assert line.receive(A, 1, 4) is Arrival.DUPLICATE
    assert line.lost.spans == [[1, 2], [5, 5]]


def test_a_replayed_hello_changes_nothing() -> None:
    line = Line()
    greet(line, A, 1, 1)
    line.receive(A, 1, 1)
    greet(line, B, 2, 2)
    before = line.as_json()
    assert greet(line, A, 1, 1)[0] is Greeting.SUSPICIOUS
    assert {**line.as_json(), "retired": []} == {**before, "retired": []}
    assert line.receive(B, 2, 2) is Arrival.NEW
    assert line.watermark == 2


def test_a_restored_flash_is_counted_anew() -> None:
    line = Line()
    greet(line, A, 1, 1)
    for seq in range(1, 61):
        line.receive(A, 1, seq)
    greet(line, B, 2, 61)
    for seq in range(61, 100):
        line.receive(B, 2, seq)
    # The image is of the end of boot 1, and its outbox holds 50 and up.
    assert greet(line, C, 2, 61, held=50)[0] is Greeting.SUSPICIOUS
    assert line.receive(C, 2, 100) is Arrival.ASIDE  # not before the answer
    assert greet(line, C, 2, 61, held=50, ok=True)[0] is Greeting.FORK
    assert (line.watermark, line.missing()) == (49, [[50, 60]])
    for seq in range(50, 61):
        assert line.receive(A, 1, seq) is Arrival.NEW
    assert line.receive(B, 2, 61) is Arrival.ASIDE  # of a flash that is no more
    assert line.watermark == 60
    assert line.receive(C, 2, 61) is Arrival.NEW
    assert line.watermark == 61


def test_a_fork_whose_boot_is_new_is_seen_by_its_numbers() -> None:
    line = Line()
    greet(line, A, 1, 1)
    for seq in range(1, 10):
        line.receive(A, 1, seq)
    assert greet(line, B, 2, 5)[0] is Greeting.SUSPICIOUS
    assert greet(line, B, 2, 5, ok=True)[0] is Greeting.FORK


def test_frames_before_their_hello_settle_nothing() -> None:
    line = Line()
    line.receive(A, 1, 1)
    assert not line.settled
    greet(line, A, 1, 1)
    assert line.settled
    assert line.receive(B, 2, 3) is Arrival.NEW
    assert not line.settled
    assert greet(line, B, 2, 1)[0] is Greeting.SUSPICIOUS  # 1 was A's: a fork
    assert greet(line, B, 2, 1, ok=True)[0] is Greeting.FORK
    assert (line.watermark, line.highest, line.settled) == (0, 0, True)


def test_a_boot_that_was_never_heard_of_is_placed_between_its_neighbours() -> None:
    line = Line()
    greet(line, A, 1, 1)
    line.receive(A, 1, 1)
    greet(line, C, 3, 10)
    for seq in (9, 5, 6, 8, 7):
        assert line.receive(B, 2, seq) is Arrival.NEW
    assert line.missing() == [[2, 4]]
    assert line.receive(A, 1, 2) is Arrival.NEW


def test_it_survives_its_storage() -> None:
    line = Line()
    greet(line, A, 1, 1, held=3)
    line.receive(A, 1, 5)
    line.receive(B, 2, 9)
    again = Line.from_json(copy.deepcopy(line.as_json()))
    assert again == line


def epoch_of(boot: int) -> bytes:
    return boot.to_bytes(4, "big")


def test_a_line_of_many_boots_stays_small_and_knows_its_numbers() -> None:
    line = Line()
    seq = 0
    for boot in range(1, 2001):
        # Each boot writes ten numbers; the node drops one of them in every other boot.
        greet(line, epoch_of(boot), boot, seq + 1, seq + 1)
        for number in range(seq + 1, seq + 11):
            if boot % 2 or number % 10:
                line.receive(epoch_of(boot), boot, number)
        seq += 10
        line.lose(seq, seq)
    assert line.watermark == seq
    assert len(json.dumps(line.as_json())) < 8000
    # Old frames are duplicates, whether their boot is remembered or not, and of their boot only.
    for boot in (1, 3, 1001, 1999):
        assert line.receive(epoch_of(boot), boot, boot * 10 - 5) is Arrival.DUPLICATE
    assert line.receive(epoch_of(1), 1, seq) is Arrival.ASIDE
    assert line.receive(b"zzzz", 1900, 19_950) is Arrival.ASIDE
    # An image older than any boot that is remembered: its numbers count, no later life's do.
    assert greet(line, A, 102, 1012, 1000, ok=True)[0] is Greeting.FORK
    assert (line.watermark, line.missing()) == (999, [[1000, 1011]])
    assert line.receive(epoch_of(1999), 1999, 1005) is Arrival.ASIDE
    for number in range(1000, 1011):
        boot = (number + 9) // 10
        assert line.receive(epoch_of(boot), boot, number) is Arrival.NEW
    assert line.watermark == 1010


def test_boots_that_are_waited_for_are_kept() -> None:
    line = Line()
    for boot in range(1, 301):
        greet(line, epoch_of(boot), boot, boot * 10)
    assert len(line.segments) == 300
    for boot in range(1, 300):
        for number in range(boot * 10, boot * 10 + 10):
            assert line.receive(epoch_of(boot), boot, number) is Arrival.NEW, number
    assert line.missing() == [[1, 9]]


def test_losses_are_forgotten_below_the_watermark_only() -> None:
    line = Line()
    greet(line, A, 1, 1)
    for seq in range(2, 1002, 2):
        line.receive(A, 1, seq)
        line.lose(seq + 1, seq + 1)
    assert len(line.lost.spans) == 500  # number 1 is waited for
    line.receive(A, 1, 1)
    line.lose(1002, 1002)
    assert len(line.lost.spans) <= LOST_KEPT + 1
    assert line.receive(A, 1, 1001) is Arrival.FOUND
    assert line.receive(A, 1, 3) is Arrival.DUPLICATE


def test_a_fork_that_holds_number_0_begins_at_1() -> None:
    line = Line()
    greet(line, A, 2, 5)
    assert greet(line, B, 1, 1, 0, ok=True)[0] is Greeting.FORK
    assert line.watermark == 0


@dataclass
class Flash:
    """A node's flash, and what was written to it."""

    boot: int = 0
    next_seq: int = 1
    outbox: dict[int, tuple[bytes, int, int]] = field(default_factory=dict)
    acked: int = 0


class Street(RuleBasedStateMachine):
    """A node, its flash and images of it; a network; a controller and backups of it."""

    def __init__(self) -> None:
        super().__init__()
        self.flash = Flash()
        self.images: list[Flash] = []
        self.epochs = 0
        self.line = Line()
        self.stored: set[tuple[bytes, int, int]] = set()
        self.backups: list[tuple[Line, set[tuple[bytes, int, int]]]] = []
        self.air: list[tuple[bytes, int, int]] = []
        self.on()

    def replace_flash(self, flash: Flash) -> None:
        # A topic keeps its order: what the node said before is here, or lost for good.
        self.air.clear()
        self.flash = flash
        self.on()
        self.hello()

    def on(self) -> None:
        self.epochs += 1
        self.epoch = self.epochs.to_bytes(4, "big")
        self.flash.boot += 1
        self.first = self.flash.next_seq
        self.sent = self.first - 1

    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        for _ in range(count):
            seq = self.flash.next_seq
            self.flash.next_seq += 1
            self.flash.outbox[seq] = (self.epoch, self.flash.boot, seq)

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        frames = [f for seq, f in sorted(self.flash.outbox.items()) if seq > self.flash.acked]
        self.sent = max([self.sent, *self.flash.outbox])
        kept = data.draw(st.lists(st.sampled_from(frames), max_size=8)) if frames else []
        self.air += kept  # the rest is lost on the way

    @precondition(lambda self: self.air)
    @rule(data=st.data(), twice=st.booleans())
    def arrive(self, data: st.DataObject, twice: bool) -> None:
        at = data.draw(st.integers(0, len(self.air) - 1))
        frame = self.air[at] if twice else self.air.pop(at)
        self.deliver(frame)

    def deliver(self, frame: tuple[bytes, int, int]) -> None:
        self.line.receive(*frame)
        self.stored.add(frame)

    def oldest(self) -> int:
        return min(self.flash.outbox, default=self.flash.next_seq)

    @rule()
    def hello(self) -> None:
        greeting, _ = self.line.hello(
            self.epoch, self.flash.boot, self.first, self.oldest(), answered=False
        )
        if greeting is Greeting.SUSPICIOUS:  # asked, and answered
            greeting, _ = self.line.hello(
                self.epoch, self.flash.boot, self.first, self.oldest(), answered=True
            )
            assert greeting is Greeting.FORK

    @rule()
    def watermark(self) -> None:
        current = self.line.current
        if not self.line.settled or current is None or current.epoch != self.epoch:
            return
        mark = self.line.watermark
        if self.flash.acked < mark <= self.sent:
            self.flash.acked = mark
        # The promise: what this flash holds up to the mark is stored.
        for seq, frame in self.flash.outbox.items():
            assert seq > mark or frame in self.stored, (seq, mark)

    @rule(count=st.integers(1, 4))
    def room_is_short(self, count: int) -> None:
        for seq in sorted(self.flash.outbox)[:count]:
            del self.flash.outbox[seq]

    @rule()
    def reboot(self) -> None:
        self.on()
        self.hello()

    @rule()
    def back_up(self) -> None:
        self.backups.append((copy.deepcopy(self.line), set(self.stored)))

    @precondition(lambda self: self.backups)
    @rule()
    def restore_the_controller(self) -> None:
        line, stored = self.backups[-1]
        self.line, self.stored = copy.deepcopy(line), set(stored)

    @rule()
    def take_an_image(self) -> None:
        self.images.append(copy.deepcopy(self.flash))

    @precondition(lambda self: self.images)
    @rule()
    def restore_the_flash(self) -> None:
        self.replace_flash(copy.deepcopy(self.images[-1]))

    @rule()
    def wipe_the_flash(self) -> None:
        self.replace_flash(Flash())

    @invariant()
    def it_is_well_formed(self) -> None:
        line = self.line
        assert line.watermark <= line.highest
        assert all(first > line.watermark + 1 for first, _ in line.above.spans)
        assert [s.first for s in line.segments] == sorted(s.first for s in line.segments)
        assert Line.from_json(line.as_json()) == line

    def teardown(self) -> None:
        """Everything is covered in the end: the network heals, and gaps are fetched."""
        self.hello()
        for _ in range(2):
            for frame in self.flash.outbox.values():
                if self.line.receive(*frame) is Arrival.ASIDE:
                    self.line.doubted = True  # as the core says of frames that it asked for
                self.stored.add(frame)
            self.hello()
            if self.line.doubted:
                self.line.hello(
                    self.epoch, self.flash.boot, self.first, self.oldest(), answered=True
                )
        assert self.line.missing() == []
        if self.flash.outbox:
            assert self.line.watermark == max(self.flash.outbox)


Street.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestStreet = pytest.mark.timeout(120)(Street.TestCase)
