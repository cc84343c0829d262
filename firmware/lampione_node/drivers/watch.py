"""What a part's answers are worth: the one judge of every driver's state."""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from . import health

_LONGEST_MS = const(100_000_000)  # far from the wrap of the ticks


class Watch:
    """Judges a part by what its driver says of each attempt.

    Args:
        fresh_ms: a value older than this is not to be sent.
        same: so many equal raw readings in a row that the part is stuck; 0: it may repeat itself.
        warm_ms: how long after its start a part is not yet to be believed.
    """

    def __init__(self, fresh_ms: int, same: int = 0, warm_ms: int = 0):
        self._fresh_ms = fresh_ms
        self._same = same
        self._warm_ms = warm_ms
        self._found = health.WARMING  # by the last answer
        self._heard = False  # it has answered since boot
        self._lost = None  # how the attempts since the last value failed
        self._value_ms = self._warm_from_ms = ticks_ms()
        self._raw = None
        self._count = 0
        self._warming = bool(warm_ms)

    def restart(self) -> None:
        """Say that the part has just been started: it warms up anew, its values are forgotten."""
        self._warm_from_ms = ticks_ms()
        self._warming = bool(self._warm_ms)
        self._count = 0
        self._raw = None

    def lost(self, state: int = health.SILENT) -> None:
        """Say that nothing came (SILENT), or nothing that can be read (STALE)."""
        if state == health.SILENT and not self._heard:
            state = health.ABSENT
        self._lost = state
        self.state()  # so that the time is looked at before the ticks wrap

    def seen(self, raw, plausible: bool = True) -> bool:
        """Say that an intact reading `raw` came; return whether its value may be used."""
        self._heard = True
        self._lost = None
        self._value_ms = ticks_ms()
        if raw == self._raw:
            self._count += 1
        else:
            self._raw = raw
            self._count = 1
        if self._warming and ticks_diff(self._value_ms, self._warm_from_ms) >= self._warm_ms:
            self._warming = False
        if not plausible:
            self._found = health.IMPLAUSIBLE
        elif self._same and self._count >= self._same:
            self._found = health.STUCK
        elif self._warming:
            self._found = health.WARMING
        else:
            self._found = health.OK
        return self._found == health.OK

    def state(self) -> int:
        """Return one of drivers.health for this moment."""
        if not self._heard:
            return self._found if self._lost is None else self._lost
        age_ms = ticks_diff(ticks_ms(), self._value_ms)
        if age_ms > self._fresh_ms:
            if age_ms > _LONGEST_MS:
                self._value_ms = ticks_add(ticks_ms(), -self._fresh_ms - 1)
            self._found = health.STALE if self._lost is None else self._lost
        return self._found

    def fresh(self) -> bool:
        """Return whether the last value may be sent: state() is OK."""
        return self.state() == health.OK
