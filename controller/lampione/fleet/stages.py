"""A rollout in stages, as a state machine: waves, a soak between, a limit of failures. No I/O.

    draft -> running <-> soaking -> done          running, soaking -> paused, stopped -> running
                                                  all but over     -> aborting -> aborted
                                                  but a draft      -> reverting -> reverted

It knows nodes by name and what became of each, and nothing of what is rolled out. What is to be
done next it says by `next_step`; what came of it is told to it. A wave begins when every node of
the one before has its outcome and the soak is over. People pause; too many failures stop.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal, NamedTuple

State = Literal[
    "draft", "running", "soaking", "paused", "stopped", "aborting", "reverting",
    "done", "aborted", "reverted",
]  # fmt: skip
OVER: frozenset[State] = frozenset(("done", "aborted", "reverted"))

Phase = Literal[
    "waiting", "going", "stopping", "reverting",
    "done", "same", "failed", "lost", "skipped", "left", "reverted",
]  # fmt: skip
"""same: there was nothing to change; lost: it took it, and was not well when the soak was over;
skipped: not touched, though it was its turn; left: not begun, or stopped, when all was ended."""
MOVING: frozenset[Phase] = frozenset(("going", "stopping", "reverting"))
PENDING: frozenset[Phase] = frozenset((*MOVING, "waiting"))
BAD: tuple[Phase, ...] = ("failed", "lost")

WAVES_MAX = 20
NO_OUTCOME = "no outcome in time"


class StagesRefused(Exception):
    """That cannot be done with a rollout in this state; the text says why."""


class Rules(NamedTuple):
    """How it goes on.

    stop_percent: of a wave's nodes; when more have failed it stops. 0: one is enough, 100: never.
    at_once: nodes that are under way at the same time; 0: a whole wave.
    wait_s: until a node without an outcome counts as failed.
    """

    soak_s: float = 0.0
    stop_percent: float = 0.0
    at_once: int = 0
    wait_s: float = 900.0


@dataclass(slots=True)
class Member:
    """One node. `mark`: what the thing that is rolled out knows this attempt by."""

    node: str
    wave: int = 0
    phase: Phase = "waiting"
    asked: bool = True  # of a phase that asks something of the node: that was done
    mark: int = 0
    reason: str | None = None
    changed: float = 0.0  # Unix seconds


class Step(NamedTuple):
    """What is to be done for one node."""

    do: Literal["begin", "stop", "back"]
    member: Member


def sizes(total: int, canary: int, waves: Sequence[str]) -> list[int]:
    """Return how many nodes each wave has; who is left over is a last one.

    Args:
        waves: "25": so many nodes; "10%": until a tenth of all of them have had their turn.

    Raises ValueError.
    """
    found = [min(canary, total)]
    for wave in waves:
        text = wave.strip()
        digits = text.removesuffix("%")
        if not (digits.isascii() and digits.isdigit() and int(digits) > 0):
            raise ValueError(f"{wave!r} is no wave: write 25, or 10%")
        if digits == text:
            take = int(digits)
        elif int(digits) > 100:
            raise ValueError(f"{wave!r}: a hundred percent is all of them")
        else:
            take = ceil(total * int(digits) / 100) - sum(found)
        found.append(max(0, min(take, total - sum(found))))
    found.append(total - sum(found))
    found = [size for size in found if size]
    if len(found) > WAVES_MAX:
        raise ValueError(f"{len(found)} waves: {WAVES_MAX} at most")
    return found


@dataclass
class Stages:
    """See the module. `changed` names the members that are to be kept anew."""

    rules: Rules
    state: State = "draft"
    wave: int = 0
    until: float | None = None  # Unix seconds: the soak
    why: str | None = None  # it stopped
    forgiven: int = 0  # failures of this wave that people went on in spite of
    insisted: bool = False  # people went on though no node has taken it
    members: dict[str, Member] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    _index: dict[tuple[Phase, bool, int], dict[str, Member]] = field(default_factory=dict)

    def add(self, members: Iterable[Member]) -> None:
        """Take members, as they were kept."""
        for member in members:
            self.members[member.node] = member
            self._place(member)[member.node] = member

    def _place(self, member: Member) -> dict[str, Member]:
        return self._index.setdefault((member.phase, member.asked, member.wave), {})

    def _all(self, *phases: Phase, wave: int | None = None) -> list[Member]:
        return [
            member
            for (phase, _, number), found in self._index.items()
            if phase in phases and wave in (None, number)
            for member in found.values()
        ]

    def count(self, *phases: Phase, wave: int | None = None) -> int:
        """Return how many are in these phases, of a wave or of all."""
        return sum(
            len(found)
            for (phase, _, number), found in self._index.items()
            if phase in phases and wave in (None, number)
        )

    @property
    def waves(self) -> int:
        """Return how many waves there are."""
        return 1 + max((member.wave for member in self.members.values()), default=0)

    def _put(
        self, member: Member, phase: Phase, reason: str | None, now: float, *, asked: bool = True
    ) -> None:
        self._place(member).pop(member.node, None)
        member.phase, member.asked, member.reason, member.changed = phase, asked, reason, now
        self._place(member)[member.node] = member
        self.changed.add(member.node)

    def begin(self, canaries: Sequence[str], counts: Sequence[int], now: float) -> None:
        """Share the members out over the waves, these first, and start."""
        first = dict.fromkeys(canaries)
        order = [*first, *(name for name in self.members if name not in first)]
        wave = [number for number, size in enumerate(counts) for _ in range(size)]
        for name, number in zip(order, wave, strict=True):
            member = self.members[name]
            self._place(member).pop(name)
            member.wave = number
            self._put(member, "waiting", None, now)
        self.state = "running"

    def next_step(self) -> Step | None:
        """Return what is to be done now; ask again when it was done."""
        for phase, do in (("stopping", "stop"), ("failed", "stop"), ("reverting", "back")):
            for (of, asked, _), found in self._index.items():
                if of == phase and not asked and found:
                    return Step(do, next(iter(found.values())))  # type: ignore[arg-type]
        if self.state != "running" or self._stops():
            return None
        waiting = self._index.get(("waiting", True, self.wave))
        if not waiting or (self.rules.at_once and self.count("going") >= self.rules.at_once):
            return None
        return Step("begin", next(iter(waiting.values())))

    def begun(self, member: Member, mark: int, now: float) -> None:
        """A node was asked to take it."""
        member.mark = mark
        self._put(member, "going", None, now)

    def asked(self, member: Member, now: float, mark: int | None = None) -> None:
        """A node was asked to stop, or to go back."""
        if mark is not None:
            member.mark = mark
        self._put(member, member.phase, member.reason, now)

    def skipped(self, member: Member, reason: str, now: float) -> None:
        """A node was not touched, or is somebody else's now."""
        if member.phase == "reverting":
            self._put(member, "done", f"not taken back: {reason}", now)
        elif member.phase == "stopping":
            self._put(member, "left", reason, now)
        elif member.phase in ("waiting", "going"):
            self._put(member, "skipped", reason, now)

    def ended(
        self, member: Member, now: float, *, took: bool, reason: str | None, same: bool = False
    ) -> None:
        """A node has its outcome; what nobody waits for changes nothing."""
        timed_out = member.phase == "failed" and member.reason == NO_OUTCOME
        if member.phase == "reverting":
            if took:
                self._put(member, "reverted", reason, now)
            else:
                self._put(member, "done", f"not taken back: {reason}", now)
        elif took and (member.phase in ("going", "stopping") or timed_out):
            if self.state == "reverting" and not same:
                self._put(member, "reverting", None, now, asked=False)
            else:
                self._put(member, "same" if same else "done", reason, now)
        elif member.phase == "going":
            self._put(member, "failed", reason, now)
        elif member.phase == "stopping":
            self._put(member, "left", reason, now)

    def tick(self, now: float, well: Callable[[Member], str | None]) -> None:
        """Let time pass.

        Args:
            well: why a node that took it is not well; None: it is.
        """
        if self.state not in OVER:
            self._expire(now)
        if self.state == "running":
            self._look(now)
        elif self.state == "soaking" and self.until is not None and now >= self.until:
            for member in self._all("done", wave=self.wave):
                why = well(member)
                if why is not None:
                    self._put(member, "lost", why, now)
            if not self._stops():
                self._next_wave()
        elif self.state == "aborting" and not self.count("stopping"):
            self.state = "aborted"
        elif self.state == "reverting" and not self.count("stopping", "reverting"):
            self.state = "reverted"

    def _expire(self, now: float) -> None:
        for member in self._all("going"):
            if now - member.changed >= self.rules.wait_s:
                self._put(member, "failed", NO_OUTCOME, now, asked=False)

    def _look(self, now: float) -> None:
        if self._stops() or self.count("waiting", "going", wave=self.wave):
            return
        if not self.count("waiting"):
            self.state = "done"
        elif not self.insisted and not self.count("done", "same", "lost"):
            self._stop("no node has taken it yet")
        elif self.rules.soak_s > 0:
            self.state, self.until = "soaking", now + self.rules.soak_s
        else:
            self._next_wave()

    def _next_wave(self) -> None:
        self.wave += 1
        self.state, self.until = "running", None
        self.forgiven, self.insisted = 0, False

    def _stops(self) -> bool:
        """Stop when too many of the wave have failed; say whether."""
        failed = self.count(*BAD, wave=self.wave)
        size = sum(len(f) for (_, _, wave), f in self._index.items() if wave == self.wave)
        size -= self.count("skipped", wave=self.wave)
        counted = failed - self.forgiven
        if counted <= 0 or counted * 100 <= self.rules.stop_percent * size:
            return False
        self._stop(f"{counted} of {size} nodes of wave {self.wave + 1} failed")
        return True

    def _stop(self, why: str) -> None:
        self.state, self.until, self.why = "stopped", None, why

    def _only(self, what: str, *states: State) -> None:
        if self.state not in states:
            raise StagesRefused(f"it cannot be {what}: it is {self.state}")

    def pause(self) -> None:
        """Begin no other node for now; those under way go on. Raises StagesRefused."""
        self._only("paused", "running", "soaking")
        self.state, self.until = "paused", None

    def resume(self) -> None:
        """Go on, in spite of what has failed so far. Raises StagesRefused."""
        self._only("resumed", "paused", "stopped")
        if self.state == "stopped":
            self.forgiven, self.insisted = self.count(*BAD, wave=self.wave), True
        self.state, self.why = "running", None

    def abort(self, now: float) -> None:
        """Begin no other, and stop those under way. Raises StagesRefused."""
        self._only("aborted", "draft", "running", "soaking", "paused", "stopped")
        self._leave("aborted", now)
        self.state, self.until = "aborting", None

    def _leave(self, reason: str, now: float) -> None:
        for member in self._all("waiting"):
            self._put(member, "left", reason, now)
        for member in self._all("going"):
            self._put(member, "stopping", None, now, asked=False)

    def retry(self, now: float) -> None:
        """Let those that failed or were skipped have another turn now. Raises StagesRefused."""
        self._only("retried", "running", "soaking", "paused", "stopped", "done")
        again = self._all("failed", "skipped")
        if not again:
            raise StagesRefused("no node of it has failed or was skipped")
        for member in again:
            self._place(member).pop(member.node)
            member.wave = self.wave
            self._put(member, "waiting", None, now)
        if self.state != "paused":
            self.state = "running"
        self.until, self.why, self.forgiven = None, None, self.count(*BAD, wave=self.wave)

    def revert(self, now: float) -> None:
        """Take it back from every node that has it, and begin no other. Raises StagesRefused."""
        if self.state in ("draft", "reverting"):
            self._only("taken back", *OVER, "running", "soaking", "paused", "stopped", "aborting")
        if not self.count("done", "lost", "going", "stopping"):
            raise StagesRefused("no node of it has anything to take back")
        self._leave("taken back", now)
        for member in self._all("done", "lost"):
            self._put(member, "reverting", None, now, asked=False)
        self.state, self.until, self.why = "reverting", None, None
