"""The wait for bytes: it ends in time, and makes no tasks."""

from tests.node import micro

SET_UP = """
import asyncio, io, json
from lampione_node.drivers import line
class Stream(io.IOBase):
    def __init__(self):
        self.here = False
    def ioctl(self, request, argument):
        if request == 3:
            return argument & 1 if self.here else 0
        return -22
"""


def test_a_wait_ends_by_what_comes_or_in_time() -> None:
    script = """
async def wait(name, stream, ms, told):
    told.append([name, await line.readable(stream, ms)])

async def main():
    told = []
    a, b, c = Stream(), Stream(), Stream()
    waits = [asyncio.create_task(wait(*about, told)) for about in (
        ("long", a, 300), ("short", b, 100), ("fed", c, 200))]
    await asyncio.sleep_ms(40)
    c.here = True
    for task in waits:
        await task
    # one after the other, and none left behind
    for _ in range(3):
        await wait("again", b, 20, told)
    print(json.dumps([told, len(line._waits)]))
asyncio.run(main())
"""
    [(told, left)] = micro.run(SET_UP + script)
    assert told == [["fed", True], *([name, False] for name in ("short", "long", *3 * ["again"]))]
    assert left == 0


def test_a_cancelled_wait_is_forgotten_and_another_loop_starts_afresh() -> None:
    script = """
async def cancelled():
    stream = Stream()
    task = asyncio.create_task(line.readable(stream, 50))
    await asyncio.sleep_ms(10)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    stream.here = True
    await asyncio.sleep_ms(100)
    return len(line._waits)

async def stopped():
    asyncio.create_task(line.readable(Stream(), 10000))
    await asyncio.sleep_ms(10)

found = [asyncio.run(cancelled())]
asyncio.run(stopped())
asyncio.new_event_loop()
found.append(asyncio.run(line.readable(Stream(), 50)))
found.append(len(line._waits))
print(json.dumps(found))
"""
    assert micro.run(SET_UP + script) == [[0, False, 0]]


def test_a_wait_makes_no_tasks() -> None:
    script = """
made = []
create = asyncio.create_task
asyncio.create_task = lambda work: made.append(1) or create(work)
async def main():
    stream = Stream()
    stream.here = True
    for _ in range(50):
        await line.readable(stream, 1000)
    print(json.dumps(len(made)))
asyncio.run(main())
"""
    assert micro.run(SET_UP + script) == [1]
