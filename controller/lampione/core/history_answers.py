"""The operations on what was: commands, reports, events, and what they add up to."""

import functools
import time
from collections.abc import Callable
from typing import Any

from lampione import api, statistics, values
from lampione.api import Json
from lampione.core.requests import Bad, InCore, names, number, text
from lampione.core.shape import event_shape
from lampione.core.zone import fleet_zone
from lampione.store import TelemetryReader

ROWS = 1000
_UNBOUNDED = 1e12


class HistoryAnswers(InCore):
    """The operations, for the server's event loop."""

    async def _read(self, question: Callable[[TelemetryReader], Any]) -> Any:
        raise NotImplementedError

    async def commands(self, request: dict[str, Json]) -> list[api.CommandState]:
        """See `api`."""
        name = text(request, "node", None)
        limit = int(number(request, "limit", ROWS, 1, ROWS))
        found: list[api.CommandState] = await self._read(lambda r: r.commands(name, limit))
        return found

    async def history(self, request: dict[str, Json]) -> api.History:
        """See `api`."""
        name = text(request, "node")
        message = text(request, "message", "report") or "report"
        fields = request.get("fields")
        if message.lower() not in values.TYPES:
            raise Bad("request", f"there is no message {message!r}")
        layout = values.FIELDS[values.TYPES[message.lower()]]
        known = {field[0] for field in layout if field[1] != "x"}
        if fields is not None and not (
            isinstance(fields, list)
            and all(isinstance(field, str) and field in known for field in fields)
        ):
            raise Bad("request", f"fields of {message} are {', '.join(sorted(known))}")
        since = number(request, "since", 0, -_UNBOUNDED, _UNBOUNDED)
        until = number(request, "until", _UNBOUNDED, -_UNBOUNDED, _UNBOUNDED)
        limit = int(number(request, "limit", ROWS, 1, 10_000))
        await self.in_core(lambda: self._node(name).name)
        found: api.History = await self._read(
            lambda reader: reader.history(name, message, since, until, fields, limit)
        )
        return found

    async def statistics(self, request: dict[str, Json]) -> api.Statistics:
        """See `api`."""
        nodes = names(request, required=False)
        measures = request.get("measures")
        if measures is not None and not (
            isinstance(measures, list) and all(isinstance(name, str) for name in measures)
        ):
            raise Bad("request", "measures is a list of names")
        for name in nodes or ():
            await self.in_core(functools.partial(self._node, name))
        question = statistics.Question(
            what=text(request, "what", "values"),
            by=text(request, "by", "hour"),
            since=number(request, "since", time.time() - 86400, -_UNBOUNDED, _UNBOUNDED),
            until=number(request, "until", time.time(), -_UNBOUNDED, _UNBOUNDED),
            nodes=None if nodes is None else tuple(nodes),
            together=bool(request.get("together")),
            measures=None if measures is None else tuple(measures),
            zone=text(request, "zone", fleet_zone(self._core.folder.path)),
            periods=text(request, "periods", "eu"),
            immission_class=text(request, "immission_class", None),
        )
        try:
            found: api.Statistics = await self._read(
                lambda reader: statistics.answer(reader, question)
            )
        except statistics.StatisticsError as error:
            raise Bad("request", str(error)) from None
        return found

    async def events(self, request: dict[str, Json]) -> list[api.Event]:
        """See `api`."""
        name = text(request, "node", None)
        since = number(request, "since", 0, -_UNBOUNDED, _UNBOUNDED)
        limit = int(number(request, "limit", ROWS, 1, 10_000))
        rows = await self._read(lambda reader: reader.events(name, since, limit))
        return [event_shape(row) for row in rows]
