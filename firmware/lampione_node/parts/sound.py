"""The sound at the post."""

from micropython import const

from ..drivers import health

_LAEQ = const(10)
_SOUND_VALID = const(16)


class Sound:
    """Levels of the sound at an ICS-43434."""

    sensor = 4
    period_s = 10

    def __init__(self, machine, part, _post, _air) -> None:  # type: ignore[no-untyped-def]
        from ..drivers.ics43434 import BUFFER_BYTES, Ics43434, open_i2s
        from ..sensing.sound import SoundMeter

        self._microphone = Ics43434(open_i2s(machine, part))
        self.meter = SoundMeter()
        self._buf = bytearray(BUFFER_BYTES)
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Listen, for the supervisor."""
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
        self.states[0] = found[8]
