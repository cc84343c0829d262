"""What the air is like at the post, for those whose values need it."""

from time import ticks_diff, ticks_ms

from micropython import const

_HOLD_MS = const(1_800_000)  # air changes slowly: half an hour without a reading is bridged


class Air:
    """The last believed temperature (0.1 °C) and humidity (%); None after half an hour without."""

    def __init__(self):
        self._temperature = self._humidity = None
        self._ms = 0

    def put(self, temperature: int, humidity: int) -> None:
        """Take a reading."""
        self._temperature = temperature
        self._humidity = humidity
        self._ms = ticks_ms()

    def get(self) -> tuple:
        """Return (temperature in 0.1 °C or None, humidity in % or None)."""
        if self._temperature is not None and ticks_diff(ticks_ms(), self._ms) > _HOLD_MS:
            self._temperature = self._humidity = None
        return self._temperature, self._humidity
