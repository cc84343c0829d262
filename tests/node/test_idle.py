"""The share of the time in which the node has nothing to do, as Health says it."""

import json

import pytest
from lampione_hil import firmware
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench

MAIN = b"""
import asyncio, json, time
from lampione_node.idle import Idle
async def main():
    idle = Idle()
    print(json.dumps(idle.take_percent()))
    for busy_ms in (0, 100, 500, 1000):
        for _ in range(30):
            time.sleep_ms(busy_ms)
            await asyncio.sleep_ms(1000 - busy_ms)
        print(json.dumps(idle.take_percent()))
asyncio.run(main())
"""


def test_the_idle_share_is_that_of_the_waits() -> None:
    try:
        with VirtualBench(clock="virtual") as bench:
            files = firmware.compile_tree(debug=True)
            board = bench.board("idle", {**files, "/main.py": MAIN})
            board.power_on()
            bench.run_for(130)
            said = [json.loads(line) for line in board.console().splitlines()[:5]]
    except NoInterpreterError as error:
        pytest.skip(str(error))
    assert said[0] is None  # nothing can be told yet
    assert said[1:] == pytest.approx([100, 90, 50, 0], abs=1)
