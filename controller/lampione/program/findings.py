"""What the linter says, and what it looks at."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from lampione_light import layout
from lampione_light.layout import (
    LAMP,
    NIGHT,
    PLAN,
    PRESENCE,
    RULES,
    SITE,
    TRAFFIC,
    UPKEEP,
    fields,
    rows,
)
from lampione_light.program import Program

from lampione.program import words

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Finding(NamedTuple):
    """One mistake, or one thing to know.

    kind: its name, for programs.
    place: of the config.
    says, do: what it is, and what to do about it.
    nights: lighting days that it concerns; none: no night in particular.
    """

    severity: Severity
    kind: str
    place: str
    says: str
    do: str
    nights: tuple[int, ...] = ()


class Source:
    """A config as it was written, section by section.

    Args:
        names: of plans, where they have any.
    """

    def __init__(self, blob: bytes, names: Mapping[int, str]) -> None:
        found = dict(layout.DEFAULTS)
        self.sections: set[int] = set()
        self.plans: dict[int, list[tuple[int, int, int, int]]] = {}
        self.twice: list[int] = []
        self.rules: list[tuple[int, int, int, int, int, int]] = []
        self.upkeep: list[tuple[int, int]] = []
        for section, content in layout.sections(blob):
            self.sections.add(section)
            if section == PLAN and content:
                if content[0] in self.plans:
                    self.twice.append(content[0])
                self.plans[content[0]] = rows(PLAN, content[1:])
            elif section == RULES:
                self.rules = rows(RULES, content)
            elif section == UPKEEP:
                self.upkeep = rows(UPKEEP, content)
            elif section in found:
                found[section] = fields(section, content)
        self.site: tuple[int, ...] = found[SITE]
        self.placed: bool = Program(blob, b"").placed
        self.lamp: tuple[int, ...] = found[LAMP]
        self.night: tuple[int, ...] = found[NIGHT]
        self.traffic: tuple[int, ...] = found[TRAFFIC]
        self.presence: tuple[int, ...] = found[PRESENCE]
        self._names = names

    @property
    def least(self) -> int:
        """The lowest level of a lamp that is lit, in percent."""
        return max(1, min(self.lamp[1], 100))

    def plan(self, number: int) -> str:
        """Name a plan."""
        return f"plan {self._names.get(number, number)}"

    def step(self, plan: int, which: int) -> str:
        """Name a step."""
        anchor, minutes, percent, _ = self.plans[plan][which]
        return f"{self.plan(plan)} step {which}: {words.moment(anchor, minutes)}, {percent} %"

    def rule(self, which: int) -> str:
        """Name a rule."""
        mask, *dates, plan = self.rules[which]
        first, last = words.month_day(*dates[:2]), words.month_day(*dates[2:])
        when = words.weekdays(mask)
        if (first, last) != ("1 Jan", "31 Dec"):
            when += f" {first}-{last}"
        return f"rule {which}: {when}, {self.plan(plan)}"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return the gravest first, otherwise as they came."""
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))
