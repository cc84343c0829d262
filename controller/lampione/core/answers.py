"""What the operations of the socket do. `Bad` is an answer too."""

import asyncio
import contextlib
import functools
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any, cast

from lampione_protocol.errors import ProtocolError

from lampione import api, values
from lampione.api import Json
from lampione.core.alarm_answers import AlarmAnswers
from lampione.core.config_answers import ConfigAnswers
from lampione.core.core import Core
from lampione.core.feed import Feed
from lampione.core.history_answers import HistoryAnswers
from lampione.core.requests import Bad, number, text
from lampione.core.room_answers import RoomAnswers
from lampione.core.shape import alarm_shape, event_shape, node_shape, tag_shape
from lampione.core.shapes import node_shapes
from lampione.core.staged_answers import StagedAnswers
from lampione.core.street_answers import StreetAnswers
from lampione.core.upkeep import DOES, Upkeep
from lampione.fleet.commands import OPEN_MAX, CommandRefused, TooManyCommands
from lampione.fleet.node import NodeState
from lampione.live import words
from lampione.live.places import Places
from lampione.live.select import ROWS_MAX
from lampione.live.state import ONLINE
from lampione.room.who import present
from lampione.store import TelemetryReader
from lampione.store.retention import CLASSES

EXPIRES_S = (1.0, 30 * 86400.0)
DEFAULT_EXPIRES_S = 60.0
ROWS = 1000
ELSEWHERE_S = 0.25
_UNBOUNDED = 1e12
_PIECE = 500  # nodes shown in one go: some 20 ms


class Answers(
    HistoryAnswers, AlarmAnswers, ConfigAnswers, StagedAnswers, RoomAnswers, StreetAnswers
):
    """The operations, for the server's event loop."""

    def __init__(self, core: Core, reader: Callable[[], TelemetryReader], upkeep: Upkeep):
        super().__init__(core)
        self._upkeep = upkeep
        self._make_reader = reader
        self._places = Places(core.folder.path)
        self._local = threading.local()

    async def _read(self, question: Callable[[TelemetryReader], Any]) -> Any:
        """Ask the store, in a thread, on a connection of that thread's own."""

        def run() -> Any:
            reader = getattr(self._local, "reader", None)
            if reader is None:
                reader = self._local.reader = self._make_reader()
            return question(reader)

        return await asyncio.to_thread(run)

    async def status(self, _: dict[str, Json]) -> api.Status:
        """See `api`."""
        size = await self._read(lambda reader: reader.size_bytes())
        core = self._core

        def look() -> api.Status:
            totals = core.store.totals()
            live = core.fleet.live()
            here = live.present
            now = time.monotonic()
            recent = [(at, count) for at, count in core.rates if at > now - 10]
            online = live.states(time.time())[here] == ONLINE
            return {
                "version": version("lampione"),
                "pid": os.getpid(),
                "started": core.started,
                "state_folder": str(core.folder.path),
                "shard": core.shard,
                "session": core.downlink.session.hex(),
                "broker": core.broker.copy(),
                "database": str(core.folder.store),
                "database_bytes": size,
                "nodes": len(online),
                "online": int(online.sum()),
                "counters": {
                    "stored": totals.get("stored", 0),
                    "duplicates": totals.get("duplicates", 0),
                    "refused": totals.get("refused", 0),
                    "unknown_type": totals.get("unknown_type", 0),
                    "lost": int(live.lost[here].sum()),
                    "missing": int(live.missing[here].sum()),
                    "batches": core.batches,
                    "rate": sum(count for _, count in recent) / 10,
                },
            }

        found: api.Status = await self.in_core(look)
        return found

    async def nodes(self, request: dict[str, Json]) -> list[api.Node]:
        """See `api`. In pieces, so that the core does its work between them."""
        after = text(request, "after", None)
        limit = int(number(request, "limit", api.NODES_PAGE, 1, api.NODES_PAGE))
        fleet = self._core.fleet

        def look(piece: list[str]) -> list[api.Node]:
            return node_shapes(fleet.nodes[name] for name in piece if name in fleet.nodes)

        def begin() -> tuple[list[str], list[api.Node]]:
            if after is None:
                fleet.refresh()
            names = sorted(name for name in fleet.nodes if after is None or name > after)[:limit]
            return names, look(names[:_PIECE])

        wanted, found = await self.in_core(begin)
        for at in range(_PIECE, len(wanted), _PIECE):
            found += await self.in_core(functools.partial(look, wanted[at : at + _PIECE]))
        return found  # type: ignore[no-any-return]

    async def places(self, _: dict[str, Json]) -> dict[str, api.Placed]:
        """See `api`."""
        return await asyncio.to_thread(self._places.placed)

    async def select(self, request: dict[str, Json]) -> api.Selected:
        """See `api`."""
        where, sort = text(request, "where", None), text(request, "sort", None)
        top = int(number(request, "top", ROWS_MAX, 0, ROWS_MAX))
        fields = request.get("fields")
        if fields is not None and not (
            isinstance(fields, list) and all(isinstance(field, str) for field in fields)
        ):
            raise Bad("request", "fields is a list of names")
        sites = await asyncio.to_thread(self._places.read)
        fleet = self._core.fleet

        def look() -> api.Selected:
            fleet.refresh()
            fleet.live()
            return fleet.selector.select(
                None if where is None else words.parse(where),
                time.time(),
                fields=fields,
                sort=sort,
                ascending=bool(request.get("ascending")),
                top=top,
                sites=sites,
                troubled=self._troubled(),
            )

        try:
            found: api.Selected = await self.in_core(look)
        except words.WordsError as error:
            raise Bad("request", str(error)) from None
        return found

    def _troubled(self) -> set[str]:
        """Return the nodes that have an alarm or a lock."""
        found = {tag.node for tag in self._core.tags.all()}
        for alarm in self._core.alarming.book.standing.values():
            if alarm.active:
                found.update(alarm.members or ([alarm.node] if alarm.node else []))
        return found

    async def show(self, request: dict[str, Json]) -> api.Detail:
        """See `api`."""
        name = text(request, "node")
        node, tag, gaps, refusals = await self.in_core(
            lambda: (
                node_shape(self._node(name)),
                self._core.tags.find(name),
                self._gap(self._node(name)),
                dict(self._node(name).refusals),
            )
        )

        def look(reader: TelemetryReader) -> api.Detail:
            gaps["lost"] = reader.losses(name)
            more: api.More = {
                "tag": None if tag is None else tag_shape(tag),
                "epochs": reader.epochs(name),
                "gaps": gaps,
                "commands": reader.commands(name, 20),
                "refusals": refusals,
                "events": [event_shape(row) for row in reader.events(name, 0, 20)],
            }
            return cast("api.Detail", {**node, **more})

        found: api.Detail = await self._read(look)
        return found

    def _gap(self, node: NodeState) -> api.Gap:
        shape = node_shape(node)
        return {
            "node": node.name,
            "watermark": shape["watermark"],
            "highest": shape["highest"],
            "missing": node.line.missing(),
            "lost": [],
        }

    async def gaps(self, request: dict[str, Json]) -> list[api.Gap]:
        """See `api`: nodes with something missing or lost, or the one asked for."""
        name = text(request, "node", None)

        def look() -> list[tuple[api.Gap, int]]:
            nodes = self._core.fleet.nodes
            chosen = [self._node(name)] if name else [nodes[n] for n in sorted(nodes)]
            return [(self._gap(node), node.lost) for node in chosen]

        found: list[api.Gap] = []
        for gap, lost in await self.in_core(look):
            if lost or name:
                gap["lost"] = await self._read(functools.partial(_losses, gap["node"]))
            if gap["missing"] or gap["lost"] or name:
                found.append(gap)
        return found

    async def refused(self, _: dict[str, Json]) -> list[api.Refused]:
        """See `api`."""
        found: list[api.Refused] = await self.in_core(self._core.store.refusals)
        return found

    async def store(self, request: dict[str, Json]) -> dict[str, int]:
        """See `api`. `policy`: seconds by class, None: for ever."""
        do, policy = text(request, "do"), request.get("policy", {})
        if do not in DOES:
            raise Bad("request", f"do is one of {', '.join(DOES)}")
        if not isinstance(policy, dict) or not all(
            name in CLASSES and (age is None or _is_age(age)) for name, age in policy.items()
        ):
            raise Bad("request", f"policy has seconds, or nothing, by {', '.join(CLASSES)}")
        who = present()
        await self.in_core(
            lambda: self._core.deeds.record(who, "store", do=do, policy=policy or None)
        )
        upkeep = self._upkeep
        found: dict[str, int] = await asyncio.wrap_future(
            upkeep.ask(lambda: upkeep.perform(do, policy))
        )
        return found

    async def watch(self, request: dict[str, Json]) -> AsyncIterator[Json]:
        """Yield what `api.WatchItem` says, until the core ends. A city comes in pieces.

        What changes while the pieces go out waits in the feed, and is sent after them.
        """
        wanted = request.get("nodes")
        if wanted is not None and not (
            isinstance(wanted, list) and all(isinstance(name, str) for name in wanted)
        ):
            raise Bad("request", "nodes is a list of names")
        chosen = frozenset(wanted) if wanted else None
        feed = Feed(asyncio.get_running_loop(), chosen)
        core = self._core

        def look(piece: list[str]) -> list[api.Node]:
            nodes = core.fleet.nodes
            return node_shapes(nodes[name] for name in piece if name in nodes)

        def begin() -> tuple[list[str], list[api.Node], api.BrokerStatus]:
            for name in chosen or ():
                self._node(name)
            core.feeds.add(feed)
            names = sorted(name for name in core.fleet.nodes if feed.wants(name))
            feed.offer(
                [],
                tags=[tag_shape(tag) for tag in core.tags.all()],
                alarms=[alarm_shape(alarm) for alarm in core.alarming.book.standing.values()],
            )
            return names, look(names[:_PIECE]), core.broker.copy()

        try:
            names, rows, broker = await self.in_core(begin)
            yield {"kind": "snapshot", "nodes": rows, "left": max(0, len(names) - _PIECE)}
            for at in range(_PIECE, len(names), _PIECE):
                rows = await self.in_core(functools.partial(look, names[at : at + _PIECE]))
                left = max(0, len(names) - at - _PIECE)
                yield {"kind": "snapshot", "nodes": rows, "left": left}
            yield {"kind": "broker", "broker": broker}
            while (items := await feed.next()) is not None:
                for item in items:
                    yield item
        finally:
            core.ask(lambda: core.feeds.remove(feed))

    async def send(self, request: dict[str, Json]) -> AsyncIterator[Json]:
        """Yield each state of a command, the final one last."""
        name = text(request, "node")
        low, high = EXPIRES_S
        expires_s = number(request, "expires_s", DEFAULT_EXPIRES_S, low, high)
        try:
            order = values.check_order(request.get("command"))
        except values.OrderError as error:
            raise Bad("request", str(error)) from None
        who = present()
        loop = asyncio.get_running_loop()
        states: asyncio.Queue[api.CommandState] = asyncio.Queue()
        core = self._core
        if await self.in_core(lambda: core.fleet.is_elsewhere(name)):
            async for state in self._send_elsewhere(name, order, expires_s):
                yield state
            return

        def listener(state: api.CommandState) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(states.put_nowait, state)

        def begin() -> None:
            try:
                state = core.commands.add(self._node(name), order, expires_s, listener)
                core.deeds.record(who, "send", name, command=state["command"], **order)
            except TooManyCommands as error:
                raise Bad("busy", str(error)) from None
            except CommandRefused as error:
                raise Bad("refused", str(error)) from None
            except ProtocolError as error:
                raise Bad("request", f"the wire cannot carry it: {error}") from None

        await self.in_core(begin)
        try:
            while True:
                state = await states.get()
                yield state
                if state["final"]:
                    return
        finally:
            core.ask(lambda: core.commands.unlisten(listener))

    async def _send_elsewhere(
        self, name: str, order: api.Order, expires_s: float
    ) -> AsyncIterator[api.CommandState]:
        """Leave a command in the store, where the worker that has the node's shard finds it."""
        who = present()

        def leave() -> int | None:
            number = self._core.commands.leave(name, order, expires_s)
            if number is not None:
                self._core.deeds.record(who, "send", name, command=number, **order)
            return number

        number_ = await self.in_core(leave)
        if number_ is None:
            raise Bad("refused", f"{name} has never spoken to a controller")
        before: api.CommandState | None = None
        while before is None or not before["final"]:
            rows: list[api.CommandState] = await self._read(lambda r: r.commands(name, OPEN_MAX))
            state = next((row for row in rows if row["command"] == number_), None)
            if state is None:
                raise Bad("busy", f"{name} has {OPEN_MAX} newer commands")
            if state != before:
                yield state
            before = state
            await asyncio.sleep(ELSEWHERE_S)


def _is_age(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _losses(node: str, reader: TelemetryReader) -> list[api.Lost]:
    return reader.losses(node)
