"""Where a track's points were, in viper on 32 bits and on 64: as whole numbers without an end."""

import json
import math
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter

from tests.node import machine_words
from tests.node.machine_words import FIRMWARE, machine

NODE = """
import json, sys
from array import array
from lampione_node.sensing.traffic import along
with open(sys.argv[1]) as f:
    cases = json.load(f)
for near, points, base, square in cases:
    fit = array("i", [0] * 72)
    sums = array("i", [0] * 3)
    along(0, near, 0, array("H", points), len(points), base, square, fit, sums)
    print(json.dumps([list(fit), list(sums)]))
"""
ALONG = machine("traffic")["along"]
Case = tuple[int, list[int], int, int]
word_kind = machine_words.word_kind


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return tracks as long, as slow and as fast as they may get, beside any lane."""
    n = draw(st.integers(4, 24))
    times = sorted(draw(st.lists(st.integers(0, 20_000), min_size=n, max_size=n)))
    speeds = draw(st.lists(st.integers(0, 2500), min_size=n, max_size=n))
    ways = sorted(draw(st.lists(st.integers(0, 9000), min_size=n, max_size=n)))
    points = [number for point in zip(times, speeds, ways, strict=True) for number in point]
    near = draw(st.integers(200, 2499))
    aside = draw(st.integers(131, 2600))  # 5 to 60 degrees
    base = math.isqrt(near * near + aside * aside)
    away = draw(st.booleans())
    return near, points, base if away else -base - ways[-1], aside * aside


def places(case: Case) -> list[list[int]]:
    """Return what `along` does, in the whole numbers of Python."""
    x, points, base, square = case
    fit = []
    for i in range(0, len(points), 3):
        range_cm = abs(base + points[i + 2])
        while True:
            nearer = (x + (range_cm * range_cm - square) // x) >> 1
            x, before = nearer, x
            if abs(x - before) < 2:
                break
        weight = x * 1024 // range_cm
        for shift in (10, 10, 10, 14):
            weight = weight * weight >> shift
        fit += [x, points[i + 1] * range_cm // x, weight]
    rows = np.array(fit).reshape(-1, 3)
    times = np.array(points[::3])
    sums = [rows[:, 2].sum(), (rows[:, 2] * times).sum(), (rows[:, 2] * rows[:, 1]).sum()]
    return [fit + [0] * (72 - len(fit)), [int(n) for n in sums]]


@pytest.mark.usefixtures("word_kind")
@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_product_leaves_32_bits(case: Case) -> None:
    near, points, base, square = case
    fit, sums = array("i", [0] * 72), array("i", [0] * 3)
    ALONG(0, near, 0, array("H", points), len(points), base, square, fit, sums)
    assert [fit.tolist(), sums.tolist()] == places(case)


@settings(max_examples=5, deadline=None)
@given(st.lists(cases(), min_size=1, max_size=20))
def test_the_same_under_micropython(
    tmp_path_factory: pytest.TempPathFactory, some: list[Case]
) -> None:
    path: Path = tmp_path_factory.mktemp("along")
    (path / "cases.json").write_text(json.dumps(some))
    (path / "main.py").write_text(NODE)
    out = interpreter.run([str(path / "main.py"), str(path / "cases.json")], path=[FIRMWARE])
    assert [json.loads(line) for line in out.splitlines()] == [places(case) for case in some]
