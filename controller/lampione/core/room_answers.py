"""The operations of the control room: who is there, the audit, locks, notes."""

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import Any

from lampione import api
from lampione.api import Json
from lampione.core.core import Core
from lampione.core.requests import Bad, InCore, number, text
from lampione.core.shape import tag_shape
from lampione.fleet.commands import TooManyCommands
from lampione.room import deeds, operators
from lampione.room.audit import Chain, Entry
from lampione.room.operators import Doorkeeper, Operator, OperatorsError
from lampione.room.tags import LockedError, Tag
from lampione.room.who import SEAT, Seat, Who, present
from lampione.store import StoredNote, TelemetryReader

NOTE_MAX = 2000
TERMINAL_MAX = 80
ENTRIES = 1000
_PIECE = 5000
_EVER = 1e12
_OWN = frozenset(("self", "who", "action", "node"))  # of `Deeds.record`


class RoomAnswers(InCore):
    """The operations, for the server's event loop."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.doorkeeper = Doorkeeper(core.folder.path / operators.FILE)
        self._file = asyncio.Lock()
        self._door = asyncio.Lock()  # one PIN at a time, so that wrong ones are counted
        self._seats: weakref.WeakSet[Seat] = weakref.WeakSet()

    async def _read(self, question: Callable[[TelemetryReader], Any]) -> Any:
        raise NotImplementedError

    async def seat(self, user: str, terminal: str) -> Seat:
        """Return a new connection's seat."""
        async with self._file:
            try:
                who = await asyncio.to_thread(self.doorkeeper.arrived, user, terminal)
            except OperatorsError as error:
                who = Who(user, "view", terminal, str(error))
            seat = Seat(who)
            self._seats.add(seat)
        return seat

    async def enter(self, request: dict[str, Json]) -> api.Entered:
        """See `api`. Without an operator: whoever the system says."""
        seat = SEAT.get()
        name, pin = text(request, "operator", None), text(request, "pin", None)
        terminal = (text(request, "terminal", None) or seat.who.terminal)[:TERMINAL_MAX]
        if name is None:
            seat.who = seat.who._replace(terminal=terminal)
        else:
            keeper = self.doorkeeper
            try:
                async with self._door, self._file:
                    seat.who = await asyncio.to_thread(keeper.enter, name, pin, terminal)
                    seat.said = True
            except OperatorsError as error:
                who, deed = seat.who, getattr(error, "deed", None)
                if deed is not None:
                    await self.in_core(
                        lambda: self._core.deeds.record(who, "refused entry", **deed)
                    )
                raise Bad("refused", str(error)) from None
        who = seat.who
        return {
            "operator": who.operator, "role": who.role, "why": who.why, "by_pin": who.by_pin,
        }  # fmt: skip

    async def operators(self, _: dict[str, Json]) -> list[api.Operator]:
        """See `api`."""
        try:
            return _listed(await asyncio.to_thread(self.doorkeeper.operators))
        except OperatorsError as error:
            raise Bad("refused", str(error)) from None

    async def operator(self, request: dict[str, Json]) -> list[api.Operator]:
        """See `api`."""
        do, name = text(request, "do"), text(request, "name")
        role, pin = text(request, "role", None), text(request, "pin", None)
        who = present()
        if do not in ("set", "remove"):
            raise Bad("request", "do is one of set, remove")
        detail = {"do": do, "name": name, "role": role, "pin": operators.said(pin)}

        def change(before: dict[str, Operator] | None) -> dict[str, Operator]:
            if do == "remove":
                return operators.without(before, name)
            return operators.changed(before, name, role, pin)

        # A client that goes meanwhile takes nothing back: what is done has its entry.
        return await asyncio.shield(asyncio.create_task(self._change(who, change, detail)))

    async def _change(
        self, who: Who, change: Callable[[Any], dict[str, Operator]], detail: Any
    ) -> list[api.Operator]:
        """Change the file and write it into the audit, or neither."""
        path = self._core.folder.path / operators.FILE
        async with self._file:
            try:
                before = await asyncio.to_thread(self.doorkeeper.operators)
                after = await asyncio.to_thread(change, before)
                await asyncio.to_thread(operators.save, path, after)
            except (OperatorsError, OSError) as error:
                raise Bad("refused", str(error)) from None
            try:
                await self.in_core(lambda: self._core.deeds.record(who, "operator", **detail))
            except BaseException:
                operators.save(path, before or {})
                raise
            for seat in self._seats:  # what was taken away ends at once
                seat.who = operators.still(before, after, seat) if after else seat.who
        return _listed(after)

    async def deed(self, request: dict[str, Json]) -> None:
        """See `api`."""
        action, node, who = text(request, "action"), text(request, "node", None), present()
        detail = request.get("detail", {})
        if action not in deeds.ACTIONS:
            raise Bad("request", f"action is one of {', '.join(deeds.ACTIONS)}")
        if not isinstance(detail, dict) or _OWN & detail.keys():
            raise Bad("request", "detail is an object")
        await self.in_core(lambda: self._core.deeds.record(who, action, node, **detail))

    async def audit(self, request: dict[str, Json]) -> list[api.AuditEntry]:
        """See `api`."""
        limit = int(number(request, "limit", ENTRIES, 1, _PIECE))
        after = request.get("after")
        if after is not None:
            first = int(number(request, "after", 0, 0, _EVER))
            entries = await self._read(lambda reader: reader.audit_after(first, limit))
        else:
            node, operator = text(request, "node", None), text(request, "operator", None)
            since = number(request, "since", 0, -_EVER, _EVER)
            before = int(number(request, "before", 0, 0, _EVER)) or None
            entries = await self._read(
                lambda reader: reader.audit(node, operator, since, before, limit)
            )
        return [entry_shape(entry) for entry in entries]

    async def verify(self, _: dict[str, Json]) -> api.Verified:
        """See `api`."""

        def look(reader: TelemetryReader) -> api.Verified:
            chain = Chain({note.seq: note.head for note in reader.notes(-_EVER, int(_EVER))})
            fault = None
            while fault is None and (entries := reader.audit_after(chain.seq, _PIECE)):
                fault = chain.take(entries)
            fault = fault or chain.end()
            return {
                "entries": chain.seq,
                "head": chain.head.hex(),
                "bad": None if fault is None else fault.seq,
                "why": None if fault is None else fault.why,
            }

        found: api.Verified = await self._read(look)
        return found

    async def tags(self, _: dict[str, Json]) -> list[api.Tag]:
        """See `api`."""
        found: list[api.Tag] = await self.in_core(
            lambda: [tag_shape(tag) for tag in self._core.tags.all()]
        )
        return found

    async def lock(self, request: dict[str, Json]) -> api.Tag:
        """See `api`."""
        reason, confirm = text(request, "reason"), text(request, "confirm")
        who = present()

        def do(core: Core, name: str) -> Tag:
            tag = core.tags.lock(self._node(name), who, reason, confirm)
            core.deeds.record(who, "lock", name, reason=tag.reason)
            return tag

        return await self._about_lock(request, do)

    async def unlock(self, request: dict[str, Json]) -> api.Tag:
        """See `api`."""
        reason = text(request, "reason", None)
        who = present()

        def do(core: Core, name: str) -> Tag:
            tag, why = core.tags.unlock(self._node(name), who, reason)
            core.deeds.record(who, "unlock", name, reason=why, locked_by=tag.author)
            return tag

        return await self._about_lock(request, do)

    async def _about_lock(
        self, request: dict[str, Json], do: Callable[[Core, str], Tag]
    ) -> api.Tag:
        name = text(request, "node")

        def run() -> api.Tag:
            try:
                return tag_shape(do(self._core, name))
            except LockedError as error:
                raise Bad("refused", str(error)) from None
            except TooManyCommands as error:
                raise Bad("busy", str(error)) from None

        found: api.Tag = await self.in_core(run)
        return found

    async def notes(self, request: dict[str, Json]) -> list[api.Note]:
        """See `api`."""
        since = number(request, "since", 0, -_EVER, _EVER)
        limit = int(number(request, "limit", 100, 1, ENTRIES))
        found = await self._read(lambda reader: reader.notes(since, limit))
        return [note_shape(note) for note in found]

    async def note(self, request: dict[str, Json]) -> api.Note:
        """See `api`."""
        words = text(request, "text").strip()
        if not 0 < len(words) <= NOTE_MAX:
            raise Bad("request", f"a note has 1 to {NOTE_MAX} letters")
        words = words.encode("utf-8", "replace").decode()
        who = present()

        def add() -> api.Note:
            core = self._core
            note = core.store.add_note(StoredNote(0, time.time(), who.operator, words, 0, b""))
            core.deeds.record(who, "note", note=note.id)
            return note_shape(note)

        found: api.Note = await self.in_core(add)
        return found


def _listed(found: dict[str, Operator] | None) -> list[api.Operator]:
    return [
        {"name": name, "role": one.role, "pin": one.hash is not None}
        for name, one in sorted((found or {}).items())
    ]


def entry_shape(entry: Entry) -> api.AuditEntry:
    """Return an entry as the socket carries it."""
    deed = entry.deed
    return {
        "seq": entry.seq,
        "at": deed.at,
        "operator": deed.operator,
        "role": deed.role,
        "terminal": deed.terminal,
        "action": deed.action,
        "node": deed.node,
        "detail": dict(deed.detail),
        "body": entry.body,
        "hash": entry.hash.hex(),
    }


def note_shape(note: StoredNote) -> api.Note:
    """Return a note as the socket carries it."""
    return {
        "id": note.id,
        "at": note.at,
        "operator": note.operator,
        "text": note.body,
        "seq": note.seq,
        "head": note.head.hex(),
    }
