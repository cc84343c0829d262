"""The node's settings: whatever lies on flash, the node starts and the lamp is lit."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node import micro

_LOAD = """
import json, sys
from lampione_node import settings
for line in sys.stdin:
    print(json.dumps(settings.load(json.loads(line))))
"""
_CHECK = _LOAD.replace("settings.load", "settings.check")

GOOD: dict[str, Any] = {
    "node": "porta-03",
    "shard": "porta",
    "broker": {"host": "10.0.0.2", "port": 8883, "tls": True, "ca": "/ca.der", "user": "porta-03"},
    "wifi": {"ssid": "Vettabbia", "password": "acqua chiara"},
    "report_interval_s": 5,
    "parts": {"lamp": {"pin": 4}, "climate": {"i2c": 0, "scl": 9, "sda": 8}},
}


LAMP = {"design_percent": 100, "rated_w": 0, "curve": 0, "duty_low": 0, "duty_high": 1000}


def check(*cases: object) -> list[Any]:
    return micro.run(_CHECK, *cases)


def test_good_settings_come_with_their_defaults() -> None:
    ((made, faults),) = check(GOOD)
    assert faults == []
    assert made["broker"] == {**GOOD["broker"], "cert": "", "key": "", "password": ""}
    assert made["health_interval_s"] == 900
    assert made["outbox_bytes"] == 524_288
    assert made["lamp"] == LAMP
    assert {k: made[k] for k in GOOD if k != "broker"} == {
        k: v for k, v in GOOD.items() if k != "broker"
    }
    # A network that is there already, no broker yet: both are no mistakes.
    ((made, faults),) = check({"node": "a", "shard": "b", "wifi": None})
    assert (made["wifi"], made["broker"], faults) == (None, None, [])


@pytest.mark.parametrize(
    ("where", "value", "named", "online"),
    [
        (["report_interval_s"], 0, "report_interval_s", True),
        (["report_interval_s"], "60", "report_interval_s", True),
        (["health_interval_s"], 1e9, "health_interval_s", True),
        (["outbox_bytes"], True, "outbox_bytes", True),
        (["lamp"], {"design_percent": 0}, "design_percent", True),
        (["lamp"], 7, "lamp", True),
        (["parts", "sound"], 3, "sound", True),
        (["parts", "sound"], {"sck": [1]}, "sound", True),
        (["node"], "a/b", "node", False),
        (["node"], "a.b", "node", False),
        (["shard"], "", "shard", False),
        (["shard"], None, "shard", False),
        (["wifi", "ssid"], 5, "ssid", False),
        (["wifi"], "home", "wifi", False),
        (["broker", "port"], 65_536, "port", False),
        (["broker", "tls"], 1, "tls", False),
        (["broker", "ca"], "", "ca", False),
        (["broker", "host"], None, "host", False),
    ],
)
def test_a_mistake_is_named_and_costs_no_more_than_it_must(
    where: list[str], value: object, named: str, online: bool
) -> None:
    given = copy.deepcopy(GOOD)
    group = given
    for key in where[:-1]:
        group = group[key]
    group[where[-1]] = value
    ((made, faults),) = check(given)
    assert any(named in fault for fault in faults)
    assert (made["broker"] is not None) == online
    assert made["parts"] == GOOD["parts"]
    assert made["lamp"] == LAMP


@pytest.mark.parametrize("content", [None, b"", b"{", b"\x00\xff" * 99, b"[]", b"7", b'{"a":}'])
def test_a_missing_or_damaged_file(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_bytes(content)
    ((made, faults),) = micro.run(_LOAD, str(file))
    assert faults
    assert made["broker"] is None
    assert made["wifi"] is None
    assert made["lamp"] == LAMP


def test_a_good_file_and_a_folder_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(GOOD))
    (made, faults), (_, folder_faults) = micro.run(_LOAD, str(file), str(tmp_path))
    assert (made["node"], faults) == ("porta-03", [])
    assert len(folder_faults) == 1


KEYS = sorted({*GOOD, *GOOD["broker"], *GOOD["wifi"], "lamp", "design_percent", "outbox_bytes"})
anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9), st.text()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=10, deadline=None)
@given(st.lists(anything, min_size=50, max_size=100))
def test_nothing_stops_the_node(cases: list[object]) -> None:
    for made, _ in check(*cases):
        assert 1 <= made["report_interval_s"] <= 3600
        assert 16_384 <= made["outbox_bytes"] <= 16_777_216
        assert 1 <= made["lamp"]["design_percent"] <= 100
        assert all(isinstance(pins, dict) for pins in made["parts"].values())
        if made["broker"] is not None:
            assert made["node"]
            assert made["shard"]
            assert made["broker"]["host"]
            assert isinstance(made["broker"]["tls"], bool)
