"""How many lighting classes the traffic allows to go down: UNI 11248:2016, annex D.

The flow is what ten minutes counted, times six, of the busiest lane. A rise is followed at once,
each minute. It falls only after two samples of ten minutes in a row that allow it, both ended after
the last change, and no further than both do: so a level is held for ten minutes too. Without a
count there is no reduction, at once.
"""

_SAMPLE_MIN = 10
_LOWS = 2


class Reduction:
    """Attributes: `classes`, 0 to 2: 0 from half of the service flow on, 2 below a quarter of it.

    Args:
        service_vph: the road's service flow, in vehicles per hour of a lane; 0: never a reduction.
    """

    def __init__(self, service_vph: int) -> None:
        self._service = service_vph
        self._toward = bytearray(_SAMPLE_MIN)
        self._away = bytearray(_SAMPLE_MIN)
        self._forget()

    def _forget(self) -> None:
        self.classes = 0
        self._minutes = self._lows = self._low = 0

    def minute(self, toward: "int | None", away: "int | None") -> None:
        """Take a minute's vehicles of each lane; None: they were not counted."""
        if toward is None or away is None:
            self._forget()
            return
        place = self._minutes % _SAMPLE_MIN
        self._toward[place] = min(toward, 255)
        self._away[place] = min(away, 255)
        self._minutes += 1
        if self._minutes < _SAMPLE_MIN:
            return
        if self._minutes >= 2 * _SAMPLE_MIN:
            self._minutes -= _SAMPLE_MIN
        flow = 6 * max(sum(self._toward), sum(self._away))
        allowed = (2 * flow < self._service) + (4 * flow < self._service)
        if allowed < self.classes:
            self.classes = allowed
            self._lows = 0
        elif self._minutes == _SAMPLE_MIN:  # a sample is whole
            if allowed == self.classes:
                self._lows = 0
                return
            self._low = min(allowed, self._low) if self._lows else allowed
            self._lows += 1
            if self._lows >= _LOWS:
                self.classes = self._low
                self._lows = 0
