"""NGSI-LD: entities that the Smart Data Models know, and a broker that takes them.

`smart_data_models.json` holds facts of the published schemas: names, types, ranges, what is
required. LAMPIONE_SMART_DATA_MODELS names a folder with the schemas themselves, a file
`<Type>.json` each and `common-schema.json`, to be used instead.
"""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lampione.export import ExportError
from lampione.export.ngsi import TYPES, Entities, Entity
from lampione.export.push import BATCH, TRIES, ContextBroker, token_of
from lampione.export.rows import Wanted
from lampione.export.run import Meter, write_entities

from tests.controller.export.stored import START, Said, engine_of, hour_of_two, reading_of, report

FACTS = json.loads(Path(__file__).with_name("smart_data_models.json").read_text())
PUBLISHED = os.environ.get("LAMPIONE_SMART_DATA_MODELS")
# UN/CEFACT Recommendation 20.
UNITS = {"GQ", "CEL", "C62", "2N", "WTT", "KMH"}


def entities(tmp_path: Path, said: list[Said], *, latest: bool = False) -> list[Entity]:
    reading = reading_of(engine_of(tmp_path, said))
    reader = reading.reader()
    made = Entities(reading, latest=latest)
    found = [e for e, _, _ in made.of(reader, Wanted("report", START - 3600, START + 86400))]
    reader.close()
    return found


def key_values(entity: Entity) -> dict[str, Any]:
    """Return the simplified form, which the published schemas are of."""
    found: dict[str, Any] = {}
    for name, attribute in entity.items():
        if name in ("id", "type"):
            found[name] = attribute
        elif name != "@context":
            value = attribute["value"]
            found[name] = (
                value["@value"] if isinstance(value, dict) and "@value" in value else value
            )
    return found


def normalized(entity: Entity) -> None:
    """Check the normalized form of NGSI-LD (ETSI GS CIM 009)."""
    assert entity["id"].startswith(f"urn:ngsi-ld:{entity['type']}:")
    assert entity["@context"][-1].endswith("ngsi-ld-core-context.jsonld")
    for name, attribute in entity.items():
        if name in ("id", "type", "@context"):
            continue
        assert attribute["type"] == ("GeoProperty" if name == "location" else "Property")
        assert attribute["value"] is not None
        assert attribute.keys() <= {"type", "value", "unitCode", "observedAt"}
        assert attribute.get("unitCode", "C62") in UNITS


def validator(kind: str) -> Any:
    if PUBLISHED is None:
        schema = {"type": "object", "additionalProperties": False} | FACTS[kind]
        return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    folder = Path(PUBLISHED)
    registry: Any = Registry().with_resources(
        [
            (found["$id"], DRAFT202012.create_resource(found))  # some name a draft that is none
            for found in (json.loads(path.read_text()) for path in folder.glob("*.json"))
        ]
    )
    schema = json.loads((folder / f"{kind}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=registry)


@pytest.mark.parametrize("latest", [False, True])
def test_entities_are_of_the_models(tmp_path: Path, latest: bool) -> None:
    found = entities(tmp_path, hour_of_two(), latest=latest)
    assert {entity["type"] for entity in found} == set(TYPES)
    for entity in found:
        normalized(entity)
        validator(entity["type"]).validate(key_values(entity))
    assert len({entity["id"] for entity in found}) == len(found)
    assert len(found) == (8 if latest else 2 + 2 * 60 * 3)


def test_facts_name_what_is_required() -> None:
    air = {"id": "urn:ngsi-ld:AirQualityObserved:x", "type": "AirQualityObserved"}
    with pytest.raises(jsonschema.ValidationError, match="required"):
        validator("AirQualityObserved").validate(air)


def by_type(found: list[Entity]) -> dict[str, Entity]:
    return {entity["type"]: entity for entity in found}


def test_values_are_in_the_models_units(tmp_path: Path) -> None:
    found = by_type(entities(tmp_path, [("bligny-1", "report", START, report(START))]))
    air = found["AirQualityObserved"]
    assert air["id"] == "urn:ngsi-ld:AirQualityObserved:bligny-1:20260921T141400Z"
    assert air["pm25"] == {
        "type": "Property", "value": 8, "observedAt": "2026-09-21T14:14:00Z", "unitCode": "GQ",
    }  # fmt: skip
    assert air["no2"]["value"] == pytest.approx(21 * 1.9125)
    assert air["o3"]["value"] == pytest.approx(30 * 1.9953)
    assert air["relativeHumidity"]["value"] == 0.71
    assert air["location"]["value"]["coordinates"] == [9.1915, 45.4498]  # east first
    noise = found["NoiseLevelObserved"]
    assert (noise["LAeq"]["value"], noise["LAmax"]["value"]) == (62.4, 78.1)
    assert "sonometerClass" not in noise  # no class is claimed
    traffic = found["TrafficFlowObserved"]
    assert (traffic["intensity"]["value"], traffic["averageVehicleSpeed"]["value"]) == (7, 43)
    assert traffic["dateObserved"]["value"] == "2026-09-21T14:14:00Z/2026-09-21T14:15:00Z"
    light = found["Streetlight"]
    assert light["id"] == "urn:ngsi-ld:Streetlight:bligny-1"
    assert (light["status"]["value"], light["powerState"]["value"]) == ("ok", "on")
    assert light["illuminanceLevel"]["value"] == 0.8
    assert light["powerRating"]["value"] == 60


def test_bad_values_and_unplaced_nodes_are_left_out(tmp_path: Path) -> None:
    said: list[Said] = [
        ("bligny-1", "report", START,
         report(START, valid=["no2", "radar"], faults=["lamp"], lamp_level=0)),
        ("nowhere-1", "report", START, report(START)),
    ]  # fmt: skip
    found = by_type(entities(tmp_path, said))
    assert set(found) == {"Streetlight", "AirQualityObserved", "TrafficFlowObserved"}
    assert "no2" in found["AirQualityObserved"]
    assert not {"pm10", "temperature", "o3"} & found["AirQualityObserved"].keys()
    assert found["Streetlight"]["status"]["value"] == "defectiveLamp"
    assert found["Streetlight"]["powerState"]["value"] == "off"
    assert "powerConsumption" not in found["Streetlight"]


class Broker:
    """A context broker's upsert, as the standard has it; `answers` are said before it works."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.bodies: list[list[Entity]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        broker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                broker.headers.append(dict(self.headers))
                broker.paths.append(self.path)
                status, text, more = broker.answers.pop(0) if broker.answers else (204, b"", {})
                if status < 300:
                    broker.bodies.append(json.loads(body))
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True  # a client may keep its connection
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))


@pytest.fixture
def broker() -> Iterator[Broker]:
    found = Broker()
    with found.server:
        found.thread.start()
        yield found
        found.server.shutdown()
        found.thread.join()


def push(tmp_path: Path, to: ContextBroker, said: list[Said], *, latest: bool = False) -> None:
    reading = reading_of(engine_of(tmp_path, said))
    wanted = Wanted("report", START, START + 86400)
    meter = Meter(list(reading.names), wanted.since, wanted.until, lambda *_: None)
    write_entities(reading, wanted, Entities(reading, latest=latest), to, meter)


def test_a_broker_gets_batches(tmp_path: Path, broker: Broker) -> None:
    to = ContextBroker(broker.url, token="secret-token", tenant="milan")
    push(tmp_path, to, hour_of_two())
    assert to.sent == 362
    assert [len(body) for body in broker.bodies] == [BATCH, BATCH, BATCH, 62]
    assert broker.paths[0] == "/ngsi-ld/v1/entityOperations/upsert?options=update"
    assert broker.headers[0]["Authorization"] == "Bearer secret-token"
    assert broker.headers[0]["Content-Type"] == "application/ld+json"
    assert broker.headers[0]["NGSILD-Tenant"] == "milan"


def test_one_batch_never_has_an_id_twice(broker: Broker) -> None:
    to = ContextBroker(f"{broker.url}/ngsi-ld/v1/")
    for n in (1, 2, 3):
        to.write({"id": "urn:x:a", "n": n})
        to.write({"id": f"urn:x:{n}"})
    to.close()
    for body in broker.bodies:
        ids = [entity["id"] for entity in body]
        assert len(set(ids)) == len(ids)
    assert [e["n"] for body in broker.bodies for e in body if "n" in e] == [1, 2, 3]
    assert broker.paths[0] == "/ngsi-ld/v1/entityOperations/upsert?options=update"


def test_a_busy_broker_is_asked_again(broker: Broker) -> None:
    waits: list[float] = []
    broker.answers = [(503, b"", {}), (429, b"", {"Retry-After": "7"}), (201, b"[]", {})]
    to = ContextBroker(broker.url, wait=waits.append)
    to.write({"id": "urn:x:a"})
    to.close()
    assert (to.sent, to.again, waits) == (1, 2, [0.5, 7.0])


def test_a_broker_that_stays_away_is_given_up() -> None:
    waits: list[float] = []
    to = ContextBroker("http://127.0.0.1:9", wait=waits.append)
    to.write({"id": "urn:x:a"})
    with pytest.raises(ExportError, match="cannot be reached"):
        to.close()
    assert len(waits) == TRIES - 1


def test_what_a_broker_refuses_is_said(broker: Broker) -> None:
    answer = {
        "success": [],
        "errors": [
            {"entityId": "urn:x:a", "error": {"title": "Bad\x1b[31m value", "detail": "no2"}},
            {"entityId": "urn:x:b", "error": {"title": "too"}},
        ],
    }
    broker.answers = [(207, json.dumps(answer).encode(), {}), (401, b"who <are> you?", {})]
    to = ContextBroker(broker.url, token="secret-token")
    to.write({"id": "urn:x:a"})
    with pytest.raises(ExportError) as refused:
        to.close()
    assert "answers 207: urn:x:a: Bad [31m value: no2 (and 1 more)" in str(refused.value)
    to.write({"id": "urn:x:a"})
    with pytest.raises(ExportError, match="answers 401: who <are> you") as refused:
        to.close()
    assert "secret-token" not in str(refused.value)
    assert to.again == 0  # another try would not help


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://u:p@x", "http://x:port"])
def test_a_wrong_address_is_named(url: str) -> None:
    with pytest.raises(ExportError, match="URL is http://host:port"):
        ContextBroker(url)


def test_a_token_goes_by_tls_and_from_a_private_file(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="https only"):
        ContextBroker("http://broker.example", token="secret-token")
    path = tmp_path / "token"
    path.write_text("secret-token\n")
    path.chmod(0o644)
    with pytest.raises(ExportError, match="chmod 600") as refused:
        token_of(path)
    assert "secret-token" not in str(refused.value)
    path.chmod(0o600)
    assert token_of(path) == "secret-token"
    path.write_text("two words\n")
    with pytest.raises(ExportError, match="holds no token"):
        token_of(path)
