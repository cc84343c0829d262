"""The lamp's level: a function of time, config, what was sensed, and orders. Nothing else.

Computed anew whenever it is asked for, so a power cut cannot leave a wrong level behind. What
counts, first to last:

    maintenance    an order: dark while somebody works on the lamp; it cannot be overruled
    emergency      an order: its level, full-on as a rule, as far as the post allows, whatever the
                   maximum says
    fault          of the control: the design level in the dark; where nothing says whether it is
                   dark, always
    override       an order: somebody's level, 0 included
    day            dark: what says so, sun, photocell or both, is the config's choice (program)
    program        the plan's level, less where the traffic allows, more where somebody walks

An order always ends. Only maintenance, an override and the day make a street dark: any other level
is `minimum` percent or more, and 1 % or more whatever the config says. Where nothing tells day from
night it is night, at the design level; a node with a config that has no time is so by fault, in
the dark, and one without any config by design.

Levels are whole 0.01 %, rounded down wherever one is computed, 100 % at most. Constant light output
lowers the program's levels, traffic and presence included, while the lamp is young. The maximum
lowers every level but those of maintenance and emergency; the post's power budget and the heat
lower every one; none goes below the minimum, but for an override of 0 and maintenance.
"""

from lampione_light.tonight import Tonight

# Why the level is what it is: the wire's numbers. Orders are named by them.
DESIGN = 0
PROGRAM = 1
SENSOR = 2  # somebody walks here, or the traffic is low
OVERRIDE = 3
FAULT = 4
GROUP = 5  # somebody walks nearby
EMERGENCY = 6
MAINTENANCE = 7

FULL = 10000

# An order: [kind, level, ramp ms, length ms, elapsed ms, level when it began, author]. No length is
# beyond a million seconds, no ramp beyond 65535: a board's small integers hold no more.
KIND = 0
LEVEL = 1
RAMP = 2
LENGTH = 3
ELAPSED = 4
START = 5
AUTHOR = 6


class Sensed:
    """What was sensed.

    Attributes:
        dark: what the photocell says; None: nothing.
        reduction: lighting classes that the traffic allows to go down, 0 to 2 (traffic).
        fault: of the control, or of its config.
        burn_h: hours that the lamp has burnt; None: unknown.
        celsius: the temperature of what heats up; None: unknown.
    """

    def __init__(self) -> None:
        self.dark: "bool | None" = None
        self.burn_h: "int | None" = None
        self.celsius: "int | None" = None
        self.reduction = 0
        self.fault = False


def between(start: int, end: int, part: int, whole: int) -> int:
    """Return what lies `part` of `whole` on the way; both may be a million seconds in ms."""
    while whole > 65535:  # the product of level and part stays below 2^30
        whole >>= 1
        part >>= 1
    return start + (end - start) * part // whole


def moved(order: list) -> int:
    """Return where an order's own level is now: on its ramp, or there."""
    if order[ELAPSED] < order[RAMP]:
        return between(order[START], order[LEVEL], order[ELAPSED], order[RAMP])
    return order[LEVEL]


def lasts(order: list) -> bool:
    """Say whether an order is still in force; one that only raises also has to come down again."""
    length = order[LENGTH]
    if order[KIND] in (SENSOR, GROUP):
        length += order[RAMP]
    return order[ELAPSED] < length


def raised(base: int, order: list) -> int:
    """Return a level with somebody walking: up by a ramp, and down by one at the end.

    Of two such orders a neighbour's raises what the own has raised.
    """
    target, ramp, length, elapsed = order[LEVEL], order[RAMP], order[LENGTH], order[ELAPSED]
    if target <= base or not lasts(order):
        return base
    down = elapsed - length
    if elapsed < ramp:
        target = between(base, target, elapsed, ramp)
    if down >= 0:
        target = between(target, base, down, ramp)
    return target


def upkeep_percent(rows: tuple, burn_h: "int | None") -> int:
    """Return the share of full output that gives constant light, on a line between the rows.

    Before the first row it is that row's, after the last that one's; rows are in order of hours.
    """
    if burn_h is None or not rows:
        return 100
    hours, percent = rows[0][0] * 10, rows[0][1]
    for next_hours, next_percent in rows:
        next_hours *= 10
        if burn_h < next_hours:
            if burn_h <= hours:
                break
            return percent + (next_percent - percent) * (burn_h - hours) // (next_hours - hours)
        hours, percent = next_hours, next_percent
    return percent


def limit(program: Tonight, celsius: "int | None") -> int:
    """Return the highest level that the post's power budget and the heat allow.

    Above `hot_c` the level falls on a line, to its share at `hottest_c` and beyond.
    """
    _, _, _, rated_w, budget_w, _, _, _, _, _, hot_c, hottest_c, hot_percent = program.lamp
    most = FULL
    if rated_w and 0 < budget_w < rated_w:
        most = budget_w * FULL // rated_w
    if celsius is not None and celsius > hot_c:
        share = hot_percent
        if celsius < hottest_c:
            share = 100 - (100 - hot_percent) * (celsius - hot_c) // (hottest_c - hot_c)
        most = most * min(share, 100) // 100
    return most


def level_at(program: Tonight, now: "int | None", sensed: Sensed, orders: list) -> tuple:
    """Return (level, reason, author).

    Args:
        program: tonight.Tonight, as a rule a Program.
        now: seconds since 2020-01-01 UTC; None while the clock is unset.
        sensed: at this instant.
        orders: lists as above, each kind at most once; those that are over count no more.

    The author is the order's, of a program's level plan << 5 | step, otherwise 0.
    """
    by_kind = {}
    for order in orders:
        if lasts(order):
            by_kind[order[KIND]] = order
    design, minimum, maximum = program.lamp[:3]
    least = max(1, min(minimum, 100)) * 100
    most = limit(program, sensed.celsius)
    order = by_kind.get(MAINTENANCE)
    if order:
        return min(moved(order), most), MAINTENANCE, order[AUTHOR]
    order = by_kind.get(EMERGENCY)
    if order:
        return max(least, min(moved(order), most)), EMERGENCY, order[AUTHOR]
    most = min(most, maximum * 100)
    full = max(least, min(design * 100, most))
    night = program.is_night(now, sensed.dark)
    if sensed.fault:
        return (0 if night is False else full), FAULT, 0
    order = by_kind.get(OVERRIDE)
    if order:
        level = moved(order)
        return level and max(least, min(level, most)), OVERRIDE, order[AUTHOR]
    if night is False:
        return 0, PROGRAM, 0
    if now is None and program.configured:
        return full, FAULT, 0
    if now is None or night is None:
        return full, DESIGN, 0
    level, author = program.at(now)
    reason = PROGRAM
    if sensed.reduction and program.traffic[sensed.reduction] < 100:
        level = level * program.traffic[sensed.reduction] // 100
        reason = SENSOR
    for kind in (SENSOR, GROUP):
        order = by_kind.get(kind)
        if order:
            higher = raised(level, order)
            if higher > level:
                level, reason, author = higher, kind, order[AUTHOR]
    level = level * upkeep_percent(program.upkeep, sensed.burn_h) // 100
    return max(least, min(level, most)), reason, author
