"""What a node should make of its config, and where a power cut may leave it: slow and obvious."""

from dataclasses import dataclass, field, replace

CHUNK = 25
FLUSH = 512
OFFER, APPLY, CONFIRM, REVERT = 11, 12, 13, 14
ACCEPTED, DONE, REFUSED = 0, 1, 2
NONE, BUSY, DAMAGED, NOT_HERE = 0, 7, 10, 11
ON_TRIAL, CONFIRMED, REVERTED = 20, 21, 22
BAD = -1  # what a slot holds that is damaged
SURE, TRIAL, HURT = 0, 1, 2


@dataclass(frozen=True)
class Blob:
    """A config to play with: `lasting` names what counts at boot only."""

    data: bytes
    lasting: int = 0
    bad: bool = False  # no node can run it
    dark: bool = False  # the lighting refuses it


@dataclass(frozen=True)
class State:
    """The flash of a node, and what it knows until its next boot."""

    good: int | None = None
    old: int | None = None
    new: int | None = None
    flushed: int = 0
    marker: str = ""
    runs: int = 0
    state: int = SURE
    lit: int = 0
    held: int = 0
    offer: int = 0
    before: tuple[int, int] | None = None
    at: int = 0


@dataclass
class Said:
    """What a node says on its way."""

    results: list[list[int]] = field(default_factory=list)
    events: list[list[int]] = field(default_factory=list)


class Model:
    """Steps from state to state; `blobs[0]` stands for the settings' file alone."""

    def __init__(self, blobs: list[Blob]) -> None:
        self.blobs = blobs

    def size(self, which: int) -> int:
        return len(self.blobs[which].data)

    def boot(self, s: State, said: Said) -> State:
        s = replace(s, held=s.flushed, offer=0, before=None, at=0)
        if s.marker == "keep":
            s = self._keep(s)
        elif s.marker == "start":
            s = replace(s, marker="run", runs=s.new or 0, lit=s.new or 0, state=TRIAL)
            said.events.append([ON_TRIAL, s.runs])
            return s
        elif s.marker:
            said.events.append([REVERTED, s.new or 0])
            s = replace(s, marker="")
        for slot in (s.good, s.old):
            if slot not in (None, BAD):
                sure = SURE if slot == s.good else HURT
                return replace(s, runs=slot, lit=slot, state=sure)
        hurt = HURT if BAD in (s.good, s.old) else SURE
        return replace(s, runs=0, lit=0, state=hurt)

    def _keep(self, s: State) -> State:
        if s.good not in (None, BAD):
            s = replace(s, old=s.good)
        return replace(s, good=s.new, new=None, held=0, flushed=0, marker="")

    def _lasting(self, s: State) -> int:
        return self.blobs[s.runs].lasting if s.runs in (s.good, s.old) else 0

    def _take_back(self, s: State, said: Said) -> State:
        if s.before is None:
            return self.boot(s, said)
        said.events.append([REVERTED, s.runs])
        runs, state = s.before
        lit = runs if runs in (s.good, s.old) else 0
        s = replace(s, runs=runs, state=state, lit=lit, before=None, marker="")
        return self.boot(s, said) if self.blobs[lit].dark else s

    def step(self, s: State, op: list[object], said: Said) -> State:
        """Return the state after an operation that nothing interrupts."""
        name, which = str(op[0]), int(str(op[1])) if len(op) > 1 else 0
        if name == "boot":
            return self.boot(s, said)
        if name == "expire":
            return self._take_back(s, said) if s.state == TRIAL else s
        if name == "send":
            return self._send(s, which, int(str(op[2])), said)
        return {
            "offer": self._offer,
            "apply": self._apply,
            "confirm": self._confirm,
            "revert": self._revert,
        }[name](s, which, said)

    def _offer(self, s: State, which: int, said: Said) -> State:
        size = self.size(which)
        if s.runs == which:
            said.results.append([OFFER, DONE, NONE, size])
            return s
        if s.state == TRIAL:
            said.results.append([OFFER, REFUSED, BUSY, size])
            return s
        held = s.held if s.new == which else 0
        s = replace(s, offer=which, new=which, held=held, flushed=held)
        if held == size:
            said.results.append([OFFER, DONE, NONE, size])
            return s
        said.results.append([OFFER, ACCEPTED, NONE, held])
        return replace(s, at=held)

    def _send(self, s: State, which: int, count: int, said: Said) -> State:
        for _ in range(count):
            s = self._chunk(s, which, said)
        return s

    def _chunk(self, s: State, which: int, said: Said) -> State:
        size = self.size(which)
        if s.at >= size:
            return s
        length = min(CHUNK, size - s.at)
        if s.offer == which and s.at == s.held < size:
            held = s.held + length
            done = held == size
            flushed = held if done or held - s.flushed >= FLUSH else s.flushed
            s = replace(s, held=held, flushed=flushed)
            if done:
                said.results.append([OFFER, DONE, NONE, size])
        return replace(s, at=s.at + CHUNK)

    def _apply(self, s: State, which: int, said: Said) -> State:
        blob = self.blobs[which]
        reason = NONE
        if s.runs == which:
            said.results.append([APPLY, DONE, NONE, which])
            return s
        if s.state == TRIAL:
            reason = BUSY
        elif s.new != which or s.held < self.size(which):
            reason = NOT_HERE
        elif blob.bad:
            reason = DAMAGED
        if reason:
            said.results.append([APPLY, REFUSED, reason, which])
            return s
        if blob.lasting != self._lasting(s):
            said.results += [[APPLY, ACCEPTED, NONE, which], [APPLY, DONE, NONE, which]]
            return self.boot(replace(s, marker="start"), said)
        before = s.runs, s.state
        s = replace(s, marker="run", offer=0, before=before, runs=which, state=TRIAL, lit=which)
        if blob.dark:
            s = self._take_back(replace(s, lit=before[0]), said)
            said.results.append([APPLY, REFUSED, DAMAGED, which])
            return s
        said.events.append([ON_TRIAL, which])
        said.results.append([APPLY, DONE, NONE, which])
        return s

    def _confirm(self, s: State, which: int, said: Said) -> State:
        if s.runs != which:
            said.results.append([CONFIRM, REFUSED, NOT_HERE, which])
            return s
        said.results.append([CONFIRM, DONE, NONE, which])
        if s.state == TRIAL:
            said.events.append([CONFIRMED, which])
            s = replace(self._keep(s), state=SURE, before=None)
        return s

    def _revert(self, s: State, which: int, said: Said) -> State:
        if s.runs == which and s.state != TRIAL:
            said.results.append([REVERT, REFUSED, NOT_HERE, which])
            return s
        said.results.append([REVERT, DONE, NONE, which])
        return self._take_back(s, said) if s.runs == which else s

    # Cuts

    def cut(self, s: State, op: list[object]) -> list[State]:
        """Return the states in which the node may be after a cut in an operation and a boot."""
        name, which = str(op[0]), int(str(op[1])) if len(op) > 1 else 0
        flash = [s]
        if name == "offer":
            kept = replace(s, flushed=s.held)
            bare = replace(s, new=None, flushed=0)
            flash += [kept, bare, replace(s, new=which, flushed=0)]
        elif name == "send":
            for _ in range(int(str(op[2]))):
                flash.append(self._chunk(flash[-1], which, Said()))
        elif name == "apply":
            flash += [replace(s, marker="start"), replace(s, marker="run")]
            flash.append(replace(s, marker=""))
        elif name == "confirm":
            flash.append(replace(s, marker="keep"))
        else:  # revert, expire, boot
            flash.append(replace(s, marker="" if s.marker == "run" else s.marker))
        found = []
        for one in flash:
            found.append(self.boot(one, Said()))
            if one.marker == "start":  # and the power failed in the boot that began the trial
                found.append(self.boot(replace(one, marker="run"), Said()))
        return found

    def files(self, s: State) -> dict[str, int]:
        """Return the sizes of the files, 0: not known."""
        found = {}
        for name, slot in (("good", s.good), ("old", s.old)):
            if slot is not None:
                found[name] = 0 if slot == BAD else 16 + self.size(slot)
        if s.new is not None:
            found["new"] = 16 + s.flushed
        if s.marker:
            found["trial"] = 11
        return found
