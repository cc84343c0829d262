"""Signals, what the node makes of them under MicroPython, and what the standards say of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lampione_hil import interpreter
from scipy.signal import lfilter

FIRMWARE = Path(__file__).parents[2] / "firmware"
PROTOCOL = Path(__file__).parents[2] / "protocol"
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
from lampione_node.sensing import equalised, flat
block = array("i", [0] * 300)
curve = equalised.CURVES.get(sys.argv[1])
weigh = equalised.weigh if curve else flat.weigh
for name in sys.argv[2:]:
    state = array("i", [0] * 12)
    state.extend(array("i", curve or []))
    found = []
    with open(name, "rb") as f:
        while f.readinto(block) == 1200:
            weigh(0, 300, block, state)
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
    meter = sound.SoundMeter(**json.loads(sys.argv[1]))
    size = 0
    with open(name, "rb") as f:
        while n := f.readinto(buffer):
            meter.process(buffer, n)
            size += n
    print(json.dumps(meter.snapshot(size // 192)))
"""

LAEQ, LAFMAX, LA10, LA50, LA90, LCEQ, VALID_PERCENT, CLIPPED_PERCENT, STATE, STEP = range(10)
OK, WARMING, _, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)


def node(folder: Path, script: str, signals: Sequence[Samples], *arguments: str) -> list[Any]:
    """Run a script over the signals, in one MicroPython; return what it printed a line, as JSON.

    Its arguments are `arguments`, then the files of the signals.
    """
    names = []
    for i, signal in enumerate(signals):
        names.append(str(folder / f"{i}.pcm"))
        signal.astype("<i4").tofile(names[-1])
    main = folder / "main.py"
    main.write_text(script)
    out = interpreter.run([str(main), *arguments, *names], path=[FIRMWARE, PROTOCOL])
    return [json.loads(line) for line in out.splitlines()]


def energies(folder: Path, signals: Sequence[Samples], curve: str = "") -> list[list[list[int]]]:
    """Return for every signal the energies (A, C) of its blocks, of a microphone's kernel."""
    return node(folder, ENERGIES, signals, curve)


def levels_of(folder: Path, signals: Sequence[Samples], **meter: int | str) -> list[list[Any]]:
    """Return for every signal what a SoundMeter made with `meter` says of it (see LAEQ)."""
    return node(folder, LEVELS, signals, json.dumps(meter))


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


def laf(signal: Floats) -> Floats:
    """Return the F-weighted level of every sample of an A-weighted signal, begun at nothing."""
    k = 1 - np.exp(-1 / (0.125 * RATE_HZ))
    level: Floats = 10 * np.log10(lfilter([k], [1, k - 1], signal**2) * 2 + 1e-20) + 120
    return level


def scaled(signal: Floats, level_db: float) -> Floats:
    """Return a signal at an unweighted level."""
    out: Floats = signal * (10 ** ((level_db - 120) / 20) / np.sqrt(2 * np.mean(signal**2)))
    return out


def noise(seconds: int, shape: Callable[[Floats], Floats], seed: int) -> Floats:
    """Return noise of rms 1 with amplitudes `shape(hz)`, and no constant part."""
    hz: Floats = np.fft.rfftfreq(seconds * RATE_HZ, 1 / RATE_HZ).astype(np.float64)
    amplitude = np.append(0.0, shape(hz[1:]))
    phase = np.random.default_rng(seed).random(len(hz))
    out: Floats = np.fft.irfft(amplitude * np.exp(2j * np.pi * phase), seconds * RATE_HZ)
    out /= np.sqrt(np.mean(out**2))
    return out
