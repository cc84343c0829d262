"""The part of the writer for alarms."""

from collections.abc import Iterable, Sequence

from lampione.alarms.book import Alarm, Span
from lampione.alarms.episodes import Episode
from lampione.store.alarms import NAMES, STANDING, alarm_of, row_of
from lampione.store.postgres.connect import Link


class Alarms:
    """Methods of `store.TelemetryStore`."""

    _link: Link

    def _next(self, what: str) -> int:
        raise NotImplementedError

    def alarm_number(self) -> int:
        """Return a number that no alarm has."""
        return self._next("alarms")

    def save_alarms(self, alarms: Sequence[Alarm], spans: Sequence[Span]) -> None:
        """Keep alarms as they are now, and what changed of when they were so."""
        rows = [row_of(alarm) for alarm in alarms]
        self._link.write_many("DELETE FROM alarms WHERE id = %s", [row[:1] for row in rows])
        marks = ", ".join("%s" for _ in NAMES.split(", "))
        self._link.write_many(f"INSERT INTO alarms ({NAMES}) VALUES ({marks})", rows)  # noqa: S608
        for alarm, subject, rule, was, begin, end in spans:  # in their order
            self._link.write(
                "DELETE FROM alarm_episodes WHERE subject = %s AND rule = %s AND begin = %s",
                (subject, rule, was),
            )
            if begin is not None:
                self._link.write(
                    'INSERT INTO alarm_episodes (subject, rule, begin, "end", alarm) '
                    "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (subject, rule, begin) "
                    'DO UPDATE SET "end" = excluded."end", alarm = excluded.alarm',
                    (subject, rule, begin, end, alarm),
                )

    def standing_alarms(self) -> list[Alarm]:
        """Return those that are active or not acknowledged."""
        rows = self._link.read(f"SELECT {NAMES} FROM alarms WHERE {STANDING} ORDER BY id")  # noqa: S608
        return [alarm_of(row) for row in rows]

    def episodes(self, subject: str, rule: str, since: int) -> list[tuple[int, Episode]]:
        """Return what was so at some time from then on, by its alarm."""
        rows = self._link.read(
            'SELECT alarm, begin, "end" FROM alarm_episodes WHERE subject = %s AND rule = %s '
            'AND ("end" IS NULL OR "end" >= %s) ORDER BY begin',
            (subject, rule, since),
        )
        return [(alarm, Episode(begin, end)) for alarm, begin, end in rows]

    def add_late(self, late: Iterable[tuple[str, str, int]]) -> None:
        """(node, message, since) that are to be judged again."""
        self._link.write_many(
            "INSERT INTO alarm_late AS l (node, message, since) VALUES (%s, %s, %s) "
            "ON CONFLICT (node, message) DO UPDATE SET since = least(l.since, excluded.since)",
            sorted(late),
        )

    def late(self) -> list[tuple[str, str, int]]:
        """Return what is to be judged again."""
        return self._link.read("SELECT node, message, since FROM alarm_late ORDER BY node, message")

    def drop_late(self, judged: Iterable[tuple[str, str]]) -> None:
        """(node, message) that were judged again."""
        self._link.write_many(
            "DELETE FROM alarm_late WHERE node = %s AND message = %s", list(judged)
        )
