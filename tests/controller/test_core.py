"""The socket, the live state and `serve`: what front ends stand on."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione.api import LINE_MAX
from lampione.core import client
from lampione.core.client import Client, CoreError, NoCore
from lampione_protocol import schema, topics

from tests.brokers import Broker, running_broker, wait_until
from tests.controller.fake_node import SHARD, FakeNode, text
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("core") / "s", broker, ("a-1", "b-2")) as running:
        node = running.node()
        node.report(lamp_level=40, temperature=-55, valid=0b10000)
        node.make(schema.HEALTH, text(schema.HEALTH, clock=3, voltage=460, state_sound=2))
        node.make(
            schema.EVENT, text(schema.EVENT, clock=3, code=0, severity=1, time=100, argument=7)
        )
        wait_until("the result of the time is in", lambda: running.show()["watermark"] == 4)
        yield running


@pytest.fixture(scope="module")
def other_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker("nats", tmp_path_factory.mktemp("other")) as running:
        yield running


def raw(rig: Rig, *lines: bytes) -> list[Any]:
    """Send lines; return as many answers."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(rig.folder / "core.sock"))
        wire.sendall(b"".join(line + b"\n" for line in lines))
        with wire.makefile("rb") as answers:
            return [json.loads(answers.readline()) for _ in lines]


def test_status(rig: Rig) -> None:
    status = rig.status()
    assert status["nodes"] == 2
    assert status["online"] == 1
    assert status["broker"]["url"] == rig.broker.url
    assert status["counters"]["stored"] == 4
    assert status["database_bytes"] > 0


def test_what_people_read(rig: Rig) -> None:
    first, second = rig.client.call("nodes")
    assert (first["node"], first["state"]) == ("a-1", "online")
    assert (second["node"], second["state"], second["report"]) == ("b-2", "never", {})
    assert first["report"]["temperature"] == -5.5
    assert first["report"]["laeq"] == 62.4
    assert first["report"]["pm10"] is None
    assert first["report"]["clock"] == "controller"
    assert first["report"]["valid"] == ["sound"]
    assert first["health"]["voltage"] == 230
    assert first["health"]["state_sound"] == "stale"
    assert first["watermark"] == 4
    shown = rig.show()
    assert shown["events"][0]["code"] == "boot"
    assert shown["events"][0]["at"] == schema.EPOCH_2020 + 100
    assert shown["events"][0]["argument"] == 7
    assert rig.client.call("events", node="b-2") == []


def test_history_by_pages(rig: Rig) -> None:
    page = rig.client.call("history", node="a-1", message="health", fields=["voltage", "clock"])
    assert (page["fields"], page["units"]) == (["at", "voltage", "clock"], ["s", "V", ""])
    assert [row[1:] for row in page["rows"]] == [[230, "controller"]]
    assert page["more"] is False
    assert rig.client.call("history", node="b-2")["rows"] == []
    with pytest.raises(CoreError, match="fields of report are"):
        rig.client.call("history", node="a-1", fields=["colour"])
    with pytest.raises(CoreError, match="no message"):
        rig.client.call("history", node="a-1", message="poem")


def test_the_watch_shows_changes_to_all_who_look(rig: Rig) -> None:
    node = rig.nodes[0]
    with Client.open(rig.folder) as other:
        streams = [rig.client.stream("watch", nodes=["a-1"]), other.stream("watch")]
        for stream in streams:
            first = next(stream)
            assert first["kind"] == "snapshot"
            assert first["nodes"][0]["node"] == "a-1"
        node.report(lamp_level=77)
        for stream in streams:
            for item in stream:
                if item["kind"] == "change" and item["nodes"][0]["report"]["lamp_level"] == 77:
                    break
            stream.close()  # type: ignore[attr-defined]
    assert rig.status()["nodes"] == 2


def test_a_city_is_shown_in_pieces(tmp_path: Path, broker: Broker) -> None:
    names = [f"n-{n:04}" for n in range(1100)]
    with Rig(tmp_path / "s", broker, names) as city:
        stream = city.client.stream("watch")
        pieces = [next(stream) for _ in range(3)]
        assert [row["node"] for piece in pieces for row in piece["nodes"]] == names
        assert [(piece["kind"], piece["left"]) for piece in pieces] == [
            ("snapshot", 600), ("snapshot", 100), ("snapshot", 0),
        ]  # fmt: skip
        assert next(stream)["kind"] == "broker"
        stream.close()  # type: ignore[attr-defined]


def test_a_reader_that_sleeps_is_told_and_gets_the_latest(rig: Rig) -> None:
    node = rig.nodes[0]
    with socket.socket(socket.AF_UNIX) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(20)
        wire.connect(str(rig.folder / "core.sock"))
        wire.sendall(b'{"id":1,"op":"watch"}\n')
        with wire.makefile("rb") as lines:
            lines.readline()
            for level in range(40):  # its buffers fill: nobody waits for it
                before = rig.show()["watermark"]
                node.report(lamp_level=level)
                wait_until("stored", lambda before=before: rig.show()["watermark"] > before)  # type: ignore[misc]
            node.report(lamp_level=100)
            dropped = 0
            for line in lines:
                item = json.loads(line)["item"]
                dropped += item.get("count", 0)
                if any(row["report"].get("lamp_level") == 100 for row in item.get("nodes", ())):
                    break
    assert rig.status()["nodes"] == 2


def test_a_client_that_goes_is_forgotten(rig: Rig) -> None:
    client = Client.open(rig.folder)
    stream = client.stream("watch")
    next(stream)
    client.close()
    with pytest.raises(NoCore):
        list(stream)
    with pytest.raises(NoCore):
        client.call("status")
    assert rig.status()["nodes"] == 2


def test_clients_that_ask_and_go_at_once_do_no_harm(rig: Rig) -> None:
    ops = (
        b'{"id":1,"op":"status"}\n{"id":2,"op":"nodes"}\n{"id":3,"op":"watch"}\n',
        b'{"id":1,"op":"send","node":"b-2","command":{"op":"read"},"expires_s":1}\n',
        b'{"id":1,"op":"show","node":"a-1"}\n{"id":2,"op":"history","node":"a-1"}\n',
    )
    for n in range(150):
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(rig.folder / "core.sock"))
            wire.sendall(ops[n % 3])
    assert rig.status()["nodes"] == 2


def test_nodes_come_in_pages(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    call = rig.client.call
    assert [row["node"] for row in call("nodes", limit=1)] == ["a-1"]
    assert [row["node"] for row in call("nodes", after="a-1")] == ["b-2"]
    assert call("nodes", after="b-2") == []
    with pytest.raises(CoreError, match="limit is a number from 1 to 2000"):
        call("nodes", limit=140_000)
    monkeypatch.setattr(client, "NODES_PAGE", 1)

    def small(op: str, **given: Any) -> Any:
        return call(op, limit=1, **given)

    monkeypatch.setattr(rig.client, "call", small)
    assert [row["node"] for row in client.every_node(rig.client)] == ["a-1", "b-2"]


def test_threads_share_a_client(rig: Rig) -> None:
    found: list[int] = []

    def ask() -> None:
        found.extend(len(rig.client.call("nodes")) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 80


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"", "request"),
        (b"rubbish", "request"),
        (b"[" * 5000, "request"),
        (b"[1]", "request"),
        (b'{"op":"status"}', "request"),
        (b'{"id":true,"op":"status"}', "request"),
        (b'{"id":1}', "unknown"),
        (b'{"id":1,"op":"in_core"}', "unknown"),
        (b'{"id":1,"op":"show"}', "request"),
        (b'{"id":1,"op":"show","node":7}', "request"),
        (b'{"id":1,"op":"show","node":"x"}', "unknown"),
        (b'{"id":1,"op":"watch","nodes":"a-1"}', "request"),
        (b'{"id":1,"op":"history","node":"a-1","since":"now"}', "request"),
        (b'{"id":1,"op":"history","node":"a-1","limit":1e99}', "request"),
        (b'{"id":1,"op":"history","node":"a-1","fields":[[]]}', "request"),
        (b'{"id":1,"op":"send","node":"a-1","command":[]}', "request"),
        (b'{"id":1,"op":"configs","nodes":"a-1"}', "request"),
        (b'{"id":1,"op":"configs","nodes":["x"]}', "unknown"),
        (b'{"id":1,"op":"configure"}', "request"),
        (b'{"id":1,"op":"configure","configs":{"a-1":"zz"}}', "request"),
        (b'{"id":1,"op":"configure","configs":{"a-1":"02"}}', "request"),
        (b'{"id":1,"op":"configure","configs":{"a-1":[]}}', "request"),
        (b'{"id":1,"op":"configure","configs":{"x":"01"}}', "unknown"),
        (b'{"id":1,"op":"configure","configs":{"a-1":"01"},"trial_s":1}', "request"),
        (b'{"id":1,"op":"follow"}', "request"),
        (b'{"id":1,"op":"follow","nodes":["x"]}', "unknown"),
        (b'{"id":1,"op":"revert","nodes":[7]}', "request"),
        (b'{"id":1,"op":"adopt","configs":{"a-1":"01"}}', "request"),
        (b"\xff\xfe", "request"),
    ],
)
def test_a_malformed_request_gets_an_error(rig: Rig, line: bytes, kind: str) -> None:
    bad, good = raw(rig, line, b'{"id":2,"op":"cancel","of":99}')
    if "error" not in bad:
        bad, good = good, bad
    assert bad["error"]["kind"] == kind
    assert good == {"id": 2, "result": None}


def test_a_line_without_end_is_refused(rig: Rig) -> None:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(rig.folder / "core.sock"))
        with pytest.raises(OSError):  # noqa: PT012 - where it breaks off is the kernel's choice
            for _ in range(5 * LINE_MAX // 65536):
                wire.sendall(b"x" * 65536)
            raise OSError(wire.recv(1 << 16))
    assert rig.status()["nodes"] == 2


def test_history_of_every_kind_and_what_was_refused(rig: Rig) -> None:
    def rows(*arguments: str) -> list[Any]:
        done = lampione("--state", str(rig.folder), *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    node = rig.nodes[0]
    began = time.time()
    node.make(schema.EVENT, text(schema.EVENT, clock=0, code=0, severity=1, time=3, argument=8))
    node.make(schema.LOG, text(schema.LOG, clock=0, level=1, time=4, text="door open"))
    node.publish(b"rubbish")
    stranger = FakeNode("x-9", bytes(32))
    assert node._client is not None
    node._client.publish(stranger.topic(topics.UP), b"rubbish", 1)
    rig.settle(node)
    # A clock that is unset is no time: these are found by when they came.
    event = rows("history", "a-1", "--message", "event")[-1]
    assert (event["argument"], event["at"] >= began - 1) == (8, True)
    log = rows("history", "a-1", "--message", "log")[-1]
    assert (log["text"], log["time"]) == ("door open", 1577836804)
    results = rows("history", "a-1", "--message", "result", "--since", "3650d")
    assert results[0]["op"] == "time"
    assert rows("history", "a-1", "--message", "hour") == []
    wait_until("both are counted", lambda: len(rows("refused")) >= 2)
    refused = {(row["node"], row["reason"]) for row in rows("refused")}
    assert {("a-1", "truncated"), (None, "unknown node")} <= refused
    table = lampione("--state", str(rig.folder), "refused").stdout
    assert re.search(r"^–  +unknown node  +1  ", table, re.MULTILINE)


def test_private_files(rig: Rig) -> None:
    assert stat.S_IMODE(rig.folder.stat().st_mode) == 0o700
    for name in ("core.sock", "core.lock", "lampione.db", "keys.json"):
        assert stat.S_IMODE((rig.folder / name).stat().st_mode) == 0o600, name


def serve(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lampione.serve", str(folder), SHARD, *more],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_second_core_is_told_who_has_the_folder(rig: Rig) -> None:
    assert rig.process is not None
    ended = serve(rig.folder, rig.broker.url)
    assert ended.returncode != 0
    assert f"runs on {rig.folder} already (process {rig.process.pid})" in ended.stderr
    assert rig.status()["nodes"] == 2


def test_it_ends_in_good_order_and_starts_after_a_kill(
    tmp_path: Path, other_broker: Broker
) -> None:
    with Rig(tmp_path / "s", other_broker) as rig:
        node = rig.node()
        node.report()
        rig.settle(node)
        rig.kill9()
        assert (tmp_path / "s" / "core.sock").exists()
        rig.start()
        assert rig.show()["watermark"] >= 1
        assert rig.show()["report"]["laeq"] == 62.4
        assert rig.stop() == 0
        assert not (tmp_path / "s" / "core.sock").exists()
        node.disconnect()
        with pytest.raises(NoCore, match="lampione serve"):
            Client.open(tmp_path / "s")


def test_it_waits_for_its_broker(tmp_path: Path) -> None:
    with running_broker("nats", tmp_path / "b") as broker, Rig(tmp_path / "s", broker) as rig:
        broker.stop()
        wait_until("the loss is seen", lambda: not rig.status()["broker"]["connected"])
        assert rig.status()["broker"]["error"]
        broker.start()
        wait_until("it is back", lambda: rig.status()["broker"]["connected"])
        assert rig.stop() == 0


def test_a_node_that_gets_its_key_while_we_run(tmp_path: Path, other_broker: Broker) -> None:
    from lampione import keys

    with Rig(tmp_path / "s", other_broker) as rig:
        keys.new(rig.folder / keys.FILE, ["late-1"])
        rig.keys = keys.load(rig.folder / keys.FILE)
        wait_until("it is known", lambda: len(rig.client.call("nodes")) == 2)
        node = rig.node("late-1")
        node.report()
        rig.settle(node)


def test_a_disk_that_is_full_promises_nothing(tmp_path: Path, other_broker: Broker) -> None:
    with Rig(tmp_path / "s", other_broker) as rig:
        node = rig.node()
        node.report()
        rig.settle(node)
        other = sqlite3.connect(tmp_path / "s" / "lampione.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # nobody else can write, for longer than the core waits
        node.report()
        log = tmp_path / "s" / "serve.log"
        wait_until("it says so", lambda: "starting over" in log.read_text())
        assert node.flash.acked < node.flash.next_seq - 1
        other.execute("ROLLBACK")
        other.close()
        wait_until("it is back", lambda: rig.status()["broker"]["connects"] == 2)
        node.resend()  # a node that hears of no progress does
        rig.settle(node)
        assert set(rig.stored()) == node.created


def test_sigint_ends_it_too(tmp_path: Path, other_broker: Broker) -> None:
    with Rig(tmp_path / "s", other_broker) as rig:
        assert rig.process is not None
        rig.client.close()
        os.kill(rig.process.pid, signal.SIGINT)
        assert rig.process.wait(20) == 0
        rig.process = None


def test_a_request_is_cancelled_at_any_moment(rig: Rig) -> None:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(rig.folder / "core.sock"))
        with wire.makefile("rb") as lines:
            for number in range(1, 40, 2):  # before its first step, or when it has begun
                wire.sendall(b'{"id":%d,"op":"watch"}\n' % number)
                if number % 4 == 1:
                    lines.readline()
                wire.sendall(b'{"id":%d,"op":"cancel","of":%d}\n' % (number + 1, number))
                ended: list[int] = []
                while len(ended) < 2:
                    answer = json.loads(lines.readline())
                    if "result" in answer:
                        ended.append(answer["id"])
                assert ended == [number, number + 1]


def test_the_core_knows_no_front_end() -> None:
    program = (
        "import sys, lampione.serve\n"
        "front_ends = ('textual', 'lampione.cli', 'lampione.tui')\n"
        "print([name for name in sys.modules if name.startswith(front_ends)])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_a_client_is_light() -> None:
    program = (
        "import sys, lampione.core.client\n"
        "print({'numpy', 'cryptography', 'paho', 'pydantic', 'sqlite3'} & sys.modules.keys())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"
