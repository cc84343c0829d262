"""The sound chain under MicroPython against oracles on the host: IEC 61672-1, numpy, scipy."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from tests.node.sounds import (
    ABSENT,
    BLOCK,
    CLIPPED_PERCENT,
    IMPLAUSIBLE,
    LA10,
    LA50,
    LA90,
    LAEQ,
    LAFMAX,
    LCEQ,
    OK,
    RATE_HZ,
    STATE,
    STUCK,
    VALID_PERCENT,
    WARMING,
    Floats,
    analytic,
    energies,
    laf,
    leq,
    levels_db,
    levels_of,
    node,
    street,
    tone,
    weighted,
    words,
)


def test_weighting_follows_the_analytic_curves(tmp_path: Path) -> None:
    """A and C within ±0.1 dB from 10 Hz to 20 kHz, at the exact frequencies 10^(n/10)."""
    # up to 19 953 Hz, the "20 kHz" of the table
    hz: Floats = np.power(10.0, np.arange(10, 44) / 10)
    # sine and cosine together have constant power: no window, no leakage
    signals = [words(tone(f, 119, 0.75, p)) for f in hz for p in (0, np.pi / 2)]
    found = energies(tmp_path, signals)
    for column, curve in enumerate("AC"):
        measured = np.array(
            [levels_db(found[2 * i][40:] + found[2 * i + 1][40:], column) for i in range(len(hz))]
        )
        at_1k = measured[np.argmin(abs(hz - 1000))]
        error = measured - at_1k - analytic(hz, curve)
        print(curve, np.round(error, 3), "largest", round(float(abs(error).max()), 3))
        assert abs(error).max() < 0.1


def test_level_is_linear_from_30_to_119_db(tmp_path: Path) -> None:
    steps = np.append(np.arange(30, 120), 119.9)
    found = energies(tmp_path, [words(tone(1000, db, 0.5)) for db in steps])
    measured = np.array([levels_db(blocks[40:], 0) for blocks in found])
    error = measured - steps
    error -= error[steps == 94]
    print("linearity", round(float(abs(error).max()), 4))
    assert abs(error).max() < 0.05


def test_arithmetic_floor_is_5_db_a_or_less(tmp_path: Path) -> None:
    """What the integers add to silence, to a constant, and to a tone below the last bit."""
    silence = np.zeros(RATE_HZ)
    signals = [
        words(silence),
        words(silence - 1e-9 - 2**-23),
        words(silence + 0.013),
        words(tone(997, 2, 1)),
        words(tone(10, 110, 1) * 0 + tone(3, 60, 1)),
    ]
    found = energies(tmp_path, [*signals, words(tone(1000, 94, 1))])
    reference = levels_db(found[-1][80:], 0)
    floors = []
    for blocks in found[:-1]:
        energy = np.mean([float(b[0]) for b in blocks[80:]])
        floors.append(float(10 * np.log10(energy + 1e-9) - reference + 94))
    print("floor dB(A)", np.round(floors, 1))
    assert max(floors) <= 5


def test_levels_of_a_street_agree_with_an_independent_computation(tmp_path: Path) -> None:
    """LAeq, LCeq, LAFmax and the percentiles, from the analytic curves in the frequency domain."""
    signals = [street(30, seed) for seed in range(3)]
    found = levels_of(tmp_path, [words(s) for s in signals])
    for signal, levels in zip(signals, found, strict=True):
        a = weighted(signal, "A")
        settled = a[20 * BLOCK :]
        fast = laf(settled)  # started like the node's
        sampled = fast[20 * BLOCK - 1 :: 20 * BLOCK]
        assert levels[STATE] == OK
        assert levels[LAEQ] / 10 == pytest.approx(leq(settled), abs=0.1)
        assert levels[LCEQ] / 10 == pytest.approx(leq(weighted(signal, "C")[20 * BLOCK :]), abs=0.1)
        assert levels[LAFMAX] / 10 == pytest.approx(fast.max(), abs=0.3)
        for index, percent in ((LA10, 90), (LA50, 50), (LA90, 10)):
            assert levels[index] / 10 == pytest.approx(np.percentile(sampled, percent), abs=0.2)
        assert levels[VALID_PERCENT] == 100  # 0.4 % went into settling
        assert levels[CLIPPED_PERCENT] == 0


@pytest.mark.parametrize(
    ("burst_ms", "response_db"),
    [
        *((1000, 0.0), (500, -0.1), (200, -1.0), (100, -2.6), (50, -4.8)),
        *((20, -8.3), (10, -11.1), (5, -14.1), (2, -18.0)),
    ],
)
def test_fast_weighting_answers_tonebursts(
    tmp_path: Path, burst_ms: int, response_db: float
) -> None:
    """IEC 61672-1 table 4 at 4 kHz, wherever in a block the burst begins."""
    steady = tone(4000, 100, 1.5)
    signals = [words(steady)]
    for shift in range(0, BLOCK, 37):
        wave = np.zeros(2 * RATE_HZ)
        start = RATE_HZ // 2 + shift
        count = burst_ms * RATE_HZ // 1000
        wave[start : start + count] = tone(4000, 100, burst_ms / 1000)
        signals.append(words(wave))
    found = levels_of(tmp_path, signals, quiet=0)
    response = np.array([levels[LAFMAX] for levels in found[1:]]) / 10
    response -= found[0][LAEQ] / 10
    print(burst_ms, response.min() - response_db, response.max() - response_db)
    assert abs(response - response_db).max() <= 0.3


def test_percentiles_of_a_known_sequence(tmp_path: Path) -> None:
    """Steps of one second each: the F weighting lags, the oracle lags alike."""
    random = np.random.default_rng(7)
    steps = random.uniform(35, 105, 60)
    wave = np.concatenate([tone(1000, db, 1) for db in steps])
    [levels] = levels_of(tmp_path, [words(wave)])
    sampled = laf(wave[20 * BLOCK :])[20 * BLOCK - 1 :: 20 * BLOCK]
    for index, percent in ((LA10, 90), (LA50, 50), (LA90, 10)):
        assert levels[index] / 10 == pytest.approx(np.percentile(sampled, percent), abs=0.2)


def test_percentiles_of_a_street_with_a_known_distribution(tmp_path: Path) -> None:
    """Levels of a normal distribution: the percentiles are known beforehand, without any signal.

    They come and go slowly, so that F follows; the distribution is gone through up and down.
    """
    middle, sigma, cycles, seconds = 62.0, 7.0, 2, 60
    t = np.arange(seconds * RATE_HZ) / RATE_HZ
    share = abs(2 * (t * cycles / seconds % 1) - 1)
    level = middle + sigma * norm.ppf(np.clip(share, 0.005, 0.995))
    wave = 10 ** ((level - 120) / 20) * np.sin(2 * np.pi * 1000 * t)
    [levels] = levels_of(tmp_path, [words(wave)])
    sampled = laf(weighted(wave, "A")[20 * BLOCK :])[20 * BLOCK - 1 :: 20 * BLOCK]
    for index, exceeded in ((LA10, 0.1), (LA50, 0.5), (LA90, 0.9)):
        true = middle + sigma * norm.isf(exceeded)
        assert levels[index] / 10 == pytest.approx(true, abs=0.2)
        assert levels[index] / 10 == pytest.approx(
            np.percentile(sampled, 100 - 100 * exceeded), abs=0.2
        )


@pytest.mark.parametrize("late_ms", [5, 40, 80, 115])
def test_the_percentiles_are_of_laf_as_it_is_every_125_ms(tmp_path: Path, late_ms: int) -> None:
    """Bursts in step with the samples: neither the largest nor the mean of 125 ms would agree."""
    t = np.arange(12 * RATE_HZ)
    on = (t + late_ms * RATE_HZ // 1000) % (20 * BLOCK) < 5 * RATE_HZ // 1000
    wave = np.where(on, tone(4000, 100, 12), tone(4000, 60, 12))
    [levels] = levels_of(tmp_path, [words(wave)])
    fast = laf(weighted(wave, "A")[20 * BLOCK :])
    sampled = fast[20 * BLOCK - 1 :: 20 * BLOCK]
    assert levels[LA50] / 10 == pytest.approx(np.median(sampled), abs=0.2)
    span = fast[RATE_HZ:].max() - fast[RATE_HZ:].min()
    assert span > 3.5  # what sampling at another instant could have made


def test_levels_of_intervals_add_up_to_the_level_of_the_whole(tmp_path: Path) -> None:
    """Snapshots in between lose no block: energies of parts sum to the energy of the whole."""
    script = """
import json, sys
from array import array
from lampione_node.sensing import sound
buffer = array("i", [0] * 1200)
parts, whole = sound.SoundMeter(), sound.SoundMeter()
for name in sys.argv[1:]:
    size = 0
    with open(name, "rb") as f:
        while n := f.readinto(buffer):
            parts.process(buffer, n)
            whole.process(buffer, n)
            size += n
    print(json.dumps(parts.snapshot(size // 192)))
print(json.dumps(whole.snapshot(1)))
"""
    signal = street(24, 11)
    seconds = (3, 9, 12)
    cuts = np.cumsum(seconds) * RATE_HZ
    parts = np.split(words(signal), cuts[:-1])
    *found, whole = node(tmp_path, script, parts)
    energy = sum(s * 10 ** (levels[LAEQ] / 100) for s, levels in zip(seconds, found, strict=True))
    assert 10 * np.log10(energy / sum(seconds)) == pytest.approx(whole[LAEQ] / 10, abs=0.1)
    assert max(levels[LAFMAX] for levels in found) == whole[LAFMAX]
    assert whole[LA90] <= whole[LA50] <= whole[LA10] <= whole[LAFMAX]


def test_sound_that_cannot_be_trusted_is_not_reported(tmp_path: Path) -> None:
    """A dead line, a hum beyond full scale, a start, and nothing at all."""
    dead = np.zeros(RATE_HZ)
    loud = np.clip(1.5 * tone(1000, 120, 1), -1, 1)
    start = street(0.1, 3)
    spike = tone(1000, 60, 1)
    spike[24_000] = 1
    signals = (dead, dead - 0.01, loud, start, np.zeros(0), spike)
    found = levels_of(tmp_path, [words(w) for w in signals])
    nothing = [None] * 6
    assert found[0][:9] == [*nothing, 0, 0, STUCK]
    assert found[1][:9] == [*nothing, 0, 0, STUCK]
    assert found[2][LAEQ] > 1150
    assert (found[2][VALID_PERCENT], found[2][CLIPPED_PERCENT]) == (0, 88)
    assert found[3][:9] == [*nothing, 0, 0, WARMING]
    assert found[4][:9] == [*nothing, 0, 0, ABSENT]
    assert found[2][STATE] == IMPLAUSIBLE
    assert found[5][STATE] == OK
    assert found[5][CLIPPED_PERCENT] == 1
    assert found[5][VALID_PERCENT] == 87


def test_processing_allocates_nothing_and_wants_whole_blocks(tmp_path: Path) -> None:
    script = """
import gc, json, micropython, sys
from array import array
from lampione_node.sensing import sound
buffer = array("i", [0] * 24000)
with open(sys.argv[1], "rb") as f:
    f.readinto(buffer)
meter = sound.SoundMeter()
try:
    meter.process(buffer, 1196)
    raise SystemExit("a part of a block was taken")
except ValueError:
    pass
meter.process(buffer, 4800)
micropython.heap_lock()
meter.process(buffer, 96000)
micropython.heap_unlock()
gc.collect()
before = gc.mem_alloc()
meter.process(buffer, 96000)
print(json.dumps([gc.mem_alloc() - before]))
"""
    assert node(tmp_path, script, [words(tone(1000, 115, 0.5))]) == [[0]]
