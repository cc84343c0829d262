"""The node's signal stages: time against plain Python, and bytes of the code that a board runs.

Time: both under the same MicroPython on this computer, the shortest of five rounds, a sample. The
plain version does the same without viper, with integers of any length or floats, whichever a
Python programmer would take. On a board both are slower, and their ratio is another.

Bytes: what mpy-cross emits for xtensawin, read from the .mpy: the function's native code with its
constants, entry and exit, as a board holds it, and of that the loop: from where its longest
backward jump leads to the end of that jump, so with the test of the loop's end. That is what runs
for every sample.

Another stage is another Stage in STAGES, or in doppler_stages.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from lampione_hil import interpreter
from lampione_hil.firmware import ESP32, compile_module

from benchmarks import native
from benchmarks.row import Row, Rows

ROOT = Path(__file__).parent.parent
SENSING = ROOT / "firmware" / "lampione_node" / "sensing"
PATH = (ROOT / "firmware", ROOT / "protocol")


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        source: MicroPython that defines `ours()` and `plain()`, and checks that they agree; "" for
            a stage whose bytes alone are counted.
        samples: what one call of either takes in.
        code: (module in sensing/, viper function), None where there is none.
        cut: pieces of that function's text that are left out before it is compiled.
        goal: for the bytes of the whole function.
    """

    name: str
    source: str = ""
    samples: int = 1
    code: tuple[str, str] | None = None
    cut: tuple[str, ...] = ()
    goal: str = ""


_WEIGH = """
from array import array
from lampione_node.sensing.{module} import weigh
words = array("i", [((i * 7919) % 65536 - 32768) << 12 for i in range(300)])
state = array("i", [0] * 12 + {factors})
k, m, c = {factors} or [0] * 3
s = [0] * 6
def plain():
    s0, s1, s2, s3, s4, s5 = s
    cc = aa = 0
    for word in words:
        x = word >> 11
        x -= s0 >> 10
        s0 += (x * 706) >> 8
        x -= s1 >> 10
        s1 += (x * 706) >> 8
{middle}
        cc += x * x
        x -= s3 >> 9
        s3 += (x * 231) >> 5
        x -= s4 >> 9
        s4 += (x * 94) >> 1
        aa += x * x
    s[:] = s0, s1, s2, s3, s4, s5
    return aa, cc
def ours():
    weigh(0, 300, words, state)
for _ in range(50):
    ours()
    found = plain()
assert found[0] == (state[8] << 22) + (state[9] << 12) + state[10]
assert found[1] == (state[5] << 22) + (state[6] << 12) + state[7]
"""
_FLAT = """
        t = s2 >> 9
        s2 += (x - t) * 353
        x += t
"""
_EQUALISED = """
        x += s0 >> 8
        if not -1048576 <= x < 1048576:
            x = -1048576 if x < 0 else 1048575
        s5, x = x, x + (((s5 - x) * c) >> 8)
        t = s2 >> 9
        x -= t
        s2 += x * k
        x = (t << 1) + ((x * m) >> 8)
"""

_LEVELS = """
from array import array
from lampione_node.sensing.levels import SUMS, gather
state = array("i", [0] * 8 + [9000000, -300000, 80000000])
sums = array("i", [0] * SUMS)
total = f = largest = 0.0
def ours():
    gather(state, 8, sums, 115)
def plain():
    global total, f, largest
    e = ((state[8] << 22) + (state[9] << 12) + state[10]) / 128
    if e < 115:
        return
    total += e
    f += (e - f) * 0.0487706
    if f > largest:
        largest = f
for _ in range(200):
    ours()
    plain()
assert abs(((sums[3] << 24) + sums[4]) / f - 1) < 0.002
"""

_PERCENTILES = """
from array import array
from lampione_node.sensing.levels import BINS, percentiles
values = [45 + (i * 7919 % 480) / 16 for i in range(480)]
counts = array("H", [0] * BINS)
for v in values:
    counts[int((v - 20) * 5)] += 1
bins = array("H", counts)
def ours():
    for i in range(BINS):
        bins[i] = counts[i]
    return percentiles(bins, 480)
def plain():
    ordered = sorted(values, reverse=True)
    found = []
    for share in (0.1, 0.5, 0.9):
        at = share * 479
        i = int(at)
        found.append(ordered[i] + (ordered[i + 1] - ordered[i]) * (at - i))
    return found
assert max([abs(a / 100 - b) for a, b in zip(ours(), plain())]) < 0.2
"""

_C_TAP = (
    "        t = x >> 11\n        b = x & 2047\n"
    "        ctt += t * t\n        ctb += t * b\n        cbb += b * b\n",
    "    state[5] = ctt\n    state[6] = ctb\n    state[7] = cbb\n",
    "    ctt = 0\n    ctb = 0\n    cbb = 0\n",
)

STAGES = (
    Stage(
        "weigh A+C",
        _WEIGH.format(module="flat", factors=[], middle=_FLAT),
        300,
        ("flat", "weigh"),
        goal="A+C+Z <= 1,287",
    ),
    Stage("weigh A", code=("flat", "weigh"), cut=_C_TAP, goal="<= 998"),
    Stage(
        "weigh A+C equalised",
        _WEIGH.format(module="equalised", factors=[314, 216, 128], middle=_EQUALISED),
        300,
        ("equalised", "weigh"),
    ),
    Stage("block energy", _LEVELS, 300, ("levels", "gather")),
    Stage("percentiles", _PERCENTILES, 480),
)

_TIME = """
import json, time
def shortest(call):
    best = 1 << 29
    calls = 1
    while best < 10000 or calls == 1:
        calls *= 4
        start = time.ticks_us()
        for _ in range(calls):
            call()
        best = time.ticks_diff(time.ticks_us(), start)
    for _ in range(5):
        start = time.ticks_us()
        for _ in range(calls):
            call()
        best = min(best, time.ticks_diff(time.ticks_us(), start))
    return best / calls
print(json.dumps([shortest(ours), shortest(plain)]))
"""


def times_ns(stage: Stage) -> tuple[float, float]:
    """Return nanoseconds a sample, ours and plain."""
    ours, plain = json.loads(interpreter.run(["-c", stage.source + _TIME], path=PATH))
    return ours * 1000 / stage.samples, plain * 1000 / stage.samples


def code_bytes(stage: Stage) -> tuple[int, int]:
    """Return the bytes of a stage's native code, and of the loop in it (0 when it has none)."""
    assert stage.code
    module, function = stage.code
    source = native.function_alone((SENSING / f"{module}.py").read_text(), function)
    for piece in stage.cut:
        assert source.count(piece) == 1, piece
        source = source.replace(piece, "")
    [code] = native.functions(compile_module(source, f"{module}.py", ESP32))
    return len(code), native.loop_bytes(code)


def rows(of: tuple[Stage, ...] = STAGES) -> Rows:
    """Time and bytes of every stage."""
    for stage in of:
        if stage.source:
            ours, plain = times_ns(stage)
            peer = f"plain Python, {plain:,.0f} ns"
            yield Row(f"{stage.name} time", ours, "ns", peer, ours / plain)
        if stage.code:
            whole, loop = code_bytes(stage)
            peer = f"of xtensawin, {loop} of them its loop" if loop else "of xtensawin, no loop"
            yield Row(f"{stage.name} code", whole, "B", peer, goal=stage.goal)
