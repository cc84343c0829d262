"""The index of air and the limits of 2030, against plain Python."""

import math
import zoneinfo
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.rollup import air, calendar

ROME = zoneinfo.ZoneInfo("Europe/Rome")
YEAR = date(2030, 1, 1).toordinal()


def hours_of(first: date, count: int) -> np.ndarray:
    begin = calendar.instant(first.toordinal(), 0, ROME)
    end = calendar.instant(first.toordinal() + count, 0, ROME)
    return np.arange(begin, end, 3600)


@pytest.mark.parametrize("pollutant", air.POLLUTANTS)
def test_an_edge_belongs_to_the_band_below(pollutant: str) -> None:
    for n, edge in enumerate(air.EDGES[pollutant], 1):
        bands = air.band(pollutant, np.array([edge - 0.01, edge, edge + 0.01, np.nan]))
        assert bands.tolist() == [n, n, n + 1, 0]
    assert air.band(pollutant, np.array([0.0]))[0] == 1


def test_the_worst_pollutant_makes_the_index() -> None:
    found = air.index(
        {
            "pm2_5": np.array([[4.0, np.nan, 16.0]]),
            "no2": np.array([[26.0, np.nan, 151.0]]),
        }
    )
    assert found.worst.tolist() == [[3, 0, 6]]
    assert found.of.tolist() == [[air.POLLUTANTS.index("no2"), -1, air.POLLUTANTS.index("no2")]]
    assert air.BANDS[found.worst[0, 0] - 1] == "moderate"


def test_steps_and_ppb_become_micrograms() -> None:
    seconds = np.array([3600, 0])
    assert air.ugm3("pm10", 2 * 45 * seconds, seconds)[0] == 45
    assert air.ugm3("no2", 100 * seconds, seconds)[0] == pytest.approx(191.25)
    assert air.ugm3("o3", 100 * seconds, seconds)[0] == pytest.approx(199.53)
    assert math.isnan(air.ugm3("o3", seconds, seconds)[1])
    # By the ideal gas: g/mol over the litres of a mol at 293.15 K and 101.325 kPa.
    litres = 8.314462618 * 293.15 / 101.325
    assert air.UGM3_A_PPB["no2"] == pytest.approx(46.0055 / litres, rel=5e-4)
    assert air.UGM3_A_PPB["o3"] == pytest.approx(47.9982 / litres, rel=5e-4)


def test_an_hour_needs_45_minutes() -> None:
    seconds = np.array([2699, 2700, 3600])
    found = air.hourly("pm10", 60 * seconds, seconds)
    assert np.isnan(found).tolist() == [True, False, False]
    assert found[2] == 30


def plain_days(hours: list[float], starts: list[int]) -> dict[int, tuple[float, float]]:
    """Means and greatest means of 8 hours by day, an hour at a time."""
    value = dict(zip(starts, hours, strict=True))
    found = {}
    first = int(calendar.local(np.array(starts[:1]), 3600, ROME).days[0])
    last = int(calendar.local(np.array(starts[-1:]), 3600, ROME).days[0])
    for day in range(first, last + 1):
        begin, end = calendar.instant(day, 0, ROME), calendar.instant(day, 24, ROME)
        of_day = range(begin, end, 3600)
        known = [value[h] for h in of_day if not math.isnan(value.get(h, math.nan))]
        enough = len(known) >= 0.75 * len(of_day)
        eights = []
        for h in of_day:
            window = [value.get(h - 3600 * n, math.nan) for n in range(8)]
            window = [v for v in window if not math.isnan(v)]
            if len(window) >= 6:
                eights.append(math.fsum(window) / len(window))
        found[day] = (
            math.fsum(known) / len(known) if enough else math.nan,
            max(eights) if len(eights) >= 0.75 * len(of_day) else math.nan,
        )
    return found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_days_against_plain_python(data: st.DataObject) -> None:
    """Also those of clock changes, with hours missing and hours not valid."""
    first = data.draw(st.sampled_from([date(2026, 3, 28), date(2026, 10, 24), date(2026, 6, 1)]))
    starts = hours_of(first, 3).tolist()
    missing = data.draw(st.sets(st.integers(0, len(starts) - 2), max_size=30))
    kept = [start for n, start in enumerate(starts) if n not in missing]
    unlike = data.draw(
        st.dictionaries(
            st.integers(0, len(kept) - 1), st.sampled_from([math.nan, 0.0, 120.5]), max_size=20
        )
    )
    hours = [unlike.get(n, 50.0) for n in range(len(kept))]
    found = air.days(np.array(hours)[:, None], np.array(kept), ROME)
    expected = plain_days(hours, kept)
    assert found.days.tolist() == list(expected)
    for n, (mean, eight) in enumerate(expected.values()):
        assert found.means[n, 0] == pytest.approx(mean, nan_ok=True)
        assert found.greatest_8h[n, 0] == pytest.approx(eight, nan_ok=True)


def year_of(
    pollutant: str, by_day: dict[int, float], otherwise: float, days: int = 365
) -> dict[air.Over, air.Against]:
    starts = hours_of(date(2030, 1, 1), days)
    of_day = calendar.local(starts, 3600, ROME).days - YEAR
    hours = np.array([by_day.get(int(d), otherwise) for d in of_day])[:, None]
    return {one.limit.over: one for one in air.against(pollutant, hours, starts, ROME, 8760, 365)}


def test_exceedances_count_against_those_permitted() -> None:
    for days, verdict in ((18, "within"), (19, "over")):
        found = year_of("pm10", dict.fromkeys(range(days), 45.5), 10.0)
        assert found[air.Over.DAY].exceeded[0] == days
        assert found[air.Over.DAY].verdicts == [verdict]
        assert found[air.Over.DAY].share[0] == 1
        assert found[air.Over.YEAR].verdicts == ["within"]
    assert year_of("pm10", {}, 45.0)[air.Over.DAY].exceeded[0] == 0
    assert year_of("pm10", {}, 20.01)[air.Over.YEAR].verdicts == ["over"]
    assert year_of("no2", {0: 201.0}, 10.0)[air.Over.HOUR].exceeded[0] == 24
    assert year_of("o3", {5: 121.0}, 10.0)[air.Over.EIGHT_HOURS].exceeded[0] == 1


def test_what_was_not_measured_is_said() -> None:
    few = year_of("pm2_5", {}, 9.0, days=40)
    assert few[air.Over.YEAR].verdicts == ["too few data"]
    assert few[air.Over.YEAR].share[0] == pytest.approx(40 / 365)
    some = year_of("pm2_5", {}, 11.0, days=60)
    assert some[air.Over.YEAR].verdicts == ["over, indicative"]
    assert some[air.Over.DAY].verdicts == ["too few data"]
    half = year_of("pm2_5", {}, 9.0, days=200)
    assert half[air.Over.DAY].verdicts == ["within, indicative"]
    # Exceedances that are there do not go away.
    assert year_of("pm2_5", {}, 26.0, days=40)[air.Over.DAY].verdicts == ["over"]
    nothing = year_of("pm2_5", {}, math.nan)
    assert nothing[air.Over.YEAR].verdicts == ["too few data"]
    assert math.isnan(nothing[air.Over.YEAR].greatest[0])
    assert math.isnan(nothing[air.Over.DAY].greatest[0])


def test_no_hours_at_all() -> None:
    found = air.against("o3", np.zeros((0, 2)), np.zeros(0, np.int64), ROME, 24, 1)
    assert found[0].verdicts == ["too few data", "too few data"]


def test_every_limit_is_of_the_directive() -> None:
    assert {(one.pollutant, one.over.value): one[2:] for one in air.LIMITS} == {
        ("pm2_5", "day"): (25, 18), ("pm2_5", "year"): (10, 0),
        ("pm10", "day"): (45, 18), ("pm10", "year"): (20, 0),
        ("no2", "hour"): (200, 3), ("no2", "day"): (50, 18), ("no2", "year"): (20, 0),
        ("o3", "8 h"): (120, 18),
    }  # fmt: skip
