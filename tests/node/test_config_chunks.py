"""Chunks that come twice, out of order or from elsewhere; flash that is full, broken or damaged."""

from typing import Any

import pytest
from lampione_light import layout

from tests.node import test_config_store as store
from tests.node.config_model import Blob
from tests.node.test_config_store import BLOBS, blob, filler, play, push, section

OFFER = 11
ACCEPTED, DONE, REFUSED = range(3)
BUSY, DAMAGED, NOT_HERE, FLASH = 7, 10, 11, 12
BIG = 3
DATA = BLOBS[BIG].data


def one(ops: list[list[Any]], blocks: int = 32) -> list[dict[str, Any]]:
    return play([ops], blocks)[0]


def last(answer: dict[str, Any]) -> list[Any]:
    found: list[Any] = answer["said"][-1]
    return found


def chunk(at: int, which: int = BIG, data: bytes | None = None) -> list[Any]:
    return ["chunk", which, at, (DATA[at : at + 25] if data is None else data).hex()]


def test_only_the_next_piece_is_taken_and_the_place_is_told() -> None:
    answers = one(
        [
            ["offer", BIG],
            chunk(0),
            chunk(0),  # twice
            chunk(75),  # out of order
            chunk(25, which=1),  # of another config
            chunk(25, data=b""),
            chunk(25),
            chunk(50),
            ["offer", BIG],
            ["send", BIG, 99],
            chunk(25),  # when all is here
            ["apply", BIG],
        ]
    )
    told = [answer["said"] for answer in answers]
    assert told[:3] == [[[OFFER, ACCEPTED, 0, 0]], [], [[OFFER, ACCEPTED, 0, 25]]]
    assert told[3:8] == [[], [], [], [], []], "no more than once a second"
    assert told[8] == [[OFFER, ACCEPTED, 0, 75]]
    assert told[9:11] == [[[OFFER, DONE, 0, len(DATA)]], []]
    assert (answers[-1]["version"], answers[-1]["lit"]) == (BIG, BIG)


def test_chunks_without_an_offer_are_ignored() -> None:
    answers = one([chunk(0), ["offer", BIG], ["boot"], chunk(0), ["apply", BIG], ["offer", BIG]])
    assert [answer["said"] for answer in answers[:1]] == [[]]
    assert answers[3]["said"] == []
    assert last(answers[4])[1:3] == [REFUSED, NOT_HERE]
    assert last(answers[5]) == [OFFER, ACCEPTED, 0, 0]


def test_another_offer_takes_the_place_of_the_one_before() -> None:
    answers = one([["offer", BIG], chunk(0), ["offer", 2], ["send", 2, 9], ["apply", 2]])
    assert answers[-1]["version"] == 2
    again = one([["offer", BIG], chunk(0), ["offer", 2], ["offer", BIG]])
    assert last(again[-1]) == [OFFER, ACCEPTED, 0, 0]


def test_what_is_not_what_was_offered_is_refused_and_goes() -> None:
    ops = [
        ["offer", BIG],
        chunk(0),
        chunk(25, data=bytes(25)),
        *[chunk(at) for at in range(50, len(DATA), 25)],
    ]
    answers = one([*ops, ["apply", BIG], ["offer", BIG], ["send", BIG, 99], ["apply", BIG]])
    assert last(answers[len(ops) - 1]) == [OFFER, REFUSED, DAMAGED, 0]
    assert "new" not in answers[len(ops) - 1]["files"]
    assert last(answers[len(ops)])[1:3] == [REFUSED, NOT_HERE]
    assert answers[-1]["version"] == BIG


def test_a_staged_config_that_was_damaged_on_flash_is_found_out() -> None:
    staged: list[list[Any]] = [["offer", BIG], ["send", BIG, 99]]
    for how in (-1, 20, 300):
        answers = one(
            [*staged, ["damage", "new", how], ["apply", BIG], ["offer", BIG], ["offer", BIG]]
        )
        assert last(answers[3])[1:3] == [REFUSED, NOT_HERE]
        assert answers[3]["version"] == 0
        assert last(answers[5])[:2] == [OFFER, ACCEPTED]


def test_a_full_flash_refuses_and_goes_on() -> None:
    ops: list[list[Any]] = [
        *push(2, ["confirm", 2]),
        ["fill"],
        *push(BIG),
        ["boot"],
        ["offer", BIG],
    ]
    answers = one(ops, blocks=16)
    assert any(said[1:3] == [REFUSED, FLASH] for answer in answers for said in answer["said"])
    assert (answers[-1]["version"], answers[-1]["state"]) == (2, 0)


@pytest.mark.parametrize("when", range(7))
def test_a_flash_that_refuses_to_write_costs_no_config(when: int) -> None:
    ops = [*push(2, ["confirm", 2]), *push(BIG), ["confirm", BIG]]
    ops.insert(4 + min(when, 3), ["broken", True])
    ops += [["boot"], ["offer", 1], *push(2, ["confirm", 2])]
    answers = one(ops)
    said = [s for answer in answers for s in answer["said"]]
    assert any(s[1] == REFUSED and s[2] in (FLASH, NOT_HERE) for s in said)
    assert (answers[-1]["version"], answers[-1]["state"]) == (2, 0)


@pytest.mark.parametrize("how", [-1, -500, 0, 5, 13, 200])
def test_a_damaged_config_gives_way_to_the_one_before(how: int) -> None:
    both = [*push(2, ["confirm", 2]), *push(BIG, ["confirm", BIG])]
    ops = [*both, ["damage", "good", how], ["boot"], *push(1, ["boot"]), *push(1, ["confirm", 1])]
    answers = one([*ops, ["damage", "good", how], ["boot"]])
    assert (answers[9]["version"], answers[9]["state"], answers[9]["lit"]) == (2, 2, 2)
    assert answers[len(ops) - 5]["version"] == 2, "a trial goes back to it"
    assert (answers[len(ops) - 1]["version"], answers[len(ops) - 1]["state"]) == (1, 0)
    assert (answers[-1]["version"], answers[-1]["state"]) == (2, 2), "it is still the one before"


def test_with_both_damaged_the_settings_alone_count() -> None:
    both = [*push(2, ["confirm", 2]), *push(1, ["confirm", 1])]
    answers = one([*both, ["damage", "good", 9], ["damage", "old", 9], ["boot"], *push(BIG)])
    assert (answers[10]["version"], answers[10]["state"]) == (0, 2)
    assert (answers[-1]["version"], answers[-1]["state"]) == (BIG, 1)


@pytest.mark.parametrize("how", [-1, -11, 0, 40])
def test_a_marker_that_cannot_be_read_ends_the_trial(how: int) -> None:
    answers = one([*push(BIG), ["damage", "trial", how], ["boot"], ["boot"]])
    assert (answers[-2]["version"], answers[-2]["events"]) == (0, [[22, BIG]])
    assert (answers[-1]["version"], answers[-1]["events"]) == (0, [])


BAD = {
    "format": b"\2",
    "section": blob(b"\5\xff\xff"),
    "json": blob(section(layout.RADIO, b'{"wifi": {"ssid": "a"')),
    "list": blob(section(layout.RADIO, b"[]")),
    "not text": blob(section(layout.PARTS, b"\xff\xfe{}")),
    "deep": blob(section(layout.PARTS, b"[" * 2000)),
    "no lamp": blob(section(layout.PARTS, b'{"sound": {"i2s": 0}}')),
    "pins": blob(section(layout.PARTS, b'{"lamp": {"pin": "a"}}')),
    "port": blob(section(layout.RADIO, b'{"broker": {"host": "a", "port": 70000}}')),
    "no host": blob(section(layout.RADIO, b'{"broker": {}}')),
    "interval": blob(section(layout.REPORTING, b"\0\0")),
    "design": blob(section(layout.LAMP, b"\0")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_config_that_no_node_can_run_is_refused_before_anything_is_touched(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = [*BLOBS]
    blobs[5] = Blob(BAD[name])
    monkeypatch.setattr(store, "BLOBS", blobs)
    answers = one([*push(2, ["confirm", 2]), *push(5), ["boot"]])
    assert last(answers[6])[1:3] == [REFUSED, DAMAGED]
    assert "trial" not in answers[6]["files"]
    assert (answers[-1]["version"], answers[-1]["state"]) == (2, 0)


def test_a_push_wears_the_flash_no_more_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erase each 512 bytes, and a few for the file's beginning, its place and its folder."""
    whole = blob(filler(layout.SIZE_MAX - 4))
    assert len(whole) == layout.SIZE_MAX
    blobs = [*BLOBS]
    blobs[1] = Blob(whole)
    monkeypatch.setattr(store, "BLOBS", blobs)
    pushes = [op for _ in range(10) for w in (1, 2) for op in push(w, ["confirm", w])]
    ops = [["offer", 1], ["send", 1, 999], ["apply", 1], ["confirm", 1], *pushes]
    ops = [[*op[:2], 999] if op[0] == "send" else op for op in ops]
    answers = one(ops, blocks=64)
    assert answers[-1]["version"] == 2
    before, after = answers[3]["erases"], answers[-1]["erases"]
    assert after - before <= 10 * (layout.SIZE_MAX // 512 + 12)
