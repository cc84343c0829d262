"""The linter: what of a program does not do what it seems to, and on which nights."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

from lampione_light import civil
from lampione_light.layout import GROUP
from lampione_light.program import BY_CELL, BY_EITHER, BY_SUN, CLOCK

from lampione.program import lint_nights, nights
from lampione.program.findings import Finding, Source, ordered

_LEAP_YEAR = 2020
_WEEK = range(7)


def check(
    blob: bytes,
    node: str,
    year: int,
    *,
    parts: Collection[str] | None = None,
    names: Mapping[int, str] | None = None,
) -> list[Finding]:
    """Return what there is to say of a config, the gravest first.

    Args:
        blob: the config.
        node: whose it is.
        year: of whose nights.
        parts: that the node has, as its profile names them; None: not known, not checked.
        names: of the plans, where they have any.

    Raises ConfigError.
    """
    source = Source(blob, names or {})
    found = [*_site(source), *_lamp(source), *_rules(source, year), *_levels(source)]
    found += [*_traffic(source, parts), *_presence(source, parts), *_cell(source, parts)]
    if "no-site" not in {f.kind for f in found}:
        found += lint_nights.check(source, list(nights.of(blob, node, year)))
    return ordered(found)


def _site(source: Source) -> Iterator[Finding]:
    if source.placed:
        return
    says = "the place is not known: no sunset and no sunrise; without a photocell it is lit by day"
    if any(step[0] != CLOCK for plan in source.plans.values() for step in plan):
        says += ", and steps after sunset or before sunrise never come"
    yield Finding("error", "no-site", "site", says, "give the site's latitude and longitude")


def _lamp(source: Source) -> Iterator[Finding]:
    design, minimum, maximum, rated_w, budget_w = source.lamp[:5]
    if minimum > maximum:
        yield Finding(
            "error", "limits", "lamp", f"the minimum, {minimum} %, is above the maximum, {maximum}"
            " %: every level is the minimum", "lower the minimum or raise the maximum",
        )  # fmt: skip
    if design < minimum:
        yield Finding(
            "error", "design-below-minimum", "lamp", f"the design level, {design} %, what the lamp"
            f" falls back to, is below the minimum, {minimum} %", "raise the design level",
        )  # fmt: skip
    elif design > maximum:
        yield Finding(
            "warning", "design-above-maximum", "lamp", f"the design level, {design} %, is above the"
            f" maximum: it becomes {maximum} %", "lower the design level or raise the maximum",
        )  # fmt: skip
    if rated_w and 0 < budget_w < rated_w * maximum // 100:
        yield Finding(
            "note", "budget", "lamp", f"the post's {budget_w} W allow {budget_w * 100 // rated_w} %"
            f" of {rated_w} W: levels above it become that",
            "nothing, where the post cannot do more",
        )  # fmt: skip
    for before, after in pairwise(source.upkeep):
        if after[0] <= before[0]:
            yield Finding(
                "error", "upkeep", "upkeep", f"{after[0] * 10} hours come after {before[0] * 10}",
                "write the curve with rising hours",
            )  # fmt: skip


def _fitting(source: Source) -> dict[tuple[int, int], list[int]]:
    """Return which rules fit, of every (day of a leap year, weekday)."""
    found = {}
    first = civil.day_of(_LEAP_YEAR, 1, 1)
    for n in range(366):
        date = civil.date_of(first + n)[1:]
        on_date = []
        for which, (mask, *dates, _) in enumerate(source.rules):
            begins, ends = tuple(dates[:2]), tuple(dates[2:])
            if begins <= date <= ends if begins <= ends else date >= begins or date <= ends:
                on_date.append((which, mask))
        for weekday in _WEEK:
            found[n, weekday] = [which for which, mask in on_date if mask >> weekday & 1]
    return found


def _rules(source: Source, year: int) -> Iterator[Finding]:
    fitting = _fitting(source)
    applies = {fits[0] for fits in fitting.values() if fits}
    for which, rule in enumerate(source.rules):
        plan = rule[5]
        place = source.rule(which)
        ahead = {fits[0] for fits in fitting.values() if which in fits}
        if not ahead:
            yield Finding(
                "warning", "rule-empty", place, "no date has its weekday and lies in its span",
                "give it weekdays and dates, or leave it out",
            )  # fmt: skip
        elif which not in applies:
            others = ", ".join(f"rule {n}" for n in sorted(ahead))
            yield Finding(
                "warning", "rule-covered", place, f"it never applies: {others} before it cover"
                f"{'s' if len(ahead) == 1 else ''} all its dates",
                "move it before them, or leave it out",
            )  # fmt: skip
        else:
            lost = tuple(
                day
                for day, fits in _of_year(fitting, year)
                if which in fits and source.rules[fits[0]][5] != plan
            )
            if lost:
                yield Finding(
                    "note", "rule-overlap", place, "an earlier rule that also fits counts instead",
                    "nothing, where that is meant; else change their order", lost,
                )  # fmt: skip
        if plan not in source.plans:
            where = tuple(day for day, fits in _of_year(fitting, year) if fits[:1] == [which])
            yield Finding(
                "error", "no-plan", place, f"there is no {source.plan(plan)}: the design level all"
                " night", "write the plan, or name another", where,
            )  # fmt: skip
    yield from _plans(source, fitting, year)


def _of_year(
    fitting: Mapping[tuple[int, int], list[int]], year: int
) -> Iterator[tuple[int, list[int]]]:
    first = civil.day_of(_LEAP_YEAR, 1, 1)
    for day in nights.days(year):
        _, month, of_month = civil.date_of(day)
        n = civil.day_of(_LEAP_YEAR, month, of_month) - first
        yield day, fitting[n, civil.weekday(day)]


def _plans(
    source: Source, fitting: Mapping[tuple[int, int], list[int]], year: int
) -> Iterator[Finding]:
    chosen = {source.rules[fits[0]][5] if fits else 0 for fits in fitting.values()}
    if not source.plans:
        yield Finding(
            "note", "no-plans", "program", "there is no plan: the design level every night",
            f"write {source.plan(0)}",
        )  # fmt: skip
        return
    for number, steps in source.plans.items():
        place = source.plan(number)
        if number not in chosen:
            yield Finding(
                "warning", "plan-unused", place, "no rule chooses it on any date",
                "write a rule for it, or leave it out",
            )  # fmt: skip
        if not steps:
            yield Finding(
                "note", "plan-empty", place, "it has no step: the design level all night",
                "nothing, where that is meant",
            )  # fmt: skip
    for number in source.twice:
        yield Finding(
            "error", "plan-twice", source.plan(number), "it is written twice: the last counts",
            "give one of them another number",
        )  # fmt: skip
    if 0 not in source.plans:
        where = tuple(day for day, fits in _of_year(fitting, year) if not fits)
        if where:
            yield Finding(
                "warning", "no-rule", "rules", f"no rule fits and there is no {source.plan(0)}:"
                " the design level all night", f"write {source.plan(0)}, or a rule for these dates",
                where,
            )  # fmt: skip


def _levels(source: Source) -> Iterator[Finding]:
    maximum = source.lamp[2]
    for number, steps in source.plans.items():
        for which, (_, _, percent, _) in enumerate(steps):
            place = source.step(number, which)
            if percent > 100:
                yield Finding(
                    "error", "level", place, "there is no level above 100 %", "write 100 or less"
                )
            elif percent < source.least:
                yield Finding(
                    "warning", "below-minimum", place, f"it is below the minimum: it becomes"
                    f" {source.least} %", "raise the step, or lower the lamp's minimum",
                )  # fmt: skip
            elif percent > maximum >= source.least:
                yield Finding(
                    "warning", "above-maximum", place, f"it is above the maximum: it becomes"
                    f" {maximum} %", "lower the step, or raise the lamp's maximum",
                )  # fmt: skip


def _traffic(source: Source, parts: Collection[str] | None) -> Iterator[Finding]:
    service, half, quarter = source.traffic
    reduces = min(half, quarter) < 100
    if reduces and not service:
        yield Finding(
            "warning", "no-service-flow", "traffic", "without a service flow nothing is reduced",
            "give the road's service flow in vehicles an hour",
        )  # fmt: skip
    if service and not reduces:
        yield Finding(
            "note", "no-reduction", "traffic", "both shares are 100 %: traffic changes nothing",
            "write what is left below half and below a quarter of the service flow",
        )  # fmt: skip
    if quarter > half:
        yield Finding(
            "warning", "reduction-order", "traffic", "less traffic gives more light:"
            f" {half} % below half of the service flow, {quarter} % below a quarter",
            "swap the two",
        )  # fmt: skip
    if service and reduces and parts is not None and "radar" not in parts:
        yield Finding(
            "warning", "no-radar", "traffic", "the profile has no radar: traffic never reduces",
            "add the radar to the profile, or leave the reduction out",
        )  # fmt: skip


def _presence(source: Source, parts: Collection[str] | None) -> Iterator[Finding]:
    level, _, _, neighbours = source.presence
    if not level:
        return
    grouped = GROUP in source.sections
    if level > source.lamp[2]:
        yield Finding(
            "warning", "above-maximum", "presence", f"{level} % is above the maximum: it becomes"
            f" {source.lamp[2]} %", "lower it, or raise the lamp's maximum",
        )  # fmt: skip
    if neighbours and not grouped:
        yield Finding(
            "warning", "no-group", "presence", f"a wave to {neighbours} neighbours needs a group",
            "make the node a member of a group, or write 0 neighbours",
        )  # fmt: skip
    if parts is not None and "radar" not in parts:
        if not grouped:
            yield Finding(
                "warning", "no-radar", "presence", "neither radar nor group: it never raises",
                "add the radar to the profile, or make the node a member of a group",
            )  # fmt: skip
        else:
            yield Finding(
                "note", "no-radar", "presence", "without a radar only neighbours' waves raise it",
                "nothing, where that is meant",
            )  # fmt: skip
    highest = max((step[2] for plan in source.plans.values() for step in plan), default=100)
    lowest = min((step[2] for plan in source.plans.values() for step in plan), default=100)
    if level <= lowest:
        yield Finding(
            "warning", "no-boost", "presence", f"{level} % is not above any level of the plans,"
            f" {lowest} to {highest} %: it never raises", "raise it above the dimmed level",
        )  # fmt: skip


def _cell(source: Source, parts: Collection[str] | None) -> Iterator[Finding]:
    cell = source.night[0]
    if cell not in (BY_SUN, BY_CELL, BY_EITHER):
        yield Finding(
            "error", "source", "night", f"there is no source {cell}", "write sun, cell or either"
        )
    if cell == BY_CELL and parts is not None and "light" not in parts:
        yield Finding(
            "warning", "no-photocell", "night",
            "the profile has no photocell: the sun tells instead",
            "add the light sensor to the profile, or choose the sun",
        )  # fmt: skip
    if source.night[4] < source.night[3]:
        yield Finding(
            "warning", "threshold", "night", f"bright above {source.night[4]} lx, dark below"
            f" {source.night[3]} lx: they count as the same, and dusk may switch the lamp twice",
            "put the bright threshold above the dark one",
        )  # fmt: skip
