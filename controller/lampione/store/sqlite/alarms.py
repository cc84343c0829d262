"""The part of the writer for alarms."""

from collections.abc import Iterable, Sequence

from lampione.alarms.book import Alarm, Span
from lampione.alarms.episodes import Episode
from lampione.store.alarms import NAMES, STANDING, alarm_of, row_of
from lampione.store.sqlite.link import SqliteLink


class SqliteAlarms(SqliteLink):
    """Methods of `store.TelemetryStore`."""

    _last_alarm = 0

    def alarm_number(self) -> int:
        """Return a number that no alarm has."""
        known: int = self._read("SELECT coalesce(max(id), 0) FROM alarms")[0][0]
        self._last_alarm = max(known, self._last_alarm) + 1
        return self._last_alarm

    def save_alarms(self, alarms: Sequence[Alarm], spans: Sequence[Span]) -> None:
        """Keep alarms as they are now, and what changed of when they were so."""
        rows = [row_of(alarm) for alarm in alarms]
        self._write_many("DELETE FROM alarms WHERE id = ?", [row[:1] for row in rows])
        marks = ", ".join("?" for _ in NAMES.split(", "))
        self._write_many(f"INSERT INTO alarms ({NAMES}) VALUES ({marks})", rows)  # noqa: S608
        for alarm, subject, rule, was, begin, end in spans:  # in their order
            self._write(
                "DELETE FROM alarm_episodes WHERE subject = ? AND rule = ? AND begin = ?",
                (subject, rule, was),
            )
            if begin is not None:
                self._write(
                    'INSERT INTO alarm_episodes (subject, rule, begin, "end", alarm) '
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (subject, rule, begin) "
                    'DO UPDATE SET "end" = excluded."end", alarm = excluded.alarm',
                    (subject, rule, begin, end, alarm),
                )

    def standing_alarms(self) -> list[Alarm]:
        """Return those that are active or not acknowledged."""
        rows = self._read(f"SELECT {NAMES} FROM alarms WHERE {STANDING} ORDER BY id")  # noqa: S608
        return [alarm_of(row) for row in rows]

    def episodes(self, subject: str, rule: str, since: int) -> list[tuple[int, Episode]]:
        """Return what was so at some time from then on, by its alarm."""
        rows = self._read(
            'SELECT alarm, begin, "end" FROM alarm_episodes WHERE subject = ? AND rule = ? '
            'AND ("end" IS NULL OR "end" >= ?) ORDER BY begin',
            (subject, rule, since),
        )
        return [(alarm, Episode(begin, end)) for alarm, begin, end in rows]

    def add_late(self, late: Iterable[tuple[str, str, int]]) -> None:
        """(node, message, since) that are to be judged again."""
        self._write_many(
            "INSERT INTO alarm_late AS l (node, message, since) VALUES (?, ?, ?) "
            "ON CONFLICT (node, message) DO UPDATE SET since = min(l.since, excluded.since)",
            sorted(late),
        )

    def late(self) -> list[tuple[str, str, int]]:
        """Return what is to be judged again."""
        return self._read("SELECT node, message, since FROM alarm_late ORDER BY node, message")

    def drop_late(self, judged: Iterable[tuple[str, str]]) -> None:
        """(node, message) that were judged again."""
        self._write_many("DELETE FROM alarm_late WHERE node = ? AND message = ?", list(judged))
