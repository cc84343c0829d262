"""The 512-point transform under MicroPython: against numpy, and on 32 bits that wrap or refuse."""

import json
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lampione_hil import interpreter

from tests.node import machine_words
from tests.node.machine_words import FIRMWARE, machine

BIAS = 1 << 20

# Per signal of 768 samples: bits, shift, the transformed words, the levels of both frames.
NODE = """
import json, sys
from array import array
from lampione_node.sensing import fft
table = fft.cosine()
print(json.dumps(list(table)))
with open(sys.argv[1]) as f:
    cases = json.load(f)
for shift, signal in cases:
    samples = array("i", signal)
    words = array("i", bytes(4096))
    out = array("H", bytes(512))
    bits = fft.largest(0, 0, 768, samples)
    fft.load(0, 0, samples, shift, words, table)
    fft.transform(0, 0, words, table)
    found = []
    for frame in (0, 1):
        fft.levels(0, 0, frame, words, 100, out)
        found.append(list(out))
    fft.keep(0, 0, samples)
    print(json.dumps([bits, list(words), found[0], found[1], list(samples[:256])]))
"""

Signal = npt.NDArray[np.int64]
word_kind = machine_words.word_kind


def signals() -> list[tuple[int, Signal]]:
    """Return (shift, 768 samples): as shifted, below 2^15."""
    random = np.random.default_rng(3)
    n = np.arange(768)
    most = 2**15 - 1
    made: list[tuple[int, Any]] = [
        (0, random.integers(-most - 1, most + 1, 768)),
        (0, random.choice([-most - 1, most], 768)),
        (-6, random.choice([-(2**21), 2**21 - 1], 768)),
        (11, random.integers(-16, 16, 768)),
        (0, np.full(768, -most - 1)),
        (0, np.zeros(768)),
        (3, 4000 * np.cos(2 * np.pi * 40.3 * n / 512)),
    ]
    for line in (1, 2, 37, 128, 255, 256):
        # square waves: nothing of the same size has more in one line
        wave = np.where(np.cos(2 * np.pi * (line * n / 512 + 0.01)) >= 0, most, -most - 1)
        made.append((0, wave))
    return [(shift, np.asarray(s).astype(np.int64)) for shift, s in made]


def ideal_table() -> Signal:
    cosine = 16384 * np.cos(2 * np.pi * np.arange(512) / 512)
    return np.asarray(16384 + np.rint(cosine)).astype(np.int64)


def node(folder: Path, cases: list[tuple[int, Signal]]) -> list[list[Any]]:
    (folder / "cases.json").write_text(json.dumps([[k, s.tolist()] for k, s in cases]))
    (folder / "main.py").write_text(NODE)
    out = interpreter.run([str(folder / "main.py"), str(folder / "cases.json")], path=[FIRMWARE])
    table, *found = (json.loads(line) for line in out.splitlines())
    assert table == ideal_table().tolist()
    return found


def test_the_spectrum_is_numpys(tmp_path: Path) -> None:
    window = (1 - np.cos(2 * np.pi * np.arange(512) / 512)) / 2
    worst = 0.0
    cases = signals()
    for (shift, signal), (_, words, *levels, _) in zip(cases, node(tmp_path, cases), strict=True):
        scaled = np.floor(signal * 2.0**shift)
        first, second = scaled[:512] * window * 2, scaled[256:] * window * 2
        pairs = np.array(words).reshape(512, 2) - BIAS
        error = np.abs(pairs @ np.array([1, 1j]) - np.fft.fft(first + 1j * second) / 512)
        worst = max(worst, float(error.max()))
        for frame, found in zip((first, second), levels, strict=True):
            power = np.abs(np.fft.fft(frame)[1:256] / 512) ** 2
            strong = power > 2**12  # of 2^29: what the rounding of weak lines hides is not asked
            ideal = 100 + 16 * np.log2(power[strong])
            # the straight line between powers of two is up to 1.4 steps too low, and cut
            off = np.array(found[1:])[strong] - ideal
            assert off.max(initial=0) < 0.7
            assert off.min(initial=0) > -3.3
    print("largest error of a line", round(worst, 2), "steps, of 65536")
    assert worst < 7


def test_the_level_does_not_depend_on_the_shift(tmp_path: Path) -> None:
    """16 times the signal is 128 steps, whether it is shifted or not."""
    wave = (1500 * np.cos(2 * np.pi * 60.2 * np.arange(768) / 512)).astype(np.int64)
    cases = [(0, wave), (4, wave), (0, 16 * wave)]
    one, two, three = (max(found[2]) for found in node(tmp_path, cases))
    assert two - one == pytest.approx(128, abs=2)
    assert three == two


@pytest.mark.usefixtures("word_kind")
def test_the_same_words_as_micropython_on_this_machine(tmp_path: Path) -> None:
    fft = machine("fft")
    table = array("H", ideal_table().tolist())
    cases = signals()
    for (shift, signal), found in zip(cases, node(tmp_path, cases), strict=True):
        samples = array("i", signal.tolist())
        words, out = array("i", bytes(4096)), array("H", bytes(512))
        made: list[Any] = [fft["largest"](0, 0, 768, samples)]
        fft["load"](0, 0, samples, shift, words, table)
        fft["transform"](0, 0, words, table)
        made.append(words.tolist())
        for frame in (0, 1):
            fft["levels"](0, 0, frame, words, 100, out)
            made.append(out.tolist())
        fft["keep"](0, 0, samples)
        made.append(samples.tolist()[:256])
        assert made == found


def test_bounds_of_the_docstring() -> None:
    """Words and lines that no input can exceed: the sums of what is there at most."""
    size = 2**16.5  # both parts below 2^16
    for _ in range(9):
        size = size * (1 + 2**-14.5) / 2 + size / 2 + 2.1
    assert np.log2(size) < 16.51
    assert np.log2(size * (2**14 + 0.71)) < 30.53
    n = np.arange(512)
    window = 2**16 * (1 - np.cos(2 * np.pi * n / 512)) / 2
    most = 0.0
    for line in range(1, 256):
        for phase in np.arange(0, np.pi, np.pi / 16):
            most = max(most, float(window @ np.abs(np.cos(2 * np.pi * line * n / 512 + phase))))
    power = (most / 512 + 20) ** 2
    print("square of a line:", round(float(np.log2(power)), 2))
    assert np.log2(power) < 29.1
