"""What the node says by itself: a Report every interval, a Health now and then, an Hour.

Reports lie on whole multiples of the interval on the node's clock. As long as that is unset they
count from boot, and say so; when it is set the running one ends, and the next is shorter.
"""

import asyncio
import gc
from time import ticks_diff, ticks_ms

from lampione_protocol.schema import HEALTH, HEALTH_FIELDS, REPORT, REPORT_FIELDS
from micropython import const

from .forget import forget
from .idle import Idle
from .post import INFO, OUTBOX_DROPPED, SENSOR_STATE, WARNING
from .rare import rare

_LOOK_MS = const(1000)
_DRIFT_MS = const(1500)  # more than this between the clock and the ticks: the clock was moved
_LONGEST_S = const(510)

# Fields keep their places for ever: the schema is append-only.
_START = const(0)
_DURATION = const(1)
_CLOCK = const(2)
_LAMP_LEVEL = const(23)
_LAMP_REASON = const(24)
_VALID = const(26)
_FAULTS = const(27)

_H_FREE_HEAP = const(9)
_H_STATES = const(15)  # the first of nine sensors
_SENSORS = const(9)
_H_IDLE = const(24)
_ABSENT = const(6)
_STALE = const(2)

FAULT_SENSOR = const(8)
FAULT_CLOCK = const(16)
FAULT_OUTBOX = const(32)
FAULT_NETWORK = const(64)
FAULT_RESTARTED = const(128)

_HOUR_S = const(3600)
# What this firmware does to the sensors' values, as `correction_set`:
# 1: PM by humidity, gases by temperature (AAN 803-05), speeds by angle, sound by its microphone
_CORRECTIONS = const(1)


def degrees() -> "int | None":
    """Return the chip's temperature in °C, where it has a sensor."""
    try:
        from esp32 import mcu_temperature

        return mcu_temperature()
    except (ImportError, OSError):
        return None


class Reporter:
    """Fills and posts reports.

    Args:
        post: where they go.
        parts: the sensors, as the package `parts` says.
        lamp: None when the profile has none.
        status: returns (faults, rssi or None, task restarts, refused frames).
        state: knows the burn hours.
        air: for the hour's uncorrected means.
        checks: sees every report's values.
    """

    def __init__(  # type: ignore[no-untyped-def]
        self,
        post,
        parts,
        lamp,
        status,
        state,
        air,
        interval_s=60,
        health_s=900,
        checks=None,
    ) -> None:
        self._post = post
        self._parts = parts
        self._lamp = lamp
        self._status = status
        self._interval_s = min(interval_s, _LONGEST_S)
        self._health_ms = health_s * 1000
        self._report = [None] * len(REPORT_FIELDS)
        self._health = [None] * len(HEALTH_FIELDS)
        self._states = [0] * _SENSORS
        self._dropped = self._restarts = 0
        self._idle = Idle()
        self._state = state
        self._air = air
        self._hourly = [p for p in parts if hasattr(p, "fill_hour") or hasattr(p, "fill_raw")]
        self._checks = checks

    def report(self, start: int, duration_s: int, quality: int, real_ms: int) -> None:
        """Post the Report of an interval that has just ended."""
        values = self._report
        for i in range(len(values)):
            values[i] = None
        values[_START] = start
        values[_DURATION] = duration_s
        values[_CLOCK] = quality
        valid = 0
        faults, _, restarts, _ = self._status()
        if restarts != self._restarts:
            self._restarts = restarts
            faults |= FAULT_RESTARTED
        for part in self._parts:
            try:
                part.fill(values, real_ms)
            except Exception as error:  # the others are reported
                print("lampione: sensor", part.sensor, repr(error))
                for i in range(len(part.states)):
                    part.states[i] = _STALE
            sensor = part.sensor
            for state in part.states:
                if state:
                    faults |= FAULT_SENSOR
                else:
                    valid |= 1 << sensor
                sensor += 1
        if self._lamp:
            values[_LAMP_LEVEL] = self._lamp.level_percent
            values[_LAMP_REASON] = self._lamp.reason
        values[_VALID] = valid
        values[_FAULTS] = faults
        if self._checks:
            self._checks.report(values)
        self._post.send(REPORT, REPORT_FIELDS, values)
        for part in self._parts:
            sensor = part.sensor
            for state in part.states:
                if self._states[sensor] != state:
                    self._states[sensor] = state
                    severity = WARNING if state else INFO
                    self._post.event(SENSOR_STATE, severity, sensor << 4 | state)
                sensor += 1

    @rare
    def hour(self, start: int, now: int, quality: int) -> None:
        """Post an hour that has ended, or that the clock has cut short."""
        if self._hourly and now != start:
            # Needed once an hour: imported then, and forgotten again.
            from . import hourly

            hourly.post_hour(self._post, self._hourly, self._air, start, now - start, quality)
            forget("lampione_node.hourly", "lampione_protocol.hour")
            gc.collect()

    @rare
    def health(self) -> None:
        """Post a Health of this moment."""
        clock = self._post.clock
        box = self._post.outbox
        values = self._health
        for i in range(len(values)):
            values[i] = None
        _, rssi, restarts, refused = self._status()
        values[0] = clock.now()
        values[1] = clock.quality()
        values[2] = _CORRECTIONS
        values[3] = self._state.energy_wh // 10 or None  # where no meter knows better
        values[4] = self._state.burn_min // 60
        values[6] = degrees()
        values[7] = rssi
        gc.collect()
        values[_H_FREE_HEAP] = gc.mem_free() >> 10
        values[10] = clock.uptime_s() // 60
        values[11] = box.depth
        values[12] = box.dropped
        values[13] = restarts
        values[14] = refused
        for i in range(_SENSORS):
            values[_H_STATES + i] = _ABSENT
        for part in self._parts:
            at = _H_STATES + part.sensor
            for state in part.states:
                values[at] = state
                at += 1
            if hasattr(part, "fill_health"):
                part.fill_health(values)
        values[_H_IDLE] = self._idle.take_percent()
        self._post.send(HEALTH, HEALTH_FIELDS, values)
        if box.dropped != self._dropped:
            self._dropped = box.dropped
            self._post.event(OUTBOX_DROPPED, WARNING, box.oldest_held)

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Report for ever, for the supervisor (period: 10 s)."""
        clock = self._post.clock
        quality = clock.quality()
        start = clock.now()
        hour = seen = start
        began_ms = health_ms = ticks_ms()
        self.health()
        while True:
            check_in()
            end = start - start % self._interval_s + self._interval_s
            await asyncio.sleep_ms(min(clock.ms_until(end), _LOOK_MS))
            now = clock.now()
            ms = ticks_ms()
            real_ms = ticks_diff(ms, began_ms)
            was_set = quality
            quality = clock.quality()
            if (
                bool(was_set) != bool(quality)
                or not -_DRIFT_MS < (now - seen) * 1000 - real_ms < _DRIFT_MS
            ):
                # The clock was set or moved: what was measured till now keeps the old time.
                if real_ms >= 1000:
                    self.report(start, min((real_ms + 500) // 1000, _LONGEST_S), was_set, real_ms)
                self.hour(hour, start + real_ms // 1000, was_set)
                hour = start = seen = now
                began_ms = ms
            elif now >= end:
                end = now - now % self._interval_s
                duration_s = end - start
                if duration_s > _LONGEST_S:
                    duration_s = _LONGEST_S
                self.report(end - duration_s, duration_s, quality, real_ms)
                start = end
                seen = now
                began_ms = ms
                if start // _HOUR_S != hour // _HOUR_S:
                    self.hour(hour, start, quality)
                    hour = start
            if ticks_diff(ms, health_ms) >= self._health_ms:
                health_ms = ms
                self.health()
