"""The generated reference: complete, fresh, and right where a reader counts bits."""

import re
from pathlib import Path

import pytest
from lampione_protocol.names import ALL_MESSAGES

from tools import protocol_docs, protocol_words
from tools.protocol_docs import missing_words, page, run


def test_the_projects_own_page_is_fresh() -> None:
    assert run(protocol_docs.PAGE, write=False) == []


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "protocol.md"
    assert "stale" in run(path, write=False)[0]
    assert run(path, write=True) == []
    assert run(path, write=False) == []
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "stale" in run(path, write=False)[0]


def test_missing_and_extra_descriptions_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert missing_words() == []
    report = dict(protocol_words.FIELDS["Report"])
    del report["pm1"]
    report["pm0_1"] = "smaller still"
    monkeypatch.setitem(protocol_words.FIELDS, "Report", report)
    monkeypatch.delitem(protocol_words.MESSAGES, "Log")
    monkeypatch.delitem(protocol_words.CODES, "op")
    monkeypatch.setitem(protocol_words.EVENT_ARGUMENTS, "rain", "millimetres")
    wrong = missing_words()
    assert set(wrong) == {
        "field Report.pm1: no description",
        "field Report.pm0_1: described but gone",
        "message Log: no description",
        "list op: no description",
        "event rain: described but gone",
    }
    assert run(tmp_path / "protocol.md", write=True) == wrong
    assert not (tmp_path / "protocol.md").exists()


def test_every_bit_has_its_place() -> None:
    """The offsets of a message's table start at 0 and leave no gap."""
    text = page()
    for _, name, fields in ALL_MESSAGES:
        section = text.split(f"\n### {name}\n")[1].split("\n#")[0]
        rows = re.findall(r"^\| (\d+) \| (?:≤ )?(\d+) \|", section, re.MULTILINE)
        at = 0
        for offset, bits in rows:
            assert int(offset) == at
            at += int(bits)
        assert at == sum(f[2] for f in fields) + (8 if fields[-1][1] == "t" else 0)
        for field in fields:
            assert f"`{field[0]}`" in section
    assert "| 2 | [Report](#report) | up | 33 | 51 | 8 |" in text
