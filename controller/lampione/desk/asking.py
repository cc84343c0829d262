"""Says of which rows a question is true; the grammar is that of `lampione.live.words`.

As the core says it of its columns (`lampione.live.fields`): what is not of now is not known, and
neither a comparison nor its opposite is true of it.
"""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lampione.desk import present
from lampione.desk.present import Row
from lampione.live import age, meaning
from lampione.live.meaning import Kind
from lampione.live.words import Asked, Compare, Every, Faulty, Not, Word, leaves

Test = Callable[[Row], bool]
_Truth = Callable[[Row, float], bool | None]
"""Of a row at one time; None: it is not known."""
_Read = Callable[[Row, float], Any]
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


def asker(asked: Asked, faulty: Test, now: Callable[[], float]) -> Test:
    """Return what says whether a question is true of a row. Raises WordsError."""
    truth = _truth(asked, faulty)
    return lambda row: truth(row, now()) is True


def ages(asked: Asked) -> bool:
    """Say whether time alone changes the answer."""
    return any(
        isinstance(leaf, Compare)
        and (field := meaning.find(leaf.field)).kind != "text"
        and (field.message in ("report", "health") or field.kind == "seconds")
        for leaf in leaves(asked)
    )


def _truth(asked: Asked, faulty: Test) -> _Truth:
    if isinstance(asked, Compare):
        return _comparison(asked)
    if isinstance(asked, Faulty):
        return lambda row, _: faulty(row)
    if isinstance(asked, Not):
        return _opposite(_truth(asked.of, faulty))
    if isinstance(asked, Word):
        return _word(asked.text)
    parts = [_truth(part, faulty) for part in asked.of]
    return _joined(parts, stop=not isinstance(asked, Every))


def _opposite(of: _Truth) -> _Truth:
    def truth(row: Row, now: float) -> bool | None:
        found = of(row, now)
        return None if found is None else not found

    return truth


def _joined(parts: list[_Truth], *, stop: bool) -> _Truth:
    """Return `stop` when one of them is that, else the other; not known when one is not."""

    def truth(row: Row, now: float) -> bool | None:
        known = True
        for part in parts:
            found = part(row, now)
            if found is stop:
                return stop
            known &= found is not None
        return not stop if known else None

    return truth


def _word(word: str) -> _Truth:
    def truth(row: Row, _: float) -> bool:
        reason = row["report"].get("lamp_reason") or ""
        return any(
            word in text.lower() for text in (row["node"], row["site"], row["state"], reason)
        )

    return truth


def _comparison(asked: Compare) -> _Truth:
    field, sign, value = meaning.meaning(asked)
    read = _reader(field)
    if value is None:
        if sign == "=":
            return lambda row, now: read(row, now) is None
        return lambda row, now: read(row, now) is not None
    if isinstance(value, Decimal):
        limit, compare = float(value), _ORDERED[sign]
        return lambda row, now: None if (found := read(row, now)) is None else compare(found, limit)
    if isinstance(value, str):
        fits = meaning.fitting(value)
    else:
        word = field.words[value]
        fits = (lambda found: word in found) if field.kind == "flags" else word.__eq__
    wanted = sign != "!="
    return lambda row, now: None if (found := read(row, now)) is None else fits(found) is wanted


def _reader(field: Kind) -> _Read:
    """Return what reads a field of a row; it gives None for what is not of now."""
    name, message = field.name, field.message
    if name == "age":
        return lambda row, now: _age(_report_at(row), now)
    if name == "health_age":
        return lambda row, now: _age(_health_at(row), now)
    if name == "quiet":
        return lambda row, now: _age(row["last_seen"], now)
    if message == "report":
        return lambda row, now: present.reported(row, name) if _fresh_report(row, now) else None
    if message == "health":
        return lambda row, now: row["health"].get(name) if _fresh_health(row, now) else None
    if message:
        return lambda row, _: row[message].get(name)
    return lambda row, _: row[name]


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else max(now - at, 0.0)


def _fresh_report(row: Row, now: float) -> bool:
    at = _report_at(row)
    return at is not None and now - at <= age.quiet_after(row["report"].get("duration_s"))


def _fresh_health(row: Row, now: float) -> bool:
    at = _health_at(row)
    return at is not None and now - at <= age.HEALTH_FRESH_S


def _report_at(row: Row) -> float | None:
    report = row["report"]
    return _said_at(row["report_at"], report, "start", report.get("duration_s"))


def _health_at(row: Row) -> float | None:
    return _said_at(row["health_at"], row["health"], "time", None)


def _said_at(
    received: float | None, said: Any, field: str, duration_s: float | None
) -> float | None:
    if received is None:
        return None
    begun = None if said.get("clock") == "unset" else said.get(field)
    return age.said_at(received, begun, duration_s)
