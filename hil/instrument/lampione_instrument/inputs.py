"""What is measured at pins: PWM, voltage, current, levels, edges."""

from array import array
from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from micropython import const

from .refusal import RANGE, TIMEOUT, Refusal, need, one_of

PWM = const(0)
VOLTAGE = const(1)
CURRENT = const(2)
LEVEL = const(3)

_PULSES = const(48)  # of a measurement at most
_SHORT_US = const(25)  # a pulse that is over before the program asks for its neighbour
_SAMPLES = const(256)
_EDGES = const(254)
_TRIGGERS = (1, 2, 3)  # rising, falling, both


def middle(values, count):
    """Return the median of the first `count` values, times two so that it is whole."""
    found = sorted(values[i] for i in range(count))
    return found[(count - 1) // 2] + found[count // 2]


class Pulses:
    """Measures a PWM: {"pin"}."""

    def __init__(self, machine, part):
        self._time = machine.time_pulse_us
        self._pin = machine.Pin(part["pin"], machine.Pin.IN)
        self._widths = array("i", bytes(4 * _PULSES))
        self._ends = array("i", bytes(4 * _PULSES))

    def _series(self, level, until):
        """Measure pulses of a level until a time; return how many, the first being cut."""
        n = 0
        start = ticks_us()
        while n < _PULSES:
            left = ticks_diff(until, ticks_us())
            if left <= 0:
                break
            width = self._time(self._pin, level, left)
            if width < 0:
                break
            self._widths[n] = width
            self._ends[n] = ticks_diff(ticks_us(), start)
            n += 1
        return n

    def measure(self, window_ms, pause):  # type: ignore[no-untyped-def]
        """Return (periods, frequency in 0.01 Hz or None, duty in 0.001 %)."""
        half_us = window_ms * 500
        highs = self._series(1, ticks_add(ticks_us(), half_us))
        if highs < 3:
            level = self._pin.value()
            return 0, None, 100000 if level else 0
        high = self._median(highs)
        gap = self._period(highs)
        pause(0)  # what is played goes on
        lows = self._series(0, ticks_add(ticks_us(), half_us))
        if lows < 3:
            return 0, None, 100000 if self._pin.value() else 0
        low = self._median(lows)
        # A pulse is timed from its begin only where the one before it lasts until it is asked
        # for; of a narrow one's neighbour the length follows from the period.
        if low < _SHORT_US * 2:
            period = self._period(lows)
            high = period - low
        elif high < _SHORT_US * 2:
            period = gap
        else:
            period = high + low
        period = max(1, period)
        return min(highs, lows) - 1, 200000000 // period, (high * 100000 + period // 2) // period

    def _median(self, count):
        for i in range(1, count):
            self._widths[i - 1] = self._widths[i]
        return middle(self._widths, count - 1)

    def _period(self, count):
        """Return twice the median time from one pulse's end to the next."""
        gaps = self._ends
        for i in range(1, count):
            gaps[i - 1] = gaps[i] - gaps[i - 1]
        return middle(gaps, count - 1)


class Voltage:
    """An analogue input behind a divider: {"pin", "per_mille" (1000), "offset_mv" (0)}."""

    def __init__(self, machine, part):
        self._adc = machine.ADC(machine.Pin(part["pin"]), atten=machine.ADC.ATTN_11DB)
        self._per_mille = part.get("per_mille", 1000)
        self._offset_mv = part.get("offset_mv", 0)

    def microvolts(self, window_ms, pause):  # type: ignore[no-untyped-def]
        """Return (samples, their mean at the pin)."""
        total = count = 0
        until = ticks_add(ticks_ms(), window_ms)
        while count < _SAMPLES:
            total += self._adc.read_uv()
            count += 1
            if ticks_diff(until, ticks_ms()) <= 0:
                break
            pause(1)
        return count, total // count

    def measure(self, window_ms, pause):  # type: ignore[no-untyped-def]
        """Return (samples, 0.1 mV before the divider)."""
        count, uv = self.microvolts(window_ms, pause)
        tenths = uv * self._per_mille // 100000 + self._offset_mv * 10
        return count, max(0, min(1048574, tenths))


class Current:
    """An amplifier at a shunt: {"pin", "mv_per_a", "zero_mv" (0)}."""

    def __init__(self, machine, part):
        self._voltage = Voltage(machine, {"pin": part["pin"]})
        self._mv_per_a = part["mv_per_a"]
        self._zero_mv = part.get("zero_mv", 0)

    def measure(self, window_ms, pause):  # type: ignore[no-untyped-def]
        """Return (samples, 0.01 mA)."""
        count, uv = self._voltage.microvolts(window_ms, pause)
        hundredths = (uv - self._zero_mv * 1000) * 100 // self._mv_per_a
        return count, max(0, min(1048574, hundredths))


class Level:
    """A digital input: {"pin", "pull" (0; 1 down, 2 up)}."""

    def __init__(self, machine, part):
        self.pin = machine.Pin(part["pin"], machine.Pin.IN, part.get("pull") or None)
        self._times = array("i", bytes(4 * _EDGES))
        self._count = 0
        self._on_edge = self._edge  # bound once

    def _edge(self, _pin):
        n = self._count
        if n < _EDGES:
            self._times[n] = ticks_us()
            self._count = n + 1

    def edges(self, edge, count, within_ms, pause):  # type: ignore[no-untyped-def]
        """Wait for edges; return the ticks of the last. Raises Refusal."""
        if need(edge, "edge") >= len(_TRIGGERS):
            raise Refusal(RANGE, "edge: 0 to 2")
        self._count = 0
        self.pin.irq(self._on_edge, _TRIGGERS[edge])
        until = ticks_add(ticks_ms(), within_ms)
        try:
            while self._count < count:
                if ticks_diff(until, ticks_ms()) <= 0:
                    raise Refusal(TIMEOUT, "%d of %d edges" % (self._count, count))
                pause(1)
        finally:
            self.pin.irq(None)
        return self._times[count - 1]


class Inputs:
    """All inputs of the settings, by quantity. `pause(ms)` lets what is played go on."""

    def __init__(self, pause):  # type: ignore[no-untyped-def]
        self.kinds = [[], [], [], []]
        self._pause = pause

    def measure(self, quantity, channel, window_ms):
        """Return (count, frequency, duty, voltage, current, level), None what is not measured."""
        part = one_of(self.kinds[quantity], channel, "channel")
        if quantity == PWM:
            return part.measure(window_ms, self._pause) + (None, None, None)
        if quantity == LEVEL:
            return 1, None, None, None, None, part.pin.value()
        count, value = part.measure(window_ms, self._pause)
        if quantity == VOLTAGE:
            return count, None, None, value, None, None
        return count, None, None, None, value, None
