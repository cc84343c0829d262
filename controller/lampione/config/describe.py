"""Every setting of a node, one by one: what documents and forms need to know of it."""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lampione.config.model import REBOOT, NodeConfig
from lampione.config.table import range_of, unit_of
from lampione.wiring import Parts

Kind = Literal["number", "yes or no", "choice", "text", "secret", "list"]


@dataclass(frozen=True)
class Setting:
    """One setting: `path` as in "lamp.dwell_s", "plans[].steps[].at" where there may be many.

    default: None where it has to be given; as JSON has it.
    reboot: whether a node takes it up with a restart only.
    """

    path: str
    what: str
    kind: Kind
    unit: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    required: bool
    default: Any
    reboot: bool

    @property
    def section(self) -> str:
        """The table that it stands in."""
        return self.path.partition(".")[0].removesuffix("[]")


def settings() -> list[Setting]:
    """Return all of them, in the model's order. Those of `parts` are the profiles' matter."""
    return list(_walk(NodeConfig, "", reboot=False))


def _walk(table: type[BaseModel], prefix: str, *, reboot: bool) -> Iterator[Setting]:
    for name, field in table.model_fields.items():
        path = prefix + name
        restarts = reboot or path in REBOOT
        inner, many = _inner(field.annotation)
        if inner is not None and inner is not Parts:
            yield from _walk(inner, f"{path}[]." if many else f"{path}.", reboot=restarts)
        else:
            yield _setting(path, field, reboot=restarts)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the table that a field holds, or many of."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for choice in typing.get_args(annotation):
            found = _inner(choice)
            if found[0] is not None:
                return found
    if origin is tuple:
        return _inner(typing.get_args(annotation)[0])[0], True
    if origin is typing.Annotated:
        return _inner(typing.get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None, False


def _plain(annotation: Any) -> Any:
    """Return a setting's own type, without what is checked and without "or none"."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        kinds = [a for a in typing.get_args(annotation) if a is not type(None)]
        return _plain(kinds[0])
    return annotation


def _setting(path: str, field: FieldInfo, *, reboot: bool) -> Setting:
    plain = _plain(field.annotation)
    choices: tuple[str, ...] = ()
    kind: Kind = "text"
    if typing.get_origin(plain) is Literal:
        kind, choices = "choice", tuple(map(str, typing.get_args(plain)))
    elif plain is bool:
        kind = "yes or no"
    elif plain in (int, float):
        kind = "number"
    elif plain in (SecretStr, SecretBytes):
        kind = "secret"
    elif plain is not str:
        kind = "list"
    low, high = range_of(field)
    required = field.is_required()
    default = None if field.default is PydanticUndefined else field.default
    if isinstance(default, SecretStr | SecretBytes):
        default = ""
    return Setting(
        path, field.description or "", kind, unit_of(field), low, high, choices, required,
        default, reboot,
    )  # fmt: skip


def schema() -> dict[str, Any]:
    """Return the JSON schema; "reboot" in a section says that a node restarts to take it up."""
    found = NodeConfig.model_json_schema()
    for section, table in found["properties"].items():
        table["reboot"] = section in REBOOT
    return found
