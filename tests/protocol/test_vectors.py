"""Golden vectors: the same files on CPython and on MicroPython, which they bind for ever."""

from pathlib import Path

import pytest
from lampione_hil import interpreter
from lampione_protocol import bench
from lampione_protocol.errors import ProtocolError
from lampione_protocol.names import ALL_MESSAGES

from tests.protocol import both

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "protocol" / "vectors").rglob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_on_cpython(path: Path) -> None:
    count, wrong = both.check_vectors(path.read_text())
    assert count
    assert not wrong


def test_on_micropython() -> None:
    said = interpreter.run(
        [str(Path(both.__file__)), *map(str, FILES)], path=[ROOT / "protocol"]
    ).decode()
    assert "wrong" not in said
    for path in FILES:
        count, _ = both.check_vectors(path.read_text())
        assert f"{path} {count} vectors" in said


def test_every_message_has_vectors() -> None:
    folder = ROOT / "protocol" / "vectors"
    places = [(name, folder) for _, name, _ in ALL_MESSAGES]
    places += [(name, folder / "bench") for _, name, _ in bench.MESSAGES]
    for name, place in places:
        text = (place / f"{name.lower()}.txt").read_text()
        names = [dict(block)["name"] for block in both.blocks(text)]
        assert {"unknown", "low", "high", "typical"} <= set(names)
        assert all(dict(block)["message"] == name for block in both.blocks(text))
    sealed = (ROOT / "protocol" / "vectors" / "sealed.txt").read_text()
    assert {dict(b)["name"] for b in both.blocks(sealed)} >= {
        n
        for _, n, _ in ALL_MESSAGES
        if n != "Group"  # sealed as up frames are, with another key
    }


@pytest.mark.parametrize("name", ["report", "sealed", "rfc3610", "hmac", "stream"])
def test_a_wrong_vector_is_found(name: str) -> None:
    text = (ROOT / "protocol" / "vectors" / f"{name}.txt").read_text()
    at = text.rindex("wire ") + 5
    wrong = text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]
    try:
        _, problems = both.check_vectors(wrong)
    except ProtocolError:
        return
    assert len(problems) == 1
