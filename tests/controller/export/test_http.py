"""The server: only for its own names, only to be read, within limits; metrics while they hold."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lampione import seeds
from lampione.core.folder import StateFolder
from lampione.export.http import ANSWERS_MAX, CONNECTIONS_MAX, DataServer
from lampione.export.metrics import HEALTH, REPORT, Scrape
from lampione.export.places import Places
from lampione.store import Engine, StoreError
from prometheus_client.parser import text_string_to_metric_families

from tests.controller.export.stored import (
    START,
    Said,
    body,
    engine_of,
    hour_of_two,
    reading_of,
    report,
)
from tests.controller.nodes import status


@contextmanager
def serving(engine: Engine, **options: Any) -> Iterator[DataServer]:
    with DataServer(
        ("127.0.0.1", 0), engine.reader, Places(seeds.load()), **options
    ) as server:  # fmt: skip
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(
    server: DataServer, path: str, method: str = "GET", host: str | None = None, text: str = ""
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"localhost:{server.port}" if host is None else host)
    if text:
        connection.putheader("Content-Length", str(len(text)))
    connection.endheaders(text.encode() or None)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.headers)
    connection.close()
    return found


def test_it_answers_for_its_own_names_only(tmp_path: Path) -> None:
    with serving(engine_of(tmp_path, []), url="https://data.example/open/") as server:
        port = server.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "data.example"):
            assert ask(server, "/v1.1", host=host)[0] == 200
        for host in ("", "evil.example", f"evil.example:{port}", "localhost:1", "localhost"):
            code, text, _ = ask(server, "/v1.1", host=host)
            assert code == 421
            assert "evil" not in text
        root = json.loads(ask(server, "/v1.1")[1])
        assert root["value"][0]["url"] == "https://data.example/open/v1.1/Things"


def test_nothing_can_be_changed(tmp_path: Path) -> None:
    with serving(engine_of(tmp_path, [])) as server:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            code, text, headers = ask(server, "/v1.1/Things", method, text="{}")
            assert (code, headers["Allow"]) == (405, "GET, HEAD")
            assert "nothing can be changed" in text
        code, text, headers = ask(server, "/v1.1", "HEAD")
        assert (code, text) == (200, "")
        assert int(headers["Content-Length"]) > 100
        assert ask(server, "/")[0] == 200
        assert ask(server, "/etc/passwd")[0] == 404
        assert ask(server, "/v1.1/Things?" + "x" * 9000)[0] == 414
        assert ask(server, "/v1.1/" + "x" * 70000)[0] == 414


def test_what_is_no_http_is_refused(tmp_path: Path) -> None:
    with serving(engine_of(tmp_path, [])) as server:
        for text in (b"\x16\x03\x01 hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
        assert ask(server, "/v1.1")[0] == 200


def test_too_many_at_a_time_are_turned_away(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [])
    with serving(engine) as server:
        for _ in range(ANSWERS_MAX):
            assert server.places_free.acquire(blocking=False)
        code, _, headers = ask(server, "/v1.1")
        assert (code, headers["Retry-After"]) == (503, "1")
        for _ in range(ANSWERS_MAX):
            server.places_free.release()
        idle: list[http.client.HTTPConnection] = []
        while len(idle) < CONNECTIONS_MAX:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            try:
                connection.request("GET", "/", headers={"Host": f"localhost:{server.port}"})
                assert connection.getresponse().read()  # it has its thread, and keeps it
            except (ConnectionError, http.client.HTTPException):
                continue  # an earlier one of ours is not quite gone
            idle.append(connection)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask(server, "/v1.1")
        for connection in idle:
            connection.close()


def test_a_store_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [])
    with serving(engine) as server:
        assert ask(server, "/v1.1")[0] == 200

        def broken() -> Any:
            raise StoreError("the disk is on fire")

        server.reader = broken
        code, text, _ = ask(server, "/v1.1/Things")
        assert (code, json.loads(text)["message"]) == (
            503,
            "the store cannot be read: the disk is on fire",
        )


Samples = dict[tuple[str, str], float]


def scraped(engine: Engine, now: float, core: Any = None) -> tuple[Samples, str]:
    reading = reading_of(engine)
    reader = reading.reader()
    text = "".join(Scrape(reading, reader, core, 900, now).lines())
    reader.close()
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in ("gauge", "counter")
        for sample in family.samples:
            key = sample.name, sample.labels.get("node", sample.labels.get("version", ""))
            found[key] = sample.value
    return found, text


def test_metrics_are_in_base_units(tmp_path: Path) -> None:
    said: list[Said] = [
        ("bligny-1", "health", START - 30, body("health", time=START - 30, clock="ntp",
                                                energy=1000, burn_hours=2, tilt=1.5)),
        ("bligny-1", "report", START, report(START)),
    ]  # fmt: skip
    core = status(stored=7) | {"online": 1}
    core["broker"]["connects"] = 2
    found, text = scraped(engine_of(tmp_path, said), START + 61, core)
    node = "bligny-1"
    assert found["lampione_lamp_level_ratio", node] == pytest.approx(0.8)
    assert found["lampione_sound_laeq_decibels", node] == pytest.approx(62.4)
    assert found["lampione_pm2_5_grams_per_cubic_meter", node] == pytest.approx(8e-6)
    assert found["lampione_no2_mole_ratio", node] == pytest.approx(21e-9)
    assert found["lampione_vehicle_speed_mean_meters_per_second", node] == pytest.approx(43 / 3.6)
    assert found["lampione_lamp_energy_joules_total", node] == 3.6e6
    assert found["lampione_lamp_burn_seconds_total", node] == 7200
    assert found["lampione_report_end_timestamp_seconds", node] == START + 60
    assert found["lampione_store_up", ""] == 1
    assert found["lampione_store_size_bytes", ""] > 0
    assert found["lampione_broker_connected", ""] == 1
    assert found["lampione_frames_stored_total", ""] == 7
    assert found["lampione_nodes_fresh", ""] == 1
    assert 'site="Viale Bligny"' in text
    assert any(name == "lampione_build_info" for name, _ in found)


def test_names_follow_the_rules_of_prometheus() -> None:
    for gauge in (*REPORT, *HEALTH):
        assert gauge.name.startswith("lampione_")
        assert gauge.name.endswith("_total") == (gauge.kind == "counter")
    assert len({gauge.name for gauge in (*REPORT, *HEALTH)}) == len(REPORT) + len(HEALTH)


def test_what_no_longer_holds_is_absent(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [("bligny-1", "report", START, report(START))])
    key = "lampione_lamp_level_ratio", "bligny-1"
    assert key in scraped(engine, START + 60)[0]
    assert key in scraped(engine, START + 60 + 185)[0]  # three intervals and five seconds
    found, _ = scraped(engine, START + 60 + 186)
    assert not any(node == "bligny-1" for _, node in found)
    assert found["lampione_nodes_fresh", ""] == 0
    assert key not in scraped(engine, START - 600)[0]  # a clock that runs ahead


def test_a_longer_interval_holds_longer(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [("bligny-1", "report", START, report(START, duration_s=300))])
    key = "lampione_lamp_level_ratio", "bligny-1"
    assert key in scraped(engine, START + 4 * 300 + 5)[0]
    assert key not in scraped(engine, START + 4 * 300 + 6)[0]


def test_bad_and_unknown_values_are_absent(tmp_path: Path) -> None:
    said: list[Said] = [
        ("bligny-1", "report", START, report(START, valid=["sound"], lceq=None)),
        ("caldara-1", "report", START, report(START, clock="unset")),
    ]
    found, text = scraped(engine_of(tmp_path, said), START + 61)
    names = {name for name, node in found if node == "bligny-1"}
    assert {"lampione_sound_laeq_decibels", "lampione_lamp_level_ratio"} <= names
    assert not names & {"lampione_no2_mole_ratio", "lampione_sound_lceq_decibels"}
    assert 'sensor="no2"} 0' in text
    assert 'sensor="sound"} 1' in text


def test_the_newest_report_counts_and_labels_are_quoted(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, hour_of_two())
    found, _ = scraped(engine, START + 3600)
    assert found["lampione_sound_laeq_decibels", "bligny-1"] == pytest.approx(55.9)
    assert found["lampione_sound_laeq_decibels", "caldara-1"] == pytest.approx(56.9)


def test_without_a_controller_metrics_say_so(tmp_path: Path) -> None:
    now = int(time.time()) - 61
    engine = engine_of(tmp_path, [("bligny-1", "report", now, report(now))])
    with serving(engine, state=StateFolder(tmp_path)) as server:
        code, text, headers = ask(server, "/metrics")
    assert code == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["lampione_controller_up"].samples[0].value == 0
    assert "lampione_broker_connected" not in families
    assert families["lampione_lamp_level_ratio"].samples[0].labels["node"] == "bligny-1"
