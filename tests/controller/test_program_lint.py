"""What the linter finds, and on which nights; it takes any config, and a good one is clean."""

from collections.abc import Collection, Sequence
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.program import lint, nights, words
from lampione.program.findings import Finding
from lampione_light import civil, layout
from lampione_light.layout import GROUP, PRESENCE, TRAFFIC, UPKEEP
from lampione_light.level import Sensed, level_at
from lampione_light.program import CLOCK, SUNRISE, SUNSET, Program

from tests.controller.programs import ALERT, MILAN, NODE, TROMSO, Step, config

SUMMER_BEGINS = civil.day_of(2026, 3, 28)  # the lighting day of its night
SUMMER_ENDS = civil.day_of(2026, 10, 24)


def check(blob: bytes, parts: Collection[str] | None = None) -> list[Finding]:
    return lint.check(blob, NODE, 2026, parts=parts)


def one(found: list[Finding], kind: str) -> Finding:
    (finding,) = [f for f in found if f.kind == kind]
    return finding


def of_plan(*steps: Step, **lamp: int) -> list[Finding]:
    return check(config(plans={0: steps}, lamp=lamp))


def test_a_good_program_is_clean() -> None:
    plan = ((SUNSET, 0, 100, 0), (CLOCK, 1380, 70, 300), (CLOCK, 60, 50, 0), (CLOCK, 300, 80, 60))
    weekend = ((SUNSET, 0, 100, 0), (CLOCK, 60, 70, 600))
    blob = config(
        plans={0: plan, 1: weekend}, rules=[(0b0110000, 1, 1, 12, 31, 1)], lamp={"dwell_s": 600}
    )
    assert check(blob, ("radar", "light", "lamp")) == []


def test_a_dimmed_step_after_sunrise_names_its_nights() -> None:
    found = one(of_plan((SUNSET, 0, 100, 0), (CLOCK, 345, 60, 0)), "after-night")
    assert found.severity == "note"
    program = Program(config(), NODE.encode())
    for day in range(civil.day_of(2026, 1, 1), civil.day_of(2027, 1, 1)):
        late = program.window(day)[1] <= civil.to_utc(day + 1, 345, 60, 1)
        assert (day in found.nights) == late
    assert found.place == "plan 0 step 1: 05:45, 60 %"


def test_clock_change_nights() -> None:
    found = [
        f
        for f in of_plan((SUNSET, 0, 100, 0), (CLOCK, 150, 40, 0), (CLOCK, 180, 50, 0))
        if f.kind == "clock-change"
    ]
    assert [f.nights for f in found] == [(SUMMER_BEGINS,), (SUMMER_ENDS,)]
    assert "comes at 03:30" in found[0].says
    assert "the first" in found[1].says
    instant = civil.to_utc(SUMMER_BEGINS + 1, 150, 60, 1)
    assert (instant + civil.offset_s(instant, 60, 1)) % 86400 == 3 * 3600 + 1800


def test_the_doubled_and_the_missing_hour_of_another_zone() -> None:
    steps = [(SUNSET, 0, 100, 0), (CLOCK, 210, 40, 0)]
    finnish = config((6017000, 2494000, 120, 1), {0: steps})
    assert len([f for f in check(finnish) if f.kind == "clock-change"]) == 2
    without = config((*MILAN[:3], 0), {0: [(SUNSET, 0, 100, 0), (CLOCK, 150, 40, 0)]})
    assert not [f for f in check(without) if f.kind == "clock-change"]


def test_steps_that_change_places_with_the_seasons() -> None:
    found = one(of_plan((SUNSET, 60, 100, 0), (CLOCK, 1320, 60, 0)), "order")
    assert found.place.startswith("plan 0 step 1: 22:00")
    assert civil.day_of(2026, 6, 21) in found.nights
    assert civil.day_of(2026, 12, 21) not in found.nights
    assert "22:00" not in found.says
    assert "before step 0 (sunset+1h)" in found.says
    assert "the shortest night is one of them" in found.says
    assert "longest" not in found.says


def test_steps_that_change_places_when_the_clock_does() -> None:
    for steps in (((CLOCK, 150, 40, 0), (CLOCK, 180, 50, 0)),
                  ((CLOCK, 180, 50, 0), (CLOCK, 150, 40, 0))):  # fmt: skip
        found = one(of_plan((SUNSET, 0, 100, 0), *steps), "order")
        assert found.nights == (SUMMER_BEGINS,)


def test_dwell_postpones_and_leaves_out() -> None:
    steps: Sequence[Step] = ((SUNSET, 0, 100, 0), (CLOCK, 1320, 60, 0), (CLOCK, 1330, 50, 0))
    assert one(of_plan(*steps, dwell_s=900), "postponed").severity == "warning"
    last = (*steps, (CLOCK, 1335, 90, 0))
    found = one(of_plan(*last, dwell_s=1200), "left-out")
    assert found.severity == "warning"
    assert len(found.nights) == 365


def test_steps_that_cancel_each_other() -> None:
    steps = ((SUNSET, 0, 100, 0), (CLOCK, 1320, 60, 0), (CLOCK, 1322, 100, 0))
    found = one(of_plan(*steps), "cancelled")
    assert (found.severity, len(found.nights)) == ("warning", 365)
    same = ((SUNSET, 0, 100, 0), (CLOCK, 1320, 60, 0), (CLOCK, 1320, 80, 0))
    assert one(of_plan(*same), "overwritten").place.startswith("plan 0 step 1")
    rising = ((SUNSET, 0, 50, 0), (CLOCK, 1320, 60, 0), (CLOCK, 1320, 80, 0))
    assert len(one(of_plan(*rising), "overwritten").nights) == 365
    nothing = ((SUNSET, 0, 100, 0), (CLOCK, 1320, 60, 0), (CLOCK, 60, 60, 0))
    assert one(of_plan(*nothing), "idle").place.startswith("plan 0 step 2")


def test_ramps_longer_than_the_step() -> None:
    found = one(of_plan((SUNSET, 0, 100, 0), (CLOCK, 1320, 60, 7200), (CLOCK, 1380, 50, 0)),
                "ramp-cut")  # fmt: skip
    assert (found.severity, len(found.nights)) == ("warning", 365)


def test_a_step_before_the_lamp_is_lit() -> None:
    found = one(of_plan((CLOCK, 720, 100, 0), (CLOCK, 780, 60, 0)), "before-night")
    assert found.place.startswith("plan 0 step 0")
    assert (found.severity, len(found.nights)) == ("warning", 365)


def test_lit_before_the_first_step() -> None:
    found = one(of_plan((CLOCK, 1380, 40, 0)), "before-first")
    assert "40 %" in found.says


def test_a_night_without_light() -> None:
    found = one(check(config(night=(0, 300, -300, 20, 35))), "no-light")
    assert found.severity == "error"
    assert civil.day_of(2026, 6, 21) in found.nights
    assert civil.day_of(2026, 12, 21) not in found.nights
    assert one(check(config(TROMSO, night=(0, 110, -110, 20, 35))), "little-light").nights
    kept = one(check(config(night=(0, 150, 0, 20, 35))), "kept-light")
    assert (kept.severity, len(kept.nights)) == ("warning", 365)
    dim = one(of_plan((SUNSET, 0, 10, 0), minimum=10), "all-dim")
    assert len(dim.nights) == 365


@pytest.mark.parametrize("site", [TROMSO, ALERT])
def test_where_the_sun_stays_up_or_down(site: tuple[int, int, int, int]) -> None:
    found = check(config(site))
    assert civil.day_of(2026, 6, 21) in one(found, "sun-up").nights
    assert civil.day_of(2026, 12, 21) in one(found, "sun-down").nights
    assert not [f for f in found if f.kind == "no-light"]
    assert {f.place[:13] for f in found if f.kind == "no-event"} == {
        "plan 0 step 0",
        "plan 0 step 4",
    }


def test_rules() -> None:
    plans = {0: [(SUNSET, 0, 100, 0)], 1: [(SUNSET, 0, 90, 0)], 3: [(SUNSET, 0, 80, 0)]}
    rules = [
        (0b0011111, 6, 1, 8, 31, 1),  # Monday to Friday in summer
        (0b1100000, 5, 1, 9, 30, 0),
        (0b1111111, 7, 1, 7, 31, 3),  # the two before have all its dates
        (0b1111111, 2, 30, 2, 31, 1),
        (0b0000001, 12, 20, 1, 6, 2),
        (0b1111111, 8, 1, 9, 30, 1),
    ]
    found = check(config(plans=plans, rules=rules))
    covered = one(found, "rule-covered")
    assert covered.place == "rule 2: every day 1 Jul-31 Jul, plan 3"
    assert "rule 0, rule 1" in covered.says
    assert one(found, "rule-empty").place.startswith("rule 3")
    missing = one(found, "no-plan")
    assert missing.severity == "error"
    assert [words.date(day) for day in missing.nights] == ["5 Jan", "21 Dec", "28 Dec"]
    assert one(found, "plan-unused").place == "plan 3"
    overlap = one(found, "rule-overlap")
    assert overlap.place.startswith("rule 5")
    assert {civil.weekday(day) for day in overlap.nights} == {5, 6}


def test_plans() -> None:
    step = [(SUNSET, 0, 100, 0)]
    assert one(check(config(plans={})), "no-plans").severity == "note"
    assert one(check(config(plans={0: []})), "plan-empty")
    workdays = config(plans={1: step}, rules=[(0b0011111, 1, 1, 12, 31, 1)])
    assert {civil.weekday(day) for day in one(check(workdays), "no-rule").nights} == {5, 6}
    row = pack(layout.FORMATS[layout.PLAN], *step[0])
    twice = config(plans={0: step}) + bytes([layout.PLAN, 0, 1 + len(row), 0]) + row
    assert one(check(twice), "plan-twice").severity == "error"


def test_levels_and_limits() -> None:
    steps = ((SUNSET, 0, 100, 0), (CLOCK, 1380, 5, 0), (CLOCK, 300, 120, 0))
    found = of_plan(*steps, minimum=20, maximum=80, design=10)
    assert "becomes 20 %" in one(found, "below-minimum").says
    assert "becomes 80 %" in one(found, "above-maximum").says
    assert one(found, "level").severity == "error"
    assert one(found, "design-below-minimum").severity == "error"
    assert one(of_plan(minimum=60, maximum=50), "limits").severity == "error"
    assert one(of_plan(maximum=90), "design-above-maximum").severity == "warning"
    assert "50 %" in one(of_plan(budget_w=30), "budget").says
    curve = config(extra={UPKEEP: pack(">HBHB", 500, 80, 500, 90)})
    assert one(check(curve), "upkeep").severity == "error"


def test_a_site_that_is_missing() -> None:
    for site in (None, (9100000, 0, 60, 1), (4500000, 18100000, 60, 1)):
        found = check(config(site))
        assert one(found, "no-site").severity == "error"
        assert found[0].kind == "no-site"


def test_what_the_node_has_no_part_for() -> None:
    flow = pack(">HBB", 400, 75, 50)
    walk = pack(">BHBB", 80, 60, 20, 3)
    blob = config(night=(1, 0, 0, 20, 35), extra={TRAFFIC: flow, PRESENCE: walk})
    kinds = {(f.kind, f.place) for f in check(blob, ())}
    assert kinds >= {
        ("no-radar", "traffic"), ("no-radar", "presence"), ("no-group", "presence"),
        ("no-photocell", "night"),
    }  # fmt: skip
    assert {f.kind for f in check(blob)}.isdisjoint({"no-radar", "no-photocell"})
    member = blob + bytes([GROUP, 0, 19]) + bytes(18) + b"g"
    grouped = check(member, ("light",))
    assert [f.severity for f in grouped if f.kind == "no-radar"] == ["warning", "note"]
    assert not [f for f in grouped if f.kind == "no-group"]


@pytest.mark.parametrize(
    ("section", "content", "kind"),
    [
        (TRAFFIC, pack(">HBB", 0, 75, 50), "no-service-flow"),
        (TRAFFIC, pack(">HBB", 400, 100, 100), "no-reduction"),
        (TRAFFIC, pack(">HBB", 400, 50, 75), "reduction-order"),
        (PRESENCE, pack(">BHBB", 40, 60, 20, 0), "no-boost"),
    ],
)
def test_traffic_and_presence(section: int, content: bytes, kind: str) -> None:
    assert one(check(config(extra={section: content})), kind).place in {"traffic", "presence"}


@settings(max_examples=150, deadline=None)
@given(
    sections=st.lists(st.tuples(st.integers(0, 13), st.binary(max_size=30)), max_size=6),
    parts=st.sampled_from((None, (), ("radar", "light"))),
)
def test_any_config_is_judged(
    sections: list[tuple[int, bytes]], parts: Collection[str] | None
) -> None:
    blob = bytes([layout.FORMAT])
    for number, content in sections:
        blob += bytes([number]) + len(content).to_bytes(2, "big") + content
    for finding in check(blob, parts):
        assert finding.says
        assert finding.do
        assert list(finding.nights) == sorted(set(finding.nights))


steps = st.tuples(
    st.sampled_from((CLOCK, SUNSET, SUNRISE)),
    st.integers(-300, 1800),
    st.integers(10, 100),
    st.sampled_from((0, 600)),
)


@settings(max_examples=15, deadline=None)
@given(
    site=st.sampled_from((MILAN, TROMSO)),
    plan=st.lists(steps, min_size=1, max_size=6),
    dwell_s=st.sampled_from((0, 1800, 7200)),
    which=st.sampled_from((0, 40, 86, 138, 171, 296, 340)),
)
def test_what_never_takes_effect_is_never_in_force_on_the_node(
    site: tuple[int, int, int, int], plan: list[Step], dwell_s: int, which: int
) -> None:
    blob = config(site, {0: plan}, lamp={"dwell_s": dwell_s})
    (night,) = [n for n in nights.of(blob, NODE, 2026) if n.day == nights.days(2026)[which]]
    program = Program(blob, NODE.encode())
    moments = {*range(night.on, night.off, 30), *(h.start for h in night.lit)}
    levels = (level_at(program, now, Sensed(), []) for now in moments)
    seen = {author & 31 for level, _, author in levels if level}
    without = {"no-event", "left-out", "overwritten", "after-night", "before-night"}
    told = {
        int(f.place.split()[3].rstrip(":"))
        for f in check(blob)
        if f.kind in without and night.day in f.nights
    }
    if night.on < night.off:
        assert seen - {31} == set(range(len(plan))) - told


def test_nights_in_words() -> None:
    day = civil.day_of(2026, 6, 12)
    assert words.nights([day]) == "12 Jun"
    assert words.nights([day, day + 1]) == "12 Jun-13 Jun (2)"
    assert words.nights(range(day, day + 9, 2)) == "12 Jun to 20 Jun (5 of them)"
    assert words.moment(SUNSET, -90) == "sunset-1h30m"
    assert words.moment(SUNSET, 0) == "sunset"
    assert words.weekdays(0b1001111) == "Mon-Thu Sun"
