"""The sound chain against IEC 61672-1:2013, by tones at the microphone.

No class is claimed of a node with a cheap MEMS microphone: what is measured here is the response of
its signal processing, as it leaves the node in reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import SOUND, reports, value
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import World
from lampione_hil.virtual.sound import SAMPLE_HZ, Floats, Street, rms_for

# IEC 61672-1:2013 table 3: n of the exact frequency 10^(n/10) Hz, A-weighting in dB, and how much
# class 1 allows above and below (None: any amount).
TABLE_3 = (
    (10, -70.4, 3.0, None),
    (11, -63.4, 2.5, None),
    (12, -56.7, 2.0, 4.0),
    (13, -50.5, 2.0, 2.0),
    (14, -44.7, 2.0, 1.5),
    (15, -39.4, 1.5, 1.5),
    (16, -34.6, 1.0, 1.0),
    (17, -30.2, 1.0, 1.0),
    (18, -26.2, 1.0, 1.0),
    (19, -22.5, 1.0, 1.0),
    (20, -19.1, 1.0, 1.0),
    (21, -16.1, 1.0, 1.0),
    (22, -13.4, 1.0, 1.0),
    (23, -10.9, 1.0, 1.0),
    (24, -8.6, 1.0, 1.0),
    (25, -6.6, 1.0, 1.0),
    (26, -4.8, 1.0, 1.0),
    (27, -3.2, 1.0, 1.0),
    (28, -1.9, 1.0, 1.0),
    (29, -0.8, 1.0, 1.0),
    (30, 0.0, 0.7, 0.7),
    (31, 0.6, 1.0, 1.0),
    (32, 1.0, 1.0, 1.0),
    (33, 1.2, 1.0, 1.0),
    (34, 1.3, 1.0, 1.0),
    (35, 1.2, 1.0, 1.0),
    (36, 1.0, 1.0, 1.0),
    (37, 0.5, 1.5, 1.5),
    (38, -0.1, 1.5, 2.0),
    (39, -1.1, 1.5, 2.5),
    (40, -2.5, 2.0, 3.0),
    (41, -4.3, 2.0, 5.0),
    (42, -6.6, 2.5, 16.0),
    (43, -9.3, 3.0, None),
)
# The same standard's toneburst response at 4 kHz: ms, LAFmax - LA in dB.
BURSTS = ((1000, 0.0), (200, -1.0), (50, -4.8), (10, -11.1), (2, -18.0))
STEP_S = 3  # a tone; the second of its seconds is a whole report of nothing else
LOUD_DB = 100.0


@dataclass(frozen=True)
class Tones(Street):
    """Tones of STEP_S each, one after the other: (Hz, dB, ms that it lasts; 0: all of it)."""

    steps: Sequence[tuple[float, float, int]]

    def key(self) -> str:
        """See Street."""
        return f"tones {STEP_S} {self.steps!r}"

    def signal(self) -> Floats:
        """See Street. Between bursts it is quiet, but no microphone is dead."""
        t = np.arange(STEP_S * SAMPLE_HZ) / SAMPLE_HZ
        quiet = np.sqrt(2) * rms_for(40) * np.sin(2 * np.pi * 1000 * t)
        found = []
        for hz, level_db, lasts_ms in self.steps:
            tone = np.sqrt(2) * rms_for(level_db) * np.sin(2 * np.pi * hz * t)
            if lasts_ms:
                inside = (t >= 1) & (t < 1 + lasts_ms / 1000)
                tone = np.where(inside, tone, quiet)
            found.append(tone)
        return np.concatenate(found)


def heard(
    steps: Sequence[tuple[float, float, int]], made: Any, clock: Clock, uplink: Uplink
) -> list[list[dict[str, Any]]]:
    """Return for each tone the reports of its seconds."""
    clock.run_for(STEP_S * len(steps) + 2)
    found = {report["start"]: report for report in reports(uplink, made)}
    return [
        [found[STEP_S * n + second] for second in range(STEP_S) if STEP_S * n + second in found]
        for n in range(len(steps))
    ]


WEIGHTING = tuple((10 ** (n / 10), LOUD_DB, 0) for n, _, _, _ in TABLE_3)
LEVELS = tuple((1000.0, float(level), 0) for level in range(30, 120, 10))
TONEBURSTS = ((4000.0, LOUD_DB, 0), *((4000.0, LOUD_DB, ms) for ms, _ in BURSTS))


@pytest.fixture
def virtual_world(steps: Sequence[tuple[float, float, int]]) -> World:
    """The tones before the microphone, and nothing else."""
    return World(street=Tones(steps), air=None, i2s_frames=1024)


def listening(node: Nodes) -> Any:
    """Return a node that reports every second."""
    return node(parts={"sound": SOUND}, report_interval_s=1, outbox_bytes=1 << 20)


@pytest.mark.needs("world", "microphone", "uplink")
@pytest.mark.parametrize("steps", [WEIGHTING], ids=["table 3"])
def test_weighting(steps: Any, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """IEC 61672-1:2013 table 3: A-weighting at the exact frequencies, with class 1's tolerances."""
    found = heard(steps, listening(node), clock, uplink)
    levels = [value(tone[1], "laeq") for tone in found]
    reference = levels[[n for n, _, _, _ in TABLE_3].index(30)]
    assert reference is not None
    for (n, weight, above, below), level in zip(TABLE_3, levels, strict=True):
        measure(
            f"A at {10 ** (n / 10):.4g} Hz",
            None if level is None else level - reference,
            low=None if below is None else weight - below,
            high=weight + above,
            unit="dB",
        )


@pytest.mark.needs("world", "microphone", "uplink")
@pytest.mark.parametrize("steps", [LEVELS], ids=["30 to 110 dB"])
def test_linearity(steps: Any, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """The level of a 1 kHz tone within 0.2 dB from 30 to 110 dB, tighter than class 1's level
    linearity (IEC 61672-1:2013, 5.6)."""
    for (_, level, _), tone in zip(
        steps, heard(steps, listening(node), clock, uplink), strict=True
    ):
        measure(f"LAeq of {level:g} dB", value(tone[1], "laeq"), low=level - 0.2, high=level + 0.2)
        measure(f"LCeq of {level:g} dB", value(tone[1], "lceq"), low=level - 0.3, high=level + 0.3)


@pytest.mark.needs("world", "microphone", "uplink")
@pytest.mark.parametrize("steps", [TONEBURSTS], ids=["4 kHz"])
def test_tonebursts(
    steps: Any, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """IEC 61672-1:2013 table 4: LAFmax of a 4 kHz burst below the level of the steady tone, within
    0.5 dB (the node's own promise; class 1 allows more)."""
    steady, *bursts = heard(steps, listening(node), clock, uplink)
    level = value(steady[1], "laeq")
    assert level is not None
    for (ms, response), seconds in zip(BURSTS, bursts, strict=True):
        peak = max(value(report, "lafmax") or 0.0 for report in seconds)
        measure(
            f"burst of {ms} ms", peak - level, low=response - 0.5, high=response + 0.5, unit="dB"
        )
