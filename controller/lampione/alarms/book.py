"""The alarms that stand: active or cleared, acknowledged or not. Pure.

One a subject (a node, or the cause of many) and rule. What happens again before it was both
cleared and acknowledged is counted; then it is history, and the next time is another alarm.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from lampione.alarms.episodes import Episode
from lampione.alarms.rules import Rule

TEXT_MAX = 500
SHELVE_MAX_S = 30 * 86400
WITHDRAWN = "withdrawn: what came later says otherwise"


class NoAlarmError(Exception):
    """There is no such alarm among those that stand; or it cannot be done to it."""


@dataclass(frozen=True)
class Alarm:
    """Times are Unix seconds.

    Attributes:
        subject: a node's name, or what is the cause of many, in words.
        node: its name; None: it is about a cause.
        since: of the last time that it began, by the time of the sample.
        raised: when it was learned of.
        cleared: since when it is over, by the time of the sample.
        count: how often it was so.
        acked: when it was acknowledged.
        members: nodes, of a cause.
        shelved: until then it is not shown among the others.
    """

    id: int
    subject: str
    node: str | None
    shard: str
    rule: str
    what: str
    severity: str
    active: bool
    since: float
    raised: float
    changed: float
    cleared: float | None = None
    count: int = 1
    value: str | None = None
    limit: str | None = None
    mend: str | None = None
    acked: float | None = None
    acked_by: str | None = None
    assignee: str | None = None
    note: str | None = None
    shelved: float | None = None
    members: tuple[str, ...] = field(default=())

    @property
    def standing(self) -> bool:
        """Say whether it is no history yet."""
        return self.active or self.acked is None


Key = tuple[str, str]
"""Subject, rule."""


Span = tuple[int, str, str, int, int | None, int | None]
"""Alarm, subject, rule, begin, new begin, end of an episode; without a new begin it is none."""


class Book:
    """The alarms that stand, and what changed: `changed` and `spans` are whoever stores them's.

    Args:
        number: gives a new alarm its number.
    """

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self.standing: dict[Key, Alarm] = {}
        self.changed: dict[int, Alarm] = {}
        self.spans: list[Span] = []
        self.told: dict[int, Alarm] = {}  # to be told after the commit
        self._keys: dict[int, Key] = {}

    def load(self, alarms: Iterable[Alarm]) -> None:
        """Take those that stand."""
        self.changed.clear()
        self.spans.clear()
        self.told.clear()
        self.standing = {(alarm.subject, alarm.rule): alarm for alarm in alarms}
        self._keys = {alarm.id: key for key, alarm in self.standing.items()}

    def find(self, number: int) -> Alarm:
        """Return one that stands. Raises NoAlarmError."""
        key = self._keys.get(number)
        if key is None:
            raise NoAlarmError(f"there is no alarm {number} that is active or not acknowledged")
        return self.standing[key]

    def begin(
        self,
        rule: Rule,
        subject: str,
        since: float,
        now: float,
        *,
        node: str | None,
        shard: str = "",
        value: str | None = None,
        members: Sequence[str] = (),
        what: str | None = None,
    ) -> Alarm:
        """It holds since then; said again of one that is active, it changes nothing."""
        known = self.standing.get((subject, rule.name))
        if known is not None and known.active:
            return known
        if known is not None:
            # It is unacknowledged, or it would be history.
            alarm = replace(
                known, active=True, since=since, changed=now, cleared=None,
                count=known.count + 1, value=value, members=tuple(members),
            )  # fmt: skip
        else:
            alarm = Alarm(
                self._number(), subject, node, shard, rule.name, what or rule.what, rule.severity,
                True, since, now, now, value=value, limit=rule.limit or None,
                mend=rule.mend or None, members=tuple(members),
            )  # fmt: skip
        self.spans.append((alarm.id, subject, rule.name, int(since), int(since), None))
        return self._put(alarm)

    def end(self, subject: str, rule: str, at: float, now: float) -> Alarm | None:
        """It is over since then."""
        known = self.standing.get((subject, rule))
        if known is None or not known.active:
            return None
        begin = int(known.since)
        self.spans.append((known.id, subject, rule, begin, begin, int(at)))
        return self._put(replace(known, active=False, cleared=at, changed=now))

    def happened(self, rule: Rule, subject: str, at: float, now: float, **more: object) -> None:
        """It was so, at one instant."""
        known = self.standing.get((subject, rule.name))
        if known is not None and known.active:
            return
        self.begin(rule, subject, at, now, **more)  # type: ignore[arg-type]
        self.end(subject, rule.name, at, now)
        if known is not None and known.since > at:  # an earlier one, which came late
            alarm = self.standing[subject, rule.name]
            self._put(replace(alarm, since=known.since, cleared=known.cleared))

    def members(self, subject: str, rule: str, members: Sequence[str], now: float) -> None:
        """These are the nodes of a cause."""
        known = self.standing[subject, rule]
        if known.members != tuple(members):
            self._put(replace(known, members=tuple(members), changed=now))

    def judged(
        self,
        rule: Rule,
        subject: str,
        before: Sequence[tuple[int, Episode]],
        after: Sequence[Episode],
        now: float,
        shard: str,
    ) -> None:
        """What was judged (alarm, episode) before is judged anew; each in order.

        An episode that overlaps one there was is that one.
        """
        known = self.standing.get((subject, rule.name))
        left = list(before)
        new: list[Episode] = []
        moved: list[tuple[int, Episode]] = []
        gone: list[tuple[int, Episode]] = []
        last: Episode | None = None  # of the alarm that stands
        for episode in after:
            same = next((each for each in left if _overlap(each[1], episode)), None)
            if same is not None:
                left.remove(same)
            past = same is not None and (known is None or same[0] != known.id)
            if same is None or (past and episode.end is None):  # history does not go on
                new.append(episode)
                gone += [same] if same is not None else []
                last = episode
                continue
            last = last if past else episode
            if same[1] != episode:
                moved.append((same[0], episode))
                gone.append(same)
        if not left and not new and not moved:
            return
        if known is None and new:
            known = self._made(rule, subject, new[-1], now, shard)
        # What is gone goes first: another may begin where it began.
        for number, was in [*left, *gone]:
            self.spans.append((number, subject, rule.name, was.begin, None, None))
        if known is not None:
            moved += [(known.id, episode) for episode in new]
        for number, (begin, end) in moved:
            self.spans.append((number, subject, rule.name, begin, begin, end))
        if known is None:
            return  # history: its episodes say it
        fewer = sum(number == known.id for number, _ in left)
        known = replace(known, count=known.count + len(new) - fewer, changed=now)
        if known.count <= 0:
            known = replace(known, active=False, cleared=now, acked=now, acked_by="lampione",
                            note=WITHDRAWN)  # fmt: skip
        elif last is not None:
            begin, end = last
            known = replace(known, active=end is None, since=float(begin),
                            cleared=None if end is None else float(end))  # fmt: skip
        elif known.active:  # the last was none, those before it are over
            known = replace(known, active=False, cleared=known.since)
        self._put(known)

    def _made(self, rule: Rule, subject: str, last: Episode, now: float, shard: str) -> Alarm:
        return Alarm(
            self._number(), subject, subject, shard, rule.name, rule.what, rule.severity, False,
            float(last.begin), now, now, count=0, limit=rule.limit or None, mend=rule.mend or None,
        )  # fmt: skip

    def shows(self, alarm: Alarm, value: str) -> None:
        """It is so because of this value."""
        if alarm.value != value:
            self._put(replace(alarm, value=value))

    def acknowledge(self, number: int, who: str, now: float) -> Alarm:
        """Somebody has seen it. Raises NoAlarmError."""
        return self._put(replace(self.find(number), acked=now, acked_by=who, changed=now))

    def unacknowledge(self, number: int, now: float) -> Alarm:
        """Nobody has. Raises NoAlarmError."""
        return self._put(replace(self.find(number), acked=None, acked_by=None, changed=now))

    def write(self, number: int, now: float, **fields: str | float | None) -> Alarm:
        """Change `assignee`, `note` or `shelved`. Raises NoAlarmError."""
        return self._put(replace(self.find(number), changed=now, **fields))  # type: ignore[arg-type]

    def _put(self, alarm: Alarm) -> Alarm:
        self.changed[alarm.id] = alarm
        key = alarm.subject, alarm.rule
        if alarm.standing:
            self.standing[key] = alarm
            self._keys[alarm.id] = key
        else:
            self.standing.pop(key, None)
            self._keys.pop(alarm.id, None)
        return alarm


def _overlap(one: Episode, other: Episode) -> bool:
    return (other.end is None or one.begin <= other.end) and (
        one.end is None or other.begin <= one.end
    )
