"""Configs on their way to nodes: one rollout a node, driven by its hellos and results.

A Setup takes a command's counter, so one of both is under way to a node at a time. Chunks go
between, a window at a time: behind each the node is asked what it holds.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from lampione_protocol import codec, schema
from lampione_protocol.errors import RangeError
from lampione_protocol.names import CONFIG_STATES, OPS, OUTCOMES, REFUSALS

from lampione import values
from lampione.api import ConfigState
from lampione.config.blob import digest
from lampione.fleet.commands import Commands
from lampione.fleet.downlink import Downlink
from lampione.fleet.kept_configs import KeptConfigs
from lampione.fleet.node import Fleet, NodeState
from lampione.fleet.rollout import ON_NODE, Phase, Rollout
from lampione.store import StoredConfig, StoredRollout, TelemetryStore

TRIAL_S = 300
VERSION_MAX = 65534
CHUNK = 25  # bytes
WINDOW = 64  # chunks, before the node has to say what it holds
RETRY_S = (10.0, 300.0)  # without an answer: first, last
EXPIRES_S = 120.0
RESTART_S = 60.0  # then a node that was to restart is asked how it is
FIRST_REVISION = 3  # of the protocol, that knows configs

Listener = Callable[[ConfigState], None]


class ConfigRefused(Exception):
    """The config cannot be rolled out now; the text says why."""


@dataclass
class _Open:
    rollout: Rollout
    blob: bytes
    created: float
    changed: float
    first_counter: int = 0  # results of earlier Setups are of something else
    quiet_until: float = 0.0  # monotonic: an answer is waited for
    wait_s: float = RETRY_S[0]
    resent_from: int = -1
    under_way: bool = False  # a Setup without its answer
    told: bool = False  # how it ended


def _state_of(node: NodeState) -> str | None:
    """Return what the node's last hello says of its config."""
    code = node.hello.get("config_state")
    return CONFIG_STATES[code] if code is not None and code < len(CONFIG_STATES) else None


class Configs:
    """All rollouts. Listeners hear of changes after the commit (`tell`)."""

    def __init__(self, fleet: Fleet, store: TelemetryStore, downlink: Downlink, commands: Commands):
        self._fleet = fleet
        self._store = store
        self._kept = KeptConfigs(store)
        self._downlink = downlink
        self._commands = commands
        self._all: dict[str, _Open] = {}
        self._listeners: list[tuple[frozenset[str], Listener]] = []
        self._changed: set[str] = set()
        self.moved: set[str] = set()  # nodes whose rollout is not as it was; whoever looks clears
        self.locked: Callable[[str], str | None] = lambda _: None  # why it is not to be touched
        self.ended: Listener = lambda _: None  # what became of each, in the commit that says so
        commands.blocked = self.under_way
        self.load()

    def load(self) -> None:
        """Take the rollouts from the store."""
        self._all.clear()
        self._changed.clear()
        names = {node.id: node for node in self._fleet.nodes.values()}
        for stored in self._store.rollouts():
            node = names.get(stored.node)
            found = None if node is None else self._kept.find(node, stored.version)
            if node is None or found is None:
                continue
            blob, kept = found
            rollout = Rollout(
                stored.version,
                kept.digest,
                len(blob),
                stored.trial_s,
                cast("Phase", stored.phase),
                stored.sent,
                stored.reason, stored.epoch,
            )  # fmt: skip
            self._all[node.name] = _Open(
                rollout, blob, stored.created, stored.changed, stored.first_counter,
                told=rollout.final,
            )  # fmt: skip

    def adopt(self, node: NodeState, version: int, blob: bytes) -> None:
        """Take note of a config that the node was given otherwise."""
        self._kept.keep(node, version, blob, time.time())
        self._changed.add(node.name)

    def add(self, node: NodeState, blob: bytes, trial_s: int) -> None:
        """Begin a rollout, unless it is under way or done already. Raises ConfigRefused."""
        why = self.locked(node.name)
        if why is not None:
            raise ConfigRefused(why)
        open_ = self._all.get(node.name)
        wanted = digest(blob)
        running = self.running(node)
        now = time.time()
        if open_ is not None and not open_.rollout.final:
            if open_.rollout.digest == wanted and open_.rollout.phase != "reverting":
                self.pump(node)
                return
            if open_.rollout.phase in ON_NODE:
                raise ConfigRefused(
                    f"{node.name} is trying another config: wait for its end, or "
                    f"`lampione config revert {node.name}`"
                )
        version = self._next_version(node)
        rollout = Rollout(version, wanted, len(blob), trial_s)
        confirmed = self.says(node)[1] == "confirmed"
        if running is not None and running[1].digest == wanted and confirmed:
            rollout.version, rollout.sent = running[1].version, len(blob)
            rollout.phase, rollout.reason = "confirmed", "it runs already"
        else:
            self._kept.keep(node, version, blob, None)
        self._all[node.name] = _Open(rollout, blob, now, now, node.counter + 1)
        self._save(node)
        self.pump(node)

    def _next_version(self, node: NodeState) -> int:
        known = max(self._store.last_config(node.id), self.says(node)[0] or 0)
        return known % VERSION_MAX + 1

    def revert(self, node: NodeState, trial_s: int) -> None:
        """Stop the rollout under way, or go back to the config before. Raises ConfigRefused."""
        open_ = self._all.get(node.name)
        if open_ is not None and not open_.rollout.final:
            open_.rollout.cancel()
            open_.quiet_until, open_.under_way = 0.0, False
            self._save(node)
            self.pump(node)
            return
        version = self.says(node)[0]
        before = self._store.confirmed_before(node.id, version or 0)
        found = None if before is None else self._kept.find(node, before)
        if found is None:
            raise ConfigRefused(f"{node.name}: no config before this one is known here")
        self.add(node, found[0], trial_s)

    def running(self, node: NodeState) -> tuple[bytes, StoredConfig] | None:
        """Return the config that the node runs, when it is known here."""
        version = self.says(node)[0]
        return self._kept.find(node, version) if version else None

    def says(self, node: NodeState) -> tuple[int | None, str | None]:
        """Return which version the node runs, and its state: of its hello, or said since."""
        open_ = self._all.get(node.name)
        newer = open_ is not None and open_.changed > (node.hello_at or 0.0)
        if open_ is not None and newer and open_.rollout.phase in ("trial", "confirmed"):
            return open_.rollout.version, open_.rollout.phase
        return node.hello.get("config_version"), _state_of(node)

    def wanted(self, node: NodeState) -> bytes | None:
        """Return the config of the last rollout."""
        open_ = self._all.get(node.name)
        return None if open_ is None else open_.blob

    def rollout(self, node: NodeState) -> Rollout | None:
        """Return the last rollout to a node."""
        open_ = self._all.get(node.name)
        return None if open_ is None else open_.rollout

    def state(self, node: NodeState) -> ConfigState:
        """Return what is known of a node's config."""
        version, word = self.says(node)
        kept = self._store.config(node.id, version) if version else None
        open_ = self._all.get(node.name)
        rollout = None if open_ is None else open_.rollout
        return {
            "node": node.name,
            "running": version,
            "running_digest": None if kept is None else kept.digest.hex(),
            "state": word,
            "wanted": None if rollout is None else rollout.version,
            "digest": None if rollout is None else rollout.digest.hex(),
            "phase": None if rollout is None else rollout.phase,
            "final": rollout is None or rollout.final,
            "sent": 0 if rollout is None else rollout.sent,
            "size": 0 if rollout is None else rollout.size,
            "trial_s": None if rollout is None else rollout.trial_s,
            "reason": self.reason(node),
            "since": None if open_ is None else open_.changed,
        }

    def reason(self, node: NodeState) -> str | None:
        """Say why the last rollout ended so, or what it waits for."""
        open_ = self._all.get(node.name)
        if open_ is None or open_.rollout.reason or open_.rollout.final:
            return None if open_ is None else open_.rollout.reason
        if not node.reachable:
            return "the node is offline"
        if open_.wait_s > 2 * RETRY_S[0]:  # asked twice
            return "no answer yet"
        return None

    def under_way(self, name: str) -> bool:
        """Say whether a Setup waits for its answer: commands wait meanwhile."""
        open_ = self._all.get(name)
        return open_ is not None and open_.under_way and time.monotonic() < open_.quiet_until

    def pump(self, node: NodeState) -> None:
        """Send what is due, unless an answer is waited for or nobody is there."""
        open_ = self._all.get(node.name)
        if open_ is None or open_.rollout.asks is None:
            return
        if time.monotonic() < open_.quiet_until or not node.reachable:
            return
        epoch = node.epoch
        if epoch is None or not node.hello or self._commands.under_way(node.name):
            return
        rollout = open_.rollout
        if (node.hello.get("protocol") or 0) < FIRST_REVISION:
            rollout.phase, rollout.reason = "refused", "its firmware knows no configs yet"
            self._save(node)
            return
        self._ask(node, open_, epoch)

    def _ask(self, node: NodeState, open_: _Open, epoch: bytes) -> None:
        """Send the Setup that is due."""
        rollout = open_.rollout
        op = rollout.asks
        assert op is not None
        try:
            counter = self._fleet.next_counter(node)
        except RangeError:
            rollout.phase = "refused"
            rollout.reason = "the node's command counters are used up: give it a new key"
            self._save(node)
            return
        body = codec.encode(
            schema.SETUP_FIELDS,
            [
                OPS.index(op),
                rollout.version,
                rollout.size,
                rollout.digest,
                values.wire_seconds(time.time() + EXPIRES_S),
                node.hello.get("challenge"),
                rollout.trial_s if op == "apply" else None,
                None,
            ],
        )
        rollout.asked(epoch)
        open_.under_way = True
        self._wait(open_)
        self._downlink.publish(node, self._downlink.seal(node, epoch, schema.SETUP, counter, body))
        self._save(node)

    @staticmethod
    def _wait(open_: _Open) -> None:
        """Be quiet until there is an answer, or for so long."""
        open_.quiet_until = time.monotonic() + open_.wait_s
        open_.wait_s = min(open_.wait_s * 2, RETRY_S[1])

    def _send_window(self, node: NodeState, open_: _Open) -> None:
        """Send the next chunks, and ask what came of them unless the node says it by itself."""
        rollout, epoch = open_.rollout, node.epoch
        assert epoch is not None
        end = min(rollout.sent + WINDOW * CHUNK, rollout.size)
        for offset in range(rollout.sent, end, CHUNK):
            data = open_.blob[offset : min(offset + CHUNK, end)]
            body = codec.encode(schema.CONFIG_FIELDS, [rollout.version, offset, None, data])
            self._downlink.chunk(node, epoch, body)
        open_.resent_from = rollout.sent
        if end < rollout.size and not self._commands.under_way(node.name):
            self._ask(node, open_, epoch)
        else:
            open_.under_way = False
            self._wait(open_)

    def greeted(self, node: NodeState) -> None:
        """The node said hello: what does it run, and what does it lack?"""
        open_ = self._all.get(node.name)
        if open_ is None or open_.rollout.final or node.epoch is None:
            self._changed.add(node.name)
            return
        open_.rollout.greeted(node.hello.get("config_version"), _state_of(node), node.epoch)
        self._fresh(open_)
        self._save(node)
        self.pump(node)

    @staticmethod
    def _fresh(open_: _Open) -> None:
        open_.quiet_until, open_.wait_s = 0.0, RETRY_S[0]
        open_.under_way, open_.resent_from = False, -1

    def result(self, node: NodeState, result: dict[str, int | None]) -> bool:
        """Take a `Result`, in steps; say whether it is a Setup's."""
        op = result.get("op")
        if op is None or not OPS.index("offer") <= op < len(OPS):
            return False
        open_ = self._all.get(node.name)
        outcome, code = result.get("outcome") or 0, result.get("reason") or 0
        if (
            open_ is None
            or open_.rollout.final
            or (result.get("counter") or 0) < open_.first_counter
            or outcome >= len(OUTCOMES)
        ):
            return True
        rollout = open_.rollout
        reason = REFUSALS[code] if code < len(REFUSALS) else f"code {code}"
        held = result.get("value")
        stuck = rollout.phase == "sending" and held == open_.resent_from and not open_.under_way
        if OPS[op] == "offer" and OUTCOMES[outcome] == "accepted" and stuck:
            return True  # said before what was sent since has arrived
        wait_s = open_.wait_s
        rollout.answer(OPS[op], OUTCOMES[outcome], reason, held)
        self._fresh(open_)
        if rollout.again:
            open_.wait_s = wait_s
            self._wait(open_)
        elif rollout.phase == "applied":
            open_.quiet_until = time.monotonic() + RESTART_S
        elif rollout.phase == "sending" and node.epoch is not None:
            self._send_window(node, open_)
        self._save(node)
        self._commands.pump(node)
        self.pump(node)
        return True

    def tick(self, now: float) -> None:
        """Repeat what was not answered."""
        for name, open_ in self._all.items():
            if open_.rollout.final or now < open_.quiet_until:
                continue
            node = self._fleet.nodes.get(name)
            if node is None or not node.reachable or node.epoch is None:
                continue
            with self._fleet.guarded(node):
                if open_.rollout.asks is None:  # it should have come back by now
                    self._downlink.ask(node, node.epoch, now)
                    continue
                if open_.under_way:  # commands had to wait long enough
                    open_.under_way = False
                    self._commands.pump(node)
                self.pump(node)

    def listen(self, names: Iterable[str], listener: Listener) -> None:
        """Tell `listener` of every change of these nodes."""
        self._listeners.append((frozenset(names), listener))

    def unlisten(self, listener: Listener) -> None:
        """Stop telling this one."""
        self._listeners = [one for one in self._listeners if one[1] != listener]

    def tell(self) -> None:
        """Tell listeners what changed, now that it is committed."""
        changed, self._changed = self._changed, set()
        for name in changed if self._listeners else ():
            node = self._fleet.nodes.get(name)
            state = None if node is None else self.state(node)
            for names, listener in self._listeners:
                if state is not None and name in names:
                    listener(state)

    def _save(self, node: NodeState) -> None:
        open_ = self._all[node.name]
        rollout = open_.rollout
        open_.changed = time.time()
        if rollout.phase == "confirmed":
            self._store.confirm_config(node.id, rollout.version, open_.changed)
        self._store.save_rollout(
            StoredRollout(
                node.id, rollout.version, rollout.phase, rollout.sent, rollout.trial_s,
                open_.first_counter, rollout.epoch, rollout.reason, open_.created, open_.changed,
            )
        )  # fmt: skip
        self._changed.add(node.name)
        self.moved.add(node.name)
        if rollout.final and not open_.told:
            self.ended(self.state(node))
        open_.told = rollout.final
