"""Rollouts in stages: driven by the core, kept in the store, whatever is rolled out (`Kind`).

What a step does and what is kept of it is committed together, so that after a cut memory is again
what the store says, and so is every node's outcome. A rollout is driven by the controller that
serves all of its nodes.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from lampione import api
from lampione.fleet.node import Fleet, NodeState
from lampione.fleet.staged_kind import Kind, Untouched
from lampione.fleet.staged_shape import Open, member_shape, shape
from lampione.fleet.stages import (
    MOVING,
    OVER,
    Member,
    Phase,
    Rules,
    Stages,
    StagesRefused,
    State,
    Step,
    sizes,
)
from lampione.store import StoredMember, StoredStages, TelemetryStore

ALL = 1 << 31
CLOSED_MAX = 4
KEPT = 100  # rollouts that are over
STEPS = 50  # a tick: the core has other work too
NO_KEY = "it has no key any more"
_NEEDED_AGAIN: tuple[Phase, ...] = ("waiting", "going", "failed", "skipped", "lost")


class Plan(NamedTuple):
    """How to begin: names of canaries or how many, the waves as `stages.sizes` has them."""

    canary: int
    canaries: Sequence[str]
    waves: Sequence[str]


class Staged:
    """All rollouts in stages.

    Attributes:
        locked: why a lamp is not to be touched.
        ended: hears of each that is over or was stopped by failures, in that commit.
    """

    def __init__(
        self,
        fleet: Fleet,
        store: TelemetryStore,
        kinds: Sequence[Kind],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now`: Unix seconds."""
        self._now = now
        self._fleet = fleet
        self._store = store
        self._kinds = {kind.name: kind for kind in kinds}
        self._open: dict[int, Open] = {}
        self._ids: dict[str, int] = {}  # of nodes
        self._closed: dict[int, Open] = {}  # some that are over
        self._over: dict[int, api.Staged] = {}  # what was shown of those that are over
        self._look_at_all = True
        self.locked: Callable[[str], str | None] = lambda _: None
        self.ended: Callable[[api.Staged], None] = lambda _: None
        self.load()

    def load(self) -> None:
        """Take those that are not over from the store."""
        self._open.clear()
        self._over.clear()
        self._closed.clear()
        for head in self._store.stages(ALL):
            if head.state not in OVER:
                self._open[head.id] = self._read(head)
        self._look_at_all = True

    def _read(self, head: StoredStages) -> Open:
        self._ids = {stored.name: stored.id for stored in self._store.nodes()}
        names = {number: name for name, number in self._ids.items()}
        stages = Stages(
            Rules(**json.loads(head.rules)),
            cast("State", head.state),
            head.wave,
            head.until,
            head.why,
            head.forgiven,
            bool(head.insisted),
        )
        stages.add(
            Member(
                names[row.node],
                row.wave,
                cast("Phase", row.phase),
                bool(row.asked),
                row.mark,
                row.reason,
                row.changed,
            )
            for row in self._store.members(head.id)
        )
        elsewhere = any(self._fleet.is_elsewhere(name) for name in stages.members)
        # Rising over restarts, so that whoever asks what changed since misses nothing.
        begun = int(self._now() * 1000)
        return Open(head, stages, json.loads(head.options), elsewhere, begun, begun)

    def _get(self, number: int) -> Open:
        """Return a rollout, one that is over too. Raises KeyError."""
        found = self._open.get(number) or self._closed.get(number)
        if found is None:
            head = next((h for h in self._store.stages(ALL) if h.id == number), None)
            if head is None:
                raise KeyError(number)
            found = self._read(head)
            if found.stages.state in OVER:
                self._close(number, found)
        return found

    def _close(self, number: int, open_: Open) -> None:
        """Remember one that is over for a while: people look at it."""
        self._closed[number] = open_
        while len(self._closed) > CLOSED_MAX:
            del self._closed[next(iter(self._closed))]

    def draft(self, kind: str, author: str, rules: Rules, options: Mapping[str, Any]) -> int:
        """Begin to gather a rollout; return its number."""
        now = self._now()
        head = StoredStages(
            0, kind, author, now, now, "draft", 0, None, None, 0, 0,
            json.dumps(rules._asdict()), json.dumps(options),
        )  # fmt: skip
        head = head._replace(id=self._store.add_stages(head, KEPT))
        self._open[head.id] = self._read(head)
        return head.id

    def add(self, number: int, payloads: Mapping[str, bytes]) -> None:
        """Add nodes to a draft, each with what it is to get. Raises KeyError, StagesRefused."""
        open_ = self._get(number)
        if open_.stages.state != "draft":
            raise StagesRefused(f"rollout {number} has begun: nodes can be added to a draft only")
        self.check_free(payloads)
        kind, now = self._kinds[open_.head.kind], self._now()
        rows = []
        for name, payload in payloads.items():
            node = self._fleet.nodes[name]
            self._ids[name] = node.id
            rows.append(
                (StoredMember(node.id, 0, "waiting", 1, 0, None, now), kind.keep(node, payload))
            )
        self._store.add_members(number, rows)
        open_.stages.add(Member(name, changed=now) for name in payloads)

    def check_free(self, names: Iterable[str]) -> None:
        """Raise StagesRefused for a node that is in a rollout which is not over."""
        for name in names:
            for number, open_ in self._open.items():
                if name in open_.stages.members:
                    raise StagesRefused(
                        f"{name} is in rollout {number}, which is not over: wait for it, or "
                        f"`lampione config rollouts {number} abort`"
                    )

    def start(self, number: int, plan: Plan) -> None:
        """Begin with the first wave. Raises KeyError, StagesRefused, ValueError."""
        open_ = self._get(number)
        stages = open_.stages
        if stages.state != "draft" or not stages.members:
            raise StagesRefused(f"rollout {number} has begun, or has no nodes")
        strange = [name for name in plan.canaries if name not in stages.members]
        if strange:
            raise ValueError(f"{strange[0]} is to be a canary and is not among the nodes")
        canary = max(plan.canary, len(set(plan.canaries)))
        stages.begin(plan.canaries, sizes(len(stages.members), canary, plan.waves), self._now())
        self._save(open_)

    def act(self, number: int, do: str) -> None:
        """Pause, resume, abort, retry or revert. Raises KeyError, StagesRefused."""
        open_ = self._get(number)
        if open_.elsewhere:
            raise StagesRefused(f"rollout {number} has nodes that another controller serves")
        stages, now = open_.stages, self._now()
        if do == "pause":
            stages.pause()
        elif do == "resume":
            stages.resume()
        elif do == "abort":
            stages.abort(now)
        elif do == "retry":
            stages.retry(now)
        elif do == "revert":
            stages.revert(now)
        else:
            raise StagesRefused(f"a rollout cannot be told to {do}")
        if stages.state not in OVER:
            self._open[number] = open_
            self._closed.pop(number, None)
        self._over.pop(number, None)
        self._save(open_)

    def tick(self) -> None:
        """Take outcomes, and do what is next."""
        now = self._now()
        everything, self._look_at_all = self._look_at_all, False
        moved = {name: sorted(kind.moved) for name, kind in self._kinds.items()}
        for kind in self._kinds.values():
            kind.moved.clear()
        for open_ in list(self._open.values()):
            stages = open_.stages
            if stages.state == "draft" or open_.elsewhere:
                continue
            kind = self._kinds[open_.head.kind]
            before = (stages.state, stages.wave, stages.until)
            for name in stages.members if everything else moved[open_.head.kind]:
                self._outcome(stages.members.get(name), stages, kind, now)
            for _ in range(STEPS):
                step = stages.next_step()
                if step is None:
                    break
                self._do(open_, kind, step, now)
            stages.tick(now, lambda m, kind=kind: self._ill(kind, m))  # type: ignore[misc]
            if stages.changed or before != (stages.state, stages.wave, stages.until):
                self._save(open_)

    def _outcome(self, member: Member | None, stages: Stages, kind: Kind, now: float) -> None:
        if member is None or not member.mark or not member.asked:
            return
        if member.phase not in MOVING and member.phase != "failed":
            return
        node = self._fleet.nodes.get(member.node)
        if node is None:
            stages.skipped(member, NO_KEY, now)
            return
        outcome = kind.outcome(node, member.mark)
        if outcome is None:
            return
        if outcome.replaced:
            stages.skipped(member, outcome.reason or "", now)
        else:
            stages.ended(member, now, took=outcome.took, reason=outcome.reason, same=outcome.same)

    def _do(self, open_: Open, kind: Kind, step: Step, now: float) -> None:
        """Do one step for one node."""
        stages, member = open_.stages, step.member
        node = self._fleet.find(member.node)
        if node is None:
            self._gone(stages, member, NO_KEY, now)
            return
        before = member.phase, member.asked
        with self._fleet.guarded(node):
            try:
                self._ask(open_, kind, step, node, now)
            except Untouched as untouched:
                stages.skipped(member, str(untouched), now)
            self._outcome(member, stages, kind, now)
        if (member.phase, member.asked) == before:
            self._gone(stages, member, "a failure of ours: the log has it", now)

    def _ask(self, open_: Open, kind: Kind, step: Step, node: NodeState, now: float) -> None:
        """Ask a node for what is due. Raises Untouched."""
        stages, member = open_.stages, step.member
        if step.do == "stop":
            kind.stop(node, member.mark)
            stages.asked(member, now)
            return
        why = self.locked(member.node)
        if why is not None:
            raise Untouched(why)
        if step.do == "back":
            stages.asked(member, now, kind.back(node, member.mark, open_.options))
            return
        kept = self._store.payload(open_.head.id, node.id)
        if kept is None:
            raise Untouched("what it was to get is no longer kept")
        stages.begun(member, kind.begin(node, kept, open_.options), now)

    @staticmethod
    def _gone(stages: Stages, member: Member, reason: str, now: float) -> None:
        if member.phase == "failed":
            stages.asked(member, now)
        else:
            stages.skipped(member, reason, now)

    def _ill(self, kind: Kind, member: Member) -> str | None:
        node = self._fleet.nodes.get(member.node)
        return NO_KEY if node is None else kind.ill(node, member.mark)

    def _save(self, open_: Open) -> None:
        stages, number, now = open_.stages, open_.head.id, self._now()
        rows, done = [], []
        open_.revision += 1
        open_.revisions.update(dict.fromkeys(stages.changed, open_.revision))
        for name in stages.changed:
            member = stages.members[name]
            id_ = self._ids[name]
            rows.append(
                StoredMember(
                    id_, member.wave, member.phase, member.asked, member.mark, member.reason,
                    member.changed,
                )
            )  # fmt: skip
            if member.phase not in _NEEDED_AGAIN:
                done.append(id_)
        if stages.state in ("aborted", "reverted"):
            done = [self._ids[name] for name in stages.members]
        stages.changed.clear()
        self._store.save_members(number, rows)
        if done:
            self._store.forget_payloads(number, done)
        ended = stages.state != open_.head.state and stages.state in (*OVER, "stopped")
        open_.head = open_.head._replace(
            changed=now, state=stages.state, wave=stages.wave, until=stages.until, why=stages.why,
            forgiven=stages.forgiven, insisted=int(stages.insisted),
        )  # fmt: skip
        self._store.save_stages(open_.head)
        if stages.state in OVER:
            self._open.pop(number, None)
            self._close(number, open_)
        if ended:
            self.ended(shape(open_))

    def all(self, limit: int) -> list[api.Staged]:
        """Return rollouts, newest first, without their nodes."""
        found = []
        for head in self._store.stages(limit):
            shown = self._over.get(head.id)
            if shown is None:
                open_ = self._get(head.id)
                shown = shape(open_)
                if open_.stages.state in OVER:
                    self._over[head.id] = shown
            found.append(shown)
        self._over = {s["rollout"]: self._over[s["rollout"]] for s in found if s["final"]}
        return found

    def head(self, number: int) -> api.Staged:
        """Return a rollout without its nodes. Raises KeyError."""
        return shape(self._get(number))

    def one(self, number: int, since: int) -> api.Staged:
        """Return a rollout with those nodes that changed since a revision, or may any moment.

        Raises KeyError.
        """
        open_ = self._get(number)
        kind = self._kinds.get(open_.head.kind)
        found = shape(open_)
        found["nodes"] = [
            member_shape(member, self._fleet.nodes.get(member.node), kind)
            for member in open_.stages.members.values()
            if member.phase in MOVING
            or not open_.begun <= since <= open_.revision
            or open_.revisions.get(member.node, 0) > since
        ]
        return found
