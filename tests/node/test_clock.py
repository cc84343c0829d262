"""The node's clock: both epochs, the ticks' wrap, and whom it believes."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node import micro

UNSET, HOLDOVER, NTP, CONTROLLER = range(4)
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DAY_MS = 86_400_000
NOON = 200_000_000  # 2026-05-03 19:33:20

# The clock on a board: ticks of 30 bits under the test's control, either epoch, an RTC.
_BOARD = """
import json, sys
real = __import__("time")

class Time:
    epoch = EPOCH
    @staticmethod
    def gmtime(s):
        # The epoch of 2000 is 946684800 s later than that of 1970.
        return real.gmtime(s + (946684800 if Time.epoch == 2000 else 0))
    @staticmethod
    def ticks_ms():
        return Time.now & 0x3FFFFFFF
    @staticmethod
    def ticks_diff(a, b):
        return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    now = TICKS

class Rtc:
    def __init__(self, *value):
        self.value = value
    def datetime(self, value=None):
        if value is None:
            return self.value
        self.value = value

sys.modules["time"] = Time
from lampione_node.clock import Clock
"""


def board(script: str, *cases: object, epoch: int = 2000, ticks: int = 0x3FFFFF00) -> list[object]:
    head = _BOARD.replace("EPOCH", str(epoch)).replace("TICKS", str(ticks))
    return micro.run(head + script, *cases)


def test_unset_it_counts_from_boot_across_every_wrap() -> None:
    said = board("""
clock = Clock()
seconds = 0
for _ in range(40):
    Time.now += 5 * 86400000 + 1
    clock.poll()
print(json.dumps([clock.uptime_s(), clock.now(), clock.quality()]))
""")
    assert said == [[200 * 86_400, 200 * 86_400, UNSET]]


@settings(max_examples=5, deadline=None)
@given(
    st.sampled_from([1970, 2000]),
    st.lists(
        st.tuples(
            st.integers(189_388_800, 34 * 365 * 86_400),
            st.integers(0, 999),
            st.lists(st.integers(0, 5 * DAY_MS), max_size=8),
        ),
        min_size=40,
        max_size=80,
    ),
)
def test_it_is_right_on_both_epochs_to_the_millisecond(
    epoch: int, cases: list[tuple[int, int, list[int]]]
) -> None:
    said = board(
        """
for line in sys.stdin:
    seconds, ms, waits = json.loads(line)
    rtc = Rtc(2000, 1, 1, 5, 0, 0, 0, 0)
    clock = Clock(rtc)
    Time.now += 777
    assert clock.quality() == 0
    assert clock.set(seconds, ms, 3)
    seen = []
    for wait in waits:
        Time.now += wait
        seen.append(clock.now())
    again = Clock(rtc)  # after a reset that kept the RTC
    print(json.dumps([rtc.value, seen, again.now(), again.quality()]))
""",
        *cases,
        epoch=epoch,
    )
    wanted = []
    for seconds, ms, waits in cases:
        at = START + datetime.timedelta(seconds=seconds)
        rtc = [at.year, at.month, at.day, at.weekday(), at.hour, at.minute, at.second, ms * 1000]
        passed = [sum(waits[: i + 1]) for i in range(len(waits))]
        seen = [seconds + (ms + after) // 1000 for after in passed]
        wanted.append([rtc, seen, seconds, HOLDOVER])
    assert said == wanted


@pytest.mark.parametrize("year", [2000, 2025, 2054, 2106])
def test_an_rtc_that_says_nonsense_is_not_believed(year: int) -> None:
    said = board(f"""
clock = Clock(Rtc({year}, 6, 15, 0, 12, 0, 0, 0))
print(json.dumps([clock.now(), clock.quality()]))
""")
    assert said == [[0, UNSET]]


def test_quality_falls_to_holdover_after_a_day() -> None:
    said = board(f"""
clock = Clock()
for quality in (2, 3):
    assert clock.set({NOON}, 0, quality)
    seen = [clock.quality()]
    Time.now += 86400999
    seen.append(clock.quality())
    Time.now += 1
    seen.append(clock.quality())
    seen.append(clock.now() - {NOON})
    print(json.dumps(seen))
""")
    assert said == [[NTP, NTP, HOLDOVER, 86_401], [CONTROLLER, CONTROLLER, HOLDOVER, 86_401]]


def test_what_ntp_may_do() -> None:
    said = board(f"""
clock = Clock()
def try_(step, quality):
    print(json.dumps([clock.set({NOON} + step, 0, quality), clock.now() - {NOON}, clock.quality()]))
try_(5000, 2)      # unset: whatever it says
try_(5060, 2)      # a minute is allowed
try_(5121, 2)      # more is not
try_(4999, 2)
try_(-100000, 3)   # the controller may do all
try_(-100001, 2)   # and is better than NTP
Time.now += 86401000
try_(-100001 + 86401, 2)
try_(-{NOON} + 1000, 3)  # but 2020 it is not
""")
    day = 86_401
    assert said == [
        [True, 5000, NTP],
        [True, 5060, NTP],
        [False, 5060, NTP],
        [False, 5060, NTP],
        [True, -100_000, CONTROLLER],
        [False, -100_000, CONTROLLER],
        [True, -100_001 + day, NTP],
        [False, -100_001 + day, NTP],
    ]


def test_boundaries() -> None:
    said = board(f"""
clock = Clock()
Time.now += 61250
print(json.dumps([clock.next_boundary(60), clock.ms_until(clock.next_boundary(60))]))
clock.set({NOON} + 59, 900, 3)
minute = clock.next_boundary(60)
print(json.dumps([minute, clock.ms_until(minute)]))
Time.now += clock.ms_until(minute) - 1
print(json.dumps([clock.now(), clock.ms_until(minute)]))
Time.now += 1
print(json.dumps([clock.now(), clock.ms_until(minute), clock.next_boundary(60)]))
Time.now += 90000
print(json.dumps([clock.ms_until(minute)]))
""")
    minute = (NOON + 59) // 60 * 60 + 60
    wait = (minute - NOON - 59) * 1000 - 900
    assert said == [
        [120, 58_750],
        [minute, wait],
        [minute - 1, 1],
        [minute, 0, minute + 60],
        [0],
    ]


def test_on_this_computer_it_agrees_with_the_real_time() -> None:
    said = micro.run("""
import time
from lampione_node.clock import EPOCH_S
print(int(time.time()) - EPOCH_S)
""")
    now = (datetime.datetime.now(datetime.UTC) - START).total_seconds()
    assert abs(said[0] - now) < 60
