"""A board's instrument, as the board sees it: by the board's pins, open only while it is used."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

FULL = 65535
_WINDOW_S = 0.05
_LOOKS = 5  # then it is a ramp
_AGREE = 33  # 0.05 %


class Duty(Protocol):
    """A measured pulse width."""

    @property
    def duty_percent(self) -> float:
        """0 to 100."""
        ...


class Verdict(Protocol):
    """What came of a self check: "passed", "failed" or "not wired"."""

    @property
    def verdict(self) -> str:
        """One of the three."""
        ...


class Meter(Protocol):
    """What is needed of lampione_hil.instrument.Instrument."""

    capabilities: frozenset[str]

    def open(self) -> None:
        """Open the port and ask what is there."""

    def close(self) -> None:
        """Let go of everything, and of the port."""

    def measure_pwm(self, channel: int, window_s: float) -> Duty:
        """Measure a pulse width."""
        ...

    def press_reset(self) -> None:
        """Press the node's reset."""

    def check(self, capability: str) -> Verdict:
        """Let it play into its own input."""
        ...


class Wired:
    """See above.

    Args:
        make: returns the instrument, closed.
        pwm: {pin of the board: channel of the instrument}.
        uart: {UART of the board: line of the instrument}.
    """

    def __init__(
        self,
        make: Callable[[], Meter],
        pwm: Mapping[int, int],
        uart: Mapping[int, int] | None = None,
    ) -> None:
        self.uart = dict(uart or {})
        self._make = make
        self._pwm = dict(pwm)
        self._meter: Meter | None = None

    @property
    def meter(self) -> Meter:
        """The instrument itself, open. Raises BenchError."""
        if self._meter is None:
            meter = self._make()
            meter.open()
            self._meter = meter
        return self._meter

    @property
    def pwm_pins(self) -> list[int]:
        """The board's pins whose pulse width it measures."""
        return sorted(self._pwm)

    def pwm_duty(self, pin: int) -> int:
        """Measure at a pin: 0 to 65535. Raises KeyError when it is not wired, BenchError.

        What changes within a measurement comes out as a mean that nobody asked for: two must agree.
        """
        channel = self._pwm[pin]
        duty = self._duty(channel)
        for _ in range(_LOOKS):
            before, duty = duty, self._duty(channel)
            if abs(duty - before) <= _AGREE:
                break
        return duty

    def _duty(self, channel: int) -> int:
        return round(self.meter.measure_pwm(channel, _WINDOW_S).duty_percent / 100 * FULL)

    def reset(self) -> None:
        """Press the board's reset. Raises BenchError."""
        self.meter.press_reset()

    def checks(self) -> Iterator[tuple[str, str]]:
        """Yield (capability, "passed", "failed" or "not wired"): it plays into its own inputs."""
        for capability in sorted(self.meter.capabilities):
            yield capability, self.meter.check(capability).verdict

    def close(self) -> None:
        """Let go of the instrument."""
        meter, self._meter = self._meter, None
        if meter is not None:
            meter.close()
