"""A board's integers of 31 bits, signed, are enough for a level: a larger one is on the heap."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter
from lampione_light.level import Sensed, level_at
from lampione_light.program import Program

from benchmarks import light, sample
from tests.light import configs
from tests.light.configs import BEGIN, END, ORDERS, SENSED
from tests.light.reference import Config, Order, Senses

SMALL = 1 << 30
RAMP_MS = 65_535_000  # no ramp is longer


class Small(int):
    """What is computed of it is one too, and never too large."""

    def __new__(cls, value: int) -> "Small":
        assert -SMALL <= value < SMALL
        return super().__new__(cls, value)

    def __add__(self, other: int) -> "Small":
        return Small(int(self) + int(other))

    def __sub__(self, other: int) -> "Small":
        return Small(int(self) - int(other))

    def __rsub__(self, other: int) -> "Small":
        return Small(int(other) - int(self))

    def __mul__(self, other: Any) -> "Small":
        return Small(int(self) * int(other))

    def __floordiv__(self, other: int) -> "Small":
        return Small(int(self) // int(other))

    __radd__ = __add__
    __rmul__ = __mul__


def small(values: Any) -> list[Any]:
    return [value if value is None else Small(value) for value in values]


@settings(deadline=None, max_examples=150)
@given(
    configs.configs(latitude=72, hostile=False),
    st.integers(BEGIN, END - 23 * 86400),  # a step may be written so long after sunset
    SENSED,
    ORDERS,
    st.binary(),
)
def test_all_that_is_computed(
    config: Config, now: int, senses: Senses, orders: tuple[Order, ...], node: bytes
) -> None:
    """From 2020 to 2053, orders as long as they can be, a lamp as old as its curve."""
    orders = tuple(order._replace(ramp_ms=min(order.ramp_ms, RAMP_MS)) for order in orders)
    program = Program(configs.blob(config), node)
    plain = level_at(program, now, configs.sensed(senses), [list(order) for order in orders])
    narrow = Program(configs.blob(config), node)
    narrow.lamp = tuple(small(narrow.lamp))
    narrow.upkeep = tuple(tuple(small(row)) for row in narrow.upkeep)
    sensed = Sensed()
    sensed.dark, sensed.reduction, sensed.fault = senses.dark, senses.reduction, senses.fault
    sensed.burn_h, sensed.celsius = small([senses.burn_h, senses.celsius])
    assert level_at(narrow, Small(now), sensed, [small(order) for order in orders]) == plain


def test_the_measure() -> None:
    assert Small(5) * 7 - 1 == 34
    with pytest.raises(AssertionError):
        Small(1 << 20) * 1024


def test_a_level_allocates_little() -> None:
    """On MicroPython, where a word is twice a board's: two tuples, a dict, frames."""
    script = light.SCRIPT.format(values=sample.steps(1), rounds=0)
    lines = interpreter.run(["-c", script], path=light.PATH).decode().splitlines()
    _, steady, sensing, day, _, held = [int(line.split()[1]) for line in lines]
    assert steady <= 512
    assert sensing <= 640
    assert day <= 80_000  # once, floats most of it
    assert held <= 4096
