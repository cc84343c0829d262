"""The schema itself: well formed, and unable to carry sound, a picture, or one car's journey."""

import re
from pathlib import Path
from typing import Any

import pytest
from lampione_protocol import names, schema
from lampione_protocol.hour import (
    BINS_A_PART,
    FIRST_SPEED_PART,
    HOUR_FIELDS,
    LEVEL_LOW_DB,
    PARTS,
    SPEED_STEP_KMH,
)
from lampione_protocol.names import ALL_MESSAGES, CODES, FLAGS

FIELDS = [(name, field) for _, name, fields in ALL_MESSAGES for field in fields]


@pytest.mark.parametrize("field", [pytest.param(f, id=f"{m}.{f[0]}") for m, f in FIELDS])
def test_a_field_is_well_formed(field: tuple[Any, ...]) -> None:
    name, kind, bits, low, high, steps, unit, since = field
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert isinstance(unit, str)
    assert 1 <= since <= schema.REVISION
    assert steps != 0
    if kind in "ytx":
        assert low == high == 0
        assert kind == "x" or bits % 8 == 0
    elif kind == "m":
        assert (low, high) == (0, 62 << 15)
        assert bits == 10
    else:
        assert 1 <= bits <= 31  # a small integer on a 32-bit board, or nearly
        # all ones is unknown, except for codes and flags that have none
        assert high - low <= (1 << bits) - (1 if kind == "c" else 2)
        assert kind in "iec"
        assert kind == "i" or low == 0


@pytest.mark.parametrize("name", [n for _, n, _ in ALL_MESSAGES])
def test_a_message_is_well_formed(name: str) -> None:
    fields = next(f for _, n, f in ALL_MESSAGES if n == name)
    names_ = [f[0] for f in fields]
    assert len(set(names_)) == len(names_)
    assert all(f[1] != "t" for f in fields[:-1])
    if fields[-1][1] == "t":  # a text begins at a byte
        assert sum(f[2] for f in fields[:-1]) % 8 == 0
    else:
        assert fields[-1][1] == "x"
        assert sum(f[2] for f in fields) % 8 == 0


def test_numbers() -> None:
    numbers = [n for n, _, _ in ALL_MESSAGES]
    assert (
        numbers
        == sorted(set(numbers))
        == [
            *range(1, 11),
            schema.GROUP,
            schema.RAW,
            schema.SETUP,
        ]
    )
    assert all(0 < n < 32 for n in numbers)
    kept = (schema.IMAGE, schema.BENCH)
    assert not set(kept) & set(numbers)


def test_every_code_has_its_list_and_fits() -> None:
    used = set()
    for message, field in FIELDS:
        name, kind, bits, _, high, *_ = field
        for key in (f"{message}.{name}", name):
            if key in CODES:
                used.add(key)
                assert kind in "ec", key
                assert len(CODES[key]) <= high + 1, key
                break
            if key in FLAGS:
                used.add(key)
                assert kind == "c", key
                assert len(FLAGS[key]) <= bits, key
                break
        else:
            listed = name.startswith("state_") or kind not in "e"
            assert listed, f"{message}.{name} has no list"
            if name.startswith("state_"):
                assert len(names.SENSOR_STATES) <= high + 1
    assert used == set(CODES) | set(FLAGS)


def test_health_has_a_state_for_every_sensor_in_order() -> None:
    states = [f[0] for f in schema.HEALTH_FIELDS if f[0].startswith("state_")]
    assert states == ["state_" + s for s in names.SENSORS]


def test_histograms_cover_what_they_say() -> None:
    assert sum(f[0].startswith("bin_") for f in HOUR_FIELDS) == BINS_A_PART
    assert FIRST_SPEED_PART * BINS_A_PART == 96
    assert LEVEL_LOW_DB + 96 == 120
    assert (PARTS - FIRST_SPEED_PART) * BINS_A_PART * SPEED_STEP_KMH == 120
    (bin_,) = {f[4] for f in HOUR_FIELDS if f[0].startswith("bin_")}
    assert bin_ >= 3600 * 8  # an hour of 125 ms in one bin


# ---- privacy by construction ---------------------------------------------------------------

OPAQUE = {
    ("Hello", "epoch", 4),
    ("Hello", "challenge", 4),
    ("Hello", "answer", 4),
    ("Command", "challenge", 4),
    ("Command", "ask", 4),
    ("Log", "text", 27),
}
SOUND = {
    "Report": {"laeq", "lafmax", "la10", "la50", "la90", "lceq", "sound_valid"},
}
VEHICLES = {
    "Report": {"vehicles_toward", "vehicles_away", "speed_mean", "speed_max", "presence"},
    "Hour": {"vehicles_toward", "vehicles_away", "v85", "v85_too_few", "occupancy"},
}
# What else a message may say about the world or itself. A new field must be put in one list by
# someone who has asked what it tells about a person.
PLAIN = {
    "Hello": "epoch boot first_seq oldest_held last_counter challenge answer firmware protocol "
    "hardware profile reset_cause config_version clock config_state",
    "Report": "start duration_s clock pm1 pm2_5 pm10 no2 o3 temperature humidity ambient_light "
    "lamp_level lamp_reason lamp_power valid faults",
    "Health": "time clock correction_set energy burn_hours voltage board_temperature rssi tilt "
    "free_heap uptime outbox_depth outbox_drops task_restarts refused_frames "
    "state_particulates state_no2 state_o3 state_climate state_sound state_radar state_light "
    "state_energy state_tilt idle",
    "Hour": "start part clock " + " ".join(f"bin_{n}" for n in range(12)),
    "Raw": "start duration_s clock pm1 pm2_5 pm10 no2_working no2_auxiliary o3_working "
    "o3_auxiliary temperature humidity",
    "Event": "time clock code severity argument",
    "Command": "op expires challenge ask level ramp for_s time time_ms first_seq last_seq",
    "Result": "time clock counter op outcome reason level value",
    "Watermark": "seq",
    "Log": "time clock level text",
    "Config": "version offset data",
    "Setup": "op version size digest expires challenge trial",
    "Group": "time level hold",
}


def test_only_listed_fields_are_opaque() -> None:
    """Upwards no bytes or text but random numbers of 4 bytes and one short text."""
    opaque = {(m, f[0], f[2] // 8) for m, f in FIELDS if f[1] in "yt"}
    opaque -= {("Config", "data", 25), ("Setup", "digest", 8), ("Setup", "challenge", 4)}  # down
    assert opaque == OPAQUE


def test_every_field_was_looked_at() -> None:
    for _, name, fields in ALL_MESSAGES:
        seen = set(PLAIN[name].split()) | SOUND.get(name, set()) | VEHICLES.get(name, set())
        assert {f[0] for f in fields if f[1] != "x"} == seen


def test_sound_is_levels_alone() -> None:
    """All that a minute tells of its sound is 61 bits: no speech, no waveform."""
    bits = 0
    for message, listed in SOUND.items():
        for _, field in [(m, f) for m, f in FIELDS if m == message and f[0] in listed]:
            assert field[6] in ("dB", "%")
            bits += field[2]
    assert bits == 61
    assert not [f[0] for _, f in FIELDS if re.search("audio|sample|wave|pcm|picture|image", f[0])]


def test_speeds_of_few_vehicles_are_specified_unknown() -> None:
    """The rule stands in the schema and in the reference; the node with a radar keeps it."""
    assert schema.__doc__ is not None
    text = " ".join(schema.__doc__.split())
    assert "`speed_mean` and `speed_max` are unknown where fewer than three vehicles" in text
    for name in ("speed_mean", "speed_max"):
        field = next(f for f in schema.REPORT_FIELDS if f[0] == name)
        assert field[1] == "i"  # a kind that has an unknown
    reference = Path(__file__).parents[2] / "docs" / "protocol.md"
    assert "fewer than three vehicles" in " ".join(reference.read_text().split())
