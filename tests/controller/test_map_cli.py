"""`lampione map` and `lampione show` with a plot and the night, asked of a controller that runs."""

import json
import time
from collections.abc import Iterator

import pytest
from lampione import seeds
from lampione_protocol import schema

from tests.brokers import running_broker
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione
from tests.controller.tui.test_map_view import HERE

NODES = ("bligny-1", "lazio-1", "stranger-1")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with (
        running_broker("nats", tmp_path_factory.mktemp("broker")) as broker,
        Rig(tmp_path_factory.mktemp("map") / "s", broker, NODES) as running,
    ):
        milan = seeds.shipped().read_text(encoding="utf-8")
        (running.folder / "fleet.toml").write_text(milan, encoding="utf-8")
        node = running.node("bligny-1")
        now = int(time.time()) - schema.EPOCH_2020
        for minutes in range(10, 0, -1):
            node.report(start=now - 60 * minutes, valid=1 << 4, lamp_level=30 + minutes)
        running.settle(node)
        yield running


def told(rig: Rig, *arguments: str) -> str:
    done = lampione("--state", str(rig.folder), *arguments, environment={"COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_map_for_people(rig: Rig) -> None:
    shown = told(rig, "map", "--by", "level", "--size", "80x24").splitlines()
    assert len(shown) == 24
    assert shown[0].startswith("lamp's level, 2 nodes, 1 without a position   ├─")
    assert any("b bligny-1" in line for line in shown)
    assert any("lazio-1 ?" in line for line in shown)
    assert shown[-1].endswith("? not known")
    streets = told(rig, "map", "--size", "60x20", "--streets", str(HERE / "streets.geojson"))
    assert any(0x2800 < ord(letter) < 0x2900 for letter in streets)
    near = told(rig, "map", "--size", "60x20", "--at", "lazio-1", "--across", "200")
    assert "bligny-1" not in near
    assert "lazio-1" in near


def test_a_map_for_programs(rig: Rig) -> None:
    rows = [json.loads(line) for line in told(rig, "map", "--by", "laeq", "--json").splitlines()]
    assert [row["node"] for row in rows] == list(NODES)
    assert rows[0]["latitude"] == 45.4498
    assert rows[0]["value"] == "62.4 dB"
    assert rows[0]["letter"] == "d"
    assert rows[2]["latitude"] is None
    assert rows[2]["band"] == "not known"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["map", "--at", "stranger-1"], 4, "stranger-1 has no position"),
        (["map", "--at", "nobody"], 4, "nobody is not of this fleet"),
        (["map", "--streets", "/no/such.geojson"], 2, "there is no such file"),
        (["map", "--streets", __file__], 1, "test_map_cli.py: not JSON"),
        (["map", "--size", "80"], 2, "a size is as 80x24"),
        (["show", "nobody", "--plot", "laeq"], 4, "there is no node 'nobody'"),
        (["show", "bligny-1", "--plot", "colour"], 2, "'colour' is not drawn: laeq"),
        (["show", "stranger-1", "--tonight"], 1, "it is not of the fleet's file"),
    ],
)
def test_what_is_wrong_is_said(rig: Rig, arguments: list[str], code: int, says: str) -> None:
    done = lampione("--state", str(rig.folder), *arguments)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr


def test_a_plot(rig: Rig) -> None:
    shown = told(rig, "show", "bligny-1", "--plot", "lamp_level", "--since", "20m")
    assert shown.startswith("bligny-1  lamp_level %, every report\n")
    assert "40.5 ┤" in shown
    rows = [
        json.loads(line)
        for line in told(rig, "show", "bligny-1", "--plot", "lamp_level", "--json").splitlines()
    ]
    assert [row["value"] for row in rows] == [40 - n for n in range(10)]
    assert rows[0]["unit"] == "%"
    nothing = told(rig, "show", "bligny-1", "--plot", "pm10", "--since", "2d")
    assert nothing == "nothing is known of pm10 of bligny-1 in that time\n"


def test_tonight(rig: Rig) -> None:
    shown = told(rig, "show", "bligny-1", "--tonight").splitlines()
    assert shown[0] == "bligny-1  tonight, from the fleet's file"
    assert sum(line.endswith("  next") for line in shown) == 1
    rows = [
        json.loads(line)
        for line in told(rig, "show", "bligny-1", "--tonight", "--json").splitlines()
    ]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert rows[-1]["what"] == "off"
    assert rows[-1]["over"] is False
