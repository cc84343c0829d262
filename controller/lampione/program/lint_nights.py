"""The linter's second half: what becomes of each step on each night of a year."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from lampione_light.program import CLOCK, NIGHT_LOSS_MIN

from lampione.program import words
from lampione.program.findings import Finding, Severity, Source
from lampione.program.nights import NO_STEP, Held, Night

_DAY_S = 86400
_BRIEF_S = 300  # what lasts no longer is as good as not there
_EARLY_S = 900  # lit so long before the first step, its level deserves a word

# What may become of a step on a night; kind: (what, what to do)
_FATES = {
    "no-event": (
        "the sun does not set or does not rise: it does not come",
        "nothing, at this place",
    ),
    "left-out": (
        "it would lower the level too soon after the last change, and the next step comes"
        " before the dwell is over: left out",
        "put the steps further apart, or shorten the lamp's dwell",
    ),
    "overwritten": (
        "another step comes at the same time and counts instead",
        "move one of the two, or leave this one out",
    ),
    "after-night": (
        "it comes when the lamp is off already",
        "let it come earlier, or count it from sunrise",
    ),
    "before-night": (
        "another step takes over before the lamp is lit",
        "let it come later, or count it from sunset",
    ),
    "cancelled": (
        "the step after it puts the level back at once",
        "leave both out, or put them further apart",
    ),
    "ramp-cut": (
        "its ramp is longer than the step: it never gets there",
        "shorten the ramp, or let it begin earlier",
    ),
}


def check(source: Source, nights: Sequence[Night]) -> Iterator[Finding]:
    """Yield what there is to say of a year's nights."""
    yield from _light(source, nights)
    yield from _clock_changes(source, nights)
    for number, steps in source.plans.items():
        lit = [n for n in nights if n.plan == number and n.spans]
        if not lit or not steps:
            continue
        for which in range(len(steps)):
            yield from _step(source, number, which, lit)
        yield from _order(source, number, lit)
        yield from _beginning(source, number, lit)


def _light(source: Source, nights: Sequence[Night]) -> Iterator[Finding]:
    up, down, dark, cut, short, dim = [], [], [], [], [], []
    least = source.least * 100
    for night in nights:
        if not night.dark_s:
            up.append(night.day)
        elif night.asked_s <= 0:
            dark.append(night.day)
        elif night.asked_s < night.lit_s - 60:
            cut.append(night.day)
        elif 2 * night.lit_s < night.dark_s:
            short.append(night.day)
        if night.dark_s == night.end - night.noon:
            down.append(night.day)
        if night.spans and max(max(h.level, h.before) for h in night.lit) <= least:
            dim.append(night.day)
    if dark:
        yield Finding(
            "error", "no-light", "night", "its minutes leave nothing of the night: the node lights"
            " it from sunset to sunrise, or nearly",
            "lower the minutes after sunset, or raise those after sunrise", tuple(dark),
        )  # fmt: skip
    if cut:
        yield Finding(
            "warning", "kept-light", "night", f"no more than {NIGHT_LOSS_MIN} minutes are taken"
            " from either end of a night", "ask for less, or dim by steps instead", tuple(cut),
        )  # fmt: skip
    if short:
        yield Finding(
            "warning", "little-light", "night", "lit for less than half of the time from sunset"
            " to sunrise", "lower the minutes after sunset, or raise those after sunrise",
            tuple(short),
        )  # fmt: skip
    if dim and source.least < source.lamp[0]:
        yield Finding(
            "warning", "all-dim", "night", f"all night at the minimum, {source.least} %",
            "let the plan begin with a higher level", tuple(dim),
        )  # fmt: skip
    if up:
        yield Finding(
            "note", "sun-up", "site", "the sun does not set: not lit", "nothing, at this place",
            tuple(up),
        )  # fmt: skip
    if down:
        yield Finding(
            "note", "sun-down", "site", "the sun does not rise: lit from noon to noon",
            "nothing, at this place", tuple(down),
        )  # fmt: skip


def _clock_changes(source: Source, nights: Sequence[Night]) -> Iterator[Finding]:
    changed = 60 + source.site[2]  # 01:00 UTC in winter time: that hour is missing, or there twice
    for night in nights:
        more = night.end - night.noon - _DAY_S
        if not more:
            continue
        for which, (anchor, minutes, _, _) in enumerate(source.plans.get(night.plan, ())):
            if anchor != CLOCK or not 0 <= (minutes - changed) % 1440 < 60:
                continue
            at = words.clock(minutes)
            if more < 0:
                says = f"{at} is not there when summer time begins: it comes at "
                says += words.clock(minutes + 60)
            else:
                says = f"{at} is there twice when summer time ends: it comes at the first"
            hour = f"{words.clock(changed)} and {words.clock(changed + 60)}"
            yield Finding(
                "note", "clock-change", source.step(night.plan, which), says,
                f"keep out of the hour between {hour}, where it matters", (night.day,),
            )  # fmt: skip


def _fate(night: Night, place: int) -> str | None:
    """Say what is wrong with what is in force; None: nothing."""
    held = night.held[place]
    after = night.held[place + 1] if place + 1 < len(night.held) else None
    if held.start == held.end:
        return "overwritten"
    if held.start >= night.off:
        return "after-night"
    if held.end <= night.on:
        return "before-night"
    if after and after.start - held.start <= _BRIEF_S and held.level != held.before == after.level:
        return "cancelled"
    if held.level != held.before and held.start + held.ramp_s > min(held.end, night.off):
        return "ramp-cut"
    return None


def _changes_nothing(before: Held, held: Held) -> bool:
    return before.which != NO_STEP and before.level == held.level == held.before


def _step(source: Source, plan: int, which: int, nights: Sequence[Night]) -> Iterator[Finding]:
    place = source.step(plan, which)
    fates: dict[str, list[int]] = defaultdict(list)
    late: dict[int, int] = {}
    acts = idle = 0
    for night in nights:
        when = next((s[0] for s in night.steps if s[1] == which), None)
        at = next((n for n, h in enumerate(night.held) if h.which == which), None)
        if when is None:
            fate: str | None = "no-event"
        elif at is None:
            after = night.steps[[s[1] for s in night.steps].index(which) + 1]
            fate = "overwritten" if after[0] == when else "left-out"
        else:
            fate = _fate(night, at)
            if fate in (None, "ramp-cut"):
                acts += 1
                idle += _changes_nothing(night.held[at - 1], night.held[at])
                if night.held[at].start > when:
                    late[night.day] = night.held[at].start - when
        if fate:
            fates[fate].append(night.day)
    for fate, days in fates.items():
        says, do = _FATES[fate]
        severity: Severity = "note"
        if fate != "no-event":
            if not acts or len(days) == len(nights):
                severity = "warning"
                says = f"every night: {says}" if len(days) == len(nights) else says
            else:
                do = f"nothing, where that is meant; else {do}"
        yield Finding(severity, fate, place, says, do, tuple(days))
    if late:
        yield Finding(
            "warning" if len(late) == len(nights) else "note", "postponed", place,
            f"the dwell after the last change postpones it, by {words.length(max(late.values()))}"
            " at most", "put the steps further apart, or shorten the lamp's dwell", tuple(late),
        )  # fmt: skip
    if acts and idle == acts:
        yield Finding(
            "note", "idle", place, "it changes nothing: the level is that already", "leave it out"
        )


def _order(source: Source, plan: int, nights: Sequence[Night]) -> Iterator[Finding]:
    """Steps change places: of different anchors with the seasons, on the clock when it changes."""
    steps = source.plans[plan]
    times = [(night.day, {s[1]: s[0] for s in night.steps}) for night in nights]
    ends = {
        min(nights, key=_length).day: "the shortest night is one of them",
        max(nights, key=_length).day: "the longest night is one of them",
    }
    for later in range(1, len(steps)):
        for earlier in range(later):
            both = {day: t[later] < t[earlier] for day, t in times if earlier in t and later in t}
            swapped = [day for day, before in both.items() if before]
            way = "before"
            if 2 * len(swapped) > len(both):  # written the other way round
                swapped = [day for day, before in both.items() if not before]
                way = "after"
            if not swapped:
                continue
            anchor, minutes = steps[earlier][:2]
            says = f"on some nights it comes {way} step {earlier} ({words.moment(anchor, minutes)})"
            says += ", on most the other way round"
            says += "".join(f"; {text}" for day, text in ends.items() if day in swapped)
            do = "move one of them, or write a plan of its own for the season"
            if anchor == steps[later][0]:
                do = "keep out of the hour that the clock leaves out"
            place = source.step(plan, later)
            yield Finding("warning", "order", place, says, do, tuple(swapped))


def _length(night: Night) -> int:
    return night.lit_s


def _beginning(source: Source, plan: int, nights: Sequence[Night]) -> Iterator[Finding]:
    early = []
    for night in nights:
        first = night.held[0]
        if min(first.end, night.off) - max(first.start, night.on) > _EARLY_S:
            early.append(night.day)
    if early:
        percent = min(source.plans[plan][0][2], 100)
        yield Finding(
            "note", "before-first", source.plan(plan), f"lit before its first step comes, with the"
            f" level of the first one written, {percent} %",
            "begin the plan with a step at sunset, where another level is meant", tuple(early),
        )  # fmt: skip
