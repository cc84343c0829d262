"""Roll-ups in rows: sums, means, levels by energy, extremes, and how much was measured."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from lampione.export import ExportError, rolled
from lampione.export.rows import Wanted
from lampione.export.text import JsonWriter

from tests.controller.export.stored import Said, engine_of, folded, hour_of_two, reading_of, report

HOUR = 1_790_002_800  # 2026-09-21T15:00:00Z
DAY = HOUR // 86400 * 86400


def rows(tmp_path: Path, said: list[Said], by: rolled.By, fields: list[str]) -> list[Any]:
    wanted = Wanted("report", DAY, DAY + 3 * 86400, None, fields)
    found = []
    for piece in rolled.rows(reading_of(folded(engine_of(tmp_path, said))), wanted, by):
        out = io.BytesIO()
        JsonWriter(out, rolled.columns(by, fields)).write(piece)
        found += [json.loads(line) for line in out.getvalue().splitlines()]
    return found


def test_hours_of_two_nodes(tmp_path: Path) -> None:
    found = rows(tmp_path, hour_of_two(), "hour", ["laeq", "vehicles_toward", "pm2_5"])
    # The reports begin at 14:14: 46 minutes of one hour and 14 of the next.
    assert [(row["at"][11:16], row["node"]) for row in found] == [
        ("14:00", "bligny-1"), ("14:00", "caldara-1"),
        ("15:00", "bligny-1"), ("15:00", "caldara-1"),
    ]  # fmt: skip
    first = found[0]
    levels = [50 + n / 10 for n in range(46)]
    energy = sum(10 ** (level / 10) for level in levels) / len(levels)
    assert first["laeq"] == pytest.approx(10 * math.log10(energy), abs=0.01)
    assert first["laeq_covered"] == pytest.approx(46 / 60 * 100, abs=0.01)
    assert first["vehicles_toward_sum"] == 46 * 4
    assert (first["pm2_5_mean"], first["site"]) == (8.0, "Viale Bligny")


def test_days_are_utcs_and_empty_ones_are_no_rows(tmp_path: Path) -> None:
    said: list[Said] = [
        ("bligny-1", "report", at, report(at, temperature=t))
        for at, t in ((DAY + 86340, 10.0), (DAY + 86400, 20.0), (DAY + 86460, None))
    ]
    found = rows(tmp_path, said, "day", ["temperature"])
    assert [(row["at"][:10], row["temperature_mean"]) for row in found] == [
        ("2026-09-21", 10.0), ("2026-09-22", 20.0),
    ]  # fmt: skip


def test_every_field_of_a_report_with_a_mean_goes(tmp_path: Path) -> None:
    found = rows(tmp_path, hour_of_two(), "day", rolled.FIELDS)
    assert len(found) == 2
    assert None not in found[0].values()
    assert {"lamp_level_mean", "speed_max_max", "presence_mean", "lafmax_max"} <= found[0].keys()


@pytest.mark.parametrize(("toward", "away", "told"), [(1, 0, False), (1, 1, False), (2, 1, True)])
def test_too_few_vehicles_in_a_bucket_hide_speeds(
    tmp_path: Path, toward: int, away: int, told: bool
) -> None:
    text = report(HOUR, vehicles_toward=toward, vehicles_away=away, speed_mean=41, speed_max=59)
    (row,) = rows(tmp_path, [("bligny-1", "report", HOUR, text)], "hour", ["speed_max"])
    assert row["speed_max_max"] == (59 if told else None)


def test_bad_values_are_in_no_mean(tmp_path: Path) -> None:
    said: list[Said] = [
        ("bligny-1", "report", HOUR, report(HOUR, no2=20)),
        ("bligny-1", "report", HOUR + 60, report(HOUR + 60, no2=500, valid=["sound"])),
    ]
    (row,) = rows(tmp_path, said, "hour", ["no2"])
    assert (row["no2_mean"], row["no2_max"]) == (20, 20)
    assert row["no2_covered"] == pytest.approx(1.67)


def test_what_is_not_rolled_up_is_named() -> None:
    with pytest.raises(ExportError, match="'lamp_reason' has no roll-up"):
        rolled.columns("hour", ["lamp_reason"])
