"""A new board in a node's place, by real firmware and a real controller: nothing lost, no fight."""

import json
from typing import Any

from lampione import keys
from lampione.provision import record

from tests.brokers import wait_until
from tests.controller.test_provision_fifty import Workshop, workshop

__all__ = ["workshop"]


def test_a_board_is_swapped_and_history_goes_on(workshop: Workshop) -> None:
    old, new = workshop.start("--count", "2")
    workshop.write([old], meter=False)
    wifi = ["--wifi", str(workshop.folder / "city.wifi")]

    def done(*arguments: str) -> list[dict[str, Any]]:
        found = workshop.run(*arguments, "--json")
        assert found.returncode == 0, found.stdout + found.stderr
        return [json.loads(line) for line in found.stdout.splitlines()]

    done("provision", "post-1", "--board", old["serial_number"], "--no-sign-off", *wifi)
    rig = workshop.rig
    first = keys.load(rig.folder / keys.FILE)["post-1"]
    before = rig.show("post-1")
    again = workshop.run("swap", "post-1", "--board", old["serial_number"], *wifi)
    assert again.returncode == 2
    assert "plug in the new one" in again.stderr
    done("swap", "post-1", "--retire", "--board", old["serial_number"])
    kept = rig.show("post-1")["stored"]
    done("swap", "post-1", "--board", new["serial_number"], "--no-sign-off", *wifi)

    second = keys.load(rig.folder / keys.FILE)["post-1"]
    assert second != first
    after = rig.show("post-1")
    assert after["epoch"] != before["epoch"]
    assert after["stored"] >= kept, "what the old board said is still there"
    epochs = {epoch["epoch"]: epoch["superseded"] for epoch in after["epochs"]}
    assert epochs[before["epoch"]]
    assert not epochs[after["epoch"]]
    assert after["hello"]["config_version"] > before["hello"]["config_version"] - 1
    wait_until("its events come", lambda: rig.show("post-1")["stored"] > kept)
    folder = rig.folder / "records"
    assert record.board_of(folder, "post-1") == new["serial_number"]
    filed = json.loads(sorted((folder / "post-1").glob("*.json"))[-1].read_text())
    assert filed["replaces"] == old["serial_number"]
    assert filed["new_key"]
    deeds = [entry["action"] for entry in rig.client.call("audit", node="post-1")]
    assert {"new key", "deliver"} <= set(deeds)
