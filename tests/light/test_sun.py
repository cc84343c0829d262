"""Sunrise and sunset: NOAA's figures, astral's, and on the floats of a board."""

import ast
import inspect
import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astral import Observer, SunDirection
from astral import sun as astral_sun
from lampione_light import civil, sun

from tests.light import reference
from tests.light.configs import MILAN, seconds

ZENITH = 90.833
GRAZING = 0.15  # degrees: on a day when the sun turns so near the horizon nobody knows to a minute
SITES = random.Random(13201)
Place = tuple[int, int, int]  # day, latitude, longitude


def draw(latitude: float) -> Place:
    """Return a random day and place."""
    day = SITES.randrange(civil.day_of(2020, 1, 1), civil.day_of(2054, 1, 1))
    north = round(SITES.uniform(-latitude, latitude) * 100000)
    return day, north, SITES.randrange(-18000000, 18000001)


PLACES = [draw(72) for _ in range(200)]


@pytest.mark.parametrize(
    ("month", "of_month", "sunrise", "sunset"),
    [
        (3, 29, (5, 9, 30), (17, 47, 17)),
        (6, 21, (3, 34, 36), (19, 15, 30)),
        (10, 25, (5, 52, 43), (16, 21, 10)),
        (12, 21, (7, 0, 2), (15, 42, 33)),
    ],
)
def test_milan_by_noaa(
    month: int, of_month: int, sunrise: tuple[int, ...], sunset: tuple[int, ...]
) -> None:
    for rises, clock in ((True, sunrise), (False, sunset)):
        when, what = sun.event(civil.day_of(2026, month, of_month), *MILAN, rises)
        assert what == 0
        assert abs(when - seconds(2026, month, of_month, *clock)) <= 2


def grazes(place: Place, rises: bool) -> bool:
    """Say whether the sun turns so near the horizon that a hair's breadth decides."""
    day, latitude, longitude = place
    sky = reference.AstralSky(latitude, longitude)
    noon = sky.noon(day)
    heights = [sky.height(noon), sky.height(noon + (-43200 if rises else 43200))]
    return min(abs(height - reference.HORIZON) for height in heights) < GRAZING


def compare(event: Callable[[int, int, int, bool], tuple[int, int]], places: list[Place]) -> float:
    """Return the largest difference in seconds from where astral's sun crosses the horizon."""
    worst, compared, without = 0, 0, 0
    for place in places:
        for rises in (False, True):
            if grazes(place, rises):
                continue
            day, latitude, longitude = place
            sky = reference.AstralSky(latitude, longitude)
            want = sky.sunrise(day) if rises else sky.sunset(day)
            when, what = event(*place, rises)
            compared += 1
            if isinstance(want, str):
                assert what == (sun.ALWAYS_UP if want == reference.UP else sun.ALWAYS_DOWN)
                assert abs(when - sky.noon(day)) < 1020  # the equation of time
                without += 1
            else:
                assert what == 0
                worst = max(worst, abs(when - want))
    assert compared > 1.9 * len(places)
    assert without > 0  # polar days and nights are among them
    return worst


def test_200_places_by_the_height_of_astrals_sun() -> None:
    assert compare(sun.event, PLACES) <= 60


def test_200_places_by_astrals_own_search() -> None:
    """The same zenith; astral's date is UTC's, so the nearest of three days."""
    compared = 0
    for day, latitude, longitude in PLACES:
        there = Observer(latitude / 100000, longitude / 100000)
        for rises in (False, True):
            way = SunDirection.RISING if rises else SunDirection.SETTING
            when, what = sun.event(day, latitude, longitude, rises)
            if what or grazes((day, latitude, longitude), rises):
                continue
            found = []
            for n in (-1, 0, 1):
                on = date(2020, 1, 1) + timedelta(days=day + n)
                at = astral_sun.time_of_transit(there, on, ZENITH, way, with_refraction=False)
                found.append(abs((at - reference.EPOCH).total_seconds() - when))
            assert min(found) <= 60, (day, latitude, longitude, rises)
            compared += 1
    assert compared > 300


def test_200_places_by_astral_as_it_comes() -> None:
    """Its own zenith is 90.789, refraction by its own rule: up to 50 degrees still a minute."""
    for day, latitude, longitude in [draw(50) for _ in range(200)]:
        there = Observer(latitude / 100000, longitude / 100000)
        for rises, find in ((True, astral_sun.sunrise), (False, astral_sun.sunset)):
            when, what = sun.event(day, latitude, longitude, rises)
            assert what == 0
            on = (reference.EPOCH + timedelta(seconds=when)).date()
            at = find(there, on, UTC)
            assert abs((at - reference.EPOCH).total_seconds() - when) <= 60


@pytest.mark.parametrize("longitude", range(-18000000, 18000001, 1500000))
def test_noon(longitude: int) -> None:
    """The sun stands higher than ten minutes before and after; a day belongs to its place."""
    sky = reference.AstralSky(4500000, longitude)
    for day in range(2200, 2600, 23):
        noon = sun.noon(day, longitude)
        assert abs(noon - (day * 86400 + 43200 - longitude * 0.0024)) < 1020
        assert sky.height(noon) > max(sky.height(noon - 600), sky.height(noon + 600))
        assert abs(sky.height(noon - 600) - sky.height(noon + 600)) < 0.01


@pytest.mark.parametrize("latitude", [9000000, 8999999, 7200000, 6960000])
def test_polar_day_and_night(latitude: int) -> None:
    june, december = civil.day_of(2026, 6, 21), civil.day_of(2026, 12, 21)
    for rises in (False, True):
        assert sun.event(june, latitude, 0, rises)[1] == sun.ALWAYS_UP
        assert sun.event(december, latitude, 0, rises)[1] == sun.ALWAYS_DOWN
        assert sun.event(june, -latitude, 0, rises)[1] == sun.ALWAYS_DOWN
        assert sun.event(december, -latitude, 0, rises)[1] == sun.ALWAYS_UP


class _Single(ast.NodeTransformer):
    """Rounds every number that is written, and every sum and product, to single precision."""

    def _rounded(self, node: ast.expr) -> ast.expr:
        call = ast.Call(ast.Name("_single", ast.Load()), [node], [])
        return ast.copy_location(call, node)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return self._rounded(node) if isinstance(node.value, float) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self._rounded(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        assert isinstance(node.target, ast.Name)
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        return ast.copy_location(ast.Assign([node.target], self.visit(value)), node)


def _single(value: Any) -> Any:
    """Round to what a board's float holds; MicroPython's integers are exact there too."""
    return value if isinstance(value, int) else np.float32(value)


def _functions() -> Iterator[tuple[str, Any]]:
    for name in ("sin", "cos", "tan", "asin", "acos", "radians", "degrees"):
        of = getattr(math, name)
        yield name, lambda x, of=of: np.float32(of(float(np.float32(x))))


@pytest.fixture(scope="module")
def on_a_board() -> ModuleType:
    """`sun`, with floats of 32 bits: each literal, sum, product and function is rounded.

    A board's have 30 bits in some builds of MicroPython; those of the ESP32 have all 32.
    """
    tree = ast.fix_missing_locations(_Single().visit(ast.parse(inspect.getsource(sun))))
    found = ModuleType("sun_of_a_board")
    names: dict[str, Any] = found.__dict__
    names["_single"] = _single
    code = compile(tree, "sun_of_a_board", "exec")
    exec(code, names)
    names["math"] = SimpleNamespace(**dict(_functions()))
    names["_ZENITH"] = np.float32(names["_ZENITH"])
    return found


def test_single_precision(on_a_board: ModuleType) -> None:
    position = on_a_board._position(np.float32(9500.5))
    assert all(isinstance(value, np.float32) for value in position)
    assert compare(on_a_board.event, PLACES) <= 60
    for day, _, longitude in PLACES:
        assert abs(on_a_board.noon(day, longitude) - sun.noon(day, longitude)) <= 3


def test_single_precision_at_the_poles(on_a_board: ModuleType) -> None:
    """Where the cosine of the latitude is nothing, or a little less."""
    december = civil.day_of(2026, 12, 21)
    for rises in (False, True):
        assert on_a_board.event(december, 9000000, 0, rises)[1] == sun.ALWAYS_DOWN
        assert on_a_board.event(december, -9000000, 0, rises)[1] == sun.ALWAYS_UP
