"""Nothing that a node committed is lost or doubled, whatever is killed and cut."""

import os
from pathlib import Path

import pytest

from tests.demo import chaos


@pytest.mark.serial
@pytest.mark.xdist_group("street")
@pytest.mark.timeout(400)
def test_a_minute_of_chaos_loses_and_doubles_nothing(tmp_path: Path) -> None:
    _check(chaos.run(tmp_path, duration_s=60, seed=int(os.environ.get("CHAOS_SEED", "1"))))


@pytest.mark.soak
def test_an_hour_of_chaos_loses_and_doubles_nothing(tmp_path: Path) -> None:
    _check(chaos.run(tmp_path, duration_s=3600, seed=int(os.environ.get("CHAOS_SEED", "1"))))


def _check(outcome: chaos.Outcome) -> None:
    print(outcome)
    assert outcome.created > 100
    assert outcome.deeds["power cut"] > 5
    assert outcome.deeds["broker killed"] > 0
    assert outcome.deeds["controller killed"] > 0
    assert outcome.unexplained == []
    assert outcome.altered == []
    assert outcome.doubled == 0
    # All of these are on flash, so none of them may have been given up.
    assert outcome.lost == 0
    assert outcome.stored == outcome.created
