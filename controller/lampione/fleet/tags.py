"""Lamps that are locked off: the node is told, and told again, for as long as the lock is there.

To the node a lock is an order of maintenance, dark and above every program, which ends after some
days as every order does; so it is renewed each day, and whenever the node started anew.
"""

import time

from lampione.api import Order
from lampione.fleet.commands import Commands, TooManyCommands
from lampione.fleet.node import Fleet, NodeState
from lampione.room.tags import LOCK_S, RENEW_S, Tag, check_lock, check_unlock, refusal
from lampione.room.who import Who
from lampione.store import TelemetryStore

LOCK: Order = {"op": "maintenance", "for_s": LOCK_S}
UNLOCK: Order = {"op": "maintenance", "for_s": 0}
_FIGHTS = frozenset(("level", "resume", "identify", "reboot", "emergency", "maintenance"))


class Tags:
    """All locks, by node. What a lamp under work must not do is refused here."""

    def __init__(self, fleet: Fleet, store: TelemetryStore, commands: Commands) -> None:
        self._fleet = fleet
        self._store = store
        self._commands = commands
        self._tags: dict[str, Tag] = {}
        self._told: dict[str, bytes | None] = {}  # the node's epoch then
        self.changed = True  # whoever tells front ends clears it
        commands.refused = self.refusal
        self.load()

    def load(self) -> None:
        """Take the locks from the store."""
        self._tags = {tag.node: tag for tag in self._store.tags()}
        self._told.clear()
        self.changed = True

    def all(self) -> list[Tag]:
        """Return the locks, the oldest first."""
        return sorted(self._tags.values(), key=lambda tag: tag.at)

    def find(self, node: str) -> Tag | None:
        """Return the lock of a lamp."""
        return self._tags.get(node)

    def locked(self, node: str) -> str | None:
        """Say why a lamp is not to be touched; None: it is not locked."""
        tag = self._tags.get(node)
        return None if tag is None else refusal(tag)

    def refusal(self, node: str, order: Order) -> str | None:
        """Say why an order is not given to a lamp; None: it may be."""
        if order["op"] not in _FIGHTS or order == LOCK:
            return None
        return self.locked(node)

    def lock(self, node: NodeState, who: Who, reason: str, confirm: str) -> Tag:
        """Lock a lamp. Raises LockedError, TooManyCommands."""
        reason = check_lock(self._tags.get(node.name), node.name, reason, confirm)
        tag = Tag(node.name, who.operator, reason, time.time())
        self._tell(node, tag)
        self.changed = True
        return tag

    def unlock(self, node: NodeState, who: Who, reason: str | None) -> tuple[Tag, str | None]:
        """Take a lock off; return it, and the reason. Raises LockedError, TooManyCommands."""
        tag = self._tags.get(node.name)
        reason = check_unlock(tag, node.name, who, reason)
        assert tag is not None
        del self._tags[node.name]  # or its own end would be refused
        try:
            self._commands.add(node, UNLOCK, LOCK_S, None)
        except TooManyCommands:
            self._tags[node.name] = tag
            raise
        self._store.drop_tag(node.id)
        self.changed = True
        return tag, reason

    def tick(self) -> None:
        """Tell nodes again of their locks."""
        now = time.time()
        for tag in list(self._tags.values()):
            node = self._fleet.nodes.get(tag.node)
            if node is None or not self._fleet.is_ours(tag.node):
                continue
            # One that started anew has its orders on flash, unless that is another flash; so it is
            # with one that may have done so while we were not here.
            anew = node.reachable and self._told.get(tag.node) != node.epoch
            if self._commands.waits(node, LOCK):
                self._told[tag.node] = node.epoch
                continue
            if anew or not 0 <= now - tag.renewed < RENEW_S:
                try:
                    self._tell(node, tag)
                except TooManyCommands:
                    continue  # it does not answer: those expire

    def _tell(self, node: NodeState, tag: Tag) -> None:
        self._commands.add(node, LOCK, 2 * RENEW_S, None)
        tag = tag._replace(renewed=time.time())
        self._tags[node.name] = tag
        self._told[node.name] = node.epoch
        self._store.save_tag(node.id, tag)
