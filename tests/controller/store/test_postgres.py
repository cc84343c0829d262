"""What is PostgreSQL's own: typed rows, partitions, several workers, and how it fails."""

import json
import logging
import subprocess
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione import values
from lampione.cli.run import run
from lampione.room.audit import Deed, verify
from lampione.store import SERIES, Frame, StoreError
from lampione.store.engine import open_engine
from lampione.store.postgres import PostgresEngine, connect, partitions, typed
from lampione.store.postgres.connect import Link, check_url, in_words, shown
from lampione.store.postgres.migrate import migrate, migrations
from lampione_protocol import codec, schema

from tests.brokers import wait_until
from tests.controller.store.contract import T0, event, frames_of, history, report
from tests.controller.store.postgres_server import CAREFUL, PASSWORD, PostgresServer, programs

DAY = T0 // 86_400
QUICK = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def sql(url: str, question: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(question.encode()).fetchall()


def messages(kind: int) -> st.SearchStrategy[bytes]:
    """What the node's own encoder writes."""
    fields = values.FIELDS[kind]

    def value(field: tuple[Any, ...]) -> st.SearchStrategy[Any]:
        if field[1] == "x":
            return st.none()
        number = st.integers(field[3], field[4])
        return number if field[1] == "c" else st.none() | number

    return st.tuples(*map(value, fields)).map(lambda drawn: codec.encode(fields, drawn))


@pytest.mark.parametrize("kind", SERIES)
@QUICK
@given(data=st.data())
def test_what_a_node_encodes_is_all_in_its_columns(kind: int, data: st.DataObject) -> None:
    given_ = data.draw(st.lists(messages(kind), min_size=1, max_size=5))
    columns, kept = typed.columns_of(kind, given_)
    assert not kept.any()
    assert typed.bodies(kind, columns, len(given_)) == given_


@pytest.mark.parametrize("kind", SERIES)
@QUICK
@given(data=st.data())
def test_of_anything_else_the_bytes_are_kept(kind: int, data: st.DataObject) -> None:
    some = messages(kind) | st.binary(max_size=50)
    given_ = data.draw(st.lists(some, min_size=1, max_size=5))
    columns, kept = typed.columns_of(kind, given_)
    again = typed.bodies(kind, columns, len(given_))
    assert all(k or one == other for k, one, other in zip(kept, given_, again, strict=True))


def test_every_field_has_the_smallest_column_that_fits(postgres_url: str) -> None:
    """A field that is added to the schema needs a migration."""
    open_engine(postgres_url).writer().close()
    for kind, table in typed.TABLES.items():
        found = dict(
            sql(
                postgres_url,
                "SELECT column_name, data_type FROM information_schema.columns "
                f"WHERE table_name = '{table}'",
            )
        )
        assert found.keys() == set(typed.column_names(kind))
        for field in typed.numbers(kind):
            assert found[field[0]] == ("smallint" if typed.is_small(field) else "integer")


def test_rows_can_be_asked_by_anybody(postgres_url: str) -> None:
    store = open_engine(postgres_url).writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"\xff\xff\xff\xfe", 7)
    store.frames([report(epoch, 1, T0, 624), report(epoch, 2, None, None)])
    store.commit()
    store.close()
    rows = sql(
        postgres_url,
        "SELECT epoch, boot, seq, extract(epoch FROM ts)::bigint, timed, laeq, no2, body "
        "FROM reports ORDER BY seq",
    )
    assert rows == [
        (-2, 7, 1, T0, True, 624, None, None),
        (-2, 7, 2, T0 + 1, False, None, None, None),
    ]
    assert sql(postgres_url, f"SELECT count(*) FROM reports_{partitions._date(DAY):%Y%m%d}") == [
        (2,)
    ]


def test_partitions_are_made_ahead_and_dropped_whole(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    folder = engine.folder()
    folder.refold(4e9)
    link = Link(postgres_url, autocommit=True)
    there = partitions.existing(link)
    today = int(4e9) // 86_400
    assert {("reports", today), ("raws", today + partitions.AHEAD_DAYS - 1)} <= there
    store.frames([report(epoch, n, T0 + 86_400 * n) for n in range(3)])
    store.commit()
    assert partitions.drop(link, "reports", DAY + 1) == 1
    assert partitions.existing(link) == there | {("reports", DAY), ("reports", DAY + 2)}
    assert [row[0] for row in history(engine, ["laeq"])] == [T0, T0 + 2 * 86_400]
    # What was stored once does not come back, its number is known.
    assert store.frames([report(epoch, 1, T0 + 86_400)]) == 0
    # A writer that has made the day learns that it is gone, and starts over.
    with pytest.raises(StoreError, match="no partition"):
        store.frames([report(epoch, 9, T0 + 86_400)])
    store.rollback()
    assert store.frames([report(epoch, 9, T0 + 86_400)]) == 1
    store.commit()
    assert len(history(engine, ["laeq"])) == 3
    folder.close()
    store.close()
    link.close()


def test_no_partition_for_an_absurd_clock(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    absurd = [report(epoch, n, T0)._replace(at=at) for n, at in enumerate([5, T0 + 10**7, 2**33])]
    assert store.frames(absurd) == 3
    store.commit()
    store.close()
    assert sql(postgres_url, "SELECT count(*) FROM reports") == [(0,)]
    link = Link(postgres_url)
    assert partitions.existing(link) == set()
    link.close()
    assert [row[0] for row in history(engine, [], until=1e12)] == [5, T0 + 10**7, 2**33]


def test_several_workers_at_once(postgres_url: str) -> None:
    """They make the database, number nodes and boots, and count, without losing a thing."""
    engine = open_engine(postgres_url)
    failures: list[StoreError] = []
    meet = threading.Barrier(3)

    def work(number: int) -> None:
        try:
            meet.wait(30)
            store = engine.writer()
            for turn in range(8):
                node = store.add_node(f"n-{number}-{turn}").id
                epoch = store.epoch_id(node, b"aaaa", turn)
                store.frames([report(epoch, n, T0 + 86_400 * turn + n) for n in range(5)])
                store.add_totals({"b": 1, "a": 5} if number else {"a": 5, "b": 1})
                store.refused({("", f"r{n}"): 1 for n in (range(3) if number else (2, 1, 0))}, 1.0)
                store.commit()
            store.close()
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    store = engine.writer()
    assert sorted(node.id for node in store.nodes()) == list(range(1, 25))
    assert store.totals() == {"a": 120, "b": 24}
    assert [row["count"] for row in store.refusals()] == [24] * 3
    store.close()
    found = [(node, frame.epoch, frame.seq) for node, frame in frames_of(engine)]
    assert len(found) == len(set(found)) == 120
    folders = [engine.folder() for _ in range(2)]
    folding = [threading.Thread(target=folder.fold, args=(T0,)) for folder in folders]
    for thread in folding:
        thread.start()
    for thread in folding:
        thread.join(60)
    for folder in folders:
        folder.close()
    reader = engine.reader()
    assert reader.rollups(86_400, 0, 4e9, "laeq_energy").arrays["n"].sum() == 120
    reader.close()


def test_who_lost_its_nodes_to_another_worker_starts_over(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    old, new = engine.writer(), engine.writer()
    epoch = old.epoch_id(old.add_node("a-1").id, b"aaaa", 1)
    old.frames([report(epoch, 1, T0)])
    old.commit()
    assert new.frames([report(epoch, n, T0) for n in (1, 2)]) == 1
    assert new.frames([event(epoch, 3, T0)]) == 1
    new.commit()
    with pytest.raises(StoreError, match="another worker"):
        old.frames([report(epoch, 2, T0)])
    old.rollback()
    assert old.frames([report(epoch, 2, T0), event(epoch, 3, T0)]) == 0
    new.frames([event(epoch, 4, T0)])
    new.commit()
    with pytest.raises(StoreError, match="another worker"):
        old.frames([event(epoch, 4, T0)])
    old.close()
    new.close()
    assert len(frames_of(engine)) == 4


@pytest.mark.parametrize("when", ["frames", "commit"])
def test_a_connection_that_is_lost_takes_the_transaction_with_it(
    postgres_url: str, when: str
) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    store.frames([report(epoch, 1, T0)])
    store.commit()
    store.frames([report(epoch, 2, T0)])
    step = store.commit if when == "commit" else lambda: store.frames([report(epoch, 3, T0)])
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(StoreError, match=r"terminating|closed|lost"):
        step()
    with pytest.raises(StoreError):  # never half of it
        store.commit()
    store.rollback()
    assert store.frames([report(epoch, n, T0) for n in (1, 2, 3)]) == 2
    store.commit()
    store.close()
    assert len(frames_of(engine)) == 3


def test_a_connection_that_ends_between_two_questions_is_made_again(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    store, reader, folder, keeper = (
        engine.writer(), engine.reader(), engine.folder(), engine.keeper()
    )  # fmt: skip
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    for turn in range(2):
        store.frames([report(epoch, turn, T0)])
        store.commit()
        assert reader.names() == {1: "a-1"}
        assert reader.size_bytes() > 0
        folder.fold(T0)
        folder.refold(T0)
        assert keeper.space()["reports"].rows == turn + 1
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    for each in (store, reader, folder, keeper):
        each.close()


def test_what_was_committed_survives_a_killed_server() -> None:
    server = PostgresServer(durable=True)
    try:
        engine = open_engine(server.new_database())
        store = engine.writer()
        epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
        stored = 0
        for turn in range(2):
            store.frames([report(epoch, 100 * turn + n, T0 + n) for n in range(50)])
            store.commit()
            stored += 50
            store.frames([report(epoch, 100 * turn + n, T0 + n) for n in range(50, 60)])
            server.kill9()
            with pytest.raises(StoreError):
                store.commit()
            store.rollback()
            with pytest.raises(StoreError, match="no server answers"):
                store.nodes()
            store.rollback()
            server.start()
            assert len(frames_of(engine)) == stored
        folder = engine.folder()
        assert folder.fold(T0).frames == stored
        folder.close()
        store.close()
    finally:
        server.close()


def test_a_backup_is_pg_dumps(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_database()
    engine = open_engine(url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    frames = [report(epoch, n, T0 + 60 * n) for n in range(9)]
    store.frames(frames)
    store.commit()
    keeper = engine.keeper()
    parts: list[float] = []
    keeper.backup(tmp_path / "x.dump", progress=parts.append)
    assert parts[-1] == 1.0
    assert (tmp_path / "x.dump").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="there already"):
        keeper.backup(tmp_path / "x.dump")
    with pytest.raises(StoreError, match="stopped"):
        keeper.backup(tmp_path / "y.dump", stop=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.dump"]
    keeper.close()
    store.close()
    again = postgres.new_database()
    done = subprocess.run(
        [programs() / "pg_restore", "--dbname", again, tmp_path / "x.dump"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [frame for _, frame in frames_of(open_engine(again))] == frames
    store = open_engine(again).writer()
    assert store.frames(frames) == 0
    store.close()


def test_the_commands_take_its_url(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    store.frames([report(epoch, n, T0 + 86_400 * n) for n in range(3)])
    store.commit()
    store.close()

    def said(*words: str) -> list[Any]:
        where = ["--store", postgres_url, "--state", str(state), "--json"]
        assert run(["store", *words, *where]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {row["class"]: row["rows"] for row in said("space")}["reports"] == 3
    said("fold")
    said("check", "--full")
    said("retain", "--reports", "400d")
    said("vacuum")
    said("backup", str(tmp_path / "x.dump"))
    assert (tmp_path / "x.dump").stat().st_size > 1000
    reader = engine.reader()
    assert len(reader.rollups(86_400, 0, 4e9, "laeq_energy").starts) == 3
    reader.close()


def test_days_that_a_crash_left_detached_go(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    store.frames([report(epoch, n, T0 + 86_400 * n) for n in range(3)])
    store.commit()
    store.close()
    name = partitions.name_of("reports", DAY)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(f"ALTER TABLE reports DETACH PARTITION {name}".encode())
    keeper = engine.keeper()
    assert keeper.retain({"reports": 86_400.0}, T0 + 86_400 * 2, lambda: False) == {}
    assert sql(postgres_url, f"SELECT to_regclass('{name}')::text") == [(None,)]
    assert len(history(engine, [])) == 2
    keeper.close()


@pytest.mark.parametrize("damage", ["doubled", "roll-up", "unknown", "batch"])
def test_a_check_finds_damage(postgres_url: str, damage: str) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    store.frames([report(epoch, n, T0 + 60 * n) for n in range(9)])
    store.commit()
    folder = engine.folder()
    folder.fold(T0)
    folder.close()
    store.frames([report(epoch, 100, T0)])
    store.commit()
    store.close()
    statement, words = {
        "doubled": (
            "INSERT INTO reports (ts, received, node, epoch, boot, seq, timed) "
            "SELECT ts + interval '1 s', received, node, epoch, boot, seq, timed FROM reports "
            "WHERE seq = 3",
            "doubled",
        ),
        "roll-up": ("UPDATE reports SET laeq = laeq + 1 WHERE seq = 3", "not what it should be"),
        "unknown": ("DELETE FROM held", "not known to be"),
        "batch": ("UPDATE batches SET body = substr(body, 2)", "damaged"),
    }[damage]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(statement.encode())
    keeper = engine.keeper()
    assert any(words in wrong for wrong in keeper.check(full=True))
    keeper.close()


HARM = "UPDATE batches SET body = substr(body, 2)"


def test_a_damaged_batch_is_made_again_from_its_rows(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    sent = [report(epoch, n, T0 + 60 * n) for n in range(9)]
    store.frames(sent)
    store.commit()
    store.close()
    with psycopg.connect(postgres_url) as other:
        other.execute(HARM.encode())
    store = engine.writer()
    assert store.frames(sent) == 0
    store.commit()
    store.close()
    keeper, folder = engine.keeper(), engine.folder()
    assert keeper.check(full=True) == []
    assert folder.fold(T0).frames == 9
    assert keeper.check(full=True) == []
    folder.close()
    keeper.close()
    assert sql(postgres_url, "SELECT count(*) FROM aside") == [(0,)]
    (said,) = caplog.messages
    assert "is damaged: its checksum is wrong: it was made again from its rows" in said


def test_a_damaged_batch_whose_rows_are_gone_is_put_aside(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    store.frames([report(epoch, n, T0 + 60 * n) for n in range(9)])
    store.commit()
    with psycopg.connect(postgres_url) as other:
        ((body,),) = other.execute(b"SELECT body FROM batches").fetchall()
        other.execute(HARM.encode())
        other.execute(b"DELETE FROM reports WHERE seq IN (3, 4)")
    folder, keeper = engine.folder(), engine.keeper()
    assert folder.fold(T0).frames == 0
    assert folder.fold(T0).frames == 7
    assert sql(postgres_url, "SELECT kind, body FROM aside") == [("batch", body[1:])]
    (wrong,) = keeper.check(full=True)
    assert wrong.startswith("9 messages of 2026-")
    assert "7 of 9 messages are there as rows; put aside 20" in wrong
    for each in (store, folder, keeper):
        each.close()


def test_two_workers_make_a_damaged_batch_again_once(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    first, second = engine.writer(), engine.writer()
    epoch = first.epoch_id(first.add_node("a-1").id, b"aaaa", 1)
    first.frames([report(epoch, n, T0 + 60 * n) for n in range(9)])
    first.commit()
    with psycopg.connect(postgres_url) as other:
        other.execute(HARM.encode())
    assert first.latest(schema.REPORT)[1].seq == 8
    found: list[dict[int, Frame]] = []
    waits = threading.Thread(target=lambda: found.append(second.latest(schema.REPORT)))
    waits.start()
    wait_until(
        "the second waits for the first",
        lambda: (
            sql(
                postgres_url,
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()",
            )
            == [(1,)]
        ),
    )
    first.commit()
    waits.join(20)
    assert [each[1].seq for each in found] == [8]
    second.commit()
    assert sql(postgres_url, "SELECT count FROM batches") == [(9,)]
    first.close()
    second.close()


def test_a_password_is_never_taken_from_a_url_nor_printed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (
        "postgresql://me:open%20sesame@host/db",
        "postgresql://host/db?user=me&password=open%20sesame",
        "postgresql://me:open%20sesame@host:99999/db?sslmode=prefer",
    ):
        with pytest.raises(StoreError, match="pgpass") as caught:
            open_engine(url)
        assert "sesame" not in str(caught.value)
        assert "***" in str(caught.value)
        assert caught.value.__cause__ is None
    assert "sesame" not in caplog.text
    assert shown("postgresql://me@host/db?passfile=/x&port=1") == (
        "postgresql://me@host/db?passfile=/x&port=1"
    )
    with pytest.raises(StoreError, match="invalid"):
        check_url("postgresql://host/db?nonsense=1")


def test_passwords_come_from_a_file(postgres: PostgresServer, tmp_path: Path) -> None:
    name = postgres.new_database().rpartition("/")[2]
    url = postgres.url(name, CAREFUL)
    file = tmp_path / "pass"
    file.write_text(f"127.0.0.1:{postgres.port}:*:{CAREFUL}:{PASSWORD}\n")
    file.chmod(0o600)
    given_ = f"{url}?passfile={file}"
    with pytest.raises(StoreError, match=r"may not do that|owner") as caught:
        open_engine(given_).writer()
    assert PASSWORD not in str(caught.value)
    postgres.execute(f"ALTER DATABASE {name} OWNER TO {CAREFUL}")
    store = open_engine(given_).writer()
    assert store.nodes() == []
    store.close()
    file.write_text(f"*:*:*:{CAREFUL}:wrong\n")
    with pytest.raises(StoreError, match="password is wrong"):
        open_engine(given_).writer()
    file.write_text("")
    with pytest.raises(StoreError, match="wants a password"):
        open_engine(given_).writer()


def test_what_is_wrong_is_said_in_words(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="no such database"):
        open_engine(postgres.url("nothing")).writer()
    with pytest.raises(StoreError, match="no server answers"):
        open_engine("postgresql://lampione@127.0.0.1:1/x").writer()
    with pytest.raises(StoreError, match="no server answers"):
        open_engine(f"postgresql:///x?host={tmp_path}").writer()
    url = postgres.new_database()
    assert "disk is full" in str(in_words(url, psycopg.errors.DiskFull("no space")))
    monkeypatch.setattr(connect, "LEAST_VERSION", 99)
    with pytest.raises(StoreError, match="too old"):
        open_engine(url).writer()


def test_readers_cannot_write(postgres_url: str) -> None:
    engine = PostgresEngine(postgres_url)
    engine.writer().close()
    reader = engine.reader()
    with pytest.raises(StoreError, match="read"):
        reader._link.write("DELETE FROM nodes")
    reader.close()


def test_a_newer_database_is_refused(postgres_url: str) -> None:
    open_engine(postgres_url).writer().close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO schema_version (version) VALUES (999)")
    with pytest.raises(StoreError, match="newer program"):
        open_engine(postgres_url).writer()


def test_a_migration_that_fails_changes_nothing(postgres_url: str) -> None:
    link = Link(postgres_url)
    migrate(link, [(1, "CREATE TABLE a (x integer)")])
    with pytest.raises(StoreError, match="already exists"):
        migrate(link, [(1, ""), (2, "CREATE TABLE b (x integer); CREATE TABLE a (x integer)")])
    link.rollback()
    link.close()
    assert sql(postgres_url, "SELECT to_regclass('a')::text, to_regclass('b')::text") == [
        ("a", None)
    ]
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


# Rows as each version of the schema wrote them; a version that is released gets its own.
_OLD = """
INSERT INTO nodes VALUES (1, 'a-1', '{"watermark":52}', 217540369, NULL, NULL);
INSERT INTO epochs VALUES (1, 1, '\\x74a53013', 1, 1, 1795377166.5, false);
UPDATE ids SET nodes = 1, epochs = 1;
INSERT INTO held VALUES (1, '\\x0100');
INSERT INTO frames VALUES (1, 1, 2, 5, 1795377166.5, 1777836920, '\\x17d784f03b');
INSERT INTO totals VALUES ('stored', 2);
CREATE TABLE reports_20260503 PARTITION OF reports
  FOR VALUES FROM ('2026-05-03+00') TO ('2026-05-04+00');
INSERT INTO reports (ts, received, node, epoch, boot, seq, start, duration_s, clock, laeq, valid,
  faults, timed)
VALUES ('2026-05-03 12:00+00', '2026-05-03 12:01+00', 1, 1956982803, 1, 1, 200059200, 60, 3, 624,
  511, 0, true);
"""


@pytest.mark.parametrize("version", range(1, len(migrations())))
def test_every_old_version_is_brought_up_to_date(postgres_url: str, version: int) -> None:
    link = Link(postgres_url)
    assert migrate(link, migrations()[:version]) == version
    link.write(_OLD)
    link.commit()
    link.close()
    engine = open_engine(postgres_url)
    store = engine.writer()
    assert sql(postgres_url, "SELECT max(version) FROM schema_version") == [(len(migrations()),)]
    assert store.frames([report(1, 1, T0), event(1, 2, T0)]) == 0
    assert store.epoch_id(1, bytes.fromhex("74a53013"), 1) == 1
    store.close()
    assert history(engine, ["laeq"]) == [[1777809600, 62.4]]
    assert len(frames_of(engine)) == 2
    keeper = engine.keeper()
    assert keeper.policy()["reports"] is None
    keeper.close()


def test_nothing_that_moves_badly() -> None:
    """See docs/store.md: what PostgreSQL alone has, or has in one machine only."""
    text = " ".join(
        line.partition("--")[0] for _, sql_ in migrations() for line in sql_.splitlines()
    ).lower()
    for word in ("serial", "identity", "sequence", "trigger", "listen", "notify", "advisory"):
        assert word not in text.split()
    for table in (*typed.TABLES.values(), "frames", "batches"):
        body = text.partition(f"create table {table} (")[2].partition(";")[0]
        assert body
        assert "references" not in body


def test_frames_are_what_the_node_says_not_what_the_server_thinks(postgres_url: str) -> None:
    """Times are of UTC whatever the server's time zone is."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'".encode())
    engine = open_engine(postgres_url)
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"aaaa", 1)
    frames = [report(epoch, n, T0 - 1 + n) for n in range(2)]
    store.frames(frames)
    store.commit()
    store.close()
    assert [frame for _, frame in frames_of(engine)] == frames
    link = Link(postgres_url)
    assert partitions.existing(link) == {("reports", DAY - 1), ("reports", DAY)}
    link.close()
    assert schema.REPORT == 2
    assert isinstance(frames[0], Frame)


def test_the_audit_of_several_workers_is_one_chain(postgres_url: str) -> None:
    engine = PostgresEngine(postgres_url)
    engine.writer().close()
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            store = engine.writer()
            for n in range(20):
                store.add_deeds([Deed(float(n), name, "operate", "", "send", None, {"n": n})] * 2)
                store.commit()
            store.close()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    reader = engine.reader()
    entries = reader.audit_after(0, 1000)
    reader.close()
    assert len(entries) == 120
    assert verify(entries) is None
    keeper = engine.keeper()
    assert keeper.check() == []
    sql(postgres_url, "UPDATE audit SET operator = 'd' WHERE seq = 7 RETURNING 1")
    assert keeper.check() == ["audit: the columns of entry 7 are not its own"]
    sql(postgres_url, "DELETE FROM audit WHERE seq = 9 RETURNING 1")
    assert keeper.check()[-1] == "audit: entry 9 is missing, 10 stands in its place"
    keeper.close()
