"""The audit: whatever is done to a chain is found, in the store's rows and in an export."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.room import audit, export
from lampione.room.audit import FIRST, Chain, Deed, Entry, body_of, chained, verify
from lampione.store import audit as stored

from tests.controller.deeds import NIGHT, shown

LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.floats(allow_nan=False)
)
JSON = st.recursive(LEAVES, lambda some: st.lists(some, max_size=3), max_leaves=6)
deeds = st.builds(
    Deed,
    at=st.floats(0, 4e9),
    operator=st.text(max_size=12),
    role=st.sampled_from(["view", "operate", "configure"]),
    terminal=st.text(max_size=12),
    action=st.text(max_size=12),
    node=st.none() | st.text(max_size=12),
    detail=st.dictionaries(st.text(max_size=6), JSON, max_size=4),
)
chains = st.lists(deeds, min_size=1, max_size=5).map(lambda some: chained(0, FIRST, some))


def rows(entries: list[Entry]) -> list[tuple[Any, ...]]:
    """Return entries as a store keeps them."""
    return [
        (e.seq, d.at, d.operator, d.action, d.node, e.body, e.hash)
        for e in entries
        for d in (e.deed,)
    ]


@settings(max_examples=30)
@given(chains)
def test_a_chain_as_it_was_written_is_whole(entries: list[Entry]) -> None:
    assert verify(entries) is None
    assert list(stored.wrong(rows(entries), [])) == []
    assert export.check(export.line_of(shown(e)) for e in entries) == (
        len(entries), entries[-1].hash, None,
    )  # fmt: skip


@settings(max_examples=70)
@given(chains, st.data())
def test_whatever_is_changed_dropped_added_or_moved_is_found(
    entries: list[Entry], data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, len(entries) - 1))
    bad = list(entries)
    how = data.draw(st.sampled_from(["body", "hash", "drop", "twice", "swap", "insert"]))
    if how == "body":
        other = data.draw(deeds)
        bad[n] = bad[n]._replace(body=body_of(bad[n].seq, other))
    elif how == "hash":
        at = data.draw(st.integers(0, 31))
        flipped = bytearray(bad[n].hash)
        flipped[at] ^= data.draw(st.integers(1, 255))
        bad[n] = bad[n]._replace(hash=bytes(flipped))
    elif how == "drop":
        del bad[n]
    elif how == "twice":
        bad.insert(n, bad[n])
    elif how == "swap":
        m = data.draw(st.integers(0, len(entries) - 1))
        bad[n], bad[m] = bad[m], bad[n]
    else:
        before = bad[n - 1].hash if n else FIRST
        bad.insert(n, *chained(n, before, [data.draw(deeds)]))
    if bad == entries:
        return
    if bad == entries[: len(bad)]:  # the end was cut off: the chain alone cannot know
        chain = Chain({entries[-1].seq: entries[-1].hash})
        assert chain.take(bad) is None
        assert chain.end() is not None
        return
    fault = verify(bad)
    assert fault is not None
    assert fault.seq <= n + 2
    assert list(stored.wrong(rows(bad), []))
    assert export.check(export.line_of(shown(e)) for e in bad).fault is not None


@given(deeds, st.integers(1, 1 << 40))
def test_the_same_deed_has_the_same_text_in_ascii(deed: Deed, seq: int) -> None:
    body = body_of(seq, deed)
    assert body.isascii()
    assert "\n" not in body
    again = deed._replace(detail=dict(reversed(list(deed.detail.items()))))
    assert body_of(seq, again) == body
    assert body_of(seq, Entry(seq, body, b"").deed) == body
    assert body_of(seq + 1, deed) != body


def test_a_long_detail_is_cut_and_still_a_link() -> None:
    deed = NIGHT[0]._replace(detail={"text": "ü" * 10_000})
    entries = chained(0, FIRST, [deed, deed])
    assert len(entries[0].body) < 3 * audit.DETAIL_MAX
    assert export.check(export.line_of(shown(e)) for e in entries).fault is None


def test_a_lone_surrogate_is_a_letter_like_others() -> None:
    deed = NIGHT[0]._replace(detail={"reason": "\ud800"})
    assert verify(chained(0, FIRST, [deed])) is None


def test_written_anew_as_a_whole_only_notes_know_it() -> None:
    entries = chained(0, FIRST, NIGHT)
    forged = chained(0, FIRST, [*NIGHT[:3], NIGHT[3]._replace(operator="carla"), *NIGHT[4:]])
    assert verify(forged) is None
    notes = [(0, FIRST), (2, entries[1].hash), (6, entries[5].hash)]
    assert list(stored.wrong(rows(entries), notes)) == []
    (said,) = stored.wrong(rows(forged), notes)
    assert said == "audit: a note knows entry 6 by another hash"
    (said,) = stored.wrong(rows(entries[:4]), notes)
    assert "ends at 4, and a note knows entry 6" in said


def test_columns_to_ask_by_are_those_of_the_entry() -> None:
    good = rows(chained(0, FIRST, NIGHT))
    for column, other in ((1, 5.0), (2, "carla"), (3, "note"), (4, None)):
        bad = list(good)
        bad[3] = (*bad[3][:column], other, *bad[3][column + 1 :])
        assert list(stored.wrong(bad, [])) == ["audit: the columns of entry 4 are not its own"]


@pytest.mark.parametrize("name", ["at", "operator", "role", "action", "node", "detail", "seq"])
def test_an_export_shows_what_its_hashes_are_of(name: str) -> None:
    found = [shown(entry) for entry in chained(0, FIRST, NIGHT)]
    found[4][name] = {"at": True, "detail": {}}.get(name, "carla")
    checked = export.check(json.dumps(one) for one in found)
    assert checked.fault is not None
    assert checked.fault.seq == 5
    assert checked.entries == 4


@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_what_is_no_export_is_refused(lines: list[str]) -> None:
    assert export.check(lines).fault is not None


@pytest.mark.parametrize(
    "line", ["[" * 20_000, "{}", "null", '{"seq": 1, "body": "[1]", "hash": "zz"}', "9" * 70_000]
)
def test_hostile_lines_are_refused(line: str) -> None:
    assert export.check([line]) == (0, FIRST, export.check([line]).fault)
