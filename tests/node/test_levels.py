"""Levels out of limbs and bins. The functions are plain Python: the firmware's file runs here."""

import json
import types
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter

FIRMWARE = Path(__file__).parents[2] / "firmware"
SOURCE = FIRMWARE / "lampione_node" / "sensing" / "levels.py"
SMALL = 2**30  # the first integer that a 32-bit MicroPython must put on the heap

LIMB = st.integers(0, 2**24 - 1)


def functions() -> dict[str, Any]:
    """Return the plain functions of the module; the viper ones have their own test."""
    text = SOURCE.read_text()
    for line in ("import micropython\n", "from micropython import const\n"):
        assert line in text
        text = text.replace(line, "")
    names: dict[str, Any] = {
        "const": lambda value: value,
        "micropython": types.SimpleNamespace(viper=lambda function: None),
        "ptr32": int,
    }
    exec(compile(text, str(SOURCE), "exec"), names)
    return names


LEVELS = functions()


@settings(max_examples=500, deadline=None)
@given(LIMB, LIMB)
@example(0, 0)
@example(0, 1)
@example(2**24 - 1, 2**24 - 1)
def test_centibels_is_the_logarithm(high: int, low: int) -> None:
    number = (high << 24) + low
    expected = 1000 * np.log10(number) if number else 0
    assert LEVELS["centibels"](high, low) == pytest.approx(expected, abs=1.6)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**20), LIMB, st.integers(1, 2**24 - 1), st.integers(1, 600_000))
def test_mean_level_of_an_interval(top: int, high: int, low: int, blocks: int) -> None:
    sums = array("i", [top, high, low])
    number = (top << 48) + (high << 24) + low
    expected = 1000 * np.log10(number / blocks)
    assert LEVELS["mean_centibels"](sums, blocks) == pytest.approx(expected, abs=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 511), min_size=1, max_size=600))
def test_percentiles_lie_where_numpy_has_them(levels: list[int]) -> None:
    """Within the bins of the two values that numpy interpolates between."""
    bins = array("H", [0] * 512)
    for level in levels:
        bins[level] += 1
    found = LEVELS["percentiles"](bins, len(levels))
    for got, q in zip(found, (90, 50, 10), strict=True):
        lower = np.percentile(levels, q, method="lower")
        higher = np.percentile(levels, q, method="higher")
        assert lower <= (got - 2000) / 20 <= higher + 1
    assert sorted(found, reverse=True) == found
    assert not any(bins)


def test_percentiles_of_many_values_are_within_a_tenth_of_a_decibel() -> None:
    random = np.random.default_rng(1)
    levels = random.normal(60, 8, 480)
    bins = array("H", [0] * 512)
    for level in levels:
        bins[int((level - 20) // 0.2)] += 1
    found = LEVELS["percentiles"](bins, len(levels))
    for got, q in zip(found, (90, 50, 10), strict=True):
        assert got / 100 == pytest.approx(np.percentile(levels, q), abs=0.1)


def test_micropython_gives_the_same(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    pairs = [
        [int(n) for n in random.integers(0, 2 ** int(b), 2)] for b in random.integers(1, 25, 200)
    ]
    levels = [int(n) for n in random.integers(0, 512, 500)]
    (tmp_path / "in.json").write_text(json.dumps([pairs, levels]))
    script = """
import json, sys
from array import array
from lampione_node.sensing import levels
with open(sys.argv[1]) as f:
    pairs, values = json.load(f)
bins = array("H", [0] * levels.BINS)
for v in values:
    bins[v] += 1
print(json.dumps([[levels.centibels(h, l) for h, l in pairs],
                  levels.percentiles(bins, len(values))]))
"""
    (tmp_path / "main.py").write_text(script)
    out = interpreter.run([str(tmp_path / "main.py"), str(tmp_path / "in.json")], path=[FIRMWARE])
    bins = array("H", [0] * 512)
    for v in levels:
        bins[v] += 1
    assert json.loads(out) == [
        [LEVELS["centibels"](h, low) for h, low in pairs],
        LEVELS["percentiles"](bins, len(levels)),
    ]


class Counted(int):
    """An integer that remembers the largest one made from it, to prove that none is on a heap."""

    largest = 0

    def made(self, value: int) -> "Counted":
        Counted.largest = max(Counted.largest, abs(value))
        return Counted(value)

    def __add__(self, other: int) -> "Counted":
        return self.made(int(self) + int(other))

    __radd__ = __add__

    def __sub__(self, other: int) -> "Counted":
        return self.made(int(self) - int(other))

    def __mul__(self, other: int) -> "Counted":
        return self.made(int(self) * int(other))

    def __lshift__(self, other: int) -> "Counted":
        return self.made(int(self) << int(other))

    def __rshift__(self, other: int) -> "Counted":
        return self.made(int(self) >> int(other))

    def __and__(self, other: int) -> "Counted":
        return self.made(int(self) & int(other))

    def __or__(self, other: int) -> "Counted":
        return self.made(int(self) | int(other))


@pytest.mark.parametrize("high", [1, 2**23, 2**24 - 1, 11863283])
def test_the_logarithm_needs_no_integer_of_more_than_30_bits(high: int) -> None:
    Counted.largest = 0
    LEVELS["centibels"](Counted(high), Counted(2**24 - 1))
    assert 2**24 <= Counted.largest < SMALL
    # the last product is of a plain integer: 48 whole bits and 10 after the point
    assert SMALL > 48 * 1024 * 9633


@given(st.tuples(LIMB, LIMB), st.tuples(LIMB, LIMB))
def test_the_largest_is_folded_into_that_of_the_interval(
    now: tuple[int, int], before: tuple[int, int]
) -> None:
    sums = [0] * 5 + [*now, *before]
    LEVELS["largest"](sums)
    assert sums == [0] * 7 + list(max(now, before))
