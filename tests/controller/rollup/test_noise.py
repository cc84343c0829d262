"""Levels by day, evening and night, against plain Python on the days of clock changes."""

import math
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.rollup import calendar, noise, traffic
from lampione_protocol import hour

ROME = zoneinfo.ZoneInfo("Europe/Rome")


def unix(day: date, clock_hour: int, zone: zoneinfo.ZoneInfo = ROME) -> int:
    at = datetime(day.year, day.month, day.day, clock_hour, tzinfo=zone)
    return int(at.timestamp())


@pytest.mark.parametrize(
    ("levels", "eu", "italy"), [((60, 60, 60), 66.395, 66.212), ((68, 66, 60), 69.338, 69.065)]
)
def test_vectors_of_lden(levels: tuple[float, float, float], eu: float, italy: float) -> None:
    assert noise.lden(*levels) == pytest.approx(eu, abs=5e-4)
    assert noise.lden(*levels, hours=(14, 2, 8)) == pytest.approx(italy, abs=5e-4)


@pytest.mark.parametrize(
    ("day", "hours", "nights"),
    [
        (date(2026, 3, 29), 23, 7.0),
        (date(2026, 10, 25), 25, 9.0),
        (date(2026, 6, 1), 24, 8.0),
    ],
)
@pytest.mark.parametrize("name", ["eu", "it"])
@pytest.mark.parametrize("level", [300, 3600])
def test_days_of_23_24_and_25_hours(
    day: date, hours: int, nights: float, name: str, level: int
) -> None:
    """A level a period; neighbours' hours are silent, and must not be heard."""
    periods = noise.PERIODS_OF[name]
    begin, end = unix(day, 0), unix(day + timedelta(days=1), 0)
    assert end - begin == hours * 3600
    starts = np.arange(begin - 7200, end + 7200, level)
    levels = {0: 68, 1: 66, 2: 60}
    heard = []
    for start in starts.tolist():
        shown = datetime.fromtimestamp(start, UTC).astimezone(ROME)
        h = shown.hour
        period = (
            0
            if periods.day <= h < periods.evening
            else 1
            if periods.evening <= h < periods.night
            else 2
        )
        heard.append(levels[period] if shown.date() == day else 30)
    energy = np.array([[round(16 * 10 ** (db / 10)) * level] for db in heard])
    seconds = np.full(energy.shape, level)
    found = noise.day_evening_night(starts, level, energy, seconds, ROME, periods)
    at = found.spans.tolist().index(day.toordinal())
    evening = periods.night - periods.evening
    assert found.hours[at].tolist() == [hours - nights - evening, evening, nights]
    assert found.levels[at, :, 0] == pytest.approx([68, 66, 60], abs=1e-3)
    assert found.shares[at, :, 0].tolist() == [1, 1, 1]
    d, e, n = found.hours[at]
    expected = 10 * math.log10((d * 10**6.8 + e * 10 ** (7.1) + n * 10**7.0) / hours)
    assert found.lden[at, 0] == pytest.approx(expected, abs=1e-3)
    assert found.share[at, 0] == pytest.approx(1)


def test_the_share_of_time_is_said_and_a_period_without_sound_has_no_lden() -> None:
    day = date(2026, 6, 1)
    starts = np.arange(unix(day, 7), unix(day, 19), 3600)
    energy = np.full((12, 1), 16 * 10**6 * 1800)
    found = noise.day_evening_night(starts, 3600, energy, np.full((12, 1), 1800), ROME)
    assert found.shares[0, :, 0].tolist() == [0.5, 0, 0]
    assert found.share[0, 0] == pytest.approx(0.25)
    assert found.levels[0, 0, 0] == pytest.approx(60)
    assert np.isnan(found.lden[0, 0])
    assert found.laeq[0, 0] == pytest.approx(60)


def test_a_year_is_the_mean_of_its_energy() -> None:
    starts = np.arange(unix(date(2026, 1, 1), 0), unix(date(2027, 1, 1), 0), 3600)
    found = noise.day_evening_night(
        starts, 3600, np.full((len(starts), 2), 16 * 10**6 * 3600), np.full((len(starts), 2), 3600),
        ROME, by="year",
    )  # fmt: skip
    assert found.hours.tolist() == [[365 * 12, 365 * 4, 365 * 8]]
    assert found.lden[0] == pytest.approx([66.395, 66.395], abs=5e-4)


def test_zones_with_half_hours_need_the_short_buckets() -> None:
    kolkata = zoneinfo.ZoneInfo("Asia/Kolkata")
    starts = np.arange(1_790_380_800, 1_790_380_800 + 2 * 86400, 3600)
    with pytest.raises(calendar.CalendarError, match=r"Asia/Kolkata .* of those of 300 s"):
        calendar.local(starts, 3600, kolkata)
    clocks = calendar.local(np.array([1_790_380_800 + 18 * 3600 + 1800]), 300, kolkata)
    assert (date.fromordinal(int(clocks.days[0])), clocks.hours[0]) == (date(2026, 9, 27), 0)
    with pytest.raises(calendar.CalendarError, match="not a time zone"):
        calendar.zone_of("Europe/Atlantis")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["Europe/Rome", "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
    ),
    st.integers(date(2024, 1, 1).toordinal(), date(2034, 1, 1).toordinal()),
)
def test_every_bucket_of_a_day_is_counted_once(zone_name: str, day: int) -> None:
    zone = zoneinfo.ZoneInfo(zone_name)
    begin, end = calendar.instant(day, 0, zone), calendar.instant(day, 24, zone)
    starts = np.arange(begin - 86400, end + 86400, 300)
    clocks = calendar.local(starts, 300, zone)
    assert ((clocks.days == day) == ((starts >= begin) & (starts < end))).all()
    for hours in (noise.period_hours(day, "day", zone, p) for p in (noise.EU, noise.ITALY)):
        assert sum(hours) * 3600 == end - begin
        assert min(hours) >= 2


def test_limits_of_immission() -> None:
    day = date(2026, 6, 1)
    starts = np.arange(unix(day, 0), unix(day, 0) + 86400, 3600)
    energy = np.full((24, 1), 16 * 10**6 * 3600)
    found = noise.day_evening_night(starts, 3600, energy, np.full((24, 1), 3600), ROME, noise.ITALY)
    over = {c: noise.over_immission(found, c) for c in noise.IMMISSION_LIMITS_DB}
    assert {c: (round(d[0, 0]), round(n[0, 0])) for c, (d, n) in over.items()} == {
        "I": (10, 20), "II": (5, 15), "III": (0, 10), "IV": (-5, 5),
        "V": (-10, 0), "VI": (-10, -10),
    }  # fmt: skip


counts = st.lists(st.integers(0, 300), min_size=96, max_size=96)


@settings(max_examples=60, deadline=None)
@given(counts, counts, st.sampled_from([10, 50, 90, 99]))
def test_percentiles_lie_in_the_bin_that_a_plain_count_finds(
    one: list[int], two: list[int], percent: int
) -> None:
    bins = np.array(one) + np.array(two)  # histograms add up
    found = float(noise.exceeded(bins, percent))
    total = int(bins.sum())
    if not total:
        assert math.isnan(found)
        return
    wanted, below, place = Fraction(100 - percent, 100) * total, 0, 0
    while below + int(bins[place]) < wanted or not bins[place]:
        below += int(bins[place])
        place += 1
    low = hour.LEVEL_LOW_DB + place
    assert low - 1e-6 <= found <= low + 1 + 1e-6
    exact = float(low + (wanted - below) / int(bins[place]))
    assert found == pytest.approx(exact, abs=1e-6)


def test_percentiles_and_energy_of_a_known_distribution() -> None:
    """Normal levels: percentiles by scipy, the mean of energy in closed form."""
    edges = np.arange(hour.LEVEL_LOW_DB, hour.LEVEL_LOW_DB + 97)
    share = np.diff(scipy.stats.norm.cdf(edges, 60, 4))
    bins = np.rint(share * 1e7).astype(np.uint32)
    for percent in (10, 50, 90):
        exact = scipy.stats.norm.ppf(1 - percent / 100, 60, 4)
        assert float(noise.exceeded(bins, percent)) == pytest.approx(exact, abs=0.05)
    levels = scipy.stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000, 60, 4)
    # Mean energy of normal levels: the mean, and 0.1151 times the variance.
    energy = np.array([np.rint(16 * 10 ** (levels / 10)).sum()])
    (mean,) = noise.laeq(energy, np.array([len(levels)])).tolist()
    assert mean == pytest.approx(60 + 0.1151 * 16, abs=0.01)


def test_v85_and_too_few() -> None:
    bins = np.zeros((3, 24), np.uint32)
    bins[0, 8], bins[0, 12] = 85, 15
    bins[1, 8], bins[1, 12] = 84, 15
    found = traffic.speeds(bins)
    assert found.vehicles.tolist() == [100, 99, 0]
    assert found.too_few.tolist() == [False, True, True]
    assert found.v85[0] == pytest.approx(45)
    assert 60 < found.v85[1] < 65
    assert np.isnan(found.v85[2])
    assert found.mean[0] == pytest.approx(0.85 * 42.5 + 0.15 * 62.5)
    assert np.isnan(found.mean[2])
