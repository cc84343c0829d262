"""What differs between two configs, key by key, as people read it; secrets stay secret."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretBytes, SecretStr

from lampione.config.light import Rule, Step, Upkeep
from lampione.config.model import REBOOT, NodeConfig

HIDDEN = "a secret"
_SECTIONS = tuple(NodeConfig.model_fields)


class Change(NamedTuple):
    """One key. `before` and `after` are None where it is absent; of secrets only that they are."""

    key: str
    before: str | None
    after: str | None
    reboot: bool

    @property
    def secret(self) -> bool:
        """Say whether the values are kept back."""
        return HIDDEN in (self.before, self.after)


def _step(step: Step) -> str:
    return f"{step.at} {step.percent} %" + (f" in {step.ramp_s} s" if step.ramp_s else "")


def _rule(rule: Rule) -> str:
    return f"{' '.join(rule.weekdays)}, {rule.first} to {rule.last}: plan {rule.plan}"


def _upkeep(row: Upkeep) -> str:
    return f"{row.hours} h {row.percent} %"


def values(config: NodeConfig) -> dict[str, Any]:
    """Return every key with its value; a step, a rule, a row of upkeep is one value."""
    found: dict[str, Any] = {}
    for section in ("site", "lamp", "night", "traffic", "presence", "reporting", "group", "radio"):
        table = getattr(config, section)
        if table is not None:
            found |= dict(_flat(section, table.model_dump(exclude={"upkeep"})))
    found |= {f"lamp.upkeep[{n}]": _upkeep(row) for n, row in enumerate(config.lamp.upkeep)}
    for plan in config.plans:
        for n, step in enumerate(plan.steps):
            found[f"plans[{plan.number}].steps[{n}]"] = _step(step)
    found |= {f"rules[{n}]": _rule(rule) for n, rule in enumerate(config.rules)}
    if config.parts is not None:
        found |= dict(_flat("parts", config.parts.settings()))
    return dict(sorted(found.items(), key=_place))


def _flat(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value


def shown(value: Any) -> str | None:
    """Return a value as people read it."""
    if value is None:
        return None
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN if value.get_secret_value() else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)


def diff(before: NodeConfig | None, after: NodeConfig) -> list[Change]:
    """Return what changes, in the model's order; everything where nothing is known of before."""
    old = {} if before is None else values(before)
    new = values(after)
    ordered = [key for key, _ in sorted((new | old).items(), key=_place)]
    return [
        Change(key, shown(old.get(key)), shown(new.get(key)), _section(key) in REBOOT)
        for key in ordered
        if old.get(key) != new.get(key) or (key in old) != (key in new)
    ]


def _place(item: tuple[str, Any]) -> int:
    return _SECTIONS.index(_section(item[0]))


def _section(key: str) -> str:
    return key.partition(".")[0].partition("[")[0]
