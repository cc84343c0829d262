"""What lies on flash until it is called: where it cannot be loaded its task starts again."""

import json
import re

import pytest
from lampione_hil.firmware import CompileError, compile_tree, host_march
from lampione_hil.interpreter import NoInterpreterError, command
from lampione_hil.virtual import VirtualBench

from benchmarks import memory

HEALTH = "/lib/lampione_node/report_health.mpy"


@pytest.fixture(autouse=True)
def _boards() -> None:
    try:
        command()
        host_march()
    except (NoInterpreterError, CompileError) as error:
        pytest.skip(str(error))


def flash() -> dict[str, bytes]:
    files = memory.files(60, {})
    files["/main.py"] = b"from lampione_node import app\napp.main()\n"
    settings = json.loads(files["/settings.json"])
    settings["health_interval_s"] = 30
    files["/settings.json"] = json.dumps(settings).encode()
    return files


def test_every_rare_method_has_its_file() -> None:
    names = {path.rpartition("/")[2] for path in compile_tree()}
    assert {f"{name}.mpy" for name in ("report_health", "mqtt_open", "clock_set")} <= names


def test_what_cannot_be_loaded_starts_its_task_again() -> None:
    files = flash()
    assert HEALTH in files
    del files[HEALTH]
    with VirtualBench(clock="virtual") as bench:
        board = bench.board("rare", files)
        board.power_on()
        bench.run_for(120)
        said = board.console()
        assert len(re.findall(r"lampione: report ImportError", said)) > 2, said
        assert said.count("lampione node heap boot") <= 1, "no reset"
        assert "lampione: lamp" not in said


HOG = b"""
import asyncio, gc
async def hog():
    await asyncio.sleep(20)
    held = []
    for size in (8192, 512, 64):
        try:
            while True:
                held.append(bytearray(size))
        except MemoryError:
            pass
    await asyncio.sleep(60)
    held = None
    gc.collect()
    print("let go")
asyncio.create_task(hog())
from lampione_node import app
app.main()
"""


def test_where_memory_is_short_the_node_gets_over_it() -> None:
    files = {**flash(), "/main.py": HOG}
    with VirtualBench(clock="virtual") as bench:
        board = bench.board("rare", files)
        board.power_on()
        bench.run_for(300)
        said = board.console()
        short, _, after = said.partition("let go")
        assert "lampione: report MemoryError" in short, said
        assert after, said
        bench.run_for(120)
        assert "Error" not in board.console().partition("let go")[2].partition("\n")[2], said
        assert said.count("lampione node heap boot") == 1, "no reset"
