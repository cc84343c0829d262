"""What alarms need of the store again, read beside the core: late samples, and the hours."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione.rollup import air, noise
from lampione.store import Series, TelemetryReader

HOUR_S = 3600
_EVER = 1e11  # a wrong clock may say anything

Floats = NDArray[np.float64]


class Hours(NamedTuple):
    """Figures by hour and node; NaN where too little was measured."""

    starts: NDArray[np.int64]
    nodes: NDArray[np.int64]  # ids
    aqi: Floats  # [hour, node]: 1 to 6
    laeq: Floats  # dB


class Reads:
    """A reader, made when it is needed; for one thread at a time."""

    def __init__(self, make: Callable[[], TelemetryReader]) -> None:
        self._make = make
        self._reader: TelemetryReader | None = None

    def series(
        self, kind: int, since: float, nodes: Sequence[str], fields: Sequence[str]
    ) -> list[Series]:
        """Return all messages from then on, of some nodes. Raises StoreError."""
        return list(self._open().series(kind, since, _EVER, nodes, fields))

    def hours(self, since: float, until: float, nodes: Sequence[str] | None) -> Hours:
        """Return the figures of hours that are folded. Raises StoreError."""
        reader = self._open()
        starts = np.arange(int(since) // HOUR_S, -(-int(until) // HOUR_S)) * HOUR_S
        found: dict[str, tuple[NDArray[np.int64], Floats]] = {}
        for name in (*air.POLLUTANTS, "laeq_energy"):
            table = reader.rollups(HOUR_S, since, until, name, nodes)
            sums, seconds = table.arrays["sum"], table.arrays["seconds"]
            if name == "laeq_energy":
                enough = seconds >= HOUR_S * air.HOUR_SHARE
                values = np.where(enough, noise.laeq(sums, seconds), np.nan)
            else:
                means = air.hourly(name, sums, seconds)
                bands = air.band(name, means).astype(np.float64)
                values = np.where(bands > 0, bands, np.nan)
            whole = np.full((len(starts), values.shape[1]), np.nan)
            whole[np.searchsorted(starts, table.starts)] = values
            found[name] = table.nodes.astype(np.int64), whole
        ids = np.unique(np.concatenate([nodes for nodes, _ in found.values()]))
        tables = {name: _spread(ids, *each) for name, each in found.items()}
        with np.errstate(invalid="ignore"):
            aqi = np.fmax.reduce([tables[name] for name in air.POLLUTANTS])
        return Hours(starts, ids, aqi, tables["laeq_energy"])

    def _open(self) -> TelemetryReader:
        if self._reader is None:
            self._reader = self._make()
        return self._reader

    def close(self) -> None:
        """Close the connection."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _spread(ids: NDArray[np.int64], nodes: NDArray[np.int64], values: Floats) -> Floats:
    whole = np.full((len(values), len(ids)), np.nan)
    whole[:, np.searchsorted(ids, nodes)] = values
    return whole
