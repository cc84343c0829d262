"""The operations on alarms."""

import time
from collections.abc import Callable
from typing import Any

from lampione import api
from lampione.alarms.book import SHELVE_MAX_S, TEXT_MAX, NoAlarmError
from lampione.api import Json
from lampione.core.requests import Bad, InCore, number, text
from lampione.core.shape import alarm_shape
from lampione.room.who import present
from lampione.store import TelemetryReader
from lampione.store.alarms import WHICH

DOES = ("ack", "unack", "assign", "note", "shelve")
LIMIT = 1000
_EVER = 1e12


class AlarmAnswers(InCore):
    """The operations on alarms, for the server's event loop."""

    async def _read(self, question: Callable[[TelemetryReader], Any]) -> Any:
        raise NotImplementedError

    async def alarms(self, request: dict[str, Json]) -> list[api.Alarm]:
        """See `api`."""
        which, node = text(request, "which", "standing"), text(request, "node", None)
        if which not in WHICH:
            raise Bad("request", f"which is one of {', '.join(WHICH)}")
        since = number(request, "since", 0, -_EVER, _EVER)
        limit = int(number(request, "limit", LIMIT, 1, 10 * LIMIT))
        found = await self._read(lambda reader: reader.alarms(which, node, since, limit))
        return [alarm_shape(alarm) for alarm in found]

    async def alarm(self, request: dict[str, Json]) -> api.Alarm:
        """See `api`."""
        alarm = int(number(request, "alarm", 0, 1, _EVER))
        do, words = text(request, "do"), text(request, "text", None)
        for_s = number(request, "for_s", 0, 0, SHELVE_MAX_S)
        if not alarm:
            raise Bad("request", "alarm needs alarm, its number")
        if do not in DOES:
            raise Bad("request", f"do is one of {', '.join(DOES)}")
        if words is not None and len(words) > TEXT_MAX:
            raise Bad("request", f"text has {TEXT_MAX} letters at most")
        who, core = present(), self._core

        def act() -> api.Alarm:
            book, now = core.alarming.book, time.time()
            try:
                if do == "ack":
                    found = book.acknowledge(alarm, who.operator, now)
                elif do == "unack":
                    found = book.unacknowledge(alarm, now)
                elif do == "shelve":
                    found = book.write(alarm, now, shelved=now + for_s if for_s else None)
                else:
                    key = "assignee" if do == "assign" else "note"
                    found = book.write(alarm, now, **{key: (words or "").strip() or None})
            except NoAlarmError as error:
                raise Bad("unknown", str(error)) from None
            core.deeds.record(who, f"alarm {do}", found.node, alarm=alarm, rule=found.rule,
                        subject=found.subject, text=words, for_s=for_s or None)  # fmt: skip
            return alarm_shape(found)

        changed: api.Alarm = await self.in_core(act)
        return changed
