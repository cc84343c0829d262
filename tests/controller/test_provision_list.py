"""Lists of boards: what they may say, which line is wrong, and what a state file remembers."""

import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import calibration, seeds
from lampione.provision import rows
from lampione.provision.errors import ProvisionError
from lampione.provision.queue import Queue, held, state_file
from lampione.provision.rows import ListError, Row

from tests.full_disk import full_disk

SEED = seeds.load()

TOML = """\
wifi = "city.wifi"

[[boards]]
node = "bligny-1"
board = "a4cf12fe0001"
site = "bligny"
calibration.sound.offset_cdb = -120
calibration.radar = { angle_deg = 31 }

[[boards]]
node = "umbria-1"
wifi = "other.wifi"
"""
CSV = """\
node,board,site,wifi,sound.offset_cdb,radar.angle_deg
bligny-1,a4cf12fe0001,bligny,city.wifi,-120,31

umbria-1,,,other.wifi,,
"""


def mistakes(text: str, name: str = "l.toml") -> list[str]:
    with pytest.raises(ListError) as caught:
        rows.loads(text, Path(name), SEED)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "name", "lines"),
    [
        (TOML, "l.toml", [3, 10]),
        (CSV, "l.csv", [2, 4]),
        (CSV.replace(",", ";"), "l.csv", [2, 4]),
    ],
)
def test_both_forms_say_the_same(text: str, name: str, lines: list[int], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8-sig")  # as spreadsheets write it
    found = rows.load(path, SEED)
    assert found == [
        Row("bligny-1", "a4cf12fe0001", "bligny", tmp_path / "city.wifi",
            {"sound": {"offset_cdb": -120}, "radar": {"angle_deg": 31}}, lines[0]),
        Row("umbria-1", None, None, tmp_path / "other.wifi", {}, lines[1]),
    ]  # fmt: skip


def test_every_mistake_is_named_by_its_line() -> None:
    assert mistakes(TOML.replace('"umbria-1"', '"bligny-1"')) == [
        "l.toml:10: node 'bligny-1' is on line 3 already"
    ]
    assert mistakes(TOML.replace("umbria-1", "umbria-2")) == [
        "l.toml:10: umbria-2 is planned: take `planned = true` out of the fleet's file first"
    ]
    assert mistakes(TOML.replace('site = "bligny"', 'site = "lodi-centre"')) == [
        "l.toml:3: bligny-1 stands at 'bligny' in the fleet's file, not 'lodi-centre'"
    ]
    assert mistakes(TOML.replace("umbria-1", "rome-1").replace("bligny-1", "status")) == [
        "l.toml:3: 'status' is a word of ours: name the node otherwise",
        "l.toml:10: the fleet's file has no node 'rome-1'",
    ]
    assert mistakes(TOML.replace("board =", "bord =")) == [
        "l.toml:5: bord is not known here; check the spelling"
    ]
    assert mistakes(TOML.replace('node = "umbria-1"\n', "")) == ["l.toml:10: node is missing"]
    assert mistakes(TOML.replace("-120", '"much"'))[0].startswith("l.toml:7: calibration.sound")
    assert mistakes(TOML.replace("-120", "-5000"))[0].startswith("l.toml:3: the calibration of")
    assert "wiring belongs to the profile" in mistakes(TOML.replace("offset_cdb", "sck"))[0]
    assert mistakes("wfi = 'x'\n" + TOML) == [
        "l.toml:1: 'wfi' is not known here; check the spelling"
    ]
    assert "not TOML" in mistakes("[[boards]\n")[0]
    assert mistakes("") == ["l.toml:1: there is no board in it"]
    assert "[[boards]]" in mistakes("boards = 3")[0]
    for nonsense in ("9" * 5000, "[" * 5000):
        assert mistakes(TOML.replace("-120", nonsense))[0].startswith("l.toml: not TOML: ")
    many = mistakes("node\n" + "rome-1\n" * 100, "l.csv")
    assert (len(many), many[-1]) == (51, "l.csv: 149 more mistakes")


def test_mistakes_in_csv() -> None:
    def said(text: str) -> str:
        return mistakes(text, "l.csv")[0]

    assert said("node,colour\nbligny-1,red\n").startswith("l.csv:1: column 'colour'")
    assert said("node,node\nbligny-1,x\n") == "l.csv:1: a column is there twice"
    assert said("node,board\nbligny-1\n").startswith("l.csv:2: 1 cells")
    assert said("node,sound.offset_cdb\nbligny-1,1.5\n").endswith("'1.5' is not a whole number")
    assert said('node\n"bligny-1\n').startswith("l.csv:2: not CSV")
    assert said("board\nx\n") == "l.csv:2: node is missing"


def test_files_that_are_no_lists(tmp_path: Path) -> None:
    (tmp_path / "l.xlsx").write_text("x")
    (tmp_path / "l.toml").write_bytes(b"\xff\xfe")
    for name, word in (("l.xlsx", ".toml or .csv"), ("l.toml", "UTF-8"), ("no.toml", "No such")):
        with pytest.raises(ListError, match=word):
            rows.load(tmp_path / name, SEED)


@given(st.text(alphabet=st.sampled_from(string.printable + "é€"), max_size=200),
       st.sampled_from(["l.toml", "l.csv"]))  # fmt: skip
def test_whatever_is_written_is_a_list_or_a_mistake_with_its_place(text: str, name: str) -> None:
    try:
        rows.loads(text, Path(name), SEED)
    except ListError as error:
        assert str(error).startswith(name)  # noqa: PT017


@given(st.integers(0, 2**32))
def test_a_damaged_list_is_a_list_or_a_mistake_with_its_place(seed: int) -> None:
    dice = random.Random(seed)
    text, name = dice.choice([(TOML, "l.toml"), (CSV, "l.csv")])
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(['"', "\n", "x", ",", "=", "", "[", "9"]) + text[at + 1 :]
    try:
        rows.loads(text, Path(name), SEED)
    except ListError as error:
        assert str(error).startswith(name)  # noqa: PT017


def test_a_second_run_does_only_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "fifty.toml"
    path.write_text(TOML)
    found = rows.load(path, SEED)
    queue = Queue(found, path)
    assert [row.node for row in queue.left()] == ["bligny-1", "umbria-1"]
    queue.begin(found[0], "a4cf12fe0001")
    queue.step(found[0], "flash")
    queue.done(found[0], tmp_path / "r.json")
    queue.begin(found[1], "b")
    queue.failed(found[1], "no light", "see to its plug", None)

    again = Queue(found, path)
    assert [row.node for row in again.left()] == ["umbria-1"]
    entry = again.entries()[1]
    assert (entry.state, entry.why, entry.do, entry.attempts) == (
        "failed", "no light", "see to its plug", 1,
    )  # fmt: skip
    assert again.before(found[1]) == "b"
    assert again.taken() == {"a4cf12fe0001", "b"}

    path.write_text(TOML.replace("-120", "-130"))  # another calibration: it is to be done again
    changed = Queue(rows.load(path, SEED), path)
    assert [row.node for row in changed.left()] == ["bligny-1", "umbria-1"]

    path.write_text(TOML[TOML.index('[[boards]]\nnode = "umbria') :])  # a row goes, and comes back
    Queue(rows.load(path, SEED), path).begin(found[1], "b")
    path.write_text(TOML)
    assert Queue(found, path).entries()[0].state == "done"


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text(CSV)
    found = rows.load(path, SEED)
    queue = Queue(found, path)
    queue.begin(found[0], "a")
    with full_disk():
        queue.done(found[0], None)
    assert isinstance(queue.unsaved, OSError)
    assert queue.unsaved.filename == str(state_file(path))
    assert [one.name for one in tmp_path.iterdir()] == ["l.csv", "l.state.json"]
    assert Queue(found, path).entries()[0].state == "begun"


def test_a_state_that_is_cut_or_foreign(tmp_path: Path) -> None:
    path = tmp_path / "fifty.csv"
    path.write_text(CSV)
    found = rows.load(path, SEED)
    Queue(found, path).begin(found[0], "a")
    state = state_file(path)
    assert state.name == "fifty.state.json"
    state.with_name(state.name + ".new").write_text("torn")
    assert Queue(found, path).entries()[0].state == "begun"
    for text in (
        "{",
        "[]",
        '{"version": 2, "nodes": []}',
        json.dumps({"version": 1, "nodes": [{}]}),
        json.dumps({"version": 1, "nodes": [{"node": "bligny-1", "row": "", "board": 5}]}),
        json.dumps({"version": 1, "nodes": [{"node": "bligny-1", "row": "", "state": "lost"}]}),
        json.dumps({"version": 1, "nodes": [{"node": "bligny-1", "row": "", "attempts": "1"}]}),
        "[" * 100_000,
    ):
        state.write_text(text)
        with pytest.raises(ProvisionError, match="restore it, or remove it"):
            Queue(found, path)


def test_two_runs_never_work_on_one_list(tmp_path: Path) -> None:
    path = tmp_path / "l.toml"
    path.write_text(TOML)
    with held(path), pytest.raises(ProvisionError, match="worked on already"), held(path):
        pass
    with held(path):
        pass


def test_calibrations_are_kept_over_the_fleets_file(tmp_path: Path) -> None:
    assert calibration.load(tmp_path) == {}
    calibration.keep(tmp_path, "bligny-1", {"sound": {"offset_cdb": -120}})
    calibration.keep(tmp_path, "umbria-1", {"gases": {"no2_s": 310}})
    calibration.keep(tmp_path, "bligny-1", {"sound": {"offset_cdb": 40}})
    seed = calibration.applied(SEED, calibration.load(tmp_path))
    assert seed.parts_of(seed.node("bligny-1"))["sound"]["offset_cdb"] == 40
    assert seed.parts_of(seed.node("umbria-1"))["gases"]["no2_s"] == 310
    assert "offset_cdb" not in SEED.parts_of(SEED.node("bligny-1"))["sound"]
    with pytest.raises(seeds.SeedError, match="the calibration of bligny-1"):
        calibration.applied(SEED, {"bligny-1": {"clock": {"x": 1}}})
    for text in ("{", '{"version": 1, "nodes": {"a": {"b": {"c": "d"}}}}', '{"version": 1}', "[]"):
        (tmp_path / calibration.FILE).write_text(text)
        with pytest.raises(seeds.SeedError, match="holds no calibrations"):
            calibration.load(tmp_path)
