"""The traffic before a radar.

Settings: "kind" ("ops243", "ld2415h" or "doppler"); "uart", "tx", "rx", or for a bare Doppler
module its ADC's "i2s", "sck", "ws", "sd" and the module's "mhz" (24125); "angle_deg" (25), between
the road and the line of sight to the section 15 m before the pole, in the lane toward the radar,
and "away_deg", the same of the other lane where that is farther.
"""

from time import ticks_diff, ticks_ms

from micropython import const

from ..drivers import health
from ..sensing.traffic import Traffic

_VEHICLES = const(17)
_PRESENCE = const(21)
_OPS243_MS = const(112)  # 1024 samples at 20,000 a second, and their processing
_LD2415H_MS = const(91)  # 11 lines a second
_SHARE = const(75)  # of an interval that the radar must have watched, in percent


class Radar:
    """Vehicles each way, their speeds, and whether somebody walks.

    Where the radar watched for less than three quarters of an interval, or of an hour, nothing is
    said of it.
    """

    sensor = 5
    period_s = 10

    def __init__(self, machine, part, _post, _air) -> None:  # type: ignore[no-untyped-def]
        kind = part.get("kind", "ops243")
        period_ms = _OPS243_MS if kind == "ops243" else _LD2415H_MS
        angle = max(5, min(60, part.get("angle_deg", 25)))
        self.traffic = Traffic(angle, max(0, min(60, part.get("away_deg", 0))), period_ms)
        self._driver = self._adc = self._doppler = self._words = None
        if kind == "doppler":
            from ..drivers.if_adc import BUFFER_BYTES, IfAdc, open_i2s
            from ..sensing.doppler import Doppler

            self._adc = IfAdc(open_i2s(machine, part))
            self._doppler = Doppler(self.traffic, part.get("mhz", 24125), *self.traffic.aside)
            self._words = bytearray(BUFFER_BYTES)
        else:
            from ..buses import uart

            if kind == "ops243":
                from ..drivers.ops243 import Ops243 as Driver

                baud = 19200
            elif kind == "ld2415h":
                from ..drivers.ld2415h import Ld2415h as Driver

                baud = 9600
            else:
                raise ValueError(kind)
            self._driver = Driver(uart(machine, part, baud))
        self._watch = (self._driver or self._adc).watch
        self._seen_ms = ticks_ms()
        self._good_ms = self._good_hour_ms = self._hour_ms = 0
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Watch, for the supervisor."""
        self._seen_ms = ticks_ms()
        while True:
            check_in()
            if self._doppler:
                good = await self._frames()
            else:
                found = await self._driver.measure()
                good = found is not None
                if good:
                    for ms, speed, _ in found:
                        self.traffic.take(ms, speed)
                    self.traffic.tick(ticks_ms())
            now_ms = ticks_ms()
            if good:
                self._good_ms += ticks_diff(now_ms, self._seen_ms)
            self._seen_ms = now_ms

    async def _frames(self):
        good = await self._adc.measure(memoryview(self._words))
        if good:
            self._doppler.process(self._words, ticks_ms())
        else:
            self._doppler.restart()
        return good

    def fresh(self) -> bool:
        """Say whether the radar watches the street at this moment."""
        return self._watch.fresh()

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the interval's traffic into a Report and begin the next interval."""
        self.states[0] = self._watch.state()
        found = self.traffic.interval(duration_ms)
        good_ms = self._good_ms
        self._good_ms = 0
        self._good_hour_ms += good_ms
        self._hour_ms += duration_ms
        if good_ms * 100 >= _SHARE * duration_ms:
            values[_VEHICLES:_PRESENCE] = found[:4]
            values[_PRESENCE] = (found[4] + 2) // 4

    def fill_hour(self, hour) -> None:  # type: ignore[no-untyped-def]
        """Put the hour's traffic into an Hour and begin the next."""
        self.traffic.hour(hour)
        if self._good_hour_ms // 100 * 100 < self._hour_ms // 100 * _SHARE or not self._hour_ms:
            hour.toward = hour.away = hour.v85 = hour.occupancy = None
        elif self._doppler:
            hour.occupancy = None  # its tracks are not told
        self._good_hour_ms = self._hour_ms = 0
