"""People's commands, from the order to the node's last word.

A node accepts rising counters only. So one command at a time is under way to a node: the next
leaves when the node has answered, and a repetition is the very same bytes. After a reboot, when
the hello shows that the node never accepted it, it is sealed anew under the new epoch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lampione_protocol import schema
from lampione_protocol.errors import RangeError
from lampione_protocol.names import OUTCOMES, REFUSALS

from lampione.api import CommandState, Order
from lampione.fleet.downlink import Downlink
from lampione.fleet.node import Fleet, NodeState
from lampione.store import TelemetryStore
from lampione.values import encode_order

RETRY_S = 10.0
LOOK_S = 1.0  # for commands that other workers were asked to send
FRESH_S = 4.0  # a hello younger than this carries a challenge that still counts
ACCEPTED_S = 120.0  # beyond the ramp and the time: then the end is not waited for
OPEN_MAX = 100  # of one node

Listener = Callable[[CommandState], None]


@dataclass
class _Open:
    state: CommandState
    epoch: bytes | None = None
    frame: bytes | None = None
    retry_at: float = 0.0  # monotonic
    listeners: list[Listener] = field(default_factory=list)


class TooManyCommands(Exception):
    """The node has too many open commands."""


class CommandRefused(Exception):
    """The lamp is not to be told this; the text says why."""


class Commands:
    """All open commands. Listeners hear of changes after the commit (`tell`)."""

    def __init__(self, fleet: Fleet, store: TelemetryStore, downlink: Downlink):
        self._fleet = fleet
        self._store = store
        self._downlink = downlink
        self._open: dict[str, list[_Open]] = {}
        self.shared = False  # other workers write commands for our nodes, too
        self._looked = 0.0  # monotonic
        self.blocked: Callable[[str], bool] = lambda _: False  # a config's Setup is under way
        self.refused: Callable[[str, Order], str | None] = lambda *_: None  # why it is not given
        self.ended: Listener = lambda _: None  # what became of each, in the commit that says so
        self._changed: list[tuple[CommandState, list[Listener]]] = []
        self.load()

    def load(self) -> None:
        """Take the open commands from the store."""
        listeners = {
            one.state["command"]: one.listeners for each in self._open.values() for one in each
        }
        self._open.clear()
        self._changed.clear()
        for state, epoch, frame in self._store.open_commands():
            if not self._fleet.is_ours(state["node"]):
                continue
            heard = listeners.get(state["command"], [])
            self._open.setdefault(state["node"], []).append(
                _Open(state, epoch, frame, listeners=heard)
            )

    def add(
        self, node: NodeState, order: Order, expires_s: float, listener: Listener | None
    ) -> CommandState:
        """Take an order. Raises TooManyCommands, CommandRefused."""
        why = self.refused(node.name, order)
        if why is not None:
            raise CommandRefused(why)
        if len(self._open.get(node.name, ())) >= OPEN_MAX:
            raise TooManyCommands(f"{node.name} has {OPEN_MAX} open commands")
        state = _new(node.name, order, expires_s)
        state["reason"] = None if node.reachable else "the node is offline"
        state["command"] = self._store.add_command(node.id, state)
        one = _Open(state)
        if listener is not None:
            one.listeners.append(listener)
        self._open.setdefault(node.name, []).append(one)
        self._report(one)
        self.pump(node)
        return state

    def leave(self, name: str, order: Order, expires_s: float) -> int | None:
        """Leave an order for the worker that has the node's shard; return the command's number.

        None: nobody has heard of the node yet.
        """
        ids = {stored.name: stored.id for stored in self._store.nodes()}
        if name not in ids:
            return None
        return self._store.add_command(ids[name], _new(name, order, expires_s))

    def waits(self, node: NodeState, order: Order) -> bool:
        """Say whether an order like this waits for a node, or for its answer."""
        return any(
            one.state["order"] == order
            and (one.state["state"] == "queued" or one.epoch == node.epoch)
            for one in self._open.get(node.name, ())
        )

    def under_way(self, name: str) -> bool:
        """Say whether a command waits for the node's first answer."""
        return any(one.state["state"] == "sent" for one in self._open.get(name, ()))

    def pump(self, node: NodeState) -> None:
        """Send the node's next command, unless one is under way or nobody is there."""
        if self.blocked(node.name):
            return
        for one in self._open.get(node.name, ()):
            state = one.state
            if state["state"] == "accepted":
                continue
            if state["state"] == "queued" and node.reachable and node.epoch is not None:
                if state["order"]["op"] == "time" and time.time() - (node.hello_at or 0) > FRESH_S:
                    # The node takes the time on a challenge of the last ten seconds only.
                    self._downlink.ask(node, node.epoch, time.monotonic())
                else:
                    self._send(node, one, node.epoch)
            return

    def _send(self, node: NodeState, one: _Open, epoch: bytes) -> None:
        state = one.state
        why = self.refused(node.name, state["order"])  # by now, or as another worker took it
        if why is not None:
            state["state"], state["final"], state["reason"] = "refused", True, why
            self._save(one)
            return
        try:
            counter = state["counter"] = self._fleet.next_counter(node)
        except RangeError:
            state["state"], state["final"] = "refused", True
            state["reason"] = "the node's command counters are used up: give it a new key"
            self._save(one)
            return
        now = time.time() if state["order"]["op"] == "time" else None
        body = encode_order(
            state["order"],
            expires=state["expires"],
            challenge=node.hello.get("challenge"),
            now=now,
        )
        one.epoch = epoch
        one.frame = self._downlink.seal(node, epoch, schema.COMMAND, counter, body)
        self._publish(node, one)
        state["state"], state["reason"] = "sent", None
        self._save(one)

    def _publish(self, node: NodeState, one: _Open) -> None:
        if one.frame is not None:
            one.retry_at = time.monotonic() + RETRY_S
            self._downlink.publish(node, one.frame)

    def greeted(self, node: NodeState) -> None:
        """The node said hello: send again what it has not accepted."""
        last = node.hello.get("last_counter") or 0
        for one in self._open.get(node.name, ()):
            state = one.state
            if state["state"] != "sent":
                continue
            if one.epoch == node.epoch:
                if (state["counter"] or 0) > last:
                    self._publish(node, one)
            # A flash that is new has a later counter of our challenge, and never saw this order;
            # maintenance may be said twice, and a lamp under work has to hear of it.
            elif (state["counter"] or 0) > last or state["order"]["op"] == "maintenance":
                state["state"], state["counter"] = "queued", None
                one.epoch = one.frame = None
        self.pump(node)

    def result(self, node: NodeState, result: dict[str, int | None]) -> None:
        """Take a `Result`, in steps. Those of commands that are not open change nothing."""
        outcome = result.get("outcome")
        for one in self._open.get(node.name, ()):
            state = one.state
            if state["counter"] is None or state["counter"] != result.get("counter"):
                continue
            if outcome is None or outcome >= len(OUTCOMES):
                return
            word = OUTCOMES[outcome]
            if word == "accepted" and state["state"] == "accepted":
                return
            state["state"] = word  # type: ignore[typeddict-item]
            state["final"] = word != "accepted"
            code = result.get("reason")
            if word == "refused":
                known = code is not None and code < len(REFUSALS)
                state["reason"] = REFUSALS[code] if known and code else f"code {code}"
            state["level"], state["value"] = result.get("level"), result.get("value")
            self._save(one)
            self.pump(node)
            return

    def tick(self, now: float) -> None:
        """Repeat what was not answered, give up what is too late."""
        wall = time.time()
        if self.shared and now >= self._looked + LOOK_S:
            self._looked = now
            self._pick_up()
        for name, each in list(self._open.items()):
            node = self._fleet.nodes.get(name)
            for one in list(each):
                self._age(one, node, wall, now)
            if node is not None and each:
                with self._fleet.guarded(node):
                    self.pump(node)

    def _pick_up(self) -> None:
        """Take in what other workers were asked to send."""
        for state, epoch, frame in self._store.open_commands():
            each = self._open.get(state["node"], [])
            if self._fleet.is_ours(state["node"]) and all(
                one.state["command"] != state["command"] for one in each
            ):
                self._open.setdefault(state["node"], []).append(_Open(state, epoch, frame))

    def _age(self, one: _Open, node: NodeState | None, wall: float, now: float) -> None:
        state = one.state
        if state["state"] == "accepted":
            order = state["order"]
            lasts = order.get("ramp_s", 0.0) + order.get("for_s", 0)
            if wall > max(state["expires"], state["changed"] + lasts) + ACCEPTED_S:
                state["final"], state["reason"] = True, "the node did not say how it ended"
                self._save(one)
        elif wall > state["expires"]:
            sent = state["state"] == "sent"
            state["reason"] = "no answer" if sent else "the node was not reachable"
            state["state"], state["final"] = "expired", True
            self._save(one)
        elif (
            state["state"] == "sent"
            and node is not None
            and node.reachable
            and one.epoch == node.epoch
            and now >= one.retry_at
        ):
            self._publish(node, one)

    def tell(self) -> None:
        """Tell listeners what changed, now that it is committed."""
        changed, self._changed = self._changed, []
        for state, listeners in changed:
            for listener in listeners:
                listener(state)

    def unlisten(self, listener: Listener) -> None:
        """Stop telling this one."""
        for each in self._open.values():
            for one in each:
                if listener in one.listeners:
                    one.listeners.remove(listener)

    def _save(self, one: _Open) -> None:
        state = one.state
        state["changed"] = time.time()
        self._store.save_command(state, one.epoch, one.frame)
        if state["final"]:
            self.ended(state)
            each = self._open[state["node"]]
            each.remove(one)
            if not each:
                del self._open[state["node"]]
        self._report(one)

    def _report(self, one: _Open) -> None:
        if one.listeners:
            self._changed.append((one.state.copy(), list(one.listeners)))


def _new(name: str, order: Order, expires_s: float) -> CommandState:
    now = time.time()
    return {
        "command": 0,
        "node": name,
        "order": order,
        "state": "queued",
        "final": False,
        "counter": None,
        "reason": None,
        "level": None,
        "value": None,
        "created": now,
        "expires": now + expires_s,
        "changed": now,
    }
