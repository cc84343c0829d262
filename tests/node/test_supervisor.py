"""The supervisor: tasks start again, hangs show, and the watchdog is fed only when all is well."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node import micro

_HEAD = """
import asyncio, json, sys
from lampione_node import supervisor as module
from lampione_node.supervisor import Supervisor

class Wdt:
    def __init__(self):
        self.feeds = 0
        self.fed = asyncio.Event()
    def feed(self):
        self.feeds += 1
        self.fed.set()

wdt = Wdt()
faults = []

def say(*what):
    print(json.dumps(what))

async def until(condition):
    while not condition():
        await asyncio.sleep_ms(1)

def on_fault(*what):
    faults.append(what)

async def for_ever(check_in):
    while True:
        check_in()
        await asyncio.sleep_ms(1)
"""


def supervise(script: str, *cases: object) -> list[object]:
    return micro.run(_HEAD + script, *cases)


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.lists(st.integers(0, 5), max_size=40)),
        min_size=20,
        max_size=40,
    )
)
def test_fed_only_when_all_have_checked_in(cases: list[tuple[int, list[int]]]) -> None:
    said = supervise(
        """
async def case(count, order):
    check_ins = []
    async def task(check_in):
        check_ins.append(check_in)
        await asyncio.Event().wait()
    boss = Supervisor(Wdt())
    for i in range(count):
        boss.add("t%d" % i, task, 1)
    running = asyncio.create_task(boss.run())
    await until(lambda: len(check_ins) == count)
    start = boss._wdt.feeds
    assert start == 1
    feeds = []
    for i in order:
        check_ins[i % count]()
        feeds.append(boss._wdt.feeds - start)
    running.cancel()
    print(json.dumps(feeds))

async def main():
    for line in sys.stdin:
        await case(*json.loads(line))
asyncio.run(main())
""",
        *cases,
    )
    wanted = []
    for count, order in cases:
        seen: set[int] = set()
        fed = 0
        feeds = []
        for i in order:
            seen.add(i % count)
            if len(seen) == count:
                seen.clear()
                fed += 1
            feeds.append(fed)
        wanted.append(feeds)
    assert said == wanted


def test_a_task_that_hangs_stops_the_feeding() -> None:
    said = supervise("""
hang = [False]
beats = [0]
async def hangs(check_in):
    while not hang[0]:
        check_in()
        await asyncio.sleep_ms(1)
    hang.append("now")
    await asyncio.Event().wait()
async def beat(check_in):
    while True:
        check_in()
        beats[0] += 1
        await asyncio.sleep_ms(1)
async def main():
    boss = Supervisor(wdt, on_fault)
    boss.add("good", beat, 0.05)
    boss.add("bad", hangs, 0.05)
    running = asyncio.create_task(boss.run())
    await until(lambda: wdt.feeds > 20)
    hang[0] = True
    await until(lambda: len(hang) == 2)
    fed = wdt.feeds
    beats[0] = 0
    await until(lambda: beats[0] > 200 and faults)
    # One more at most: the last check-in may have come after the last feed.
    say(wdt.feeds - fed <= 1, faults, boss.restarts)
    boss.stop()
    await running
asyncio.run(main())
""")
    assert said == [[True, [["bad", "late", 0]], 0]]


def test_a_task_that_is_late_is_told_once_each_time() -> None:
    said = supervise("""
go = asyncio.Event()
async def slow(check_in):
    while True:
        check_in()
        await go.wait()
        go.clear()
async def main():
    ticks = []
    boss = Supervisor(wdt, on_fault, lambda: ticks.append(1))
    boss.add("slow", slow, 0.01)
    running = asyncio.create_task(boss.run())
    await until(lambda: len(ticks) > 10)
    first = len(faults)
    go.set()
    await until(lambda: len(faults) > first)
    count = len(ticks)
    await until(lambda: len(ticks) > count + 10)
    say(first, len(faults), wdt.feeds)
    boss.stop()
    await running
asyncio.run(main())
""")
    assert said == [[1, 2, 3]]  # fed: at the start (twice checked in: by us and by it), once after


def test_a_task_that_fails_starts_again_later_and_later() -> None:
    said = supervise("""
attempts = []
def at_once(attempt, first_ms):
    attempts.append(attempt)
    return 1
module.backoff_ms = at_once
errors = [ValueError("one"), OSError(5), RuntimeError("x" * 200), MemoryError()]
async def fails(check_in):
    if errors:
        raise errors.pop(0)
    return
async def main():
    boss = Supervisor(wdt, on_fault)
    boss.add("fails", fails, 1)
    boss.add("good", for_ever, 1)
    running = asyncio.create_task(boss.run())
    await until(lambda: len(faults) >= 6)
    boss.stop()
    say(attempts[:6], [f for f in faults][:6], boss.restarts >= 6, boss.counts()["good"])
asyncio.run(main())
""")
    (line,) = said
    assert isinstance(line, list)
    attempts, faults, enough, good = line
    assert attempts == [0, 1, 2, 3, 4, 5]
    assert [fault[0] for fault in faults] == ["fails"] * 6
    assert [fault[2] for fault in faults] == [1, 2, 3, 4, 5, 6]
    texts = [fault[1] for fault in faults]
    assert texts[0] == "ValueError('one',)"
    assert texts[1].startswith("OSError(5")
    assert len(texts[2]) == 60
    assert texts[3].startswith("MemoryError")
    assert texts[4:] == ["ended", "ended"]
    assert enough
    assert good == 0


def test_a_failing_task_does_not_starve_the_watchdog_while_it_waits() -> None:
    said = supervise("""
waits = []
def for_long(attempt, first_ms):
    waits.append(attempt)
    return 100000
module.backoff_ms = for_long
now = [0]
module.ticks_ms = lambda: now[0]
async def fails(check_in):
    raise ValueError
async def good(check_in):
    while True:
        check_in()
        now[0] += 1  # its own time: a busy computer makes nobody late
        await asyncio.sleep_ms(1)
async def main():
    boss = Supervisor(wdt, on_fault)
    boss.add("fails", fails, 0.02)
    boss.add("good", good, 0.02)
    running = asyncio.create_task(boss.run())
    await until(lambda: waits)
    fed, began = wdt.feeds, now[0]
    await until(lambda: wdt.feeds > fed + 50)
    boss.stop()
    await running
    say(len(waits), len(faults), now[0] - began > 40)  # nor is it called late
asyncio.run(main())
""")
    assert said == [[1, 1, True]]


def test_the_attempts_begin_anew_after_a_good_run() -> None:
    said = supervise("""
attempts = []
def at_once(attempt, first_ms):
    attempts.append(attempt)
    return 1
module.backoff_ms = at_once
now = [0]
module.ticks_ms = lambda: now[0]
async def fails(check_in):
    if len(attempts) == 3:
        now[0] += 60001
    raise ValueError
async def main():
    boss = Supervisor()
    boss.add("fails", fails, 100)
    asyncio.create_task(boss.run())
    await until(lambda: len(attempts) >= 5)
    boss.stop()
    say(*attempts[:5])
asyncio.run(main())
""")
    assert said == [[0, 1, 2, 0, 1]]


def test_cancelling() -> None:
    said = supervise("""
module.backoff_ms = lambda attempt, first_ms: 1
ended = []
async def tidy(check_in):
    try:
        while True:
            check_in()
            await asyncio.sleep_ms(1)
    finally:
        ended.append("tidy")
starts = []
async def waits_for_a_cancelled_task(check_in):
    starts.append(1)
    check_in()
    inner = asyncio.create_task(for_ever(lambda: None))
    await asyncio.sleep_ms(0)
    inner.cancel()
    await inner
async def main():
    for how in ("stop", "cancel"):
        ended.clear(); starts.clear(); faults.clear()
        boss = Supervisor(wdt, on_fault)
        boss.add("tidy", tidy, 0.01)
        boss.add("odd", waits_for_a_cancelled_task, 0.01)
        running = asyncio.create_task(boss.run())
        await until(lambda: len(starts) > 3)
        if how == "stop":
            boss.stop()
            await running
        else:
            running.cancel()
            try:
                await running
            except asyncio.CancelledError:
                ended.append("run")
        await until(lambda: "tidy" in ended)
        count = len(starts)
        for _ in range(20):
            await asyncio.sleep_ms(1)
        say(how, sorted(ended), faults[0], len(starts) - count)
asyncio.run(main())
""")
    assert said == [
        ["stop", ["tidy"], ["odd", "cancelled", 1], 0],
        ["cancel", ["run", "tidy"], ["odd", "cancelled", 1], 0],
    ]


def test_ctrl_c_gets_through() -> None:
    said = supervise("""
async def interrupted(check_in):
    raise KeyboardInterrupt
async def main():
    boss = Supervisor(wdt, on_fault)
    boss.add("interrupted", interrupted, 1)
    await boss.run()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    say("through", faults)
""")
    assert said == [["through", []]]


def test_a_callback_that_fails_harms_nobody() -> None:
    said = supervise("""
module.backoff_ms = lambda attempt, first_ms: 1
def broken(*what):
    faults.append(what)
    raise ValueError
async def fails(check_in):
    raise OSError
async def main():
    boss = Supervisor(wdt, broken)
    boss.add("fails", fails, 1)
    asyncio.create_task(boss.run())
    await until(lambda: len(faults) > 3)
    say("on")
asyncio.run(main())
""")
    assert said == [["on"]]


def test_backoff_stays_within_its_bounds_and_is_spread() -> None:
    said = supervise("""
for attempt in range(40):
    say(*[module.backoff_ms(attempt, 1000, 60000) for _ in range(200)])
""")
    for attempt, waits in enumerate(said):
        assert isinstance(waits, list)
        most = min(60_000, 1000 << attempt)
        assert min(waits) >= 500
        assert max(waits) < most
        assert len(set(waits)) > 100
        assert min(waits) < 500 + 0.1 * (most - 500)
        assert max(waits) > 500 + 0.9 * (most - 500)
