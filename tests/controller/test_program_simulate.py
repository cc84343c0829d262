"""The simulated year against the level function itself, asked minute by minute."""

from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.program import nights, simulate
from lampione_light import layout, sun
from lampione_light.level import Sensed, level_at
from lampione_light.program import CLOCK, SUNRISE, SUNSET, Program

from tests.controller.programs import ALERT, MILAN, NODE, TROMSO, Step, config

LEEWAY = 1.01  # the node's levels are whole, rounded down up to three times


def brute(
    blob: bytes, night: simulate.Lit, step_s: int, burn_h: int | None, reduction: int
) -> list[int]:
    program = Program(blob, NODE.encode())
    sensed = Sensed()
    sensed.burn_h = burn_h
    sensed.reduction = reduction
    delay = program.delay_s
    moments = range(night.night.noon + delay, night.night.end + delay, step_s)
    return [level_at(program, now, sensed, [])[0] for now in moments]


def assert_same(
    blob: bytes,
    night: simulate.Lit,
    step_s: int,
    burn_h: int | None = None,
    reduction: int = 0,
) -> None:
    levels = brute(blob, night, step_s, burn_h, reduction)
    start = night.night.noon + Program(blob, NODE.encode()).delay_s
    for n, level in enumerate(levels):
        assert abs(night.at(start + n * step_s) - level) <= 3 * LEEWAY
    if step_s == 1:
        assert abs(sum(map(bool, levels)) - night.totals.lit_s) == 0
        lit = night.totals.lit_s
        # One second's level stands for the line over it: half a ramp's step at each ramp.
        assert abs(sum(levels) / 10000 - night.totals.full_load_s) <= lit * 3 * LEEWAY / 10000 + 5


def test_a_night_second_by_second() -> None:
    blob = config(lamp={"spread_s": 200, "dwell_s": 1200})
    year = simulate.year(blob, NODE, 2026)
    assert_same(blob, year.nights[86], 1)  # the clock goes forward
    for n in (0, 87, 171, 296, 297, 364):
        assert_same(blob, year.nights[n], 13)


steps = st.tuples(
    st.sampled_from((CLOCK, SUNSET, SUNRISE)),
    st.integers(-400, 1800),
    st.integers(0, 110),
    st.sampled_from((0, 0, 1, 60, 900, 20000)),
)
rules = st.tuples(
    st.integers(0, 127), st.integers(1, 12), st.integers(1, 31), st.integers(1, 12),
    st.integers(1, 31), st.integers(0, 3),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    site=st.sampled_from((MILAN, TROMSO, ALERT)),
    plans=st.dictionaries(st.integers(0, 3), st.lists(steps, max_size=6), max_size=3),
    rules=st.lists(rules, max_size=3),
    shift=st.tuples(st.integers(-60, 300), st.integers(-300, 60)),
    limits=st.tuples(st.integers(0, 60), st.integers(0, 100)),
    dwell_s=st.sampled_from((0, 600, 7200)),
    spread_s=st.integers(0, 255),
    budget_w=st.sampled_from((0, 30, 80)),
    burn_h=st.sampled_from((None, 0, 25000)),
    reduction=st.integers(0, 2),
    which=st.integers(0, 364),
)
def test_any_program_is_as_the_node_would_have_it(
    site: tuple[int, int, int, int],
    plans: dict[int, list[Step]],
    rules: list[tuple[int, int, int, int, int, int]],
    shift: tuple[int, int],
    limits: tuple[int, int],
    dwell_s: int,
    spread_s: int,
    budget_w: int,
    burn_h: int | None,
    reduction: int,
    which: int,
) -> None:
    blob = config(
        site, plans, rules, (2, *shift, 20, 35),
        {
            layout.UPKEEP: pack(">HBHB", 0, 80, 5000, 100),
            layout.TRAFFIC: pack(">HBB", 800, 75, 50),
        },
        {
            "minimum": limits[0], "maximum": limits[1],
            "dwell_s": dwell_s, "spread_s": spread_s, "budget_w": budget_w,
        },
    )  # fmt: skip
    year = simulate.year(blob, NODE, 2026, burn_h=burn_h, reduction=reduction)
    night = year.nights[which]
    assert_same(blob, night, 61, burn_h, reduction)
    # The lines cover the lit time without a gap.
    edges = [night.on, *(line.end for line in night.lines)]
    assert edges[:-1] == [line.start for line in night.lines]
    assert edges[-1] == night.off or not night.lines


@pytest.mark.parametrize(("year", "count"), [(2026, 365), (2028, 366)])
def test_every_night_of_a_year(year: int, count: int) -> None:
    found = simulate.year(config(), NODE, year)
    assert len(found.nights) == found.totals.nights == count
    for before, after in pairwise(found.nights):
        assert before.night.end == after.night.noon
    lengths = [lit.night.end - lit.night.noon for lit in found.nights]
    assert lengths.count(82800) == lengths.count(90000) == 1
    months = list(found.months())
    assert [month for month, _ in months] == list(range(1, 13))
    assert sum(totals.nights for _, totals in months) == count
    assert sum(t.kwh or 0 for _, t in months) == pytest.approx(found.totals.kwh)


def test_full_on_saves_nothing_and_half_saves_half() -> None:
    full = simulate.year(config(plans={}), NODE, 2026).totals
    assert full.saved_percent == pytest.approx(0)
    assert full.kwh == pytest.approx(0.06 * full.lit_s / 3600)
    assert full.level_percent == pytest.approx(100)
    half = simulate.year(config(plans={0: [(CLOCK, 0, 50, 0)]}), NODE, 2026).totals
    assert half.saved_percent == pytest.approx(50)
    assert half.saved_kwh == pytest.approx((full.kwh or 0) / 2)


def test_lit_before_sunset_and_after_sunrise_costs() -> None:
    longer = simulate.year(config(plans={}, night=(0, -30, 30, 20, 35)), NODE, 2026).totals
    assert longer.lit_s - longer.full_on_s == pytest.approx(365 * 3600)
    assert (longer.saved_kwh or 0) == pytest.approx(-365 * 0.06)


def test_unknown_power_leaves_the_share() -> None:
    totals = simulate.year(config(lamp={"rated_w": 0}), NODE, 2026).totals
    assert totals.kwh is totals.saved_kwh is totals.full_on_kwh is None
    assert totals.saved_percent is not None


@pytest.mark.parametrize("site", [TROMSO, ALERT])
def test_where_the_sun_stays_up_or_down(site: tuple[int, int, int, int]) -> None:
    found = simulate.year(config(site), NODE, 2026)
    midsummer, midwinter = found.nights[171], found.nights[354]
    assert midsummer.on == midsummer.off
    assert midsummer.totals.saved_percent is midsummer.totals.level_percent is None
    assert midwinter.totals.lit_s == 86400
    assert sun.event(midwinter.night.day, *site[:2], False)[1] == sun.ALWAYS_DOWN


def test_a_config_without_a_place_has_no_nights() -> None:
    with pytest.raises(ValueError, match="without a place"):
        list(nights.of(config(None), NODE, 2026))
