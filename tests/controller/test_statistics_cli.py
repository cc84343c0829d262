"""`lampione statistics`, asked of a controller that runs."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lampione.core.client import CoreError
from lampione.store.engine import open_engine
from lampione_protocol import schema

from tests.brokers import running_broker
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione

DAY = int(datetime(2026, 6, 1, tzinfo=ZoneInfo("Europe/Rome")).timestamp())
TIME = ["--since", "2026-06-01", "--until", "2026-06-02"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with (
        running_broker("nats", tmp_path_factory.mktemp("broker")) as broker,
        Rig(tmp_path_factory.mktemp("statistics") / "s", broker, ("a-1", "b-2")) as running,
    ):
        (running.folder / "fleet.toml").write_text('[fleet]\ntime_zone = "Europe/Rome"\n')
        node = running.node()
        # 62.4 dB all day long, by a sensor that vouches for itself; a minute of every hour.
        for hour in range(24):
            node.report(start=DAY + 3600 * hour - schema.EPOCH_2020, valid=1 << 4, pm10=40)
        running.settle(node)
        folder = open_engine(running.folder / "lampione.db").folder()
        folder.fold(DAY + 2 * 86400)
        folder.close()
        yield running


def test_a_table_for_people(rig: Rig) -> None:
    done = lampione("--state", str(rig.folder), "statistics", "a-1", "--noise", "it", *TIME)
    assert done.returncode == 0, done.stderr
    head, row, note = done.stdout.splitlines()
    assert head.split()[:6] == ["from", "node", "lden", "dB", "lday", "dB"]
    assert row.split()[:4] == ["2026-06-01", "a-1", "68.6", "62.4"]
    assert "no class of IEC 61672" in note


def test_lines_for_programs(rig: Rig) -> None:
    done = lampione(
        "statistics", "--all", "--together", "--by", "day", *TIME,
        "--json", "--state", str(rig.folder),
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["measure"] for row in rows] == ["laeq"]  # nothing vouched for pm10
    assert rows[0]["mean"] == 62.4
    assert rows[0]["at"] == DAY
    assert rows[0]["valid"] == pytest.approx(100 / 60, abs=0.06)


def test_what_is_not_there_is_said(rig: Rig) -> None:
    done = lampione("--state", str(rig.folder), "statistics", "b-2", "--energy", *TIME)
    assert done.returncode == 0
    assert done.stdout.startswith("nothing is known of this time")
    done = lampione("--state", str(rig.folder), "statistics", "c-3")
    assert (done.returncode, done.stderr) == (4, "lampione: there is no node 'c-3' with a key\n")
    done = lampione("--state", str(rig.folder), "statistics", "a-1", "--measure", "colour")
    assert done.returncode == 1
    assert "'colour' is no measure: ambient_light" in done.stderr
    done = lampione("--state", str(rig.folder), "statistics", "--all", "a-1")
    assert done.returncode == 2
    assert done.stderr == "lampione: give either nodes or --all, which is every node\n"


def test_malformed_requests(rig: Rig) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"measures": "laeq"}, "measures is a list"),
        ({"nodes": []}, "nodes is a list"),
        ({"what": "weather"}, "there is values"),
        ({"since": "now"}, "since is a number"),
    ]
    for request, says in wrong:
        with pytest.raises(CoreError, match=says):
            rig.client.call("statistics", **request)
