"""Lighting programs as people write them: `[programs.NAME]` in the fleet's file."""

from typing import Any, Self

from pydantic import Field, model_validator

from lampione.config.light import Night, Plan, Presence, Rule, RuleDates, Steps, Traffic
from lampione.config.model import PLANS_MAX, RULES_MAX, Name
from lampione.config.table import Table

DEFAULT_PLAN = "default"


class CalendarRule(RuleDates):
    """Nights that have a plan of their own; the first rule that fits counts."""

    plan: Name


class Program(Table):
    """A program. Plans by name; "default" is that of the nights that no rule claims."""

    night: Night = Night()
    plans: dict[Name, Steps] = Field(default_factory=dict, max_length=PLANS_MAX)
    rules: tuple[CalendarRule, ...] = Field(default=(), strict=False, max_length=RULES_MAX)
    traffic: Traffic = Traffic()
    presence: Presence = Presence()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for n, rule in enumerate(self.rules):
            if rule.plan not in self.plans:
                raise ValueError(f"rules[{n}] plan: there is no plan {rule.plan!r}")
        return self

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each plan on a node: 0 for "default", the others in the file's order."""
        others = [name for name in self.plans if name != DEFAULT_PLAN]
        return {DEFAULT_PLAN: 0} | {name: n for n, name in enumerate(others, 1)}

    def sections(self) -> dict[str, Any]:
        """Return what a `NodeConfig` has of it."""
        numbers = self.numbers
        return {
            "night": self.night,
            "plans": tuple(
                Plan(number=numbers[name], steps=steps) for name, steps in self.plans.items()
            ),
            "rules": tuple(
                Rule(
                    weekdays=rule.weekdays,
                    first=rule.first,
                    last=rule.last,
                    plan=numbers[rule.plan],
                )
                for rule in self.rules
            ),
            "traffic": self.traffic,
            "presence": self.presence,
        }
