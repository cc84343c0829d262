"""The Doppler chain's viper on 32 bits: the same words whether they wrap or refuse to, as on 64."""

import json
import math
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter
from scipy.signal import freqz, lfilter

from tests.node import machine_words
from tests.node.machine_words import FIRMWARE, machine

# Per case of `halve` its output; per spectrum the excess, the background and the peaks found.
NODE = """
import json, sys
from array import array
from lampione_node.drivers import if_adc
from lampione_node.sensing import peaks
with open(sys.argv[1]) as f:
    waves, spectra = json.load(f)
state = array("i", [0] * 4)
out = array("i", [0] * 256)
for wave in waves:
    words = array("i", wave)
    peaks.halve(0, 0, words, out, 0, state)
    print(json.dumps([list(out), list(state), if_adc.spread(0, 0, 1024, words)]))
background = array("i", [600 << 16] * 256)
excess = bytearray(256)
found = array("H", [0] * 12)
slow = array("H", [0] * 64)
for shift, spectrum in spectra:
    level = array("H", spectrum)
    peaks.judge(1, 0, level, background, excess, shift)
    count = peaks.find(4, 0, level, background, excess, found)
    over = peaks.linger(6, 0, 20, excess, slow)
    print(json.dumps([list(background), list(excess), count, list(found), over, list(slow)]))
"""

PEAKS = machine("peaks")
word_kind = machine_words.word_kind


def waves() -> list[list[int]]:
    random = np.random.default_rng(5)
    most, least = 2**31 - 1, -(2**31)
    made = [
        random.integers(least, most, 1024, endpoint=True),
        random.choice([least, most], 1024),
        np.full(1024, most),
        np.full(1024, least),
        np.zeros(1024),
        np.full(1024, -1),
    ]
    # what drives each all-pass highest: the signs of its impulse response, reversed
    for a in (36 / 256, 151 / 256):
        response = lfilter([a, 1], [1, a], np.eye(1, 256)[0])
        made.append(np.repeat(np.where(response[::-1] >= 0, most, least), 4))
    return [np.asarray(w).astype(np.int64).tolist() for w in made]


def spectra() -> list[tuple[int, list[int]]]:
    random = np.random.default_rng(6)
    made: list[tuple[int, Any]] = [(2, np.full(256, 600))]
    for n in range(12):
        noise = 600 + random.gumbel(0, 20, 256).astype(np.int64)
        for _ in range(n):
            at = random.integers(1, 254)
            noise[at - 1 : at + 2] += random.integers(60, 500) + np.array([-8, 0, -5])
        made.append((min(2 + n, 9), noise))
    made += [(9, np.full(256, 1300)), (9, np.full(256, 1)), (2, random.integers(0, 1300, 256))]
    return [(shift, np.asarray(s).tolist()) for shift, s in made]


@pytest.mark.usefixtures("word_kind")
def test_the_same_words_as_micropython_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text(json.dumps([waves(), spectra()]))
    (tmp_path / "main.py").write_text(NODE)
    out = interpreter.run(
        [str(tmp_path / "main.py"), str(tmp_path / "cases.json")], path=[FIRMWARE]
    )
    lines = iter(out.splitlines())
    state, samples = array("i", [0] * 4), array("i", [0] * 256)
    for wave in waves():
        PEAKS["halve"](0, 0, array("i", wave), samples, 0, state)
        left = np.array(wave[::2]) >> 8
        spread = int(left.max() - left.min())
        assert [samples.tolist(), state.tolist(), spread] == json.loads(next(lines))
    background, excess = array("i", [600 << 16] * 256), bytearray(256)
    found = array("H", [0] * 12)
    slow = array("H", [0] * 64)
    peaks = 0
    for shift, spectrum in spectra():
        level = array("H", spectrum)
        PEAKS["judge"](1, 0, level, background, excess, shift)
        count = PEAKS["find"](4, 0, level, background, excess, found)
        over = PEAKS["linger"](6, 0, 20, excess, slow)
        made = [background.tolist(), list(excess), count, found.tolist(), over, slow.tolist()]
        assert made == json.loads(next(lines))
        peaks += count or 0
    assert peaks > 10


def test_bounds_of_the_halving() -> None:
    grown = [1 + 2 * a for a in (36 / 256, 151 / 256)]  # sum of the absolute impulse response
    bits = {
        "all-pass": math.log2(2**20 * max(grown) + 64),
        "product": math.log2(2**20 * max((1 + g) * a for g, a in zip(grown, (36, 151)))),  # noqa: B905
        "sample": math.log2(2**20 * sum(grown) / 2 + 64),
    }
    print({name: round(b, 2) for name, b in bits.items()})
    assert bits["all-pass"] < 21.2
    assert bits["product"] < 29.0
    assert bits["sample"] < 20.8


def test_halving_keeps_the_band_and_stops_what_would_fold_into_it() -> None:
    """The coefficients in numpy, and that the node's loop does with two tones what they say."""
    a, b = 36 / 256, 151 / 256
    hz = np.arange(50.0, 12_000, 50)

    def all_pass(c: float) -> npt.NDArray[np.complex128]:
        return np.asarray(freqz([c, 0, 1], [1, 0, c], 2 * np.pi * hz / 24_000)[1])

    gain = np.abs(all_pass(a) + np.exp(-2j * np.pi * hz / 24_000) * all_pass(b)) / 2
    gain_db = 20 * np.log10(gain)
    print("pass", gain_db[hz < 4500].min().round(2), "stop", gain_db[hz >= 7500].max().round(1))
    assert abs(gain_db[hz < 4500]).max() < 0.1
    assert gain_db[hz >= 7500].max() < -22
    for tone in (3000, 8000):
        words = array("i", [0] * 1024)
        for n in range(512):
            words[2 * n] = round(1e9 * math.sin(2 * math.pi * tone * n / 24_000))
        samples = array("i", [0] * 256)
        PEAKS["halve"](0, 0, words, samples, 0, array("i", [0] * 4))
        level = np.std(np.array(samples[64:])) * 2**11 / 1e9 * math.sqrt(2)
        assert 20 * math.log10(level) == pytest.approx(gain_db[hz == tone][0], abs=0.1)


def test_a_peak_between_lines_is_found_there(tmp_path: Path) -> None:
    """The parabola: within 1/20 of a line, for the Hann window's lobe."""
    level = array("H", [600] * 256)
    background, excess = array("i", [600 << 16] * 256), bytearray(256)
    found = array("H", [0] * 12)
    worst = 0.0
    for at in np.arange(60, 61, 0.05):
        frame = np.cos(2 * np.pi * at * np.arange(512) / 512)
        window = 1 - np.cos(2 * np.pi * np.arange(512) / 512)
        power = np.abs(np.fft.fft(frame * window)[:256] / 512) ** 2 * 2**28
        for k in range(1, 256):
            level[k] = 100 + round(16 * math.log2(max(power[k], 1)))
            background[k] = 100 << 16
        PEAKS["judge"](1, 0, level, background, excess, 9)
        assert PEAKS["find"](4, 0, level, background, excess, found) == 1
        worst = max(worst, abs(found[0] / 32 - at))
    print("worst", round(worst, 3))
    assert worst < 0.05


FIT = machine("fit")


@pytest.mark.usefixtures("word_kind")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**30 - 1))
def test_root_is_the_root(n: int) -> None:
    assert FIT["root"](n, 1 << 28) == math.isqrt(n)
