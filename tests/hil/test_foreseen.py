"""What a part will say is looked at beforehand, and taken back: nobody may notice."""

from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_hil.virtual.uart import UartLine

STEP = st.tuples(
    st.integers(1, 400_000),  # so much later
    st.sampled_from(["read", "read", "read", "write", "world", "rate", "supply"]),
    st.integers(0, 2_000_000),  # so far somebody looks ahead before it
)


def line() -> UartLine:
    """Return the line of a radar in a busy street, switched on."""
    made = UartLine(Ops243(TrafficStreet(5, per_hour=900, rain=0.3)))
    made.set(19_200, 200, True, 0)
    made.supply(True, 0)
    made.write(b"OM", 0)
    made.write(b"OJ", 0)
    return made


def told(steps: list[tuple[int, str, int]], *, ahead: bool) -> list[object]:
    """Return all that can be seen of a line in the course of the steps."""
    it, found = line(), list[object]()
    now_us = 0
    for after_us, what, far_us in steps:
        at_us = now_us + after_us
        if ahead:
            it.advance(now_us)
            it.foresee(now_us + far_us)
        now_us = at_us
        if what == "write":
            it.write(b"\rU?", now_us)
        elif what == "world":
            it.advance(now_us)
            it.device.fault("stuck" if after_us % 2 else "")
            it.changed()
        elif what == "rate":
            it.set(9_600 if after_us % 3 else 19_200, 200, after_us % 2 == 0, now_us)
        elif what == "supply":
            it.supply(after_us % 4 > 0, now_us)
        it.advance(now_us)
        found.append((now_us, it.waiting, it.read(after_us % 100), it.lost, it.next_us()))
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=5, max_size=60))
def test_looking_ahead_changes_nothing(steps: list[tuple[int, str, int]]) -> None:
    assert told(steps, ahead=True) == told(steps, ahead=False)


def test_what_is_foreseen_comes_then() -> None:
    it, other = line(), line()
    for one in (it, other):
        one.advance(100_000)
        one.read(1000)  # what it has answered
    pieces, _ = it.foresee(60_000_000)
    assert len(pieces) > 1
    came = 0
    for at_us, size in pieces:
        other.advance(at_us - 1)
        assert other.waiting == came
        other.advance(at_us)
        came += size
        assert other.waiting == came
    assert other.peek(came) == it.peek(came)
