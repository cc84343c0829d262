"""The benchmark of a city's ten minutes, in little: sealed, through a broker, nothing lost."""

from pathlib import Path

from benchmarks import city_ingest


def test_a_town_for_some_seconds(tmp_path: Path) -> None:
    found = city_ingest.run(tmp_path, nodes=1500, rate=750, seconds=4)
    assert found.published >= 1500
    assert found.whole, found
    assert found.select_ms > 0
    assert {row.name for row in city_ingest.in_rows(1500, found)} >= {"city_lost", "city_lag_s"}
