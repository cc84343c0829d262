"""A node's config: the model, its bytes, what they mean to the node, and what documents say."""

import contextlib
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione import seeds, wanted
from lampione.config import describe
from lampione.config.blob import BlobError, decode, digest, encode
from lampione.config.diff import HIDDEN, Change, diff
from lampione.config.light import Step, minutes_of
from lampione.config.model import REBOOT, NodeConfig
from lampione.program_table import Program as WrittenProgram
from lampione_light import layout
from lampione_light.program import Program
from pydantic import ValidationError

from tests.controller.configs import configs
from tools import config_docs

MILAN = seeds.load()
KEYS = {name: bytes(range(16)) for name in MILAN.groups}


@settings(max_examples=50)
@given(configs())
def test_a_config_survives_its_bytes(config: NodeConfig) -> None:
    blob = encode(config)
    assert decode(blob) == config
    assert encode(decode(blob)) == blob
    assert len(digest(blob)) == 8


@settings(max_examples=50)
@given(configs())
def test_the_node_reads_what_the_model_says(config: NodeConfig) -> None:
    program = Program(encode(config), b"a-1")
    lamp, night = config.lamp, config.night
    assert program.lamp[:5] == (
        lamp.design_percent,
        lamp.min_percent,
        lamp.max_percent,
        lamp.rated_w,
        lamp.budget_w,
    )
    assert 0 <= program.delay_s <= lamp.start_delay_s
    assert program.placed == (config.site.latitude is not None)
    assert (program.dark_lx, program.bright_lx) == (night.dark_lx, night.bright_lx)
    assert program.upkeep == tuple((row.hours // 10, row.percent) for row in lamp.upkeep)
    assert program.traffic == tuple(config.traffic.model_dump().values())
    assert program.presence[2] == round(config.presence.ramp_s * 10)
    for plan in config.plans:
        by_clock = [s for s in plan.steps if minutes_of(s.at)[0] == 0]
        day = next((d for d in range(366) if program.plan(d) == plan.number), None)
        if day is not None and len(by_clock) == len(plan.steps):
            levels = sorted(level for _, _, _, level in program.steps(day))
            assert levels == sorted(step.percent * 100 for step in plan.steps)


@settings(max_examples=50)
@given(configs(), st.binary(max_size=20), st.integers(100, 255))
def test_a_newer_controllers_bytes_are_read(config: NodeConfig, tail: bytes, number: int) -> None:
    blob = encode(config)
    later = bytearray([layout.FORMAT])
    for section, content in layout.sections(blob):
        grown = section in (layout.SITE, layout.LAMP, layout.NIGHT, layout.REPORTING)
        content_ = bytes(content) + (tail if grown else b"")
        later += struct.pack(">BH", section, len(content_)) + content_
    later += struct.pack(">BH", number, len(tail)) + tail
    assert decode(bytes(later)) == config


def test_an_older_controllers_bytes_are_read() -> None:
    assert decode(bytes([layout.FORMAT])) == NodeConfig()
    short = bytes([layout.FORMAT]) + struct.pack(">BHBB", layout.LAMP, 2, 80, 5)
    assert decode(short).lamp.min_percent == 5
    assert decode(short).lamp.max_percent == 100


@given(st.binary(max_size=80))
def test_no_bytes_crash_the_reader(blob: bytes) -> None:
    with contextlib.suppress(BlobError):
        decode(bytes([layout.FORMAT]) + blob)


def test_what_is_too_long_has_no_bytes() -> None:
    steps = tuple(Step(at="sunset", percent=50) for _ in range(31))
    plans = tuple({"number": n, "steps": steps} for n in range(16))
    rules = tuple({"plan": n % 16} for n in range(64))
    config = NodeConfig.model_validate({"plans": plans, "rules": rules})
    assert decode(encode(config)) == config
    big = config.model_dump() | {"parts": {"lamp": {"pin": 4}}}
    encode(NodeConfig.model_validate(big))
    radio = {"wifi": {"ssid": "ü" * 32}, "broker": {"host": "ü" * 253}}
    with pytest.raises(BlobError, match="4096 are possible"):
        encode(NodeConfig.model_validate(config.model_dump() | {"radio": radio}))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"lamp": {"min_percent": 60, "max_percent": 50}}, "min_percent is above max_percent"),
        ({"lamp": {"duty_low": 5, "duty_high": 5}}, "could not be dimmed"),
        ({"lamp": {"upkeep": [{"hours": 15, "percent": 90}]}}, "multiple of 10"),
        ({"lamp": {"upkeep": [{"hours": 10, "percent": 90}] * 2}}, "the hours rise"),
        ({"night": {"dark_lx": 40}}, "dark_lx is above bright_lx"),
        ({"presence": {"ramp_s": 0.25}}, "in steps of 0.1 s"),
        ({"plans": [{"number": 0, "steps": [{"at": "sunset+13h", "percent": 5}]}]}, "12 hours"),
        ({"plans": [{"number": 0, "steps": [{"at": "24:00", "percent": 5}]}]}, "is not a time"),
        ({"plans": [{"number": 0, "steps": [{"at": "sunset+", "percent": 5}]}]}, "is not a time"),
        ({"plans": [{"number": 0, "steps": [{"at": "sunset", "percent": 0}]}]}, "greater than"),
        ({"plans": [{"number": 1}] * 2}, "a number is there twice"),
        ({"rules": [{"plan": 3}]}, "rules[0] plan: there is no plan 3"),
        ({"rules": [{"plan": 0, "first": "02-30"}]}, "is not a date"),
        ({"rules": [{"plan": 0, "weekdays": []}]}, "at least 1 item"),
        ({"group": {"name": "a", "member": 1, "key": b"short"}}, "a group's key has 16 bytes"),
        ({"radio": {"wifi": {"ssid": "a"}, "broker": {"host": "h", "tls": True}}}, "ca: needed"),
        ({"reporting": {"least_vehicles": 2}}, "greater than or equal to 3"),
    ],
)
def test_a_mistake_is_named(table: object, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NodeConfig.model_validate(table)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("at", "read"),
    [
        ("22:30", (0, 1350)),
        ("sunset", (1, 0)),
        ("sunset+30m", (1, 30)),
        ("sunrise-1h", (2, -60)),
        ("sunrise-1h30m", (2, -90)),
        ("sunrise-90m", (2, -90)),
    ],
)
def test_times_are_read(at: str, read: tuple[int, int]) -> None:
    assert minutes_of(at) == read


def test_secrets_are_never_shown() -> None:
    config = NodeConfig.model_validate(
        {
            "group": {"name": "park", "member": 0, "key": b"k" * 16},
            "radio": {
                "wifi": {"ssid": "s", "password": "sesame"},
                "broker": {"host": "h", "password": "sesame"},
            },
        }
    )
    shown = repr(config) + config.model_dump_json()
    assert "sesame" not in shown
    assert "kkkk" not in shown
    assert b"sesame" in encode(config)


def test_a_difference_key_by_key() -> None:
    before = NodeConfig.model_validate(
        {
            "plans": [{"number": 0, "steps": [{"at": "22:30", "percent": 50}]}],
            "group": {"name": "park", "member": 0, "key": b"k" * 16},
            "parts": {"lamp": {"pin": 4}},
        }
    )
    after = NodeConfig.model_validate(
        {
            "lamp": {"upkeep": [{"hours": 0, "percent": 90}]},
            "plans": [{"number": 0, "steps": [{"at": "22:30", "percent": 40, "ramp_s": 9}]}],
            "group": {"name": "park", "member": 0, "key": b"l" * 16},
            "parts": {"lamp": {"pin": 5}},
            "reporting": {"noise_peaks": False},
        }
    )
    assert diff(before, before) == []
    assert diff(before, after) == [
        Change("lamp.upkeep[0]", None, "0 h 90 %", reboot=False),
        Change("plans[0].steps[0]", "22:30 50 %", "22:30 40 % in 9 s", reboot=False),
        Change("group.key", HIDDEN, HIDDEN, reboot=True),
        Change("reporting.noise_peaks", "yes", "no", reboot=True),
        Change("parts.lamp.pin", "4", "5", reboot=True),
    ]
    everything = diff(None, after)
    assert len(everything) > 30
    assert all(change.before is None for change in everything)


@settings(max_examples=40)
@given(configs(), configs())
def test_what_differs_is_said_and_nothing_else(before: NodeConfig, after: NodeConfig) -> None:
    changes = diff(before, after)
    assert bool(changes) == (diff(after, before) != [])
    restarts = any(getattr(before, name) != getattr(after, name) for name in REBOOT)
    assert any(change.reboot for change in changes) == restarts
    key = after.group and after.group.key.get_secret_value().hex()
    assert not key or key not in repr(changes)


def test_the_reference_is_whole_and_fresh(tmp_path: object) -> None:
    assert config_docs.run(config_docs.PAGE, write=False) == []
    assert set(config_docs.SECTIONS) == set(NodeConfig.model_fields)
    sections = {n for numbers in config_docs.SECTIONS.values() for n in numbers}
    assert sections == set(range(1, 13))


def test_the_schema_and_a_forms_settings() -> None:
    schema = json.loads(json.dumps(describe.schema()))
    assert {name for name, table in schema["properties"].items() if table["reboot"]} == set(REBOOT)
    found = {one.path: one for one in describe.settings()}
    dwell = found["lamp.dwell_s"]
    assert (dwell.unit, dwell.low, dwell.high, dwell.default) == ("s", 0, 65535, 0)
    assert not dwell.reboot
    assert found["group.key"].kind == "secret"
    assert found["group.key"].reboot
    assert found["night.source"].choices == ("sun", "photocell", "either")
    assert found["plans[].steps[].at"].required


def test_milans_nodes_have_programs() -> None:
    for node in MILAN.nodes:
        config = wanted.of(MILAN, node.id, KEYS)
        assert decode(encode(config)) == config
        assert config.plans
        assert (config.site.utc_offset_min, config.site.summer_time) == (60, "eu")
        assert (config.traffic.service_vph > 0) == (MILAN.program_of(node) == "adaptive")
    street = wanted.of(MILAN, "umbria-1", KEYS)
    assert [rule.plan for rule in street.rules] == [2, 1]  # festive, weekend
    path = wanted.of(MILAN, "toscana-2", KEYS)
    assert path.group is not None
    assert (path.group.name, path.group.member) == ("ravizza", 1)
    assert path.presence.percent == 90
    with pytest.raises(seeds.SeedError, match=r"groups\.ravizza: has no key"):
        wanted.of(MILAN, "toscana-2", {})
    with pytest.raises(KeyError):
        wanted.of(MILAN, "nobody", {})


def test_a_program_without_plans_is_the_design_level() -> None:
    assert WrittenProgram().sections()["plans"] == ()
    program = Program(encode(NodeConfig()), b"a-1")
    assert program.first(0) == 10000
