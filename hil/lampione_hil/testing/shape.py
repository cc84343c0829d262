"""The shape of a record that somebody else may have written: checked before it is used."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Table(BaseModel):
    """What must be there; more may be: a later version adds, and never takes away."""

    model_config = ConfigDict(strict=True, extra="allow")


_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Measurement(_Table):
    name: str
    value: _Number | None
    low: _Number | None
    high: _Number | None
    unit: str
    ok: bool


class _Run(_Table):
    turn: int
    outcome: Literal["pass", "fail", "skip", "broken"]
    why: str
    measurements: list[_Measurement]


class _Test(_Table):
    test: str
    flaky: str
    runs: list[_Run] = Field(min_length=1)


class _Verdict(_Table):
    verdict: Literal["pass", "fail", "inconclusive"]
    reasons: list[str]


class _Firmware(_Table):
    id: str
    revision: str


class _Rig(_Table):
    name: str


class _Record(_Table):
    made: str = Field(min_length=10)
    rig: _Rig
    firmware: _Firmware
    tests: list[_Test]
    verdict: _Verdict


def wrong(record: dict[str, Any]) -> str:
    """Say where a record has not the shape of one; "" when it has."""
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    return ""
