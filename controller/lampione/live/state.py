"""What every node last said, as columns of numpy: one row a node, at the node's id.

Filled in batches by the core's thread, and read there.
"""

from collections.abc import Sequence

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione import batch, values
from lampione.live import age
from lampione.live.age import Seconds
from lampione.store import Frame

STATES = ("never", "offline", "silent", "online")
NEVER, OFFLINE, SILENT, ONLINE = range(4)

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Message:
    """The last message of one type of every node; `columns` in steps, unknown where it was not.

    A message that the protocol refuses leaves every field unknown.
    """

    def __init__(self, kind: int) -> None:
        self.fields = {f[0]: f for f in values.FIELDS[kind] if f[1] not in "ytx"}
        self._layout = values.FIELDS[kind]
        self._steps = np.full((len(self.fields), 0), batch.UNKNOWN, np.int32)
        self.received: Seconds = np.zeros(0)  # Unix seconds; 0: none came
        self.at: NDArray[np.int64] = np.zeros(0, np.int64)  # by the node's clock; 0: not known
        self.columns: dict[str, batch.Column] = dict(zip(self.fields, self._steps, strict=True))

    def grow(self, rows: int) -> None:
        """Make room."""
        more = rows - len(self.at)
        self._steps = np.pad(self._steps, ((0, 0), (0, more)), constant_values=batch.UNKNOWN)
        self.received = np.pad(self.received, (0, more))
        self.at = np.pad(self.at, (0, more))
        self.columns = dict(zip(self.fields, self._steps, strict=True))

    def take(self, ids: Sequence[int], frames: Sequence[Frame]) -> None:
        """Keep these, one a node."""
        if not frames:
            return
        rows = np.asarray(ids, np.int64)
        decoded = batch.decode(self._layout, [frame.body for frame in frames])
        unsound = ~decoded.sound
        refused = bool(unsound.any())
        for name, column in self.columns.items():
            found = decoded[name]
            if refused:
                found[unsound] = batch.UNKNOWN
            column[rows] = found
        self.received[rows] = [frame.received for frame in frames]
        self.at[rows] = [frame.at or 0 for frame in frames]


class Live:
    """See the module. Row 0 is no node's."""

    def __init__(self) -> None:
        self.report = Message(schema.REPORT)
        self.health = Message(schema.HEALTH)
        self.hello = Message(schema.HELLO)
        self.names: list[str] = []
        self.seen: Seconds = np.zeros(0)  # Unix seconds of the last frame; 0: never
        self.claimed: NDArray[np.int8] = np.zeros(0, np.int8)  # by /state; -1: it says nothing
        self.claimed_at: Seconds = np.zeros(0)
        self.missing: NDArray[np.int64] = np.zeros(0, np.int64)
        self.lost: NDArray[np.int64] = np.zeros(0, np.int64)
        self.refused: NDArray[np.int64] = np.zeros(0, np.int64)
        self.present: Mask = np.zeros(0, np.bool_)  # it has a key

    def add(self, nodes: Sequence[tuple[int, str]]) -> None:
        """Make rows for nodes: (id, name)."""
        rows = max((number for number, _ in nodes), default=0) + 1
        if rows > len(self.names):
            rows = max(rows, len(self.names) * 5 // 4)
            more = rows - len(self.names)
            self.names += [""] * more
            self.report.grow(rows)
            self.health.grow(rows)
            self.hello.grow(rows)
            self.seen = np.pad(self.seen, (0, more))
            self.claimed = np.pad(self.claimed, (0, more), constant_values=-1)
            self.claimed_at = np.pad(self.claimed_at, (0, more))
            self.missing = np.pad(self.missing, (0, more))
            self.lost = np.pad(self.lost, (0, more))
            self.refused = np.pad(self.refused, (0, more))
            self.present = np.pad(self.present, (0, more))
        for number, name in nodes:
            self.names[number] = name
            self.present[number] = True

    def know(
        self,
        ids: Sequence[int],
        *,
        seen: Sequence[float],
        claimed: Sequence[int],
        claimed_at: Sequence[float],
        missing: Sequence[int],
        lost: Sequence[int],
        refused: Sequence[int],
    ) -> None:
        """Keep what is known of nodes beside what they said."""
        rows = np.asarray(ids, np.int64)
        self.seen[rows] = seen
        self.claimed[rows] = claimed
        self.claimed_at[rows] = claimed_at
        self.missing[rows] = missing
        self.lost[rows] = lost
        self.refused[rows] = refused

    def reachable(self) -> Mask:
        """Say which were not claimed offline, or were heard since."""
        heard: Mask = self.seen > np.where(self.claimed < 0, 0.0, self.claimed_at)
        heard |= self.claimed == 1
        return heard

    def quiet_after(self) -> Seconds:
        """Return after how many seconds without a word each is silent."""
        return age.all_quiet_after(self.report.columns["duration_s"])

    def states(self, now: float) -> NDArray[np.int8]:
        """Return indices of STATES."""
        found = np.full(len(self.names), ONLINE, np.int8)
        found[now - self.seen > self.quiet_after()] = SILENT
        found[~self.reachable()] = OFFLINE
        found[self.seen == 0] = NEVER
        return found

    def report_at(self) -> Seconds:
        """Return of when each report is."""
        report = self.report
        return age.all_said_at(report.received, report.at, report.columns["duration_s"])

    def health_at(self) -> Seconds:
        """As `report_at`."""
        return age.all_said_at(self.health.received, self.health.at)
