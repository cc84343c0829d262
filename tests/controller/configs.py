"""Any config that a node can be told, for Hypothesis."""

from typing import Any

from hypothesis import strategies as st
from lampione.config.light import (
    WEEKDAYS,
    Lamp,
    Night,
    Plan,
    Presence,
    Rule,
    Step,
    Traffic,
    Upkeep,
    at_text,
)
from lampione.config.model import Broker, Group, NodeConfig, Place, Radio, Reporting, Wifi
from lampione.wiring import Parts
from pydantic import SecretBytes, SecretStr

names = st.text("abcxyz019-", min_size=1, max_size=24)
percent = st.integers(1, 100)
words = st.integers(0, 65535)
ats = st.one_of(
    st.builds(at_text, st.just(0), st.integers(0, 1439)),
    st.builds(at_text, st.sampled_from([1, 2]), st.integers(-720, 720)),
)
dates = st.tuples(st.integers(1, 12), st.integers(1, 28)).map(lambda d: f"{d[0]:02}-{d[1]:02}")


def _pair(values: Any) -> Any:
    return st.tuples(values, values).map(sorted)


places = st.builds(
    Place,
    latitude=st.none() | st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    utc_offset_min=st.integers(-840, 840),
    summer_time=st.sampled_from(["none", "eu"]),
)
upkeeps = st.lists(st.tuples(st.integers(0, 65535), percent), max_size=5, unique_by=lambda u: u[0])


@st.composite
def lamps(draw: st.DrawFn) -> Lamp:
    """Draw a lamp."""
    low, high = draw(_pair(percent))
    hot, hottest = draw(_pair(st.integers(-40, 127)))
    duties = draw(st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True))
    rows = sorted(draw(upkeeps))
    return Lamp(
        design_percent=draw(percent),
        min_percent=low,
        max_percent=high,
        rated_w=draw(st.integers(0, 1000)),
        budget_w=draw(st.integers(0, 1000)),
        curve=draw(st.sampled_from(["linear", "logarithmic"])),
        duty_low=duties[0],
        duty_high=duties[1],
        start_delay_s=draw(st.integers(0, 255)),
        dwell_s=draw(words),
        hot_c=hot,
        hottest_c=hottest,
        hot_percent=draw(percent),
        upkeep=tuple(Upkeep(hours=hours * 10, percent=share) for hours, share in rows),
    )


@st.composite
def nights(draw: st.DrawFn) -> Night:
    """Draw a night."""
    dark, bright = draw(_pair(st.integers(1, 65535)))
    return Night(
        source=draw(st.sampled_from(["sun", "photocell", "either"])),
        on_min=draw(st.integers(-720, 720)),
        off_min=draw(st.integers(-720, 720)),
        dark_lx=dark,
        bright_lx=bright,
    )


steps = st.builds(Step, at=ats, percent=percent, ramp_s=words)
plans = st.lists(
    st.builds(Plan, number=st.integers(0, 255), steps=st.lists(steps, max_size=6).map(tuple)),
    max_size=4,
    unique_by=lambda plan: plan.number,
)
traffics = st.builds(
    lambda flow, shares: Traffic(
        service_vph=flow, below_half_percent=shares[1], below_quarter_percent=shares[0]
    ),
    words,
    _pair(percent),
)
presences = st.builds(
    Presence,
    percent=st.integers(0, 100),
    hold_s=st.integers(1, 510),
    ramp_s=st.integers(0, 255).map(lambda tenths: tenths / 10),
    reach=st.integers(0, 255),
)
groups = st.builds(
    Group,
    name=names,
    member=words,
    key=st.binary(min_size=16, max_size=16).map(SecretBytes),
)
reportings = st.builds(
    Reporting,
    report_interval_s=st.integers(1, 510),
    health_interval_s=st.integers(1, 86400),
    least_vehicles=st.integers(3, 255),
    noise_peaks=st.booleans(),
)
parts = st.builds(
    lambda pin, climate: Parts.model_validate(
        {"lamp": {"pin": pin}} | ({"climate": climate} if climate else {})
    ),
    st.integers(1, 48),
    st.none() | st.just({"i2c": 0, "scl": 9, "sda": 8}),
)
radios = st.builds(
    Radio,
    wifi=st.builds(
        Wifi, ssid=st.text(min_size=1, max_size=32), password=st.text(max_size=64).map(SecretStr)
    ),
    broker=st.builds(
        Broker, host=st.text(min_size=1, max_size=60), port=st.integers(1, 65535),
        password=st.text(max_size=64).map(SecretStr),
    ),
)  # fmt: skip


@st.composite
def configs(draw: st.DrawFn) -> NodeConfig:
    """Draw a config."""
    chosen = draw(plans)
    numbers = [plan.number for plan in chosen] + [0]
    rules = st.builds(
        Rule,
        weekdays=st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7).map(tuple),
        first=dates,
        last=dates,
        plan=st.sampled_from(numbers),
    )
    return NodeConfig(
        site=draw(places),
        lamp=draw(lamps()),
        night=draw(nights()),
        plans=tuple(chosen),
        rules=tuple(draw(st.lists(rules, max_size=4))),
        traffic=draw(traffics),
        presence=draw(presences),
        group=draw(st.none() | groups),
        reporting=draw(reportings),
        parts=draw(st.none() | parts),
        radio=draw(st.none() | radios),
    )
