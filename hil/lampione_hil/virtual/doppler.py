"""The intermediate-frequency signal of a CW Doppler module that looks into a street.

Every echo is a cosine of its exact phase 4 pi r / lambda, r being the distance of a point of a
mover: Doppler shift, spreading and the interference of a body's points follow from that. Numbers
here are choices about modules, rain and walkers; what reads the signal is written without them.
"""

import hashlib
import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lampione_hil.virtual.movers import REFERENCE_M, Vehicle, Walker
from lampione_hil.virtual.traffic import TrafficStreet

LIGHT_MPS = 299_792_458.0
RATE_HZ = 24_000

_GRID_S = 0.01  # movers' places are computed so often and drawn straight between: 0.03 mm at most
_BAND_HZ = 5_000.0  # the band in which the noise of a signal-to-noise ratio is counted
_NOISE_FULL_SCALE = 10 ** (-75 / 20)  # of that noise, with full scale = 1
_FAINT_DB = -20.0  # an echo below the noise by so much is left out
_REFERENCE_DBSM = 10.0  # a car

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Module:
    """A radar module: its carrier and its antenna's beam (full widths, one way, 3 dB down)."""

    carrier_hz: float
    across_deg: float
    upright_deg: float
    side_db: float = -17.0  # what the antenna hears beside and behind, one way


CDM324 = Module(24.125e9, 80.0, 32.0)
HB100 = Module(10.525e9, 80.0, 40.0, -14.0)


@dataclass
class DopplerSignal:
    """What the I2S ADC behind a module delivers.

    Args:
        street: who moves; its rain (0 to 1) and sway_kmh are of the street too, but heard here.
        snr_db: of a car (10 dBsm) on the near lane at the section, against the noise in 5 kHz,
            before any processing.
        hum_db: a line at 100 Hz (lamps and their drivers), against that noise.
        aim_m, aim_lane_m: where the beam's axis meets the road.
    """

    street: TrafficStreet
    module: Module = CDM324
    snr_db: float = 15.0
    hum_db: float = -6.0
    aim_m: float = 20.0
    aim_lane_m: float = 5.5
    rate_hz: int = RATE_HZ
    _gain: float = field(init=False)

    def __post_init__(self) -> None:
        height_m = self.street.view.height_m
        self._wave = 4 * math.pi * self.module.carrier_hz / LIGHT_MPS
        self._height_m = height_m
        self._gain = 1.0
        at = np.array([REFERENCE_M])
        plain = self._amplitude(at, self.street.near_m, height_m, _REFERENCE_DBSM)[0]
        self._gain = math.sqrt(2) * _NOISE_FULL_SCALE * 10 ** (self.snr_db / 20) / plain

    def _amplitude(self, x_m: Floats, lane_m: float, height_m: float, dbsm: float) -> Floats:
        """Return the echo's amplitude: radar equation with the beam both ways."""
        range_m = np.sqrt(x_m**2 + lane_m**2 + height_m**2)
        across = np.degrees(np.arctan2(lane_m, x_m) - math.atan2(self.aim_lane_m, self.aim_m))
        ground = math.hypot(self.aim_m, self.aim_lane_m)
        down = np.degrees(
            np.arctan2(height_m, np.hypot(x_m, lane_m)) - math.atan2(self._height_m, ground)
        )
        beam_db = -12 * (
            (across / self.module.across_deg) ** 2 + (down / self.module.upright_deg) ** 2
        )
        beam_db = np.maximum(beam_db, self.module.side_db)
        db = dbsm + 2 * beam_db - 40 * np.log10(range_m / REFERENCE_M)
        return np.asarray(self._gain * 10 ** (db / 20))

    def chunks(self, start_s: float, end_s: float, chunk_s: float = 10.0) -> Iterator[bytes]:
        """Yield the ADC's frames, two 32-bit little-endian words each, chunk by chunk."""
        at_s = start_s
        while at_s < end_s:
            yield frames(self.wave(at_s, min(end_s, at_s + chunk_s))).tobytes()
            at_s += chunk_s

    def wave(self, start_s: float, end_s: float) -> Floats:
        """Return the signal, full scale = 1. Chunks follow on each other without a click."""
        first, last = round(start_s * self.rate_hz), round(end_s * self.rate_hz)
        t = np.arange(first, last) / self.rate_hz
        draw = np.random.default_rng([self.street.seed & 0xFFFFFFFF, first & 0xFFFFFFFF, 7])
        wave = _noise(draw, len(t), self.rate_hz)
        wave += (
            math.sqrt(2)
            * _NOISE_FULL_SCALE
            * 10 ** (self.hum_db / 20)
            * np.sin(2 * math.pi * 100 * t)
        )
        for vehicle in self._near(start_s, end_s):
            self._add_vehicle(wave, t, vehicle)
        for walker in self.street.walkers(start_s - 1, end_s + 1):
            self._add_walker(wave, t, walker)
        if self.street.sway_kmh:
            self._add_sway(wave, t)
        if self.street.fan_kmh is not None:
            shift_hz = self.street.fan_kmh / 3.6 * self._wave / (2 * math.pi)
            wave += 0.35 * _NOISE_FULL_SCALE * np.cos(2 * math.pi * shift_hz * t)
        if self.street.rain:
            self._add_rain(wave, t)
        return wave

    def _near(self, start_s: float, end_s: float) -> list[Vehicle]:
        found = self.street.vehicles(start_s - 90, end_s + 30)
        found += self.street.cyclists(start_s - 90, end_s + 90)
        return [v for v in found if v.start_s < end_s and v.end_s > start_s]

    def _add_point(
        self,
        wave: Floats,
        t: Floats,
        grid: Floats,
        x_m: Floats,
        lane_m: float,
        height_m: float,
        dbsm: float,
    ) -> None:
        """Add the echo of a point that is at x_m at the moments `grid`."""
        amplitude = self._amplitude(x_m, lane_m, height_m, dbsm)
        heard = np.flatnonzero(amplitude > _NOISE_FULL_SCALE * 10 ** (_FAINT_DB / 20))
        if not len(heard):
            return
        first, last = max(heard[0] - 1, 0), min(heard[-1] + 2, len(grid))
        part = slice(*np.searchsorted(t, (grid[first], grid[last - 1])))
        at = t[part]
        x = np.interp(at, grid[first:last], x_m[first:last])
        range_m = np.sqrt(x * x + (lane_m * lane_m + height_m * height_m))
        loud = np.interp(at, grid[first:last], amplitude[first:last])
        wave[part] += loud * np.cos(self._wave * range_m)

    def _grid(self, t: Floats, start_s: float, end_s: float) -> Floats:
        """Return moments, whole hundredths of a second, that cover t as far as someone is there."""
        first = max(math.floor(t[0] / _GRID_S), math.ceil(start_s / _GRID_S))
        last = min(math.ceil(t[-1] / _GRID_S) + 1, math.floor(end_s / _GRID_S))
        return np.arange(first, last + 1) * _GRID_S

    def _add_vehicle(self, wave: Floats, t: Floats, vehicle: Vehicle) -> None:
        grid = self._grid(t, vehicle.start_s, vehicle.end_s)
        if len(grid) < 2:
            return
        front_m = np.array([vehicle.x_m(s) for s in grid])
        for behind_m, less_db in vehicle.points:
            x_m = front_m + behind_m if vehicle.toward else front_m - behind_m
            dbsm = vehicle.cross_section_dbsm + less_db
            self._add_point(wave, t, grid, x_m, vehicle.lane_m, vehicle.height_m, dbsm)

    def _add_walker(self, wave: Floats, t: Floats, walker: Walker) -> None:
        """Trunk, two legs, two arms: each swings about the trunk once a stride."""
        grid = self._grid(t, walker.start_s, walker.end_s)
        if len(grid) < 2:
            return
        x_m = np.array([walker.x_m(s) for s in grid])
        stride = 2 * math.pi * 0.9 * math.sqrt(walker.speed_mps / 1.3)  # rad/s
        phase = stride * (grid - walker.start_s)
        trunk_m = 0.04 * walker.speed_mps / stride * np.sin(2 * phase)
        for swing, less_db, below_m in (
            (0.0, 0.0, 0.0),
            (1.2, -6.0, 0.4),
            (-1.2, -6.0, 0.4),
            (0.7, -9.0, -0.1),
            (-0.7, -9.0, -0.1),
        ):
            at_m = x_m + trunk_m + swing * walker.speed_mps / stride * np.sin(phase)
            self._add_point(
                wave, t, grid, at_m, walker.lane_m, walker.height_m - 1 + below_m,
                walker.cross_section_dbsm + less_db,
            )  # fmt: skip

    def _add_sway(self, wave: Floats, t: Floats) -> None:
        """A sign on its bracket and two branches, in gusts."""
        for number, (x_m, hz, share, dbsm) in enumerate(
            ((9.0, 0.6, 1.0, -6.0), (13.0, 0.37, 0.7, -9.0), (17.0, 0.23, 0.5, -7.0))
        ):
            gust = 0.5 + 0.5 * np.sin(t / (11.3 + number) + self.street.seed)
            turn = 2 * math.pi * hz
            swing_m = share * self.street.sway_kmh / 3.6 / 1.3 / turn
            away_m = swing_m * gust * (np.sin(turn * t) + 0.1 * np.sin(2.8 * turn * t + number))
            loud = self._amplitude(np.array([x_m]), 2.0, 1.5, dbsm)[0]
            wave += loud * np.cos(self._wave * (x_m + away_m) + number)

    def _add_rain(self, wave: Floats, t: Floats) -> None:
        """Drops that fall through the beam close to the antenna, 1 to 2.5 mm of them.

        Cross-section of a sphere much smaller than the wave; terminal speed of Atlas and Ulbrich
        (1977), 3.78 (mm)^0.67 m/s; the number in a volume grows with the cube of its radius.
        """
        start_s, end_s = float(t[0]), float(t[-1])
        for second in range(math.floor(start_s) - 1, math.floor(end_s) + 1):
            draw = np.random.default_rng([self.street.seed & 0xFFFFFFFF, second & 0xFFFFFFFF, 8])
            squall = 0.6 + 0.4 * math.sin(second / 17 + self.street.seed)
            for _ in range(draw.poisson(60 * self.street.rain * squall)):
                self._add_drop(wave, t, draw, second)

    def _add_drop(self, wave: Floats, t: Floats, draw: np.random.Generator, second: int) -> None:
        size_mm = draw.uniform(1.0, 2.5)
        falls_mps = 3.78 * size_mm**0.67
        x_m = max(0.15, 0.8 * draw.random() ** (1 / 3))
        aside_m = x_m * draw.normal(0, 0.35)
        passes_s = second + draw.random()
        lasts_s = 0.6 * x_m / falls_mps
        part = slice(*np.searchsorted(t, (passes_s - lasts_s, passes_s + lasts_s)))
        s = t[part] - passes_s
        if not len(s):
            return
        below_m = falls_mps * s + 0.25 * x_m
        range_m = np.sqrt(x_m**2 + aside_m**2 + below_m**2)
        wave_m = LIGHT_MPS / self.module.carrier_hz
        section_m2 = 0.93 * math.pi**5 * (size_mm / 1000) ** 6 / wave_m**4
        db = 10 * math.log10(section_m2) - 40 * math.log10(x_m / REFERENCE_M)
        beam = np.exp(-2 * np.log(2) * (s / lasts_s * 1.6) ** 2)  # enters and leaves softly
        wave[part] += self._gain * 10 ** (db / 20) * beam * np.cos(self._wave * range_m)


@dataclass(frozen=True)
class DopplerLoop:
    """A stretch of a signal for a World, round and round."""

    signal: DopplerSignal
    start_s: float
    seconds: float

    @property
    def rate_hz(self) -> int:
        """See World."""
        return self.signal.rate_hz

    def samples(self, folder: Path) -> Path:
        """Return the file of one round; made when it is not there."""
        name = hashlib.sha256(f"1 {self!r}".encode()).hexdigest()[:16]
        path = folder / f"doppler-{name}.s32"
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            with part.open("wb") as file:
                for chunk in self.signal.chunks(self.start_s, self.start_s + self.seconds):
                    file.write(chunk)
            part.rename(path)
        return path


def frames(wave: Floats) -> npt.NDArray[np.int32]:
    """Return a signal (full scale = 1) as an ADC's stereo frames: 24 bits, left-justified in 32.

    Left is the signal; the right input is not connected.
    """
    whole = np.clip(np.round(wave * 2**23), -(2**23), 2**23 - 1).astype(np.int64) << 8
    both = np.zeros((len(wave), 2), "<i4")
    both[:, 0] = whole
    return both


def _noise(draw: np.random.Generator, count: int, rate_hz: int) -> Floats:
    """Return noise: white, and as 1/f below 150 Hz."""
    sigma = _NOISE_FULL_SCALE * math.sqrt(rate_hz / 2 / _BAND_HZ)
    spectrum = np.fft.rfft(draw.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum *= np.sqrt(1 + 150 / np.maximum(hz, 5.0))
    return np.asarray(sigma * np.fft.irfft(spectrum, count))
