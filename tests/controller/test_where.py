"""Where a node stands: a URI that a phone understands, a code that a camera reads."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.cli.run import run
from lampione.desk.where import QUIET, NowhereError, code, drawn, find, geo_uri

from tests.controller.tui.still import SITES, placed

# RFC 5870, 3.3: num = [ "-" ] 1*DIGIT [ "." 1*DIGIT ]
GEO = re.compile(r"geo:(-?[0-9]+(?:\.[0-9]+)?),(-?[0-9]+(?:\.[0-9]+)?)")


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_every_position_is_a_uri(latitude: float, longitude: float) -> None:
    match = GEO.fullmatch(geo_uri(latitude, longitude))
    assert match
    assert abs(float(match[1]) - latitude) < 1e-6
    assert abs(latitude) > 89.9999995 or abs(float(match[2]) - longitude) < 1e-6
    assert "-0," not in match[0]


@pytest.mark.parametrize("pair", [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0)])
def test_what_is_no_position(pair: tuple[float, float]) -> None:
    with pytest.raises(NowhereError):
        geo_uri(*pair)


def test_nobody_knows() -> None:
    with pytest.raises(NowhereError, match="fleet's file"):
        find({"a-1": placed("A")}, "a-1")
    found = find(SITES, "bligny-1")
    assert found.uri == "geo:45.4498,9.1915"
    assert found.words()[1].startswith("approximately ")


def test_a_code_is_the_same_printed_dark_or_light() -> None:
    modules = code("geo:45.4498,9.1915")
    side = len(modules)
    assert side == 25 + 2 * QUIET, "17 lines: it fits 80x24 beside its words"
    dark, light = drawn(modules, ink_dark=True), drawn(modules, ink_dark=False)
    other = str.maketrans(" ▀▄█", "█▄▀ ")
    assert [line.translate(other) for line in dark] == light
    assert len(dark) == (side + 1) // 2
    assert {len(line) for line in dark} == {side}
    read = [[above in "▀█" for above in line] for line in dark]
    assert read == modules[::2]
    assert not any(any(row) for row in (*modules[:QUIET], *modules[-QUIET:]))


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMPIONE_STATE", str(tmp_path))
    assert run(["where", "bligny-1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert GEO.fullmatch(said["uri"])
    assert run(["where", "bligny-1", "--qr"]) == 0
    text = capsys.readouterr().out
    assert said["uri"] in text
    assert "\x1b" not in text
    assert text.count("█") > 50
    assert run(["where", "nobody-1"]) == 4
