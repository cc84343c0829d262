"""SensorThings: a client that knows the standard and follows only the links it is given."""

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import seeds
from lampione.export import http
from lampione.export.http import DataServer
from lampione.export.places import Places
from lampione.export.things import QueryError, service
from lampione.export.things.filters import bounds, parse, works
from lampione.export.things.query import options_of, path_of

from tests.controller.export.stored import NODES, START, engine_of, hour_of_two

# The standard's entities (OGC 18-088, 8.2): what each must have, and where its links lead.
MUST = {
    "Things": {"name", "description"},
    "Locations": {"name", "description", "encodingType", "location"},
    "HistoricalLocations": {"time"},
    "Datastreams": {"name", "description", "observationType", "unitOfMeasurement"},
    "Sensors": {"name", "description", "encodingType", "metadata"},
    "ObservedProperties": {"name", "definition", "description"},
    "Observations": {"phenomenonTime", "resultTime", "result"},
    "FeaturesOfInterest": {"name", "description", "encodingType", "feature"},
}
LINKS = {
    "Things": {"Locations", "HistoricalLocations", "Datastreams"},
    "Locations": {"Things", "HistoricalLocations"},
    "HistoricalLocations": {"Thing", "Locations"},
    "Datastreams": {"Thing", "Sensor", "ObservedProperty", "Observations"},
    "Sensors": {"Datastreams"},
    "ObservedProperties": {"Datastreams"},
    "Observations": {"Datastream", "FeatureOfInterest"},
    "FeaturesOfInterest": {"Observations"},
}
SET_OF = {
    "Thing": "Things",
    "Sensor": "Sensors",
    "ObservedProperty": "ObservedProperties",
    "Datastream": "Datastreams",
    "FeatureOfInterest": "FeaturesOfInterest",
}


class Client:
    """Reads by the standard alone."""

    def __init__(self, server: DataServer):
        self.base = f"http://127.0.0.1:{server.port}"
        self.sets = {one["name"]: one["url"] for one in self.get("/v1.1")["value"]}

    def raw(self, url: str, **headers: str) -> tuple[int, bytes]:
        url = url if url.startswith("http") else self.base + url
        request = urllib.request.Request(quote(url, safe=":/?&=$%'(),;@"), headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def get(self, url: str) -> Any:
        status, text = self.raw(url)
        assert status == 200, text
        return json.loads(text)

    def refused(self, url: str) -> tuple[int, str]:
        status, text = self.raw(url)
        return status, json.loads(text)["message"]

    def every(self, url: str) -> list[Any]:
        """Return a set whole, page by page."""
        found: list[Any] = []
        while url:
            page = self.get(url)
            found += page["value"]
            url = page.get("@iot.nextLink", "")
        return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("things")
    engine = engine_of(folder, hour_of_two())
    store = engine.writer()
    for node in store.nodes():
        store.greet(node.id, store.epoch_id(node.id, b"\x01\x02\x03\x04", 1), 1, START - 99, b"")
    store.commit()
    store.close()
    with DataServer(("127.0.0.1", 0), engine.reader, Places(seeds.load())) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()


def test_the_catalogue_is_made_once_for_a_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_NAMES_S", -1.0)  # names are read again for each request
    engine = engine_of(tmp_path, hour_of_two())
    with DataServer(("127.0.0.1", 0), engine.reader, Places(seeds.load())) as server:
        readings = [server.reading(), server.reading()]
        assert readings[0] is not readings[1]
        first = server.catalogue(readings[0])
        assert server.catalogue(readings[0]) is first
        assert server.catalogue(readings[1]) is first
        store = engine.writer()
        store.add_node("romana-9")
        store.commit()
        store.close()
        second = server.catalogue(server.reading())
        assert second is not first
        assert "romana-9" in second.nodes


def test_the_root_names_every_set(client: Client) -> None:
    assert set(client.sets) == set(MUST)
    settings = client.get("/v1.1")["serverSettings"]
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in settings["conformance"]


@pytest.mark.parametrize("kind", MUST)
def test_entities_have_what_they_must_and_links_lead_on(client: Client, kind: str) -> None:
    for entity in client.get(client.sets[kind] + "?$top=3")["value"]:
        assert entity.keys() >= MUST[kind] | {"@iot.id", "@iot.selfLink"}
        assert client.get(entity["@iot.selfLink"]) == entity
        for link in LINKS[kind]:
            found = client.get(
                entity[f"{link}@iot.navigationLink"] + ("?$top=2" if link[-1] == "s" else "")
            )
            if link in SET_OF:
                assert found.keys() >= MUST[SET_OF[link]]
            else:
                assert found["value"]
                assert all(one.keys() >= MUST[link] for one in found["value"])


def test_a_client_finds_the_noise_of_a_street_by_links_alone(client: Client) -> None:
    (place,) = client.get(client.sets["Locations"] + "?$filter=name eq 'Viale Bligny'")["value"]
    assert place["location"]["coordinates"] == [9.1915, 45.4498]
    (thing,) = client.every(place["Things@iot.navigationLink"])
    streams = client.every(thing["Datastreams@iot.navigationLink"])
    (noise,) = [
        stream
        for stream in streams
        if client.get(stream["ObservedProperty@iot.navigationLink"])["name"] == "laeq"
    ]
    assert noise["unitOfMeasurement"]["symbol"] == "dB"
    found = client.every(noise["Observations@iot.navigationLink"] + "?$top=60")
    assert [one["result"] for one in found] == [round(50 + n / 10, 1) for n in range(60)]
    assert found[0]["phenomenonTime"] == "2026-09-21T14:14:00Z/2026-09-21T14:15:00Z"
    assert found[0]["resultTime"] == "2026-09-21T14:15:00Z"
    assert found[0]["resultQuality"] == "good"


def stream(client: Client, node: str = NODES[0], field: str = "laeq") -> str:
    return f"{client.sets['Datastreams']}('{node}:{field}')/Observations"


def test_pages_hold_each_observation_once(client: Client) -> None:
    for order in ("", "&$orderby=phenomenonTime desc", "&$orderby=result desc"):
        found = client.every(f"{stream(client)}?$filter=result ge 0{order}")
        assert len({one["@iot.id"] for one in found}) == len(found) == 60
    client_pages = 0
    url = f"{stream(client)}?$top=7"
    first = client.get(url)
    assert len(first["value"]) == 7
    assert "@iot.nextLink" not in first  # seven were asked for, and no more
    url = f"{client.base}/v1.1/Observations?$filter=result ge 54 and phenomenonTime lt 2026-09-22"
    seen: list[str] = []
    while url:
        page = client.get(url)
        assert len(page["value"]) <= 100
        seen += [one["@iot.id"] for one in page["value"]]
        url = page.get("@iot.nextLink", "")
        client_pages += 1
    assert client_pages > 3
    assert len(set(seen)) == len(seen)
    assert len(seen) == client.get(
        f"{client.base}/v1.1/Observations?$top=0&$count=true&$filter=result ge 54"
    )["@iot.count"]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("$orderby=phenomenonTime desc&$top=1", 55.9, 1),
        ("$orderby=resultTime desc&$top=2&$skip=1", 55.8, 2),
        ("$orderby=result&$top=3", 50.0, 3),
        ("$filter=phenomenonTime ge 2026-09-21T15:00:00Z", 54.6, 14),
        ("$filter=phenomenonTime ge 2026-09-21T14:20:00Z and phenomenonTime lt "
         "2026-09-21T14:30:00Z", 50.6, 10),
        ("$filter=resultTime le 2026-09-21T14:15:00Z", 50.0, 1),
        ("$filter=result gt 55.5", 55.6, 4),
        ("$filter=55.5 lt result", 55.6, 4),
        ("$filter=result eq 50 or result eq 51.5", 50.0, 2),
        ("$filter=not (result gt 50.1)", 50.0, 2),
        ("$skip=58", 55.8, 2),
    ],
)  # fmt: skip
def test_options(client: Client, query: str, first: float, count: int) -> None:
    found = client.get(f"{stream(client)}?{query}&$count=true")
    assert found["value"][0]["result"] == first
    assert len(found["value"]) == count
    assert found["@iot.count"] >= count


def test_a_count_does_not_depend_on_the_page(client: Client) -> None:
    found = client.get(f"{stream(client)}?$top=1&$count=true&$filter=result lt 55")
    assert found["@iot.count"] == 50
    assert client.get(client.sets["Datastreams"] + "?$top=0&$count=true")["@iot.count"] == 39


def test_one_level_is_expanded_with_options_of_its_own(client: Client) -> None:
    (thing,) = client.get(
        client.sets["Things"] + f"?$filter=@iot.id eq '{NODES[1]}'&$expand=Locations,"
        "Datastreams($filter=name eq 'laeq of caldara-1';$select=name;$count=true)"
    )["value"]
    assert thing["Locations"][0]["name"] == "Viale Emilio Caldara"
    assert [one["name"] for one in thing["Datastreams"]] == ["laeq of caldara-1"]
    assert thing["Datastreams@iot.count"] == 1
    assert "description" not in thing["Datastreams"][0]
    newest = client.get(
        f"{client.sets['Datastreams']}('{NODES[1]}:laeq')"
        "?$expand=Observations($top=1;$orderby=phenomenonTime desc),Sensor"
    )
    assert [one["result"] for one in newest["Observations"]] == [56.9]
    assert newest["Sensor"]["name"] == "sound"


def test_a_path_goes_on_from_what_is_related_alone(client: Client) -> None:
    thing = f"{client.sets['Things']}('{NODES[0]}')"
    assert client.get(f"{thing}/Datastreams('{NODES[0]}:no2')")["name"] == "no2 of bligny-1"
    assert client.refused(f"{thing}/Datastreams('{NODES[1]}:no2')")[0] == 404
    (one,) = client.get(f"{thing}/Datastreams('{NODES[0]}:no2')/Observations?$top=1")["value"]
    for there, status in ((NODES[0], 200), (NODES[1], 404)):
        place = f"{client.sets['Datastreams']}('{there}:no2')/Observations('{one['@iot.id']}')"
        assert client.raw(place)[0] == status
    assert client.get(f"{thing}/Datastreams('{NODES[0]}:no2')/Sensor/name") == {"name": "no2"}
    assert client.refused(f"{thing}/Datastreams('{NODES[0]}:no2')/Sensor('no2')")[0] == 404


def test_what_is_expanded_has_an_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "/v1.1/Datastreams?$expand=Observations($top=1000)&$top=1000"
    assert client.get(url)["value"]
    monkeypatch.setattr(service, "EXPANDED_IN_ALL", 100)
    assert client.refused(url) == (400, "$expand: 100 in all at most: say a lower $top")


def test_selected_properties_and_bare_values(client: Client) -> None:
    (one,) = client.get(client.sets["Things"] + "?$select=name,Locations&$top=1")["value"]
    assert set(one) == {"@iot.id", "@iot.selfLink", "name", "Locations@iot.navigationLink"}
    thing = f"{client.sets['Things']}('{NODES[0]}')"
    assert client.get(thing + "/name") == {"name": NODES[0]}
    assert client.raw(thing + "/name/$value") == (200, NODES[0].encode())
    assert client.get(thing + "/properties/site") == {"site": "Viale Bligny"}
    references = client.get(thing + "/Datastreams/$ref?$top=2")["value"]
    assert [set(one) for one in references] == [{"@iot.selfLink"}] * 2


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1.1/Lamps", 404, "there is no 'Lamps'"),
        ("/v1.1/Things('nowhere-9')", 404, "Things has no 'nowhere-9'"),
        ("/v1.1/Things(7)", 404, "an id stands in quotes"),
        ("/v1.1/Things('bligny-1')/colour", 404, "there is no 'colour'"),
        ("/v1.1/Observations('bligny-1:laeq:1:1:1')", 404, "Observations has no"),
        ("/v1.1/Observations('x')", 404, "Observations has no"),
        ("/v1.1/Things?$top=-1", 400, "$top is a whole number"),
        ("/v1.1/Things?$skip=9999999", 400, "$skip is a whole number, 100000 at most"),
        ("/v1.1/Things?$filter=name", 400, "$filter"),
        ("/v1.1/Things?$filter=colour eq 'red'", 400, "there is no property 'colour'"),
        ("/v1.1/Things?$filter=name gt 7", 400, "cannot be compared"),
        ("/v1.1/Things?$filter=startswith(name,'b')", 501, "functions as startswith()"),
        ("/v1.1/Things?$orderby=colour", 400, "$orderby: Things have no 'colour'"),
        ("/v1.1/Things?$orderby=name sideways", 400, "neither asc nor desc"),
        ("/v1.1/Things?$select=colour", 400, "$select: Things have no"),
        ("/v1.1/Things?$expand=Lamps", 400, "$expand: Things have no"),
        ("/v1.1/Things?$expand=Datastreams/Observations", 501, "one level"),
        ("/v1.1/Things?$count=maybe", 400, "$count is true or false"),
        ("/v1.1/Things?$colour=red", 400, "is no option here"),
        ("/v1.1/Things?$top=1&$top=2", 400, "stands there twice"),
        ("/v1.1/Things?$skiptoken=7", 400, "not one of ours"),
        ("/v1.1/Observations?$filter=phenomenonTime gt yesterday", 400, "$filter"),
        ("/v1.1/Observations?$filter=phenomenonTime gt 'x'", 400, "is no time"),
        ("/v1.1/Observations?$resultFormat=dataArray", 501, "the usual form"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(client: Client, path: str, status: int, says: str) -> None:
    found = client.refused(path)
    assert found[0] == status
    assert says in found[1]


def test_a_filter_narrows_what_is_read() -> None:
    wanted = parse(
        "phenomenonTime ge 2026-01-01 and (phenomenonTime lt 2026-01-02 and result gt 3)"
    )
    assert bounds(wanted, "phenomenonTime") == (1767225600, 1767312001)
    assert bounds(parse("phenomenonTime ge 2026-01-01 or result gt 3"), "phenomenonTime")[0] == 0
    assert bounds(parse("not (phenomenonTime ge 2026-01-01)"), "phenomenonTime")[0] == 0


_NUMBERS = st.integers(-5, 5)
_EXPRESSIONS = st.recursive(
    st.builds(
        lambda op, n: (f"a {op} {n}", lambda a, op=op, n=n: _COMPARE[op](a, n)),
        st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]),
        _NUMBERS,
    ),
    lambda inner: st.one_of(
        st.builds(lambda x: (f"not ({x[0]})", lambda a: not x[1](a)), inner),
        st.builds(
            lambda x, y: (f"({x[0]}) and ({y[0]})", lambda a: x[1](a) and y[1](a)), inner, inner
        ),
        st.builds(
            lambda x, y: (f"({x[0]}) or ({y[0]})", lambda a: x[1](a) or y[1](a)), inner, inner
        ),
    ),
    max_leaves=6,
)
_COMPARE: dict[str, Any] = {
    "eq": lambda a, n: a == n,
    "ne": lambda a, n: a != n,
    "gt": lambda a, n: a > n,
    "ge": lambda a, n: a >= n,
    "lt": lambda a, n: a < n,
    "le": lambda a, n: a <= n,
}


@given(_EXPRESSIONS, _NUMBERS)
def test_filters_work_as_they_read(expression: Any, a: int) -> None:
    text, oracle = expression
    assert bool(works(parse(text), {"a": a})) == oracle(a)


@given(st.text(max_size=60))
def test_any_address_is_read_or_refused(text: str) -> None:
    for read in (parse, options_of, path_of):
        with contextlib.suppress(QueryError):
            read(text)


def test_deep_filters_are_refused() -> None:
    for text in ("(" * 900 + "a eq 1" + ")" * 900, "not " * 400 + "a eq 1", "a eq 1 and " * 999):
        with pytest.raises(QueryError):
            parse(text)
