"""The sound at the post.

Settings: "i2s", "sck", "ws", "sd" (pins); "eq", the microphone whose response is taken out
("ics43434", "inmp441"; without it the microphone counts as flat); "offset_cdb", from the
calibration, added to every level, in 0.01 dB; "peak_db", LAF of the impulses that are told (100;
0: none).
"""

from time import ticks_diff, ticks_ms

from micropython import const

from ..drivers import health
from ..post import INFO, NOISE_PEAK, WARNING, WIND

_LAEQ = const(10)
_SOUND_VALID = const(16)

_PEAK_DB = const(100)
_PEAKS_MS = const(10000)

# Wind on a microphone is below 100 Hz and never steady. In 0.1 dB: LCeq - LAeq, and the mean step
# of LCF from one 125 ms to the next. Synthetic wind has 17 to 25 dB and 1.7 dB, where it is louder
# than the street; a street has 1 to 7 dB and 0.1 to 0.9 dB (horns 1.5), a transformer or an idling
# lorry 17 to 24 dB and 0 to 0.5 dB, steady low noise 18 dB and 0.7 dB.
_WINDY = const(150)
_WINDY_STEP = const(12)
_CALM = const(120)
_CALM_STEP = const(9)


class Sound:
    """Levels of the sound at a microphone.

    A peak is told (NOISE_PEAK, LAF in 0.1 dB) when it has passed its maximum; once an impulse, and
    not within 10 s of the last. WIND is told when an interval was windy (1) and when one is no
    longer (0). What was measured in wind stays valid: the flag says how to take it.
    """

    sensor = 4
    period_s = 10

    def __init__(self, machine, part, post, _air) -> None:  # type: ignore[no-untyped-def]
        from ..drivers.ics43434 import BUFFER_BYTES, Ics43434, open_i2s
        from ..sensing.sound import SoundMeter

        self.meter = SoundMeter(
            part.get("eq", ""), part.get("offset_cdb", 0), part.get("peak_db", _PEAK_DB)
        )
        self._microphone = Ics43434(open_i2s(machine, part))
        self._buf = bytearray(BUFFER_BYTES)
        self._post = post
        self._windy = False
        self._told_ms = None
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Listen, for the supervisor."""
        words = memoryview(self._buf)
        size = len(words)
        meter = self.meter
        while True:
            check_in()
            try:
                await self._microphone.read_into(words)
            except OSError:
                meter.settle()
                continue
            meter.process(self._buf, size)
            if meter.impulse:
                self._tell(meter.impulse // 10)
                meter.impulse = 0

    def _tell(self, level: int) -> None:
        now = ticks_ms()
        if self._told_ms is None or ticks_diff(now, self._told_ms) >= _PEAKS_MS:
            self._told_ms = now
            self._post.event(NOISE_PEAK, INFO, level)

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the interval's levels into a Report and begin the next interval."""
        if self._told_ms is not None and ticks_diff(ticks_ms(), self._told_ms) >= _PEAKS_MS:
            self._told_ms = None
        found = self.meter.snapshot(duration_ms)
        values[_LAEQ] = found[0]
        values[_LAEQ + 1] = found[1]
        for i in range(2, 6):  # 0.2 dB
            if found[i] is not None:
                values[_LAEQ + i] = (found[i] + 1) // 2
        values[_SOUND_VALID] = found[6] // 4
        self.states[0] = found[8]
        if found[0] is not None:
            over = found[5] - found[0]
            if self._windy:
                windy = over >= _CALM and found[9] >= _CALM_STEP
            else:
                windy = over >= _WINDY and found[9] >= _WINDY_STEP
            if windy != self._windy:
                self._windy = windy
                self._post.event(WIND, WARNING if windy else INFO, int(windy))

    def fill_hour(self, hour) -> None:  # type: ignore[no-untyped-def]
        """Hand over how often each level was there since the last call."""
        counts = self.meter.hour
        for i in range(len(counts)):
            hour.levels[i] = counts[i]
            counts[i] = 0
