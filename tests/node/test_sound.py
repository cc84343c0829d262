"""The sound chain under MicroPython against oracles on the host: IEC 61672-1, numpy, scipy."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from lampione_hil import interpreter
from scipy.signal import lfilter

FIRMWARE = Path(__file__).parents[2] / "firmware"
RATE_HZ = 48_000
BLOCK = 300
FULL_SCALE = 2**31 - 1
POLES_HZ = (20.598997, 107.65265, 737.86223, 12194.217)

Samples = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# Per file: the exact energy (A, C) of every block, from the viper function alone.
ENERGIES = """
import json, sys
from array import array
from lampione_node.sensing import sound
block = array("i", [0] * 300)
for name in sys.argv[1:]:
    state = array("i", [0] * 11)
    found = []
    with open(name, "rb") as f:
        while f.readinto(block) == 1200:
            sound.weigh(0, 300, block, state)
            found.append([(state[i] << 22) + (state[i + 1] << 12) + state[i + 2] for i in (8, 5)])
    print(json.dumps(found))
"""

# Per file: the levels of the whole file, as the node reports them.
LEVELS = """
import json, sys
from array import array
from lampione_node.sensing import sound
buffer = array("i", [0] * 1200)
view = memoryview(buffer)
for name in sys.argv[2:]:
    meter = sound.SoundMeter(int(sys.argv[1]))
    size = 0
    with open(name, "rb") as f:
        while n := f.readinto(buffer):
            meter.process(buffer, n)
            size += n
    print(json.dumps(meter.snapshot(size // 192)))
"""

LAEQ, LAFMAX, LA10, LA50, LA90, LCEQ, VALID_PERCENT, CLIPPED_PERCENT, STATE = range(9)
OK, WARMING, _, STUCK, IMPLAUSIBLE, SILENT = range(6)


def node(folder: Path, script: str, signals: Sequence[Samples], *arguments: str) -> list[list]:  # type: ignore[type-arg]
    """Run a script of the above over the signals, in one MicroPython."""
    names = []
    for i, signal in enumerate(signals):
        names.append(str(folder / f"{i}.pcm"))
        signal.astype("<i4").tofile(names[-1])
    main = folder / "main.py"
    main.write_text(script)
    out = interpreter.run([str(main), *arguments, *names], path=[FIRMWARE])
    return [json.loads(line) for line in out.splitlines()]


def words(signal: Floats) -> Samples:
    """Turn -1..1 into what the microphone sends: 24 bits, left-justified in 32."""
    return (np.clip(np.round(signal * 2**23), -(2**23), 2**23 - 1).astype(np.int64) << 8).astype(
        np.int32
    )


def tone(hz: float, level_db: float, seconds: float, phase: float = 0) -> Floats:
    """Return a sine of a sound pressure level; a full-scale sine is 120 dB."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave: Floats = 10 ** ((level_db - 120) / 20) * np.sin(2 * np.pi * hz * t + phase)
    return wave


def analytic(hz: Floats, curve: str) -> Floats:
    """Return IEC 61672-1 annex E's weighting in dB, 0 at 1 kHz."""

    def gain(f: Floats) -> Floats:
        f1, f2, f3, f4 = POLES_HZ
        g: Floats = f4**2 * f**2 / ((f**2 + f1**2) * (f**2 + f4**2))
        if curve == "A":
            g = g * f**2 / np.sqrt((f**2 + f2**2) * (f**2 + f3**2))
        return g

    level: Floats = 20 * np.log10(gain(hz) / gain(np.array(1000.0)))
    return level


def levels_db(blocks: list[list[int]], column: int) -> float:
    """Return the mean energy of the blocks in dB."""
    return float(10 * np.log10(np.mean([float(b[column]) for b in blocks])))


def weighted(signal: Floats, curve: str) -> Floats:
    """Weight a signal by the analytic magnitude, in the frequency domain."""
    spectrum = np.fft.rfft(signal)
    hz: Floats = np.fft.rfftfreq(len(signal), 1 / RATE_HZ).astype(np.float64)
    gain = np.zeros(len(hz))
    gain[1:] = 10 ** (analytic(hz[1:], curve) / 20)
    out: Floats = np.fft.irfft(spectrum * gain, len(signal))
    return out


def leq(signal: Floats) -> float:
    return float(10 * np.log10(np.mean(signal**2) * 2) + 120)


def test_weighting_follows_the_analytic_curves(tmp_path: Path) -> None:
    """A and C within ±0.1 dB from 10 Hz to 20 kHz, at the exact frequencies 10^(n/10)."""
    # up to 19 953 Hz, the "20 kHz" of the table
    hz: Floats = np.power(10.0, np.arange(10, 44) / 10)
    # sine and cosine together have constant power: no window, no leakage
    signals = [words(tone(f, 119, 0.75, p)) for f in hz for p in (0, np.pi / 2)]
    found = node(tmp_path, ENERGIES, signals)
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
    found = node(tmp_path, ENERGIES, [words(tone(1000, db, 0.5)) for db in steps])
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
    found = node(tmp_path, ENERGIES, [*signals, words(tone(1000, 94, 1))])
    reference = levels_db(found[-1][80:], 0)
    floors = []
    for blocks in found[:-1]:
        energy = np.mean([float(b[0]) for b in blocks[80:]])
        floors.append(float(10 * np.log10(energy + 1e-9) - reference + 94))
    print("floor dB(A)", np.round(floors, 1))
    assert max(floors) <= 5


def street(seconds: float, seed: int) -> Floats:
    """Return pink-ish noise whose level walks between 45 and 80 dB, as a street's does."""
    random = np.random.default_rng(seed)
    noise = lfilter([1, -0.9], [1, -0.99], random.standard_normal(round(seconds * RATE_HZ)))
    noise /= np.sqrt(np.mean(noise**2))
    knots = np.cumsum(random.uniform(-8, 8, round(seconds * 2) + 2))
    walk = 62 + 17 * np.sin(
        np.interp(np.arange(len(noise)) / RATE_HZ * 2, range(len(knots)), knots) / 9
    )
    out: Floats = noise * 10 ** ((walk - 120) / 20) / np.sqrt(2)
    return out


def test_levels_of_a_street_agree_with_an_independent_computation(tmp_path: Path) -> None:
    """LAeq, LCeq, LAFmax and the percentiles, from the analytic curves in the frequency domain."""
    signals = [street(30, seed) for seed in range(3)]
    found = node(tmp_path, LEVELS, [words(s) for s in signals], "115")
    for signal, levels in zip(signals, found, strict=True):
        a = weighted(signal, "A")
        settled = a[20 * BLOCK :]
        # F: 125 ms exponential over the squared signal, sample by sample, started like the node
        k = 1 - np.exp(-1 / (0.125 * RATE_HZ))
        laf = 10 * np.log10(lfilter([k], [1, k - 1], settled**2) * 2 + 1e-20) + 120
        sampled = laf[20 * BLOCK - 1 :: 20 * BLOCK]
        assert levels[STATE] == OK
        assert levels[LAEQ] / 10 == pytest.approx(leq(settled), abs=0.1)
        assert levels[LCEQ] / 10 == pytest.approx(leq(weighted(signal, "C")[20 * BLOCK :]), abs=0.1)
        assert levels[LAFMAX] / 10 == pytest.approx(laf.max(), abs=0.3)
        for index, percent in ((LA10, 90), (LA50, 50), (LA90, 10)):
            assert levels[index] / 10 == pytest.approx(np.percentile(sampled, percent), abs=0.2)
        assert levels[VALID_PERCENT] == 100  # 0.4 % went into settling
        assert levels[CLIPPED_PERCENT] == 0


@pytest.mark.parametrize(
    ("burst_ms", "response_db"), [(1000, 0.0), (200, -1.0), (50, -4.8), (10, -11.1), (2, -18.0)]
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
    found = node(tmp_path, LEVELS, signals, "0")
    response = np.array([levels[LAFMAX] for levels in found[1:]]) / 10
    response -= found[0][LAEQ] / 10
    print(burst_ms, response.min() - response_db, response.max() - response_db)
    assert abs(response - response_db).max() <= 0.3


def test_percentiles_of_a_known_sequence(tmp_path: Path) -> None:
    """Steps of one second each: the F weighting lags, the oracle lags alike."""
    random = np.random.default_rng(7)
    steps = random.uniform(35, 105, 60)
    wave = np.concatenate([tone(1000, db, 1) for db in steps])
    [levels] = node(tmp_path, LEVELS, [words(wave)], "115")
    k = 1 - np.exp(-1 / (0.125 * RATE_HZ))
    laf = 10 * np.log10(lfilter([k], [1, k - 1], wave[20 * BLOCK :] ** 2) * 2) + 120
    sampled = laf[20 * BLOCK - 1 :: 20 * BLOCK]
    for index, percent in ((LA10, 90), (LA50, 50), (LA90, 10)):
        assert levels[index] / 10 == pytest.approx(np.percentile(sampled, percent), abs=0.2)


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
    found = node(
        tmp_path,
        LEVELS,
        [words(w) for w in (dead, dead - 0.01, loud, start, np.zeros(0), spike)],
        "115",
    )
    nothing = [None] * 6
    assert found[0] == [*nothing, 0, 0, STUCK]
    assert found[1] == [*nothing, 0, 0, STUCK]
    assert found[2][LAEQ] > 1150
    assert (found[2][VALID_PERCENT], found[2][CLIPPED_PERCENT]) == (0, 88)
    assert found[3] == [*nothing, 0, 0, WARMING]
    assert found[4] == [*nothing, 0, 0, SILENT]
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
