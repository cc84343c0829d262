"""What a microphone hears, as the samples it sends: computed once, shared by every board.

The microphone is a TDK ICS-43434: 24 bits, left-justified in 32, -26 dBFS for 94 dB SPL, so a
full-scale sine is 120 dB SPL and level = 20·lg(rms / rms of a full-scale sine) + 120.
"""

import hashlib
import os
import threading
import wave
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_HZ = 48_000
FULL_SCALE = 1 << 23  # of the 24-bit converter
FULL_SCALE_DB = 120.0  # SPL of a full-scale sine
LONGEST_S = 900  # of a recording: one round is worked on in memory
SHORTEST_S = 0.1
FASTEST_HZ = 384_000
HEADER_BYTES = 1 << 20  # what may lie in a file beside its samples
Floats = npt.NDArray[np.float64]


def rms_for(spl_db: float) -> float:
    """Return the rms, full scale = 1, that the microphone gives at a sound level."""
    return float(10 ** ((spl_db - FULL_SCALE_DB) / 20) / np.sqrt(2))


def level_db(samples: npt.NDArray[Any]) -> float:
    """Return the unweighted level of 32-bit words as the microphone sends them, dB SPL."""
    x = samples.astype(np.float64) / (FULL_SCALE * 256)
    return float(20 * np.log10(np.sqrt(np.mean(x * x)) * np.sqrt(2)) + FULL_SCALE_DB)


def to_words(x: Floats) -> npt.NDArray[np.int32]:
    """Return samples (full scale = 1) as the microphone's 32-bit words; what is louder clips."""
    whole = np.clip(np.rint(x * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    return np.asarray(whole.astype(np.int32) << 8, dtype=np.int32)


class Street(ABC):
    """A sound that goes round for ever."""

    @abstractmethod
    def key(self) -> str:
        """Return a text that two streets share only when they sound the same."""

    @abstractmethod
    def signal(self) -> Floats:
        """Return one round at 48 kHz, full scale = 1."""

    def samples(self, folder: Path) -> Path:
        """Return the file of one round as 32-bit little-endian words; made when it is not there."""
        name = hashlib.sha256(f"1 {self.key()}".encode()).hexdigest()[:16]
        path = folder / f"sound-{name}.s32"
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            part.write_bytes(to_words(self.signal()).astype("<i4").tobytes())
            part.rename(path)
        return path


@dataclass(frozen=True)
class Recording(Street):
    """A WAV file (PCM of 8, 16, 24 or 32 bits; the first channel), looped. 0.1 s at least.

    spl_db: the unweighted Leq of the whole file. Its peaks must fit below 120 dB SPL: ValueError
    otherwise, as a real microphone would overload.
    """

    path: Path
    spl_db: float

    def key(self) -> str:
        """See Street."""
        return f"wav {hashlib.sha256(self.path.read_bytes()).hexdigest()} {self.spl_db!r}"

    def signal(self) -> Floats:
        """See Street. Raises ValueError for a file that is no PCM WAV, is too short or silent."""
        rate, x = read_wav(self.path)
        x = resample(x, rate, SAMPLE_HZ)
        rms = float(np.sqrt(np.mean(x * x)))
        if rms == 0:
            raise ValueError(f"{self.path}: silence has no level")
        x = x * (rms_for(self.spl_db) / rms)
        if float(np.max(np.abs(x))) > 1:
            over = 20 * np.log10(float(np.max(np.abs(x))))
            raise ValueError(
                f"{self.path} at {self.spl_db:g} dB overloads the microphone: "
                f"give {self.spl_db - over:.0f} dB or less"
            )
        return x


@dataclass(frozen=True)
class Tone(Street):
    """A sine of a whole number of periods a second, `spl_db` loud."""

    hz: int = 1000
    spl_db: float = 94.0

    def key(self) -> str:
        """See Street."""
        return f"tone {self.hz} {self.spl_db!r}"

    def signal(self) -> Floats:
        """See Street."""
        t = np.arange(SAMPLE_HZ) / SAMPLE_HZ
        return np.asarray(np.sqrt(2) * rms_for(self.spl_db) * np.sin(2 * np.pi * self.hz * t))


@dataclass(frozen=True)
class SyntheticStreet(Street):
    """A minute of a street: a hum, wind, and vehicles that come and go. Sounds as `seed` says.

    Traffic noise is brown below 1 kHz and falls off above; a passing vehicle raises it by up to
    20 dB over some seconds. `spl_db` is the unweighted Leq of the minute.
    """

    seed: int = 0
    spl_db: float = 68.0
    vehicles: int = 12

    def key(self) -> str:
        """See Street."""
        return f"street {self.seed} {self.spl_db!r} {self.vehicles}"

    def signal(self) -> Floats:
        """See Street."""
        draw = np.random.default_rng(self.seed)
        n = 60 * SAMPLE_HZ
        hz = np.fft.rfftfreq(n, 1 / SAMPLE_HZ)
        hz[0] = 1.0
        shape = 1 / np.sqrt(1 + (30 / hz) ** 4 + (hz / 900) ** 2.2)
        shape[0] = 0
        phases = np.exp(2j * np.pi * draw.random(len(hz)))
        noise = np.fft.irfft(shape * phases, n)  # seamless: the end meets the beginning
        noise /= np.sqrt(np.mean(noise * noise))
        coarse = np.arange(0, 60.01, 0.01)  # loudness changes slowly
        loudness = np.full(len(coarse), 0.1)
        for _ in range(self.vehicles):
            centre, width = draw.uniform(0, 60), draw.uniform(0.8, 2.5)
            away = (coarse - centre + 30) % 60 - 30
            loudness += draw.uniform(0.4, 1.0) / (1 + (away / width) ** 2)
        t = np.arange(n) / SAMPLE_HZ
        second = 2 * np.pi * np.arange(SAMPLE_HZ) / SAMPLE_HZ
        hum = np.tile(0.05 * np.sin(100 * second) + 0.02 * np.sin(200 * second), 60)
        x = noise * np.interp(t, coarse, loudness) + hum
        return np.asarray(x * (rms_for(self.spl_db) / np.sqrt(np.mean(x * x))))


def read_wav(path: Path) -> tuple[int, Floats]:
    """Return (rate Hz, first channel with full scale = 1).

    Raises ValueError, in one line, for what is no PCM WAV or has no length or rate of use.
    """
    bytes_there = path.stat().st_size
    if not bytes_there:
        raise ValueError(f"{path}: the file is empty")
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            if not 1 <= rate <= FASTEST_HZ:
                raise ValueError(f"{path}: its rate is {rate} Hz, 1 to {FASTEST_HZ} are possible")
            if not 1 <= width <= 4:
                raise ValueError(f"{path}: its samples have {8 * width} bits, 8 to 32 are possible")
            frame = width * channels
            if bytes_there > LONGEST_S * rate * frame + HEADER_BYTES:
                raise ValueError(f"{path}: longer than {LONGEST_S // 60} minutes, cut it")
            data = file.readframes(file.getnframes())
    except EOFError:
        raise ValueError(f"{path}: not a PCM WAV file (it ends within its header)") from None
    except wave.Error as error:
        raise ValueError(f"{path}: not a PCM WAV file ({error})") from None
    except RuntimeError:  # a chunk that reaches beyond the one that it lies in
        raise ValueError(f"{path}: a damaged WAV file (the lengths in it are wrong)") from None
    data = data[: len(data) // frame * frame]
    if len(data) // frame < SHORTEST_S * rate:
        raise ValueError(f"{path}: shorter than {SHORTEST_S:g} s, nothing to listen to")
    x: Floats
    if width == 1:
        x = (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    elif width == 3:
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        x = (octets[:, 0] << 8 | octets[:, 1] << 16 | octets[:, 2] << 24) / float(1 << 31)
    else:
        x = np.frombuffer(data, f"<i{width}").astype(np.float64) / float(1 << 8 * width - 1)
    return rate, x[::channels]


def resample(x: Floats, rate: int, wanted: int) -> Floats:
    """Return a looped signal at another rate: exact below the lower half-rate.

    The whole round is taken as one period, so the Fourier series is resampled and there is no
    filter to speak of, and no click where the end meets the beginning. The length is rounded to
    a whole sample (a pitch change below one part in the number of samples).
    """
    if rate == wanted:
        return x
    n = round(len(x) * wanted / rate)
    spectrum = np.fft.rfft(x)
    out = np.zeros(n // 2 + 1, dtype=np.complex128)
    shared = min(len(out), len(spectrum))
    out[:shared] = spectrum[:shared]
    if wanted < rate and n % 2 == 0:
        out[-1] = 2 * out[-1].real
    elif len(x) % 2 == 0 and wanted > rate:
        out[shared - 1] /= 2
    return np.asarray(np.fft.irfft(out, n) * (n / len(x)))
