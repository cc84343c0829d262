"""A controller that runs and stores, and what is given away beside it."""

import csv
import io
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione import seeds
from lampione.core.folder import StateFolder
from lampione.export.http import DataServer
from lampione.export.places import Places
from lampione.store.engine import open_engine
from lampione_protocol import schema
from prometheus_client.parser import text_string_to_metric_families

from tests.brokers import running_broker
from tests.controller.export.stored import report
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with (
        running_broker("nats", tmp_path / "broker") as broker,
        Rig(tmp_path / "s", broker, ("bligny-1",)) as running,
    ):
        yield running


def test_files_and_metrics_are_of_this_minute(rig: Rig) -> None:
    node = rig.node("bligny-1")
    now = int(time.time()) - 61
    for minute in range(3):
        node.make(schema.REPORT, report(now - 60 * minute, lamp_level=70 + minute))
    rig.settle(node)

    done = lampione("--state", str(rig.folder), "export", "--since", "1h", "--fields", "lamp_level")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert [row["lamp_level"] for row in rows] == ["72", "71", "70"]

    engine = open_engine(rig.folder / "lampione.db")
    with DataServer(
        ("127.0.0.1", 0), engine.reader, Places(seeds.load()), state=StateFolder(rig.folder)
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        base = f"http://localhost:{server.port}"
        with urllib.request.urlopen(f"{base}/metrics", timeout=20) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        newest = (
            f"{base}/v1.1/Datastreams('bligny-1:lamp_level')/Observations"
            "?$orderby=phenomenonTime%20desc&$top=1"
        )
        with urllib.request.urlopen(newest, timeout=20) as answer:
            (observation,) = json.loads(answer.read())["value"]
        server.shutdown()
        thread.join()
    found = {sample.name: sample.value for family in families for sample in family.samples}
    assert found["lampione_controller_up"] == 1
    assert found["lampione_broker_connected"] == 1
    assert found["lampione_frames_stored_total"] >= 3
    assert found["lampione_lamp_level_ratio"] == pytest.approx(0.7)
    assert observation["result"] == 70
