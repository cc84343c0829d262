"""The rules of a state folder: `alarms.toml` beside the fleet's file, checked at the edge.

[built_in]                       what is said of the rules that come with Lampione
noise.class = "III"              noise limits of this class of DPCM 14/11/1997
air.band = "very poor"           from this band of the European Air Quality Index on
radio.off = true                 not judged
voltage-low.severity = "major"

[rules.loud]                     a rule of one's own, under its name
field = "laeq"                   of a report or a health; `report.` or `health.` before it
above = 80                       or `below`, or `is` with words
clear = 75
for = "10m"
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from lampione.alarms import built_in
from lampione.alarms.load import FILE, RulesError
from lampione.alarms.rules import Of, Rule, Severity, layout_of, words_of
from lampione.config.table import Table
from lampione.durations import duration_s
from lampione.rollup.air import BANDS

LONGEST_S = 86400


def _duration(text: str) -> str:
    if duration_s(text) > LONGEST_S:
        raise ValueError("is a day at most")
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Patterns = Annotated[tuple[str, ...], Field(strict=False, max_length=1000)]


class BuiltInTable(Table):
    """What is said of a rule that comes with Lampione."""

    off: bool = False
    severity: Severity | None = None
    for_: Duration | None = Field(default=None, alias="for")
    nodes: Patterns = ()
    sites: Patterns = ()
    profiles: Patterns = ()
    class_: Literal["I", "II", "III", "IV", "V", "VI"] | None = Field(default=None, alias="class")
    band: str | None = None


class RuleTable(Table):
    """A rule of one's own."""

    field: str
    what: str | None = Field(default=None, min_length=1, max_length=80)
    severity: Severity = "warning"
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    is_: Annotated[tuple[str, ...], Field(strict=False)] = Field(default=(), alias="is")
    for_: Duration = Field(default="0s", alias="for")
    clear_for: Duration = "0s"
    nodes: Patterns = ()
    sites: Patterns = ()
    profiles: Patterns = ()
    mend: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        of, name = _of(self.field)
        words = words_of(of, name)
        given = [self.above is not None, self.below is not None, bool(self.is_)]
        if sum(given) != 1:
            raise ValueError("needs one of above, below and is")
        if words is None and self.is_:
            raise ValueError(f"is: {name} is a number: use above or below")
        if words is not None:
            if not self.is_:
                raise ValueError(f"{name} is no number: use is, with {', '.join(words)}")
            for word in self.is_:
                if word not in words:
                    raise ValueError(f"is: {name} is one of {', '.join(words)}")
        if self.clear is not None and (
            bool(self.is_)
            or (self.above is not None and self.clear > self.above)
            or (self.below is not None and self.clear < self.below)
        ):
            raise ValueError("clear: lies on the other side of the limit than what is judged")
        return self


class RulesFile(Table):
    """The whole file."""

    built_in: dict[str, BuiltInTable] = Field(default_factory=dict)
    rules: dict[str, RuleTable] = Field(default_factory=dict)


def _of(field: str) -> tuple[Of, str]:
    """Return whose field it is. Raises ValueError."""
    message, _, name = field.rpartition(".")
    places: tuple[Of, ...] = ("report", "health")
    for of in places:
        if (
            message in ("", of)
            and layout_of(of, name) is not None
            and name not in ("start", "time")
        ):
            return of, name
    raise ValueError(f"field: neither a report nor a health has {field!r}")


def _changed(name: str, rule: Rule, table: BuiltInTable, source: str) -> Rule:
    more: dict[str, Any] = {"source": source}
    if table.class_ is not None:
        if name != "noise":
            raise ValueError(f"built_in.{name} class: noise alone has one")
        rule = built_in.noise_rule(table.class_)
    if table.band is not None:
        if name != "air" or table.band not in BANDS[1:]:
            raise ValueError(f"built_in.{name} band: air has one, of {', '.join(BANDS[1:])}")
        rule = built_in.air_rule(BANDS.index(table.band) + 1)
    for key in ("nodes", "sites", "profiles", "severity"):
        if getattr(table, key):
            more[key] = getattr(table, key)
    if table.for_ is not None:
        more["for_s"] = int(duration_s(table.for_))
    return Rule(**{**rule.__dict__, **more})


def loads(text: str, name: str = FILE) -> list[Rule]:
    """Return the rules that a text leaves or makes; `name` is the file's. Raises RulesError."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RulesError(f"{name}: not TOML: {error}") from None
    try:
        found = RulesFile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        words = {"missing": "is missing", "extra_forbidden": "is not known here"}
        said = words.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise RulesError(f"{name}: {place}: {said}") from None
    rules = {rule.name: rule for rule in built_in.every()}
    try:
        for key, table in found.built_in.items():
            if key not in rules:
                raise ValueError(f"built_in.{key}: there is no such rule: {', '.join(rules)} are")
            if table.off:
                del rules[key]
            else:
                rules[key] = _changed(key, rules[key], table, name)
        for key, own in found.rules.items():
            if key in {rule.name for rule in built_in.every()}:
                raise ValueError(f"rules.{key}: a built-in rule has this name")
            rules[key] = _own(key, own, name)
    except ValueError as error:
        raise RulesError(f"{name}: {error}") from None
    return list(rules.values())


def _own(name: str, table: RuleTable, source: str) -> Rule:
    of, field = _of(table.field)
    return Rule(
        name, table.what or name, table.severity, of, field, table.above, table.below, table.clear,
        table.is_, None, int(duration_s(table.for_)), int(duration_s(table.clear_for)),
        table.nodes, table.sites, table.profiles, table.mend, source,
    )  # fmt: skip


def load(path: Path) -> list[Rule]:
    """Return the rules of a file. Raises RulesError."""
    try:
        return loads(path.read_text(encoding="utf-8-sig"), path.name)
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RulesError(f"{path}: not UTF-8 text") from None
