"""What comes next tonight, beside the level function that the node itself asks."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.desk import tonight
from lampione.desk.tonight import Coming, NoNight, Tonight
from lampione_light.level import Sensed, level_at
from lampione_light.program import Program
from lampione_protocol.schema import EPOCH_2020

from tests.controller.programs import ALERT, NODE, config

NIGHT = 1_800_000_000.0  # 15 January 2027, 09:00 in Milan
HALF_A_YEAR = 182 * 86400


@settings(max_examples=30, deadline=None)
@given(st.integers(0, HALF_A_YEAR), st.sampled_from([0, 120]))
def test_the_lamp_does_what_was_told(later_s: int, spread_s: int) -> None:
    blob = config(lamp={"spread_s": spread_s})
    now = NIGHT + later_s
    found = tonight.of_config(blob, NODE, now, "test")
    assert len(found.changes) >= 2
    assert found.changes[-1].at > now  # a night that is over is told no more
    assert [c.at for c in found.changes] == sorted(c.at for c in found.changes)
    program = Program(blob, NODE.encode())
    after = [*found.changes[1:], None]
    for change, following in zip(found.changes, after, strict=True):
        there = change.at + change.over_s + 1
        if following is None or there < following.at:
            level = level_at(program, int(there) - EPOCH_2020, Sensed(), [])[0] / 100
            assert level == pytest.approx(change.level, abs=0.1), change


def test_what_is_next_and_how_it_is_told() -> None:
    changes = [Coming(10, 100, "lights"), Coming(20, 40, "step", 600), Coming(30, 0, "off")]
    found = Tonight(changes, 0, "test")
    assert found.next(15) == changes[1]
    assert found.next(30) is None
    assert [c.told for c in changes] == ["lights: 100 %", "step: 40 % within 10 min", "off"]


def test_a_midsummer_without_a_night_stays_dark() -> None:
    found = tonight.of_config(config(ALERT), NODE, NIGHT + 160 * 86400, "test")
    assert found.changes == []
    assert found.next(NIGHT) is None


def test_what_the_node_runs_counts_before_the_fleets_file(tmp_path: Path) -> None:
    running = {"running_blob": config().hex()}
    assert tonight.find(running, tmp_path, NODE, NIGHT).source == "the config that it runs"
    assert tonight.find(None, tmp_path, NODE, NIGHT).source == "the fleet's file"
    nowhere = {"running_blob": config(site=None).hex()}
    assert tonight.find(nowhere, tmp_path, NODE, NIGHT).source == "the fleet's file"
    with pytest.raises(NoNight, match="a config without a place has no nights"):
        tonight.find(nowhere, None, NODE, NIGHT)
    with pytest.raises(NoNight, match="it is not of the fleet's file"):
        tonight.find(None, tmp_path, "nobody", NIGHT)
    with pytest.raises(NoNight, match="does not know the config"):
        tonight.find(None, None, NODE, NIGHT)
    (tmp_path / "fleet.toml").write_text("no")
    with pytest.raises(NoNight, match=r"fleet\.toml"):
        tonight.find(None, tmp_path, NODE, NIGHT)
