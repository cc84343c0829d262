"""What every store does, whatever the engine: test_contract.py runs this over each of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lampione.alarms.book import Alarm, Span
from lampione.alarms.episodes import Episode
from lampione.api import CommandState
from lampione.room.audit import FIRST, Deed, verify
from lampione.room.tags import Tag
from lampione.store import (
    Engine,
    Frame,
    StoredConfig,
    StoredMember,
    StoredNote,
    StoredRollout,
    StoredStages,
    StoreError,
)
from lampione_protocol import schema

from tests.controller.fake_node import text

T0 = 1_790_000_000 // 86_400 * 86_400  # a midnight, Unix seconds
_VALID = 511
_KINDS = {"Report": schema.REPORT, "Health": schema.HEALTH}


def report(epoch: int, seq: int, at: int | None, laeq: int | None = 624, **more: Any) -> Frame:
    """A report that came a second later than it says."""
    start = T0 if at is None else at
    body = text(
        schema.REPORT, start=start - schema.EPOCH_2020, duration_s=60, clock=3,
        laeq=laeq, valid=_VALID, **more,
    )  # fmt: skip
    return Frame(epoch, seq, schema.REPORT, start + 1.0, at, body)


def event(epoch: int, seq: int, at: int) -> Frame:
    body = text(schema.EVENT, time=at - schema.EPOCH_2020, clock=3, code=1)
    return Frame(epoch, seq, schema.EVENT, at + 1.0, at, body)


def command(order: Any, at: float = 1.0) -> CommandState:
    return {
        "command": 0, "node": "a-1", "order": order, "state": "queued", "final": False,
        "counter": None, "reason": None, "level": None, "value": None,
        "created": at, "expires": at + 60, "changed": at,
    }  # fmt: skip


def frames_of(engine: Engine) -> list[tuple[int, Frame]]:
    """Everything that is stored, sorted."""
    reader = engine.reader()
    found = sorted(reader.frames(), key=lambda row: (row[0], row[1].epoch, row[1].seq))
    reader.close()
    return found


def history(engine: Engine, fields: list[str], node: str = "a-1", **more: Any) -> list[Any]:
    """A node's reports."""
    reader = engine.reader()
    asked = {"since": 0.0, "until": 4e9, "limit": 1000} | more
    found = reader.history(node, "report", fields=fields, **asked)
    reader.close()
    rows: list[Any] = found["rows"]
    return rows


Harm = Callable[[str], None]
"""Runs SQL behind a store's back."""


class Contract:
    """The tests; `engine` is an empty store's."""

    def test_identity_is_node_epoch_boot_and_number(self, engine: Engine) -> None:
        store = engine.writer()
        node, other = store.add_node("a-1").id, store.add_node("b-2").id
        assert (node, other) == (1, 2)
        boots = [
            (node, b"aaaa", 1),
            (node, b"aaaa", 2),
            (node, b"\xff\0bb", 2),
            (other, b"aaaa", 1),
        ]
        epochs = [store.epoch_id(*boot) for boot in boots]
        assert len(set(epochs)) == 4
        assert store.epoch_id(*boots[0]) == epochs[0]
        frames = [report(epoch, 7, T0) for epoch in epochs]
        assert store.frames(frames) == 4
        assert store.frames([*frames, report(epochs[0], 8, T0)]) == 1
        store.commit()
        store.close()
        again = engine.writer()
        assert again.frames(frames) == 0
        again.close()
        assert len(frames_of(engine)) == 5

    @pytest.mark.parametrize("fold", [False, True])
    def test_a_frame_that_comes_again_with_another_time_is_the_same(
        self, engine: Engine, fold: bool
    ) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        first = report(epoch, 1, None)
        assert store.frames([first]) == 1
        assert store.frames([first, report(epoch, 1, T0)]) == 0
        store.commit()
        if fold:
            folder = engine.folder()
            folder.fold(T0)
            folder.close()
        assert store.frames([report(epoch, 1, T0 + 86_400)]) == 0
        store.close()
        store = engine.writer()
        assert store.frames([report(epoch, 1, T0 + 60), first]) == 0
        store.close()
        assert [frame for _, frame in frames_of(engine)] == [first]

    def test_a_rollback_takes_everything_back(self, engine: Engine) -> None:
        store = engine.writer()
        node = store.add_node("a-1").id
        store.commit()
        epoch = store.epoch_id(node, b"aaaa", 1)
        store.frames([report(epoch, 1, T0), event(epoch, 2, T0)])
        store.counter(node, 9)
        store.refused({("", "seal"): 3}, 1.0)
        store.add_totals({"stored": 2})
        store.lose(node, [[1, 4]], 1.0, "why")
        store.add_node("b-2")
        store.rollback()
        assert [stored.name for stored in store.nodes()] == ["a-1"]
        assert store.nodes()[0].counter == 0
        assert store.refusals() == []
        assert store.totals() == {}
        assert store.lost_counts() == {}
        assert store.latest(schema.REPORT) == {}
        epoch = store.epoch_id(node, b"aaaa", 1)
        assert store.frames([report(epoch, 1, T0), event(epoch, 2, T0)]) == 2
        store.commit()
        assert store.add_node("c-3").id == 2
        store.close()
        assert len(frames_of(engine)) == 2

    def test_every_body_comes_back_bit_for_bit(self, engine: Engine) -> None:
        """Also one that is cut short, of a newer sender, out of range, or of no time."""
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"\x80aaa", 65_534)
        whole = report(epoch, 1, T0).body
        bodies = [whole, whole[:9], whole + b"new", b"", bytes(len(whole)), b"\xff" * len(whole)]
        spare = whole[:-1] + b"\0"
        bodies.append(spare)
        frames = [Frame(epoch, n, 2, T0 + n, T0 + n, body) for n, body in enumerate(bodies)]
        frames += [Frame(epoch, 50 + n, 2, T0 + 0.5, None, body) for n, body in enumerate(bodies)]
        frames += [Frame(epoch, 70, 3, T0, T0, b"x"), Frame(epoch, 71, 14, T0, T0, b"")]
        frames += [Frame(epoch, 72, 31, T0, T0, b"unknown"), Frame(epoch, 73, 4, T0, 5, whole)]
        frames += [Frame(epoch, 74, 2, T0, 2**32, whole), Frame(epoch, 75, 2, T0, 0, whole)]
        store.frames(frames)
        store.commit()

        def whole_seconds(stored: list[Frame]) -> list[Frame]:
            return [frame._replace(received=frame.received // 1) for frame in stored]

        assert [frame for _, frame in frames_of(engine)] == frames
        folder = engine.folder()
        folder.fold(T0)
        folder.refold(T0 + 7 * 86_400)
        folder.close()
        after = [frame for _, frame in frames_of(engine)]
        assert whole_seconds(after) == whole_seconds(frames)
        store.close()

    def test_history(self, engine: Engine) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        frames = [report(epoch, n, T0 + 60 * n, 600 + n if n % 5 else None) for n in range(50)]
        store.frames(frames[::-1])
        store.commit()
        expected = [[T0 + 60 * n, (600 + n) / 10 if n % 5 else None] for n in range(50)]
        folder = engine.folder()
        for step in range(3):
            assert history(engine, ["laeq"]) == expected
            assert history(engine, ["laeq"], since=T0 + 60, until=T0 + 180) == expected[1:3]
            if step == 0:
                folder.fold(T0)
            elif step == 1:
                folder.refold(T0 + 7 * 86_400)
        folder.close()
        reader = engine.reader()
        found = reader.history("a-1", "Report", 0, 4e9, None, 10)
        assert len(found["rows"]) == 10
        assert found["more"]
        assert len(found["fields"]) == len(found["rows"][0]) == len(schema.REPORT_FIELDS)
        assert reader.history("nobody", "report", 0, 4e9, None, 10)["rows"] == []
        with pytest.raises(KeyError):
            reader.history("a-1", "report", 0, 4e9, ["nothing"], 10)
        with pytest.raises(KeyError):
            reader.history("a-1", "nothing", 0, 4e9, None, 10)
        reader.close()
        store.close()

    def test_series_are_of_one_instant_by_node_then_time(self, engine: Engine) -> None:
        store = engine.writer()
        names = [f"n-{n}" for n in range(5)]
        epochs = [store.epoch_id(store.add_node(name).id, b"aaaa", 1) for name in names]
        store.frames([report(e, n, T0 + 60 * n, 500 + n) for n in range(40, 0, -1) for e in epochs])
        store.frames([report(epochs[0], 90, None, 700)])
        store.commit()
        reader = engine.reader()
        pieces = reader.series(schema.REPORT, T0 + 60, T0 + 86_400, None, ["laeq"])
        first = next(pieces)
        store.frames([report(epochs[4], 99, T0 + 61)])
        store.commit()
        engine.folder().fold(T0)
        parts = [first, *pieces]
        nodes = np.concatenate([part.nodes for part in parts])
        at = np.concatenate([part.at for part in parts])
        laeq = np.concatenate([part.columns["laeq"] for part in parts])
        assert list(first.columns) == ["laeq"]
        assert nodes.tolist() == [node for node in range(1, 6) for _ in range(40)]
        assert at.tolist() == [T0 + 60 * n for n in range(1, 41)] * 5
        assert laeq.tolist() == list(range(501, 541)) * 5
        assert all(part.timed.all() and part.columns.sound.all() for part in parts)
        some = list(reader.series(schema.REPORT, 0, 4e9, ["n-4", "n-0", "x"], ["laeq", "no2"]))
        assert np.unique(np.concatenate([part.nodes for part in some])).tolist() == [1, 5]
        assert sum(len(part.nodes) for part in some) == 40 + 1 + 41
        assert sum((~part.timed).sum() for part in some) == 1
        assert sum((part.columns["no2"] == np.iinfo(np.int32).min).sum() for part in some) == 82
        assert list(reader.series(schema.REPORT, 0, 4e9, ["x"])) == []
        with pytest.raises(KeyError):
            list(reader.series(schema.REPORT, 0, 4e9, None, ["nothing"]))
        reader.close()
        store.close()

    def test_events_come_as_series_and_newest_first(self, engine: Engine) -> None:
        store = engine.writer()
        epochs = [store.epoch_id(store.add_node(n).id, b"aaaa", 1) for n in ("a-1", "b-2")]
        events = [event(epoch, n, T0 + n) for n in range(3) for epoch in epochs]
        store.frames(events)
        store.commit()
        reader = engine.reader()
        assert [row[2] for row in reader.events("b-2", 0, 9)] == [T0 + 2, T0 + 1, T0]
        assert reader.events("b-2", T0 + 2.5, 9) == [("b-2", T0 + 3.0, T0 + 2, events[5].body)]
        assert len(reader.events(None, 0, 4)) == 4
        (part,) = reader.series(schema.EVENT, 0, 4e9)
        assert part.nodes.tolist() == [1, 1, 1, 2, 2, 2]
        assert part.columns["code"].tolist() == [1] * 6
        assert len(reader.history("a-1", "event", 0, 4e9, None, 2)["rows"]) == 2
        reader.close()
        store.close()

    def test_roll_ups_count_late_data_once(self, engine: Engine) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        other = store.epoch_id(store.add_node("b-2").id, b"aaaa", 1)
        folder = engine.folder()
        frames = [report(epoch, n, T0 + 60 * n, no2=n % 100) for n in range(300)]
        store.frames(frames[100:])
        store.commit()
        assert folder.fold(T0 + 20_000).frames == 200
        store.frames([*frames[:150], report(other, 1, T0, no2=4), report(other, 2, None, no2=4)])
        store.commit()
        assert folder.fold(T0 + 30_000).frames == 102
        assert folder.fold(T0 + 30_000).frames == 0
        folder.refold(T0 + 7 * 86_400)
        folder.close()
        reader = engine.reader()
        day = reader.rollups(86_400, T0, T0 + 86_400, "no2")
        assert day.starts.tolist() == [T0]
        assert day.nodes.tolist() == [1, 2]
        assert day.arrays["n"].tolist() == [[300, 1]]
        assert day.arrays["sum"].tolist() == [[60 * 3 * sum(range(100)), 60 * 4]]
        hours = reader.rollups(3600, T0, T0 + 86_400, "no2", ["a-1", "x"])
        assert hours.starts.tolist() == [T0 + 3600 * n for n in range(5)]
        assert hours.arrays["n"].tolist() == [[60]] * 5
        assert len(reader.rollups(3600, T0 - 86_400, T0, "no2").starts) == 0
        with pytest.raises(KeyError):
            reader.rollups(3600, 0, 4e9, "nothing")
        reader.close()
        store.close()

    def test_the_newest_is_of_the_boot_that_counts(self, engine: Engine) -> None:
        store = engine.writer()
        node, other = (store.add_node(name).id for name in ("a-1", "b-2"))
        epochs = [store.epoch_id(node, epoch, 1) for epoch in (b"aaaa", b"bbbb", b"cccc")]
        last = store.epoch_id(other, b"aaaa", 1)
        frames = [report(epoch, n, T0 + n) for epoch in epochs for n in (1, 3, 2)]
        store.frames([*frames, report(last, 5, T0), event(last, 9, T0)])
        store.supersede(node, epochs[1])
        store.commit()
        folder = engine.folder()
        for _ in range(2):
            found = store.latest(schema.REPORT)
            assert found == {node: frames[4], other: report(last, 5, T0)}
            assert store.latest(schema.REPORT, [other]) == {other: report(last, 5, T0)}
            assert store.latest(schema.EVENT) == {other: event(last, 9, T0)}
            assert store.latest(schema.HEALTH) == {}
            folder.fold(T0)
        folder.close()
        store.close()

    def test_a_number_that_is_found_leaves_the_losses(self, engine: Engine) -> None:
        store = engine.writer()
        node = store.add_node("a-1").id
        store.lose(node, [[1, 5], [8, 8]], 1.0, "why")
        assert store.lost_counts() == {node: 6}
        for seq in (3, 1, 5, 9):
            store.find(node, seq)
        store.commit()
        reader = engine.reader()
        spans = [(row["first"], row["last"]) for row in reader.losses("a-1")]
        assert sorted(spans) == [(2, 2), (4, 4), (8, 8)]
        reader.close()
        store.close()

    def test_commands(self, engine: Engine) -> None:
        store = engine.writer()
        node = store.add_node("a-1").id
        states = [command({"op": "resume"}), command({"op": "level", "level": 4, "for_s": 9}, 2.0)]
        for state in states:
            state["command"] = store.add_command(node, state)
        assert [state["command"] for state in states] == [1, 2]
        states[0] |= {"state": "sent", "counter": 2**31 - 2, "changed": 5.0}
        store.save_command(states[0], b"aaaa", b"frame")
        assert store.open_commands() == [(states[0], b"aaaa", b"frame"), (states[1], None, None)]
        states[1] |= {"state": "done", "final": True, "level": 4, "value": 7, "reason": "why"}
        store.save_command(states[1], None, None)
        assert [state["command"] for state, _, _ in store.open_commands()] == [1]
        store.commit()
        reader = engine.reader()
        assert reader.commands(None, 9) == states[::-1]
        assert reader.commands("a-1", 1) == states[1:]
        assert reader.commands("b-2", 9) == []
        reader.close()
        store.close()

    def test_configs(self, engine: Engine) -> None:
        store = engine.writer()
        node = store.add_node("a-1").id
        digests = [b"12345678", b"abcdefgh", b"12345678", b"vwxyz___", b"12345678"]
        for version, digest in enumerate(digests, 1):
            store.add_config(StoredConfig(node, version, digest, b"\0", float(version), None), 3)
        assert store.config(node, 1) is None
        assert store.config(node, 4) == StoredConfig(node, 4, b"vwxyz___", b"\0", 4.0, None)
        assert store.last_config(node) == 5
        assert store.last_config(99) == 0
        for version, at in ((3, 10.0), (4, 11.0), (3, 99.0), (5, 12.0)):
            store.confirm_config(node, version, at)
        assert store.confirmed_before(node, 5) == 4
        assert store.confirmed_before(node, 4) == 5
        assert store.confirmed_before(node, 9) == 5
        rollout = StoredRollout(node, 4, "offered", 0, 300, 7, None, None, 1.0, 2.0)
        store.save_rollout(rollout)
        store.save_rollout(rollout._replace(phase="applied", epoch=b"aaaa", reason="why"))
        assert store.rollouts() == [rollout._replace(phase="applied", epoch=b"aaaa", reason="why")]
        store.add_config(StoredConfig(node, 6, b"new_____", b"\0", 6.0, None), 1)
        assert [v for v in range(8) if store.config(node, v)] == [4, 5, 6]
        store.close()

    def test_the_control_room(self, engine: Engine) -> None:
        store = engine.writer()
        node = store.add_node("a-1").id
        store.commit()
        deeds = [
            Deed(float(n), "anna" if n % 2 else "bruno", "operate", "tty", "send", name, {"n": n})
            for n, name in enumerate(("a-1", None, "b-2", "a-1"))
        ]
        assert store.audit_head() == (0, FIRST)
        store.add_deeds(deeds[:2])
        store.rollback()
        assert store.audit_head() == (0, FIRST)
        store.add_deeds(deeds[:2])
        store.add_deeds(deeds[2:])
        note = store.add_note(StoredNote(0, 5.0, "anna", "all dark, « sì »", 0, b""))
        assert (note.id, note.seq, note.head) == (1, *store.audit_head())
        assert store.add_note(note).id == 2
        tag = Tag("a-1", "anna", "new driver", 7.0)
        store.save_tag(node, tag)
        store.save_tag(node, tag._replace(renewed=8.0))
        assert store.tags() == [tag._replace(renewed=8.0)]
        store.drop_tag(node)
        assert store.tags() == []
        store.commit()
        reader = engine.reader()
        entries = reader.audit_after(0, 9)
        assert [entry.deed for entry in entries] == deeds
        assert verify(entries) is None
        assert reader.audit_after(2, 1) == entries[2:3]
        assert reader.audit(None, None, 0.0, None, 2) == entries[:1:-1]
        assert reader.audit("a-1", None, 0.0, None, 9) == [entries[3], entries[0]]
        assert reader.audit("a-1", "anna", 0.0, None, 9) == [entries[3]]
        assert reader.audit(None, None, 2.0, 4, 9) == [entries[2]]
        assert [found.id for found in reader.notes(5.0, 9)] == [2, 1]
        assert reader.notes(0.0, 9)[1] == note
        assert reader.notes(6.0, 9) == []
        reader.close()
        store.close()

    def test_alarms(self, engine: Engine) -> None:
        store = engine.writer()
        numbers = [store.alarm_number() for _ in range(3)]
        assert len(set(numbers)) == 3
        one = Alarm(
            numbers[0], "a-1", "a-1", "test", "hot", "its board is hot", "minor", True, 10.0, 11.5,
            12.5, value="81 °C",
        )  # fmt: skip
        cause = Alarm(
            numbers[1], "feeder F1", None, "test", "silent", "silent", "major", False, 1.0, 2.0,
            3.0, cleared=4.0, members=("a-1", "a-2"), assignee="anna", note="on its way",
            shelved=9.5,
        )  # fmt: skip
        over = replace(
            cause, id=numbers[2], subject="b-1", node="b-1", members=(), acked=5.0, acked_by="anna"
        )
        spans: list[Span] = [
            (numbers[0], "a-1", "hot", 3, 3, None),
            (numbers[0], "a-1", "hot", 3, 2, 6),
            (numbers[0], "a-1", "hot", 10, 10, None),
            (numbers[2], "b-1", "silent", 1, 1, 4),
            (numbers[2], "b-1", "silent", 0, 0, 1),
            (numbers[2], "b-1", "silent", 0, None, None),
        ]
        store.save_alarms([one, cause, over], spans)
        store.add_late([("a-1", "report", 50), ("b-1", "health", 9)])
        store.add_late([("a-1", "report", 40), ("b-1", "health", 10)])
        store.commit()
        store.close()
        store = engine.writer()
        assert store.alarm_number() > max(numbers)
        assert store.standing_alarms() == [one, cause]
        assert store.episodes("a-1", "hot", 0) == [
            (one.id, Episode(2, 6)), (one.id, Episode(10, None))
        ]  # fmt: skip
        assert store.episodes("a-1", "hot", 7) == [(one.id, Episode(10, None))]
        assert store.episodes("b-1", "silent", 0) == [(over.id, Episode(1, 4))]
        assert store.late() == [("a-1", "report", 40), ("b-1", "health", 9)]
        store.drop_late([("a-1", "report")])
        store.save_alarms([replace(one, active=False)], [])
        store.commit()
        assert store.late() == [("b-1", "health", 9)]
        store.save_alarms([cause], [])
        store.rollback()
        reader = engine.reader()
        ended = replace(one, active=False)
        assert reader.alarms("all", None, 0.0, 9) == [over, cause, ended]
        assert reader.alarms("all", None, 0.0, 1) == [over]
        assert reader.alarms("all", "a-1", 0.0, 9) == [cause, ended]
        assert reader.alarms("active", None, 0.0, 9) == []
        assert reader.alarms("standing", None, 0.0, 9) == [cause, ended]
        assert reader.alarms("cleared", "b-1", 3.0, 9) == [over]
        assert reader.alarms("all", None, 3.5, 9) == [ended]
        reader.close()
        keeper = engine.keeper()
        assert keeper.retain({"alarms": 5.0}, 7.0, lambda: False) == {}
        assert keeper.retain({"alarms": 3.0}, 7.0, lambda: False)["alarms"]
        keeper.close()
        assert store.standing_alarms() == [ended, cause]
        assert store.episodes("b-1", "silent", 0) == []
        store.rollback()
        store.close()

    def test_rollouts_in_stages(self, engine: Engine) -> None:
        store = engine.writer()
        nodes = [store.add_node(name).id for name in ("a-1", "a-2")]
        first = StoredStages(
            0, "config", "anna", 1.0, 2.0, "draft", 0, None, None, 0, 0, "{}", '{"trial_s":300}'
        )
        members = [StoredMember(node, 0, "waiting", 1, 0, None, 3.0) for node in nodes]
        number = store.add_stages(first, 2)
        store.add_members(number, [(member, b"sealed") for member in members])
        state = first._replace(
            id=number, changed=4.0, state="stopped", wave=1, until=5.0, why="2 of 3", forgiven=2,
            insisted=1,
        )  # fmt: skip
        store.save_stages(state)
        gone = StoredMember(nodes[1], 1, "failed", 0, 65534, "no outcome in time", 6.0)
        store.save_members(number, [gone])
        store.forget_payloads(number, nodes[:1])
        store.commit()
        store.close()
        store = engine.writer()
        assert store.stages(9) == [state]
        assert store.members(number) == [members[0], gone]
        assert [store.payload(number, node) for node in (*nodes, 99)] == [None, b"sealed", None]
        numbers = [store.add_stages(first._replace(state="done"), 2) for _ in range(4)]
        assert [s.id for s in store.stages(9)] == [*numbers[:1:-1], number]  # open ones stay
        store.save_stages(state._replace(state="aborted"))
        last = store.add_stages(first, 2)
        assert last > max(numbers)
        assert [s.id for s in store.stages(9)] == [last, *numbers[:1:-1]]
        assert store.members(number) == []
        store.rollback()
        store.close()

    def test_nodes_and_counts_outlive_a_start(self, engine: Engine) -> None:
        store = engine.writer()
        node = store.add_node("a-1").id
        epoch = store.epoch_id(node, b"aaaa", 3)
        store.greet(node, epoch, 17, 5.5, b"hello")
        store.lines([('{"watermark": 3}', node)])
        store.counter(node, 2**31 - 2)
        store.add_totals({"stored": 2, "lost": 1})
        store.add_totals({"stored": 2**40})
        store.refused({("a-1", "seal"): 2, ("", "topic"): 1}, 1.0)
        store.refused({("a-1", "seal"): 1}, 2.0)
        store.commit()
        store.close()
        store = engine.writer()
        (stored,) = store.nodes()
        assert (stored.id, stored.name, stored.counter) == (node, "a-1", 2**31 - 2)
        assert (stored.line, stored.hello, stored.hello_at) == ('{"watermark": 3}', b"hello", 5.5)
        assert store.totals() == {"stored": 2**40 + 2, "lost": 1}
        assert store.refusals() == [
            {"node": None, "reason": "topic", "count": 1, "last": 1.0},
            {"node": "a-1", "reason": "seal", "count": 3, "last": 2.0},
        ]
        store.supersede(node, store.epoch_id(node, b"bbbb", 1))
        store.commit()
        reader = engine.reader()
        assert reader.names() == {node: "a-1"}
        assert reader.epochs("a-1") == [
            {"epoch": "61616161", "boot": 3, "first_seq": 17, "hello_at": 5.5, "superseded": True},
            {"epoch": "62626262", "boot": 1, "first_seq": None, "hello_at": None,
             "superseded": False},
        ]  # fmt: skip
        assert reader.size_bytes() > 0
        reader.close()
        store.close()

    def test_retention_by_class(self, engine: Engine) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        days = [T0 + 86_400 * n for n in range(4)]
        reports = [report(epoch, n, day + 60) for n, day in enumerate(days)]
        events = [event(epoch, 100 + n, day + 60) for n, day in enumerate(days)]
        absurd = report(epoch, 50, T0)._replace(at=60)
        healths = [Frame(epoch, 200, schema.HEALTH, T0, T0, text(schema.HEALTH))]
        store.frames([*reports, *events, absurd, *healths])
        number = store.add_command(1, command({"op": "resume"}, float(T0)))
        old = command({"op": "resume"}, float(T0))
        old["command"] = store.add_command(1, old)
        store.save_command({**old, "final": True}, None, None)
        store.commit()
        folder = engine.folder()
        folder.fold(T0)
        folder.refold(T0 + 9 * 86_400)
        folder.close()
        keeper = engine.keeper()
        assert keeper.check(full=True) == []
        assert set(keeper.policy()) >= {"reports", "events", "rollups-5min"}
        keeper.set_policy({"reports": 86_400.0, "events": None})
        assert keeper.policy()["reports"] == 86_400.0
        assert keeper.policy()["events"] is None
        with pytest.raises(StoreError, match="nothing"):
            keeper.set_policy({"nothing": 1.0})
        keep = {"reports": 86_400.0, "events": 2 * 86_400.0, "health": None, "commands": 1.0}
        now = days[3] + 100.0
        assert keeper.retain({**keep, "rollups-day": 86_400.0 * 2}, now, lambda: True) == {}
        gone = keeper.retain(keep, now, lambda: False)
        assert gone["events"] == 2
        assert gone["commands"] == 1
        assert [row[0] for row in history(engine, [])] == [day + 60 for day in days[2:]]
        reader = engine.reader()
        assert [row[2] for row in reader.events(None, 0, 9)] == [days[3] + 60, days[2] + 60]
        assert [state["command"] for state in reader.commands(None, 9)] == [number]
        counts = reader.rollups(86_400, 0, 4e9, "laeq_energy").arrays["n"]
        assert counts[-4:].tolist() == [[1]] * 4  # what came of them stays
        assert len(list(reader.series(schema.HEALTH, 0, 4e9))) == 1
        keeper.retain({"rollups-day": 86_400.0 * 2}, now, lambda: False)
        assert len(reader.rollups(86_400, 0, 4e9, "laeq_energy").starts) == 3
        reader.close()
        store.rollback()
        # What was here once does not come back, not even after a start.
        assert store.frames([*reports, *events, absurd]) == 0
        store.close()
        store = engine.writer()
        assert store.frames([*reports, *events, absurd]) == 0
        store.close()
        assert keeper.check() == []
        space = keeper.space()
        assert space["health"].rows == 1
        assert space["total"].bytes > 0
        assert keeper.vacuum(lambda: False) >= 0
        assert keeper.check(full=True) == []
        keeper.close()

    def test_roll_ups_that_are_gone_are_no_damage(self, engine: Engine) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        store.frames([report(epoch, n, T0 + 86_400 * n + 60) for n in range(4)])
        store.commit()
        store.close()
        folder = engine.folder()
        folder.fold(T0)
        folder.refold(T0 + 9 * 86_400)
        folder.close()
        keeper, now = engine.keeper(), T0 + 86_400 * 3 + 100.0
        keeper.retain({"rollups-hour": 86_400.0, "rollups-day": 86_400.0}, now, lambda: False)
        reader = engine.reader()
        for level in (3600, 86_400):
            assert 1 <= len(reader.rollups(level, 0, 4e9, "laeq_energy").starts) <= 2
        reader.close()
        assert keeper.check(full=True) == []
        keeper.close()

    def test_a_check_finds_what_was_not_folded_yet(self, engine: Engine) -> None:
        """Some folded, some not, some late: all of it is right."""
        store = engine.writer()
        epochs = [store.epoch_id(store.add_node(f"n-{n}").id, b"aaaa", 1) for n in range(3)]
        folder, keeper = engine.folder(), engine.keeper()
        assert keeper.check(full=True) == []
        for turn in range(3):
            frames = [
                report(e, 100 * turn + n, T0 + 600 * n + turn) for e in epochs for n in range(9)
            ]
            store.frames([*frames, event(epochs[0], 900 + turn, T0)])
            store.commit()
            assert keeper.check(full=True) == []
            if turn < 2:
                folder.fold(T0)
                assert keeper.check(full=True) == []
        for each in (store, folder, keeper):
            each.close()

    @pytest.mark.parametrize("first", ["writer", "folder"])
    def test_a_damaged_batch_is_in_nobodys_way(
        self, engine: Engine, harm: Harm, first: str
    ) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        store.frames([report(epoch, n, T0 + 60 * n) for n in range(5)])
        store.commit()
        old = [report(epoch, 5, T0 + 300), report(epoch, 6, None), report(epoch, 7, T0 - 86_400)]
        absurd = report(epoch, 8, T0 - 86_400 * 1000)._replace(received=T0 + 300.0)
        store.frames([*old, absurd])
        store.commit()
        store.close()
        harm("UPDATE batches SET body = substr(body, 2) WHERE count = 4")
        folder = engine.folder()
        if first == "folder":
            folder.fold(T0)
        store = engine.writer()
        assert store.latest(schema.REPORT)[1].seq >= 4
        store.commit()
        # What is lost is new when it comes again, what is not lost is not.
        store.frames([*old, absurd, report(epoch, 9, T0 + 540)])
        store.commit()
        assert store.latest(schema.REPORT)[1].seq == 9
        store.close()
        assert sorted(frame.seq for _, frame in frames_of(engine)) == list(range(10))
        for _ in range(2):
            folder.fold(T0)
        folder.close()
        store = engine.writer()
        assert store.frames([*old, absurd]) == 0
        store.close()
        reader, keeper = engine.reader(), engine.keeper()
        found = reader.rollups(86_400, T0 - 86_400, 4e9, "laeq_energy").arrays["n"]
        assert found.tolist() == [[1], [7]], "the one without a time is in no roll-up"
        reader.close()
        assert all("put aside" in line for line in keeper.check(full=True))
        keeper.close()

    def test_a_damaged_roll_up_is_put_aside_and_folding_goes_on(
        self, engine: Engine, harm: Harm
    ) -> None:
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        folder, keeper = engine.folder(), engine.keeper()
        for turn in range(2):
            store.frames([report(epoch, turn, T0 + 60 * turn)])
            store.commit()
            folder.fold(T0)
            if not turn:
                harm("UPDATE rollups SET body = substr(body, 2) WHERE measure = 'laeq_energy'")
                harm("UPDATE newest SET body = substr(body, 2)")
        assert store.latest(schema.REPORT)[1].seq == 1
        assert keeper.space()["waiting"].rows == 0
        assert keeper.space()["damaged"].rows == 3
        said = [line for line in keeper.check(full=True) if "put aside" in line]
        assert len(said) == 3
        assert all(line.startswith("laeq_energy of 2026-") for line in said)
        reader = engine.reader()
        assert reader.rollups(3600, 0, 4e9, "laeq_energy").arrays["n"].tolist() == [[1]]
        reader.close()
        for each in (store, folder, keeper):
            each.close()
