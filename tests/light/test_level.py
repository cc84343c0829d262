"""The node's level beside the reference; and what holds whatever comes in."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from lampione_light import level, sun
from lampione_light.layout import ConfigError
from lampione_light.program import Program

from tests.light import configs, reference
from tests.light.configs import MILAN, NODE, NOW, ORDERS, RAISING, SENSED, seconds
from tests.light.reference import CLOCK, Config, Order, Reference, Senses, Step

Asked = tuple[int | None, Senses, tuple[Order, ...]]
ASKED = st.tuples(st.one_of(st.none(), NOW, NOW, NOW, NOW), SENSED, ORDERS)
AROUND = st.one_of(st.integers(-90000, 90000), st.integers(-120, 120))
FINE_MS = 65535  # a longer ramp is computed in coarser steps
COARSE = 4


class OurSky:
    """The sun of `lampione_light`, proved in test_sun."""

    def __init__(self, latitude: int, longitude: int) -> None:
        self._place = latitude, longitude

    def noon(self, day: int) -> int:
        return sun.noon(day, self._place[1])

    def _event(self, day: int, rises: bool) -> reference.Event:
        when, what = sun.event(day, *self._place, rises)
        if what:
            return reference.UP if what == sun.ALWAYS_UP else reference.DOWN
        return int(when)

    def sunset(self, day: int) -> reference.Event:
        return self._event(day, False)

    def sunrise(self, day: int) -> reference.Event:
        return self._event(day, True)


def by_reference(config: Config, node: bytes) -> Reference:
    """Return it with the implementation's own sun: so that it has to agree to the last digit."""
    return Reference(config, node, OurSky(config.latitude or 0, config.longitude))


def level_at(program: Program, asked: Asked) -> tuple[int, int, int]:
    now, senses, orders = asked
    found = level.level_at(program, now, configs.sensed(senses), [list(o) for o in orders])
    return found[0], found[1], found[2]


def same(got: tuple[int, int, int], want: tuple[int, int, int], orders: tuple[Order, ...]) -> None:
    """Compare, to the last digit unless a ramp of minutes is on."""
    if all(order.ramp_ms <= FINE_MS for order in orders):
        assert got == want
    else:
        assert abs(got[0] - want[0]) <= COARSE
        assert got[1:] == want[1:] or abs(got[0] - want[0]) <= COARSE


def compare(config: Config, node: bytes, asked: Asked, around: list[int]) -> None:
    """Ask one program for many instants, as on a node: what it remembers changes nothing."""
    program = Program(configs.blob(config), node)
    expected = by_reference(config, node)
    assert program.delay_s == expected.delay_s
    now, senses, orders = asked
    for off in [0, *around] if now is not None else [0]:
        at = None if now is None else now + off
        found = level_at(program, (at, senses, orders))
        same(found, expected.level(at, senses, orders), orders)
        dark_by_right(program, (at, senses, orders), found)


def dark_by_right(program: Program, asked: Asked, found: tuple[int, int, int]) -> None:
    """A lamp is dark by an order, or by day; lit, it has one percent or more."""
    level_now, reason, _ = found
    assert 0 <= level_now <= 10000
    if reason not in (level.OVERRIDE, level.MAINTENANCE) and not level_now:
        assert program.is_night(asked[0], asked[1].dark) is False
    if reason != level.MAINTENANCE:
        assert level_now == 0 or level_now >= 100


@settings(deadline=None, max_examples=200)
@given(configs.configs(), NODE, ASKED, st.lists(AROUND, max_size=8))
def test_the_level_is_the_references(
    config: Config, node: bytes, asked: Asked, around: list[int]
) -> None:
    compare(config, node, asked, around)


@pytest.mark.soak
@settings(deadline=None, max_examples=50_000)
@given(configs.configs(), NODE, ASKED, st.lists(AROUND, max_size=8))
def test_the_level_is_the_references_for_long(
    config: Config, node: bytes, asked: Asked, around: list[int]
) -> None:
    compare(config, node, asked, around)


@settings(deadline=None, max_examples=100)
@given(configs.configs(), NODE, SENSED, NOW)
def test_at_the_very_second(config: Config, node: bytes, senses: Senses, now: int) -> None:
    """Around each edge of a night, step and noon: the second before, the second itself."""
    program = Program(configs.blob(config), node)
    expected = by_reference(config, node)
    day = expected.day(now)
    edges = [when for when, _, _ in expected.times(day)] + [expected.noon(day)]
    edges += [when + config.dwell_s for when in edges]
    if expected.sky:
        own = expected.suns_day(day)
        edges += [expected.sky.noon(own), *(expected.night(own) or ())]
    for edge in edges:
        for at in (edge - 1, edge):
            at += expected.delay_s
            assert level_at(program, (at, senses, ())) == expected.level(at, senses, ())


EVENING = st.lists(
    st.builds(
        Step,
        st.just(CLOCK),
        st.integers(216, 240).map(lambda n: n * 5),
        st.sampled_from([0, 30, 50, 80, 100]),
        st.sampled_from([0, 0, 200, 300, 1000]),
    ),
    min_size=2,
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(EVENING, st.sampled_from([0, 1, 299, 300, 301, 900, 3600]))
def test_steps_in_each_others_way(steps: list[Step], dwell_s: int) -> None:
    """Within two hours: every instant at which one begins, a wait end; and between."""
    config = Config(*MILAN, dwell_s=dwell_s, plans={0: tuple(steps)})
    program = Program(configs.blob(config), b"")
    expected = by_reference(config, b"")
    times = {when for when, _, _ in expected.times(expected.day(seconds(2026, 1, 10, 17)))}
    times |= {when + n * dwell_s for when in times for n in (1, 2)}
    times |= {when + step.ramp_s // 2 for when in times for step in steps}
    for now in [when + n for when in times for n in (-1, 0)]:
        assert program.at(now) == expected.planned(now)


@settings(deadline=None, max_examples=100)
@given(configs.configs(configs.CLOCK_STEP, 65, hostile=False), NODE, SENSED, RAISING, NOW)
def test_the_level_is_the_references_by_astrals_sun(
    config: Config, node: bytes, senses: Senses, orders: tuple[Order, ...], now: int
) -> None:
    """But for a minute on either side of a night's edges."""
    expected = Reference(config, node)
    assert expected.sky
    own = expected.suns_day(expected.day(now - expected.delay_s))
    edges = [expected.sky.noon(own + n) for n in range(-1, 3)]
    for n in range(-1, 3):
        night = expected.night(own + n)
        edges += [edge + deep for edge in night or () for deep in (-3600, 0, 3600)]
    assume(all(abs(now - expected.delay_s - edge) > 60 for edge in edges))
    got = level_at(Program(configs.blob(config), node), (now, senses, orders))
    same(got, expected.level(now, senses, orders), orders)


@settings(deadline=None, max_examples=100)
@given(configs.configs(latitude=72), NODE, SENSED, RAISING, NOW)
def test_no_config_makes_a_night_dark(
    config: Config, node: bytes, senses: Senses, orders: tuple[Order, ...], now: int
) -> None:
    """Whatever the config says of its place's time: by the height of the sun itself.

    The longest that a config and its photocell can wait is three hours, and the delay, from the
    sun's setting on; where the sun is down for less, an hour beside its two edges.
    """
    if not config.placed:
        assert Program(configs.blob(config), node).is_night(now, None) is None
        return
    assert config.latitude is not None
    sky = reference.AstralSky(config.latitude, config.longitude)
    if all(sky.height(now + n * 600) < -1.1 for n in range(-19, 19)):
        found, _, _ = level_at(Program(configs.blob(config), node), (now, senses, orders))
        assert found >= 100


@pytest.mark.parametrize(
    ("latitude", "longitude", "offset_min"),
    [
        (-13.85, -171.75, 780),  # Apia, a day ahead of its sun
        (1.87, -157.4, 840),  # Kiritimati
        (-43.95, -176.55, 765),  # the Chatham Islands
        (39.47, 75.99, 480),  # Kashgar, three hours from its zone's meridian
        (64.5, -165.4, -540),  # Nome: sunset after midnight in June
        (71.29, -156.79, -540),  # Utqiagvik: polar night, polar day, sunrise in the afternoon
        (69.65, 18.96, 60),  # Tromsø
        (-54.8, -68.3, -180),  # Ushuaia
        (28.2, -177.4, -720),
        (51.88, 179.9, -600),
    ],
)
def test_it_is_lit_all_night_and_dark_all_day(
    latitude: float, longitude: float, offset_min: int
) -> None:
    """Every quarter of an hour of a year, far from a zone's meridian and beside the date line."""
    place = Config(
        round(latitude * 100000), round(longitude * 100000), offset_min, source=reference.SUN
    )
    assert place.latitude is not None
    program = Program(configs.blob(place), b"")
    sky = reference.AstralSky(place.latitude, place.longitude)
    wrong = []
    for now in range(seconds(2026, 1, 1), seconds(2027, 1, 1), 900):
        height = sky.height(now)
        lit = program.is_night(now, None)
        # The last short night of spring, before a polar day, ends at noon.
        if (height < -1.0 and not lit) or (height > -0.7 and lit):
            wrong.append(now)
    assert all(program.is_night(now, None) for now in wrong)
    assert not wrong or (latitude > 66 and wrong[-1] - wrong[0] < 43200)


@settings(deadline=None, max_examples=60)
@given(configs.configs(), NODE, st.lists(ASKED, min_size=1, max_size=20))
def test_a_power_cut_changes_nothing(config: Config, node: bytes, asked: list[Asked]) -> None:
    """A node that has been on for long, and one that has just booted."""
    blob = configs.blob(config)
    program = Program(blob, node)
    for one in asked:
        assert level_at(program, one) == level_at(Program(blob, node), one)


@settings(deadline=None)
@given(configs.configs(), NODE, NOW, SENSED, ORDERS, st.integers(0, 1 << 30))
def test_orders_end(
    config: Config, node: bytes, now: int, senses: Senses, orders: tuple[Order, ...], more: int
) -> None:
    """Once each is over the level is what it were without them."""
    over = tuple(o._replace(elapsed_ms=o.length_ms + o.ramp_ms + more) for o in orders)
    program = Program(configs.blob(config), node)
    assert level_at(program, (now, senses, over)) == level_at(program, (now, senses, ()))


@given(configs.configs(), NODE, NOW, SENSED, RAISING)
def test_presence_only_raises(
    config: Config, node: bytes, now: int, senses: Senses, orders: tuple[Order, ...]
) -> None:
    program = Program(configs.blob(config), node)
    plain = level_at(program, (now, senses, ()))
    raised = level_at(program, (now, senses, orders))
    assert raised[0] >= plain[0]


def test_priorities() -> None:
    """Each order alone, then with every one of less weight."""
    config = Config(*MILAN, source=reference.SUN, design=80, plans={0: (Step(CLOCK, 0, 50, 0),)})
    program = Program(configs.blob(config), b"x")
    midnight = seconds(2026, 1, 10, 23)
    kinds = [level.GROUP, level.SENSOR, level.OVERRIDE, level.EMERGENCY, level.MAINTENANCE]
    want = {
        level.GROUP: 6000,
        level.SENSOR: 7000,
        level.OVERRIDE: 2000,
        level.EMERGENCY: 10000,
        level.MAINTENANCE: 0,
    }
    orders: tuple[Order, ...] = ()
    for kind in kinds:
        orders += (Order(kind, want[kind], 0, 1000, 0, 0, kind),)
        assert level_at(program, (midnight, Senses(), orders)) == (want[kind], kind, kind)
    fault = Senses(fault=True)
    assert level_at(program, (midnight, fault, orders[:3])) == (8000, level.FAULT, 0)
    assert level_at(program, (midnight, fault, orders[:4]))[1] == level.EMERGENCY
    assert level_at(program, (midnight, fault, orders))[1] == level.MAINTENANCE


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), NODE, ASKED, st.booleans())
def test_rubbish_is_refused_or_behaves(blob: bytes, node: bytes, asked: Asked, known: bool) -> None:
    _behaves(b"\x01" + blob if known else blob, node, asked)


@settings(deadline=None, max_examples=100)
@given(configs.configs(), NODE, ASKED, st.data())
@example(Config(*MILAN), b"", (None, Senses(), ()), None)
def test_damage_is_refused_or_behaves(
    config: Config, node: bytes, asked: Asked, data: st.DataObject | None
) -> None:
    """Cut short, lengthened, bits turned over."""
    blob = bytearray(configs.blob(config))
    if data:
        for bit in data.draw(st.lists(st.integers(0, len(blob) * 8 - 1), max_size=4)):
            blob[bit >> 3] ^= 1 << (bit & 7)
        del blob[data.draw(st.integers(0, len(blob))) :]
        blob += data.draw(st.binary(max_size=8))
    _behaves(bytes(blob), node, asked)


def _behaves(blob: bytes, node: bytes, asked: Asked) -> None:
    try:
        program = Program(blob, node)
    except ConfigError:
        return
    dark_by_right(program, asked, level_at(program, asked))
    if program.placed and asked[0] is not None:
        _lit_at_midnight(program, asked)


def _lit_at_midnight(program: Program, asked: Asked) -> None:
    """Half-way between two of the sun's noons, more than three hours after it has set."""
    now, senses, orders = asked
    assert now is not None
    orders = tuple(o for o in orders if o.kind in (level.SENSOR, level.GROUP))
    day = program.day(now)
    on, off = program.window(day)
    middle = (on + off) // 2 + program.delay_s
    if off - on > 7201:
        assert level_at(program, (middle, senses, orders))[0] >= 100
