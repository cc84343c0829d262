"""The lamp's level under MicroPython: time beside encoding a report, allocations, code.

Time and bytes are of MicroPython on this computer, whose words are twice a board's; the shortest of
five rounds. A steady level is asked for minute after minute of one night; a day's preparation is
what the first level of another day takes longer: sunrise, sunset, steps.
"""

import tempfile
from pathlib import Path

from lampione_hil import interpreter
from lampione_hil.firmware import ESP32, compile_tree

from benchmarks import sample
from benchmarks.row import Row, Rows

ROOT = Path(__file__).parent.parent
PATH = (ROOT / "protocol", ROOT / "firmware")

SCRIPT = """
import gc, time
from struct import pack
from lampione_light import layout
from lampione_light.level import SENSOR, Sensed, level_at
from lampione_light.program import Program
from lampione_protocol import codec, schema
values = {values}
def section(number, content):
    return pack(">BH", number, len(content)) + content
steps = [(1, 0, 100, 0), (1, 60, 80, 600), (0, 1290, 70, 600), (0, 1320, 60, 600)]
steps += [(0, 1380, 50, 900), (0, 0, 40, 900), (0, 60, 30, 900), (0, 270, 50, 600)]
steps += [(0, 330, 70, 600), (2, -30, 90, 300)]
blob = bytes([layout.FORMAT]) + section(layout.SITE, pack(">iihB", 4546420, 919000, 60, 1))
blob += section(layout.UPKEEP, pack(">HBHB", 0, 80, 5000, 100))
blob += section(layout.PLAN, b"\\0" + b"".join([pack(">BhBH", *step) for step in steps]))
blob += section(layout.RULES, bytes([127, 12, 24, 1, 6, 1]))
night = 200000000 - 200000000 % 86400 + 75600
plain = Sensed()
full = Sensed()
full.dark, full.burn_h, full.celsius, full.reduction = True, 12000, 40, 1
walker = [[SENSOR, 9000, 2000, 60000, 1000, 0, 0]]
program = Program(blob, b"bligny-1")
buf = bytearray(64)
minute = day = 0
def nothing():
    pass
def encode():
    codec.encode_into(schema.REPORT_FIELDS, values, buf, 10)
def steady():
    global minute
    minute = (minute + 1) % 400
    level_at(program, night + minute * 60, plain, [])
def sensing():
    global minute
    minute = (minute + 1) % 400
    level_at(program, night + minute * 60, full, walker)
def another_day():
    global day
    day = (day + 1) % 300
    level_at(program, night + day * 86400, plain, [])
def build():
    Program(blob, b"bligny-1")
def ns(call, times):
    best = 1 << 60
    for _ in range({rounds}):
        gc.collect()
        begin = time.ticks_us()
        for _ in range(times):
            call()
        best = min(best, time.ticks_diff(time.ticks_us(), begin))
    return best * 1000 // times
def allocated(call):
    call()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    call()
    after = gc.mem_alloc()
    gc.enable()
    return after - before
none = allocated(nothing)
for call in (encode, steady, sensing, another_day, build):
    times = 30 if call == another_day else 500
    print(ns(call, times) - ns(nothing, times), allocated(call) - none)
gc.collect()
before = gc.mem_alloc()
kept = Program(blob, b"bligny-1")
level_at(kept, night, plain, [])
gc.collect()
print(0, gc.mem_alloc() - before)
"""


USER = """
from lampione_light.level import Sensed, level_at
from lampione_light.program import Program
from lampione_light.traffic import Reduction
from lampione_light.twilight import Twilight
program, reduction, twilight = Program(None, b""), Reduction(0), Twilight(0, 0)
level_at(program, None, Sensed(), [])
reduction.minute(0, 0)
twilight.step(0, 0)
print(reduction.classes, twilight.dark)
"""


def _code_bytes() -> int:
    """Return the .mpy bytes of what a script needs that uses all of it, as it ships."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "main.py").write_text(USER)
        tree = compile_tree(firmware=Path(name), march=ESP32)
    return sum(len(data) for path, data in tree.items() if path.endswith(".mpy"))


def rows() -> Rows:
    """Nanoseconds and bytes of a level, of a day's preparation, of a config taken up; the code."""
    script = SCRIPT.format(values=sample.steps(1), rounds=5)
    lines = interpreter.run(["-c", script], path=PATH).decode().splitlines()
    found = [tuple(map(int, line.split())) for line in lines]
    report, steady, sensing, day, build, held = found
    peer = f"encoding a report, {report[0]:,} ns"
    yield Row("level_ns", steady[0], "ns", peer, steady[0] / report[0], goal="<= 1")
    yield Row("level_sensing_ns", sensing[0], "ns", peer, sensing[0] / report[0], goal="<= 1")
    once = day[0] - steady[0]
    yield Row("light_day_ns", once, "ns", peer, once / report[0])
    yield Row("light_config_ns", build[0], "ns", peer, build[0] / report[0])
    yield Row("level_alloc_bytes", steady[1], "B", "a night without orders")
    yield Row("level_sensing_alloc_bytes", sensing[1], "B", "somebody walks")
    yield Row("light_day_alloc_bytes", day[1] - steady[1], "B", "once a day")
    yield Row("light_program_bytes", held[1], "B", "held, ten steps")
    yield Row("light_mpy_bytes", _code_bytes(), "B", "all of lampione_light, xtensawin")
