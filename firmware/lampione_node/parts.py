"""The parts of a node's profile, each with the task that serves it. Imported one by one."""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from .drivers import health

_TEMPERATURE = const(8)
_LAEQ = const(10)
_SOUND_VALID = const(16)

_CLIMATE_MS = const(10000)
_FRESH_MS = const(35000)  # three measurements missed


class Climate:
    """Temperature and humidity of an SHT45, as it was at most 35 s ago."""

    sensor = 3

    def __init__(self, machine, part) -> None:  # type: ignore[no-untyped-def]
        from .drivers.sht45 import Sht45

        pins = machine.Pin(part["scl"]), machine.Pin(part["sda"])
        self._sht45 = Sht45(machine.I2C(part["i2c"], scl=pins[0], sda=pins[1], freq=100000))
        self._found = None
        self._ms = 0
        self.state = health.WARMING

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure every 10 s, for the supervisor (period: 30 s)."""
        while True:
            check_in()
            try:
                self._found = await self._sht45.measure()
                self._ms = ticks_ms()
            except OSError:
                pass  # its state says so
            await asyncio.sleep_ms(_CLIMATE_MS)

    def fill(self, values: list, _duration_ms: int) -> None:
        """Put temperature and humidity into a Report, unless the last are too old."""
        self.state = self._sht45.state
        if self._found and ticks_diff(ticks_ms(), self._ms) > _FRESH_MS:
            self._found = None
        if self._found:  # a measurement that failed is made up for by the next
            self.state = health.OK
            values[_TEMPERATURE], values[_TEMPERATURE + 1] = self._found
        elif self.state == health.OK:
            self.state = health.STALE


class Sound:
    """Levels of the sound at an ICS-43434."""

    sensor = 4

    def __init__(self, machine, part) -> None:  # type: ignore[no-untyped-def]
        from .drivers.ics43434 import BUFFER_BYTES, Ics43434, open_i2s
        from .sensing.sound import SoundMeter

        self._microphone = Ics43434(open_i2s(machine, part))
        self.meter = SoundMeter()
        self._buf = bytearray(BUFFER_BYTES)
        self.state = health.WARMING

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Listen, for the supervisor (period: 10 s)."""
        words = memoryview(self._buf)
        size = len(words)
        while True:
            check_in()
            try:
                await self._microphone.read_into(words)
            except OSError:
                self.meter.settle()
                continue
            self.meter.process(self._buf, size)

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the interval's levels into a Report and begin the next interval."""
        found = self.meter.snapshot(duration_ms)
        values[_LAEQ] = found[0]
        values[_LAEQ + 1] = found[1]
        for i in range(2, 6):  # 0.2 dB
            if found[i] is not None:
                values[_LAEQ + i] = (found[i] + 1) // 2
        values[_SOUND_VALID] = found[6] // 4
        self.state = found[8]
