"""Burn hours and energy across power cuts, and what they cost the flash."""

from pathlib import Path

import pytest

from tests.node.micro import run

LIVES = """
import json, sys
import lampione_node.burn as burn
from lampione_node import kept
from lampione_node.state import State

now = [0]
burn.ticks_ms = lambda: now[0]
class Lamp:
    level_percent = 50
    rated_w = 60
class Meter:
    metered = True
    power_dw = 300
saves = [0]
save = kept.save
def counting(path, data):
    saves[0] += 1
    return save(path, data)
kept.save = counting
meter, lives = json.loads(sys.stdin.readline())
for minutes in lives:
    state = State("state/numbers")
    state.start()
    hours = burn.BurnHours(state, Lamp, Meter if meter else None)
    for _ in range(minutes * 6):
        now[0] += 10000
        hours.step()
    # and here the power is cut
state = State("state/numbers")
print(json.dumps([state.boot, state.burn_min, state.energy_wh, saves[0]]))
"""


@pytest.mark.parametrize("meter", [False, True])
def test_a_power_cut_costs_an_hour_at_most_and_the_flash_a_write_an_hour(
    tmp_path: Path, meter: bool
) -> None:
    lives = [1440, 30, 90, 59, 61, 20 * 1440]
    ((boots, minutes, energy_wh, saves),) = run(LIVES, [meter, lives], cwd=tmp_path)
    assert boots == len(lives)
    kept = sum(life // 60 * 60 for life in lives)
    assert minutes == kept
    # 60 W at 50 %; a meter that counts by itself is asked for it.
    assert energy_wh == (0 if meter else pytest.approx(kept / 60 * 30, abs=1))
    assert saves == len(lives) + kept // 60


def test_a_file_of_an_older_firmware_is_read(tmp_path: Path) -> None:
    script = """
import json, os
from binascii import crc32
from struct import pack
from lampione_node.state import State
os.mkdir("state")
data = pack(">HIII", 7, 100, 200, 300)
with open("state/numbers", "wb") as file:
    file.write(data + crc32(data).to_bytes(4, "big"))
state = State("state/numbers")
print(json.dumps([state.boot, state.counter, state.acked, state.burn_min, state.energy_wh]))
"""
    assert run(script, cwd=tmp_path) == [[7, 100, 200, 300, 0]]
