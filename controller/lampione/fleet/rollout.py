"""A config on its way to one node, as a state machine. No I/O.

    queued -> offered -> sending -> applying -> applied -> trial -> confirmed

`offered`, `applying` and `trial` each wait for the answer to a Setup, `applied` for the node to
come back from its restart. Every Setup may be sent again: the node says what it has, and obeys
twice as well as once. What it did alone shows in its next hello.
"""

from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "queued", "offered", "sending", "applying", "applied", "trial", "reverting",
    "confirmed", "refused", "reverted", "damaged", "cancelled",
]  # fmt: skip
FINAL: frozenset[Phase] = frozenset(("confirmed", "refused", "reverted", "damaged", "cancelled"))
ON_NODE: frozenset[Phase] = frozenset(("applying", "applied", "trial", "reverting"))
"""The node may be trying it: it cannot be taken off the table here alone."""

_ASKS = {
    "queued": "offer",
    "offered": "offer",
    "sending": "offer",
    "applying": "apply",
    "trial": "confirm",
    "reverting": "revert",
}
_LATER = ("busy", "expired", "no challenge", "challenge too old", "locked")
_TRIES = 3  # of the whole way, when the node lost what it held or got other bytes


@dataclass
class Rollout:
    """Attributes: `sent` bytes are with the node; `again` says that the node put us off."""

    version: int
    digest: bytes
    size: int
    trial_s: int
    phase: Phase = "queued"
    sent: int = 0
    reason: str | None = None
    epoch: bytes | None = None  # the node's when it was told to apply
    tries: int = 0
    again: bool = False

    @property
    def final(self) -> bool:
        """Say whether it is over."""
        return self.phase in FINAL

    @property
    def asks(self) -> str | None:
        """Return the operation of the Setup that is due."""
        return _ASKS.get(self.phase)

    def asked(self, epoch: bytes) -> None:
        """What is due was sent."""
        if self.phase == "queued":
            self.phase = "offered"
        elif self.phase == "applying":
            self.epoch = epoch

    def answer(self, op: str, outcome: str, reason: str, value: int | None) -> None:
        """Take the node's Result of a Setup of this rollout; what is late changes nothing."""
        if self.final:
            return
        self.again = False
        if op == "apply" and outcome != "refused" and self.phase in ("offered", "sending"):
            # It had begun the trial before it came back with its old config.
            self._end("reverted", "the node went back to its config before")
        elif op == "offer" and self.phase in ("offered", "sending"):
            if outcome == "accepted":
                self.phase, self.reason = "sending", None
                self.sent = min(value or 0, self.size)
            elif outcome == "done":
                self.phase, self.reason, self.sent = "applying", None, self.size
            else:
                self._refused(op, reason)
        elif op == "apply" and self.phase in ("applying", "applied"):
            if outcome == "refused":
                self._refused(op, reason)
            else:
                self.phase, self.reason = ("trial" if outcome == "done" else "applied"), None
        elif op == "confirm" and self.phase == "trial":
            if outcome == "done":
                self._end("confirmed", None)
            elif outcome == "refused":
                self._refused(op, reason)
        elif op == "revert" and self.phase == "reverting" and outcome != "accepted":
            self._refused(op, reason) if reason in _LATER else self._reverted()

    def _refused(self, op: str, reason: str) -> None:
        if reason in _LATER:
            self.again, self.reason = True, f"the node says: {reason}"
        elif reason == "config not here" and op == "confirm":
            self._reverted()
        elif self.tries < _TRIES and (op, reason) in (
            ("offer", "config damaged"),
            ("apply", "config not here"),
        ):
            self.tries += 1
            self.phase, self.sent, self.reason = "queued", 0, f"the node says: {reason}"
            self.again = True
        elif reason == "config damaged" and op == "offer":
            self._end("damaged", "the bytes did not arrive as they were sent")
        else:
            self._end("refused", reason)

    def _reverted(self) -> None:
        asked = self.phase == "reverting"
        self._end("reverted", "as asked" if asked else "the node went back to its config before")

    def _end(self, phase: Phase, reason: str | None) -> None:
        self.phase, self.reason = phase, reason

    def greeted(self, version: int | None, state: str | None, epoch: bytes) -> None:
        """Take a hello: what runs on the node, and whether it is on trial."""
        if self.phase not in ON_NODE:
            return
        if version == self.version and state == "trial":
            if self.phase != "reverting":
                self.phase, self.reason = "trial", None
        elif version == self.version and state == "confirmed":
            self._end("confirmed", None)
        elif self.phase == "applying":
            if epoch != self.epoch:  # it may never have heard of it
                self.phase, self.sent = "queued", 0
        elif self.phase != "applied" or epoch != self.epoch:
            self._reverted()

    def cancel(self) -> None:
        """Stop it: at once while the node is not trying it, else it is asked to go back."""
        if self.phase in ON_NODE:
            self.phase, self.reason = "reverting", None
        elif not self.final:
            self._end("cancelled", None)
