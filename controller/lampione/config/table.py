"""Tables that people write, and the settings in them: each says what it is, its unit, its range."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Table(BaseModel):
    """A table of the file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def setting(default: Any, what: str, unit: str = "", **more: Any) -> Any:
    """Return a field with what documents and forms say of it; `...` for one without a default."""
    extra: dict[str, Any] | None = {"unit": unit} if unit else None
    return Field(default, description=what, json_schema_extra=extra, **more)


def unit_of(field: FieldInfo) -> str:
    """Return a setting's unit, "" without one."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def range_of(field: FieldInfo) -> tuple[Any, Any]:
    """Return a setting's least and greatest value, None where there is none."""

    def find(name: str) -> Any:
        found = (getattr(rule, name, None) for rule in field.metadata)
        return next((limit for limit in found if limit is not None), None)

    return find("ge"), find("le")
