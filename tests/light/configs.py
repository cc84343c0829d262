"""Random configs, what is sensed and ordered; and a config's bytes, as `layout` has them."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import strategies as st
from lampione_light import layout, level

from tests.light.reference import (
    CLOCK,
    EPOCH,
    GROUP,
    SENSOR,
    Config,
    Order,
    Rule,
    Senses,
    Step,
)

MILAN = (4546420, 919000)
UNKNOWN = 0x3FFFFFFF


def seconds(*date: int) -> int:
    """Return the instant of a UTC date and time."""
    return round((datetime(*date, tzinfo=UTC) - EPOCH).total_seconds())  # type: ignore[arg-type, misc]


def section(number: int, content: bytes) -> bytes:
    return struct.pack(">BH", number, len(content)) + content


def _sections(config: Config) -> Iterator[bytes]:
    latitude = UNKNOWN if config.latitude is None else config.latitude
    site = latitude, config.longitude, config.offset_min, config.summer_time
    yield section(layout.SITE, struct.pack(">iihB", *site))
    lamp = [config.design, config.minimum, config.maximum, config.rated_w, config.budget_w]
    lamp += [0, 0, 1000, config.spread_s, config.dwell_s]
    lamp += [config.hot_c, config.hottest_c, config.hot_percent]
    yield section(layout.LAMP, struct.pack(">BBBHHBHHBHbbB", *lamp))
    yield section(layout.UPKEEP, b"".join(struct.pack(">HB", *row) for row in config.upkeep))
    night = config.source, config.on_min, config.off_min, 20, 35
    yield section(layout.NIGHT, struct.pack(">BhhHH", *night))
    for number, steps in config.plans.items():
        rows = b"".join(struct.pack(">BhBH", *step) for step in steps)
        yield section(layout.PLAN, bytes([number]) + rows)
    rules = [bytes([r.weekdays, *r.first, *r.last, r.plan]) for r in config.rules]
    yield section(layout.RULES, b"".join(rules))
    yield section(layout.TRAFFIC, struct.pack(">HBB", *config.traffic))


def blob(config: Config) -> bytes:
    """Return a config's bytes."""
    return bytes([layout.FORMAT]) + b"".join(_sections(config))


def often(usual: st.SearchStrategy[int], low: int, high: int) -> st.SearchStrategy[int]:
    """Return what people write, and sometimes anything that fits the field."""
    return st.one_of(usual, usual, usual, st.integers(low, high))


PERCENT = often(st.integers(0, 100), 0, 255)
STEP = st.builds(
    Step,
    often(st.integers(0, 2), 0, 255),
    often(st.sampled_from(range(-120, 1441, 15)), -32768, 32767),
    PERCENT,
    often(st.sampled_from([0, 0, 60, 600, 3600]), 0, 65535),
)
CLOCK_STEP = st.builds(Step, st.just(CLOCK), st.integers(0, 1439), PERCENT, st.just(0))
DATE = st.tuples(often(st.integers(1, 12), 0, 255), often(st.integers(1, 31), 0, 255))
RULE = st.builds(Rule, often(st.just(127), 0, 255), DATE, DATE, st.integers(0, 3))
NODE = st.sampled_from([b"bligny-1", b"x", b"", b"a-long-name-of-a-node-in-a-street"])


def plans(step: st.SearchStrategy[Step]) -> st.SearchStrategy[dict[int, tuple[Step, ...]]]:
    """Return plans; most have steps enough to get into each other's way."""
    many = st.lists(step, min_size=5, max_size=12)
    steps = st.one_of(many, many, st.lists(step, max_size=4))
    return st.one_of(
        st.fixed_dictionaries({0: steps.map(tuple)}, optional={1: steps.map(tuple)}),
        st.dictionaries(st.integers(0, 3), steps.map(tuple), max_size=3),
    )


def configs(
    step: st.SearchStrategy[Step] = STEP, latitude: int = 90, hostile: bool = True
) -> st.SearchStrategy[Config]:
    """Return configs; not hostile: with a place, that suits the offset, and no wait."""
    east = st.integers(-18000000, 18000000)
    north = st.one_of(st.just(MILAN[0]), st.integers(-latitude * 100000, latitude * 100000))
    anywhere: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
        {
            "latitude": st.one_of(st.none(), *[north] * 8, st.integers(-(1 << 31), 1 << 30)),
            "longitude": often(east, -(1 << 31), (1 << 31) - 1),
            "offset_min": often(st.sampled_from([60, 0, -720, 840, 345]), -32768, 32767),
            "summer_time": often(st.sampled_from([0, 1]), 0, 255),
            "dwell_s": often(st.sampled_from([0, 900, 3600, 7200]), 0, 65535),
        }
    )
    there = east.flatmap(
        lambda longitude: st.fixed_dictionaries(
            {
                "latitude": north,
                "longitude": st.just(longitude),
                "offset_min": st.integers(-180, 180).map(lambda m: longitude // 25000 + m),
                "summer_time": st.integers(0, 1),
            }
        )
    )
    rest = st.fixed_dictionaries(
        {
            "design": PERCENT,
            "minimum": PERCENT,
            "maximum": PERCENT,
            "rated_w": often(st.sampled_from([0, 60]), 0, 65535),
            "budget_w": often(st.sampled_from([0, 40]), 0, 65535),
            "spread_s": st.integers(0, 255),
            "hot_c": often(st.sampled_from([60, 127]), -128, 127),
            "hottest_c": often(st.sampled_from([80, 127]), -128, 127),
            "hot_percent": PERCENT,
            "upkeep": st.lists(
                st.tuples(often(st.integers(0, 10000), 0, 65535), PERCENT), max_size=5
            ).map(tuple),
            "source": often(st.integers(0, 2), 0, 255),
            "on_min": often(st.integers(-60, 60), -32768, 32767),
            "off_min": often(st.integers(-60, 60), -32768, 32767),
            "plans": plans(step),
            "rules": st.one_of(st.just(()), st.lists(RULE, max_size=3).map(tuple)),
            "traffic": st.tuples(st.integers(0, 65535), PERCENT, PERCENT),
        }
    )
    return st.tuples(anywhere if hostile else there, rest).map(lambda p: Config(**p[0], **p[1]))  # type: ignore[arg-type]


SENSED = st.builds(
    Senses,
    st.sampled_from([None, None, False, True]),
    st.sampled_from([0, 0, 1, 2]),
    st.sampled_from([False, False, False, True]),
    st.one_of(st.none(), st.integers(0, 1 << 20)),
    st.one_of(st.none(), st.integers(-60, 150)),
)
LEVEL = st.one_of(st.sampled_from([0, 10000]), st.integers(0, 10000))
LENGTH = st.one_of(
    st.sampled_from([0, 1000, 1001, 2000, 60000]),
    st.integers(0, 120000),
    st.integers(0, 1_000_000_000),
)


def orders(kinds: tuple[int, ...]) -> st.SearchStrategy[tuple[Order, ...]]:
    """Return orders of these kinds at most, each at most once; over, expired, on a ramp."""
    order = st.builds(Order, st.sampled_from(kinds), LEVEL, LENGTH, LENGTH, LENGTH, LEVEL, LENGTH)
    return st.lists(order, max_size=3, unique_by=lambda o: o.kind).map(tuple)


ORDERS = orders((SENSOR, level.OVERRIDE, GROUP, level.EMERGENCY, level.MAINTENANCE))
RAISING = orders((SENSOR, GROUP))


def sensed(senses: Senses) -> level.Sensed:
    """Return it as the node has it."""
    found = level.Sensed()
    found.dark, found.reduction, found.fault = senses.dark, senses.reduction, senses.fault
    found.burn_h, found.celsius = senses.burn_h, senses.celsius
    return found


BEGIN, END = seconds(2020, 1, 2), seconds(2053, 12, 30)
CHANGES = [
    seconds(2026, 3, 29, 1),
    seconds(2026, 10, 25, 1),
    seconds(2024, 2, 29),
    seconds(2027, 1, 1),
]
NOW = st.one_of(
    st.integers(BEGIN, END),
    st.builds(int.__add__, st.sampled_from(CHANGES), st.integers(-86400, 86400)),
)
