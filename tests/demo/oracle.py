"""Noise levels of recorded samples, computed as IEC 61672-1 defines them, with scipy.

Nothing here shares a line with the firmware: the A-weighting is the analytic response, poles and
all, applied in the frequency domain; the Fast weighting is an exponential of 125 ms.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

RATE_HZ = 48_000
FULL_SCALE_DB = 120.0  # of a sine that just fills 24 bits, ICS-43434
A_POLES_HZ = (20.598997, 20.598997, 107.65265, 737.86223, 12194.217, 12194.217)

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """Of one interval, in dB(A)."""

    laeq: float
    lafmax: float
    la90: float


def a_weight(samples: Samples) -> Samples:
    """Return the A-weighted samples; the first tenth of a second is still settling."""
    size = fft.next_fast_len(len(samples) + RATE_HZ, real=True)
    s = 2j * np.pi * fft.rfftfreq(size, 1 / RATE_HZ)

    def response(s: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
        h = s**4
        for pole in A_POLES_HZ:
            h = h / (s + 2 * np.pi * pole)
        return h

    weighting = response(s) / abs(response(np.array([2j * np.pi * 1000.0]))[0])
    weighted: Samples = fft.irfft(fft.rfft(samples, size) * weighting, size)[: len(samples)]
    return weighted


def read_words(raw: bytes) -> Samples:
    """Return the samples of a dump (32-bit words, 24 bits used), 1.0 being full scale."""
    words = np.frombuffer(raw[: len(raw) // 4 * 4], "<i4")
    return (words >> 8).astype(np.float64) / 2**23


def power_to_db(mean_square: "npt.NDArray[np.float64] | float") -> "npt.NDArray[np.float64]":
    """Return the level of a mean square, where a full-scale sine has a half."""
    return 10 * np.log10(np.maximum(mean_square, 1e-20) / 0.5) + FULL_SCALE_DB


class Recording:
    """A whole dump, weighted once; intervals are then cut from it."""

    def __init__(self, samples: Samples) -> None:
        square = a_weight(samples) ** 2
        self._energy = np.concatenate([[0.0], np.cumsum(square)])
        decay = np.exp(-1 / (0.125 * RATE_HZ))
        self._fast = signal.lfilter([1 - decay], [1, -decay], square)

    def levels(self, first: int, last: int) -> Levels:
        """Return the levels of samples first to last (exclusive)."""
        mean = (self._energy[last] - self._energy[first]) / (last - first)
        fast = power_to_db(self._fast[first:last])
        return Levels(
            laeq=float(power_to_db(mean)),
            lafmax=float(fast.max()),
            la90=float(np.percentile(fast[:: RATE_HZ // 8], 10)),
        )
