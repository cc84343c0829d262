"""The fleet's file: Milan's facts, and every mistake named by file, table and key."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import seeds, wanted, zones
from lampione.demo import fleet_file
from lampione_protocol.topics import is_name

MILAN = seeds.shipped().read_text(encoding="utf-8")


def test_milan_has_eleven_lampposts_and_nine_planned() -> None:
    seed = seeds.load()
    assert len(seed.running) == 11
    assert len(seed.nodes) == 20
    assert len(seed.sites) == 11
    assert sum("traffic" in s.measures for s in seed.sites) == 4
    assert all({"environmental", "acoustic"} <= set(s.measures) for s in seed.sites)
    assert {seed.site_of(n).id for n in seed.running} == {s.id for s in seed.sites}


def test_milan_positions_are_approximate_and_in_the_district() -> None:
    for site in seeds.load().sites:
        assert site.approximate, site.id
        assert 45.44 <= site.latitude <= 45.46, site.id
        assert 9.18 <= site.longitude <= 9.22, site.id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("shard =", "shrd =", "fleet shrd: is not known here; check the spelling (and 1 more)"),
        ('shard = "milan"', "", "fleet shard: is missing"),
        (
            "pin = 10 ",
            "pin = 5 ",
            "profiles street: parts.lamp.pin = 5: pin 5 is sck of parts.sound already",
        ),
        ("pin = 10 ", "pin = 19 ", "not a free pin of esp32-s3"),
        ("pin = 10 ", "pn = 10 ", "profiles.street.parts.lamp pn: is not known here"),
        ("i2s = 0", "i2s = 2", "parts.sound.i2s = 2: esp32-s3 has i2s 0 to 1"),
        ('site = "bligny"', 'site = "blgny"', "nodes[1] site: there is no site 'blgny'"),
        ('id = "bligny-1"', 'id = "sarfatti-1"', "nodes[2] id: 'sarfatti-1' is there twice"),
        ('id = "bligny"', 'id = "sarfatti"', "sites[2] id: 'sarfatti' is there twice"),
        ('profile = "street"', 'profile = "x"', "nodes[0] profile: there is no profile 'x'"),
        ('id = "bligny-1"', 'id = "Bligny 1"', "nodes[1] (Bligny 1) id: 'Bligny 1' is not a name"),
        ("= 45.4512", '= "north"', "sites[0] (beatrice-deste) latitude: input should be a valid"),
        ("= 45.4512", "= 145.0", "sites[0] (beatrice-deste) latitude: "),
        ('"climate", "sound"', '"sound"', "climate must be both in `sensors` and in `parts`"),
        ("uart = 0", "uart = 1", "parts.energy.uart = 1: uart 1 is uart of parts.radar already"),
        ("uart = 0", "uart = 3", "parts.energy.uart = 3: esp32-s3 has uart 0 to 2"),
        (
            "sda = 8 }    # SPS30",
            "sda = 11 }",
            "parts.particulates.sda = 11: sda of i2c 0 is pin 8 already",
        ),
        ("design_percent = 100", "design_percent = 0", "profiles.street.lamp design_perc"),
        ("Europe/Rome", "Europe/Roma", "fleet time_zone: 'Europe/Roma' is not a time zone"),
        ("Europe/Rome", "America/New_York", "keeps a summer time of its own"),
        ('program = "street"', 'program = "x"', "profiles.quiet-street program: there is no prog"),
        ('program = "path" ', 'program = "pth" ', "program: there is no program 'pth'"),
        (
            'at = "22:30"',
            'at = "22.30"',
            "programs.street.plans.default[1] at: '22.30' is not a time: write 22:30, sunset,",
        ),
        ("percent = 60,", "percent = 160,", "programs.street.plans.default[2] percent: input"),
        ('plan = "festive"', 'plan = "x"', "programs street: rules[0] plan: there is no plan 'x'"),
        ('first = "12-07"', 'first = "7.12."', "programs.street.rules[0] first: '7.12.' is not"),
        ("service_vph", "service", "programs.adaptive.traffic service: is not known here"),
        ("min_percent = 10", "min_percent = 0", "profiles.street.lamp min_percent: input should"),
        ('["sarfatti-2", ', '["nobody", ', "groups.ravizza nodes[0]: there is no node 'nobody'"),
        (
            '["sarfatti-2", ',
            '["toscana-2", ',
            "groups.ravizza nodes[1]: 'toscana-2' is in group 'ravizza' already",
        ),
        ("[fleet]", "[fleet", "not TOML: "),
        ("[fleet]", "[fleet]\n[fleet]", "not TOML: "),
    ],
)
def test_a_mistake_is_named(old: str, new: str, message: str) -> None:
    assert old in MILAN
    with pytest.raises(seeds.SeedError, match=re.escape(message)) as caught:
        seeds.loads(MILAN.replace(old, new, 1), "milan.toml")
    assert str(caught.value).startswith("milan.toml: ")
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="az09-._ A#", min_size=0, max_size=30))
def test_only_names_pass_as_ids(name: str) -> None:
    text = MILAN.replace('id = "bligny-1"', f'id = "{name}"', 1)
    if is_name(name) and name not in {n.id for n in seeds.load().nodes} - {"bligny-1"}:
        assert seeds.loads(text, "x").node(name).site == "bligny"
    else:
        with pytest.raises(seeds.SeedError):
            seeds.loads(text, "x")


@given(st.integers(0, len(MILAN) - 1), st.text(max_size=3))
def test_damage_is_a_seed_error_or_a_seed(at: int, put: str) -> None:
    said = ""
    try:
        seeds.loads(MILAN[:at] + put + MILAN[at + 1 :], "x")
    except seeds.SeedError as error:
        said = str(error)
    assert said == "" or (said.startswith("x: ") and "\n" not in said)


def test_a_units_calibration_goes_over_its_profile() -> None:
    def with_calibration(text: str) -> str:
        return MILAN.replace('id = "bligny-1"\n', f'id = "bligny-1"\ncalibration = {text}\n', 1)

    made = seeds.loads(with_calibration("{ gases = { no2_we = 2310, no2_s = 287 } }"), "x")
    gases = seeds.settings(made, "bligny-1", host="x", port=1)["parts"]["gases"]
    assert gases == {"i2c": 0, "scl": 9, "sda": 8, "no2_we": 2310, "no2_s": 287}
    assert "no2_we" not in seeds.settings(made, "umbria-1", host="x", port=1)["parts"]["gases"]
    for text, said in (
        ("{ gases = { no2_s = 3 } }", "nodes[1] calibration: gases.no2_s: Input should be greater"),
        ("{ gases = { no3_s = 3 } }", "nodes[1] calibration: gases.no3_s: is not known here"),
        ("{ nose = { x = 3 } }", "nodes[1] calibration: nose: its profile has no such part"),
        ("{ gases = { scl = 5 } }", "gases.scl: wiring belongs to the profile"),
    ):
        with pytest.raises(seeds.SeedError, match=re.escape(said)):
            seeds.loads(with_calibration(text), "x")


def test_settings_of_a_board() -> None:
    seed = seeds.load()
    made = seeds.settings(seed, "bligny-1", host="127.0.0.1", port=1883, report_interval_s=5)
    assert json.loads(json.dumps(made)) == made
    assert made["node"] == "bligny-1"
    assert made["shard"] == "milan"
    assert made["broker"] == {"host": "127.0.0.1", "port": 1883}
    assert made["report_interval_s"] == 5
    assert made["health_interval_s"] == 900
    assert made["parts"]["sound"] == {"i2s": 0, "sck": 5, "ws": 6, "sd": 7, "eq": "ics43434"}
    parts = "climate particulates gases sound radar light energy tilt lamp"
    assert set(made["parts"]) == set(parts.split())
    assert "radar" not in seeds.settings(seed, "umbria-1", host="x", port=1)["parts"]
    with pytest.raises(KeyError):
        seeds.settings(seed, "nobody", host="x", port=1)


@pytest.mark.parametrize(
    ("zone", "rule"),
    [
        ("Europe/Rome", (60, "eu")),
        ("Europe/Dublin", (0, "eu")),
        ("Europe/Athens", (120, "eu")),
        ("UTC", (0, "none")),
        ("Asia/Kolkata", (330, "none")),
        ("America/Phoenix", (-420, "none")),
    ],
)
def test_a_time_zone_is_an_offset_and_a_rule(zone: str, rule: tuple[int, str]) -> None:
    assert zones.rule_of(zone) == rule


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "Australia/Sydney", "", "../x", "Mars"])
def test_a_time_zone_that_a_node_cannot_keep(zone: str) -> None:
    with pytest.raises(zones.ZoneError):
        zones.rule_of(zone)


def test_a_radio_of_the_fleets_with_its_passwords_elsewhere(tmp_path: Path) -> None:
    radio = """
[radios.town]
wifi = { ssid = "town", password_file = "wifi.txt" }
broker = { host = "broker.example", tls = true, ca = "/ca.der", user = "nodes" }
"""
    text = MILAN.replace('program = "street"\n', 'program = "street"\nradio = "town"\n', 1) + radio
    seed = seeds.loads(text, "x")
    with pytest.raises(seeds.SeedError, match=r"wifi\.txt: No such file"):
        wanted.of(seed, "umbria-1", {}, tmp_path)
    (tmp_path / "wifi.txt").write_text("sesame\n")
    (tmp_path / "wifi.txt").chmod(0o644)
    with pytest.raises(seeds.SeedError, match="can be read by others"):
        wanted.of(seed, "umbria-1", {}, tmp_path)
    (tmp_path / "wifi.txt").chmod(0o600)
    config = wanted.of(seed, "umbria-1", {}, tmp_path)
    assert config.radio_settings() == {
        "wifi": {"ssid": "town", "password": "sesame"},
        "broker": {"host": "broker.example", "tls": True, "ca": "/ca.der", "user": "nodes"},
    }
    assert wanted.of(seed, "bligny-1", {}, tmp_path).radio is None
    for old, new, said in (
        ('radio = "town"', 'radio = "twn"', "profiles.quiet-street radio: there is no radio 'twn'"),
        (', ca = "/ca.der"', "", "radios.town broker: ca: needed for tls"),
        ('user = "nodes"', 'password = "x"', "radios.town.broker password: is not known here"),
    ):
        with pytest.raises(seeds.SeedError, match=re.escape(said)):
            seeds.loads(text.replace(old, new, 1), "x")


def test_the_demos_file_is_milans_with_its_own_intervals() -> None:
    made = seeds.loads(fleet_file.adapted(MILAN, 5), "x")
    assert (made.fleet.report_interval_s, made.fleet.health_interval_s) == (5, 75)
    assert made.parts_of(made.node("bligny-1"))["sound"].get("eq") is None
    assert made.parts_of(made.node("umbria-1"))["gases"]["warm_min"] == 0
    assert made.programs == seeds.load().programs


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(seeds.SeedError, match="cannot be read: No such file"):
        seeds.load(tmp_path / "none.toml")
    with pytest.raises(seeds.SeedError, match="no fleet 'rome'"):
        seeds.shipped("rome")
    (tmp_path / "latin.toml").write_bytes(b"# caff\xe8\n")
    with pytest.raises(seeds.SeedError, match="not UTF-8"):
        seeds.load(tmp_path / "latin.toml")


def test_a_lamp_on_dali_needs_no_meter_of_its_own() -> None:
    dali = 'lamp = { kind = "dali", tx = 10, rx = 11 }'
    text = MILAN.replace("lamp = { pin = 10 }", dali, 1)
    assert dali in text
    meter = "energy = { uart = 0, tx = 17, rx = 18 }         # PZEM-004T; the console is on USB\n"
    assert meter in text
    seed = seeds.loads(text.replace(meter, "", 1), "milan.toml")
    parts = seed.parts_of(seed.node("bligny-1"))
    assert parts["lamp"] == {"kind": "dali", "tx": 10, "rx": 11}
    with pytest.raises(seeds.SeedError, match=r"parts\.lamp address: "):
        seeds.loads(text.replace("rx = 11 }", "rx = 11, address = 64 }"), "milan.toml")


def test_a_sites_shard_is_that_of_its_nodes() -> None:
    text = MILAN.replace('id = "bligny"\n', 'id = "bligny"\nshard = "south"\n', 1)
    assert text != MILAN
    seed = seeds.loads(text, "x.toml")
    assert (seed.shards, seed.shard_of("unheard-of")) == (["milan", "south"], "milan")
    there = [node.id for node in seed.nodes if node.site == "bligny"]
    assert {seed.shard_of(node) for node in there} == {"south"}
    assert seeds.settings(seed, there[0], host="b", port=1)["shard"] == "south"
    split = text + f'\n[groups.split]\nnodes = ["{there[0]}", "sarfatti-1"]\n'
    with pytest.raises(seeds.SeedError, match="more than one shard"):
        seeds.loads(split, "x.toml")


def test_a_node_may_have_a_place_of_its_own() -> None:
    placed = MILAN.replace(
        'id = "bligny-1"\n', 'id = "bligny-1"\nlatitude = 45.4\nlongitude = 9.2\n'
    )
    node = seeds.loads(placed, "f").node("bligny-1")
    assert (node.latitude, node.longitude) == (45.4, 9.2)
    half = placed.replace("longitude = 9.2\n", "")
    with pytest.raises(seeds.SeedError, match="latitude and longitude go together"):
        seeds.loads(half, "f")
