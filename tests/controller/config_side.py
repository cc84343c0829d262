"""The node's side of a config's transaction, as the protocol's documents say it: for fake nodes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from lampione_protocol.names import OPS, OUTCOMES, REFUSALS

OFFER, APPLY, CONFIRM, REVERT = (OPS.index(op) for op in ("offer", "apply", "confirm", "revert"))
ACCEPTED, DONE, REFUSED = (OUTCOMES.index(word) for word in ("accepted", "done", "refused"))
FIRST = 1  # version, of a blob without a byte


def digest_of(blob: bytes) -> bytes:
    """Return the first bytes of a SHA-256."""
    return hashlib.sha256(blob).digest()[:8]


@dataclass
class Flash:
    """What survives: (version, digest, blob)."""

    good: tuple[int, bytes, bytes] = (FIRST, digest_of(b""), b"")
    new: tuple[int, bytes, int] | None = None
    bytes_: bytearray = field(default_factory=bytearray)
    marker: str | None = None  # "start", "run"


class ConfigSide:
    """Takes Setups and chunks. `say(counter, op, outcome, reason, value)` commits a Result.

    Args:
        restarts: whether it takes up this config with a restart only.
        refuses: why it will not apply this one, "none": it will.
        breaks: whether this one cuts it off.
    """

    def __init__(
        self,
        flash: Flash,
        say: Callable[[int, int, int, str, int | None], None],
        restarts: Callable[[bytes], bool] = lambda _: False,
        refuses: Callable[[bytes], str] = lambda _: "none",
        breaks: Callable[[bytes], bool] = lambda _: False,
    ):
        self.flash = flash
        self.say = say
        self.restarts = restarts
        self.refuses = refuses
        self.breaks = breaks
        self.running = flash.good
        self.trial = False
        self.restart_due = False
        self._offer: int | None = None
        self._apply: int | None = None
        self.applied: list[int] = []  # versions, each trial that began

    def boot(self) -> None:
        """Start anew: the marker decides."""
        flash = self.flash
        self.running, self.trial, self.restart_due, self._offer = flash.good, False, False, None
        if flash.marker == "run":
            flash.marker = None
        elif flash.marker == "start" and flash.new is not None:
            flash.marker = "run"
            self._try()
            if self._apply is not None:
                self.say(self._apply, APPLY, DONE, "none", self.running[0])

    def _try(self) -> None:
        assert self.flash.new is not None
        version, digest, _ = self.flash.new
        self.running, self.trial = (version, digest, bytes(self.flash.bytes_)), True
        self.applied.append(version)

    @property
    def cut_off(self) -> bool:
        """Say whether the config on trial has cut it off."""
        return self.trial and self.breaks(self.running[2])

    def trial_ends(self) -> None:
        """Nobody confirmed in time."""
        if self.trial:
            self.boot() if self.restarts(self.running[2]) else self._take_back()

    def _take_back(self) -> None:
        self.flash.marker, self.running, self.trial = None, self.flash.good, False

    def setup(self, counter: int, op: int, version: int, size: int, digest: bytes) -> None:
        """Obey a Setup."""
        if self.restart_due:
            self.say(counter, op, REFUSED, "busy", version)
            return
        runs = self.running[:2] == (version, digest)
        if op == OFFER:
            self._take_offer(counter, version, size, digest, runs=runs)
        elif op == APPLY and not runs:
            self._take_apply(counter, version, digest)
        elif (op == CONFIRM and not runs) or (op == REVERT and runs and not self.trial):
            self.say(counter, op, REFUSED, "config not here", version)
        else:
            if op == CONFIRM and self.trial:
                self.flash.good, self.trial = self.running, False
                self.flash.marker, self.flash.new = None, None
            elif op == REVERT and runs:
                self._take_back()
            self.say(counter, op, DONE, "none", version)

    def _take_offer(
        self, counter: int, version: int, size: int, digest: bytes, *, runs: bool
    ) -> None:
        flash = self.flash
        if runs:
            self.say(counter, OFFER, DONE, "none", size)
            return
        if self.trial:
            self.say(counter, OFFER, REFUSED, "busy", size)
            return
        if flash.new != (version, digest, size):
            flash.new, flash.bytes_ = (version, digest, size), bytearray()
        self._offer = counter
        self._held(full=True)

    def _held(self, *, full: bool) -> None:
        assert self._offer is not None
        assert self.flash.new is not None
        held = len(self.flash.bytes_)
        if held < self.flash.new[2]:
            if full:
                self.say(self._offer, OFFER, ACCEPTED, "none", held)
        elif digest_of(bytes(self.flash.bytes_)) == self.flash.new[1]:
            self.say(self._offer, OFFER, DONE, "none", held)
        else:
            self.flash.new = None
            self.say(self._offer, OFFER, REFUSED, "config damaged", 0)
            self._offer = None

    def chunk(self, version: int, offset: int, data: bytes) -> None:
        """Take a piece."""
        new = self.flash.new
        if self._offer is None or new is None or version != new[0]:
            return
        held = len(self.flash.bytes_)
        if held >= new[2]:
            return
        if offset != held:
            self.say(self._offer, OFFER, ACCEPTED, "none", held)
            return
        self.flash.bytes_ += data
        self._held(full=False)

    def _take_apply(self, counter: int, version: int, digest: bytes) -> None:
        flash = self.flash
        if self.trial:
            self.say(counter, APPLY, REFUSED, "busy", version)
            return
        whole = flash.new is not None and len(flash.bytes_) == flash.new[2]
        if not whole or flash.new is None or flash.new[:2] != (version, digest):
            self.say(counter, APPLY, REFUSED, "config not here", version)
            return
        why = self.refuses(bytes(flash.bytes_))
        if why != "none":
            self.say(counter, APPLY, REFUSED, why, version)
            return
        if self.restarts(bytes(flash.bytes_)):
            flash.marker, self._apply, self.restart_due = "start", counter, True
            self.say(counter, APPLY, ACCEPTED, "none", version)
            return
        flash.marker = "run"
        self._try()
        self.say(counter, APPLY, DONE, "none", version)

    def state(self) -> tuple[int, int]:
        """Return (version, state) of a hello."""
        return self.running[0], int(self.trial)


def reason_code(word: str) -> int:
    """Return the wire's number of a refusal."""
    return REFUSALS.index(word)
