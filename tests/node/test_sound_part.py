"""The part `sound` under MicroPython, fed by a microphone that is a file: what the node tells."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.node.sounds import (
    BLOCK,
    RATE_HZ,
    Floats,
    laf,
    node,
    noise,
    scaled,
    street,
    tone,
    weighted,
    words,
)

OK, STUCK, IMPLAUSIBLE, SILENT, ABSENT = 0, 3, 4, 5, 6
WIND, NOISE_PEAK = 12, 13
LAEQ, LAFMAX, LA10, LCEQ, VALID = 10, 11, 12, 15, 16
SETTLE_S = 0.125

# A part per file; Reports every so many seconds of sound, an Hour where a file ends.
RUN = """
import asyncio, io, json, sys
from lampione_node.parts import sound
settings, interval_s = json.loads(sys.argv[1])
class Over(Exception):
    pass
class I2S(io.IOBase):
    RX = MONO = 0
    def __init__(self, number, **how):
        global line
        line = self
        self.samples = 0
    def ioctl(self, request, argument):
        return argument & 1 if request == 3 else -22
    def readinto(self, buf):
        n = file.readinto(buf)
        if n < len(buf):
            raise Over
        self.samples += n // 4
        return n
class Machine:
    Pin = int
Machine.I2S = I2S
class Post:
    def event(self, code, severity, argument=0):
        events.append([line.samples / 48000, code, argument])
class Hour:
    pass
sound.ticks_ms = lambda: line.samples // 48
for name in sys.argv[2:]:
    events, reports = [], []
    settings.update({"i2s": 0, "sck": 1, "ws": 2, "sd": 3})
    part = sound.Sound(Machine, settings, Post(), None)
    due = interval_s
    def check_in():
        global due
        if line.samples >= due * 48000:
            due += interval_s
            values = [None] * 28
            part.fill(values, interval_s * 1000)
            reports.append([values, part.states[0]])
    with open(name, "rb") as file:
        try:
            asyncio.run(part.run(check_in))
        except Over:
            pass
    hours = []
    for _ in range(2):
        hour = Hour()
        hour.levels = [7] * 96
        part.fill_hour(hour)
        hours.append(hour.levels)
    print(json.dumps([reports, events, hours]))
"""


def run(folder: Path, signals: list[Floats], interval_s: int = 10, **settings: Any) -> list[Any]:
    """Return (reports, events as [s, code, argument], two hours) of a part for every signal."""
    return node(folder, RUN, [words(s) for s in signals], json.dumps([settings, interval_s]))


def test_the_calibration_is_added_once_and_to_every_level(tmp_path: Path) -> None:
    signal = tone(1000, 70.5, 10.1)
    [[[[plain, state]], _, hours]] = run(tmp_path, [signal])
    [[[[moved, _]], _, moved_hours]] = run(tmp_path, [signal], offset_cdb=-340)
    assert state == OK
    assert plain[LAEQ] == plain[LAFMAX] == 705
    assert plain[LA10 : LCEQ + 1] == pytest.approx([352] * 4, abs=1)
    assert moved[LAEQ] == moved[LAFMAX] == 671
    assert moved[LA10 : LCEQ + 1] == pytest.approx([335] * 4, abs=1)
    assert plain[VALID] == moved[VALID] == 24  # the start
    assert max(range(96), key=hours[0].__getitem__) == 46
    assert max(range(96), key=moved_hours[0].__getitem__) == 43


def test_the_histogram_of_the_hour_is_that_of_scipy(tmp_path: Path) -> None:
    """LAF, sampled every 125 ms: per bin within what 0.1 dB at its edges can move."""
    signal = street(60, 5)
    [[_, _, (levels, after)]] = run(tmp_path, [signal])
    settled = round(SETTLE_S * RATE_HZ)
    sampled = laf(weighted(signal, "A")[settled:])[20 * BLOCK - 1 :: 20 * BLOCK]
    assert sum(levels) == pytest.approx(len(sampled), abs=1)
    for i, count in enumerate(levels):
        inside = np.sum((sampled >= 24.1 + i) & (sampled < 24.9 + i))
        around = np.sum((sampled >= 23.9 + i) & (sampled < 25.1 + i))
        assert inside - 1 <= count <= around + 1, i
    assert not any(after)


def test_the_ends_of_the_histogram_hold_what_lies_beyond(tmp_path: Path) -> None:
    low, high = tone(1000, 17, 3), tone(1000, 119, 3)
    (_, _, (quiet, _)), (_, _, (loud, _)) = run(tmp_path, [low, high], offset_cdb=300)
    assert quiet[0] > 0.9 * sum(quiet)
    assert loud[95] > 0.7 * sum(loud)


def test_counts_that_nobody_fetches_stay_full(tmp_path: Path) -> None:
    script = """
import json, sys
from array import array
from lampione_node.sensing import sound
meter = sound.SoundMeter()
for i in range(96):
    meter.hour[i] = 65534
buffer = array("i", [0] * 48000)
with open(sys.argv[1], "rb") as f:
    f.readinto(buffer)
meter.process(buffer, 192000)
print(json.dumps(list(meter.hour)))
"""
    [levels] = node(tmp_path, script, [words(tone(1000, 70, 1))])
    assert set(levels) == {65534, 65535}


def bursts(seconds: float, *shots: tuple[float, float, float]) -> Floats:
    """Return a street of 60 dB with 4 kHz bursts: (at s, level dB, for s)."""
    signal = scaled(street(seconds, 8), 60)
    for at, level_db, for_s in shots:
        start = round(at * RATE_HZ)
        burst = tone(4000, level_db, for_s)
        signal[start : start + len(burst)] += burst
    return signal


def test_an_impulse_is_told_once_with_its_level(tmp_path: Path) -> None:
    """Again when it has fallen by 6 dB, and 10 s after the last; LAFmax from scipy."""
    two_close = bursts(16, (2, 115, 0.05), (2.9, 118, 0.05), (14, 112, 0.02))
    ripple = bursts(30, *((3 + i / 2, 104 + i % 2 * 3, 0.5) for i in range(40)))
    almost = bursts(5, (2, 103, 0.05))
    found = run(tmp_path, [two_close, ripple, almost], interval_s=5)
    peaks = [[e for e in events if e[1] == NOISE_PEAK] for _, events, _ in found]
    a = laf(weighted(two_close, "A"))
    assert [e[0] for e in peaks[0]] == [pytest.approx(2.2, abs=0.2), pytest.approx(14.2, abs=0.2)]
    for event, first, last in zip(peaks[0], (1, 13), (2.5, 16), strict=True):
        true = a[round(first * RATE_HZ) : round(last * RATE_HZ)].max()
        assert event[2] / 10 == pytest.approx(true, abs=0.3)
    assert len(peaks[1]) == 1
    assert peaks[2] == []


def test_which_impulses_are_told_is_set(tmp_path: Path) -> None:
    signal = bursts(4, (2, 103, 0.05))
    [[_, told, _]] = run(tmp_path, [signal], peak_db=90)
    [[_, untold, _]] = run(tmp_path, [bursts(4, (2, 118, 0.5))], peak_db=0)
    assert [e[1] for e in told] == [NOISE_PEAK]
    assert untold == []


def wind(seconds: int, level_db: float, seed: int) -> Floats:
    """Return a wind's noise at a microphone: von Kármán's spectrum above 8 Hz, in gusts."""
    pressure = noise(seconds, lambda hz: 1 / (1 + (hz / 8) ** (11 / 6)), seed)
    gusts = np.exp(0.6 * noise(seconds, lambda hz: 1 / (1 + (hz / 0.5) ** 1.5), seed + 1))
    return scaled(pressure * gusts, level_db)


def test_wind_is_told_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    """What is measured in it stays valid."""
    calm = scaled(street(21, 9), 58)
    windy = calm.copy()
    windy[5 * RATE_HZ : 15 * RATE_HZ] += wind(10, 95, 4)
    # a transformer, an idling lorry, a steady rumble: low, but steady
    t = np.arange(len(calm)) / RATE_HZ
    hum = calm + scaled(np.sin(2 * np.pi * 100 * t) + 0.3 * np.sin(2 * np.pi * 50 * t), 78)
    orders = sum(np.sin(2 * np.pi * 12.5 * k * t * (1 + 1e-4 * k)) for k in (1, 2, 3, 4, 6))
    lorry = calm + scaled(np.asarray(orders), 88)
    rumble = calm + scaled(noise(21, lambda hz: 1 / (1 + (hz / 60) ** 2), 6), 80)
    found = run(tmp_path, [windy, calm, hum, lorry, rumble], interval_s=5)
    told = [[e[:3] for e in events if e[1] == WIND] for _, events, _ in found]
    assert [e[2] for e in told[0]] == [1, 0]
    # at the ends of the first windy and of the first calm interval
    assert [e[0] for e in told[0]] == [pytest.approx(10, abs=0.1), pytest.approx(20, abs=0.1)]
    assert told[1:] == [[], [], [], []]
    for reports, _, _ in found:
        assert [state for _, state in reports] == [OK] * len(reports)
        assert all(values[VALID] == 25 for values, _ in reports[1:])


def test_the_state_follows_the_microphone(tmp_path: Path) -> None:
    """Each fault at the end of the interval in which it fills a quarter; then it is gone."""
    second = RATE_HZ
    loud = np.clip(1.5 * tone(1000, 120, 10), -1, 1)
    good = tone(1000, 70, 10)
    dead = np.zeros(10 * second)
    [[reports, _, _]] = run(
        tmp_path,
        [np.concatenate([good, dead, good, loud, good[: 7 * second], dead[: 3 * second], good])],
    )
    assert [state for _, state in reports] == [OK, STUCK, OK, IMPLAUSIBLE, STUCK, OK]
    assert reports[1][0][LAEQ : LCEQ + 1] == [None] * 6
    assert [values[VALID] for values, _ in reports] == [24, 0, 25, 0, 17, 25]


def test_no_samples_at_all_is_silence_or_absence(tmp_path: Path) -> None:
    script = """
import json, sys
from array import array
from lampione_node.sensing import sound
meter = sound.SoundMeter()
buffer = array("i", [0] * 48000)
with open(sys.argv[1], "rb") as f:
    f.readinto(buffer)
states = [meter.snapshot(1000)[8]]
meter.process(buffer, 192000)
for _ in range(3):
    states.append(meter.snapshot(1000)[8])
print(json.dumps(states))
"""
    found = node(tmp_path, script, [words(tone(1000, 70, 1))])
    assert found == [[ABSENT, OK, SILENT, SILENT]]


def test_a_microphone_that_is_not_known_is_a_wrong_setting(tmp_path: Path) -> None:
    script = """
import json
from lampione_node.parts import sound
try:
    sound.Sound(None, {"eq": "ears"}, None, None)
except KeyError as error:
    print(json.dumps(str(error)))
"""
    assert node(tmp_path, script, []) == ["ears"]
