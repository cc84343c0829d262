"""Hypothesis strategies over the schema: values that a field may hold."""

from typing import Any

from hypothesis import strategies as st
from lampione_protocol.names import ALL_MESSAGES

Field = tuple[Any, ...]
Values = list[Any]

BY_NAME: dict[str, tuple[Field, ...]] = {name: fields for _, name, fields in ALL_MESSAGES}


def field_value(field: Field) -> st.SearchStrategy[Any]:
    """Return what a field may hold, its edges often."""
    _, kind, bits, low, high, *_ = field
    if kind == "x":
        return st.none()
    if kind == "y":
        return st.binary(min_size=bits // 8, max_size=bits // 8)
    if kind == "t":
        return st.binary(max_size=bits // 8)
    number = st.integers(low, high) | st.sampled_from([low, high])
    return number if kind == "c" else number | st.none()


def values_of(fields: tuple[Field, ...]) -> st.SearchStrategy[Values]:
    """Return the values of a message."""
    return st.tuples(*(field_value(f) for f in fields)).map(list)


def any_message(*, without: tuple[str, ...] = ()) -> st.SearchStrategy[tuple[str, Values]]:
    """Return (name, values) of any message."""
    names = [n for n in BY_NAME if n not in without]
    return st.sampled_from(names).flatmap(
        lambda name: st.tuples(st.just(name), values_of(BY_NAME[name]))
    )
