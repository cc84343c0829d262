"""Answers to requests: entities as SensorThings writes them, with links to what is related."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from lampione.export.rows import Reading
from lampione.export.things import QueryError
from lampione.export.things.catalogue import RELATIONS, STREAMS, Catalogue, Relation
from lampione.export.things.filters import moment, works
from lampione.export.things.observations import Late, Observation, Scope, Source
from lampione.export.things.query import (
    EXPANDED_IN_ALL,
    EXPANDED_MAX,
    PAGE,
    PAGE_MAX,
    Options,
    Segment,
    next_query,
    options_of,
    path_of,
    quoted,
)
from lampione.store import TelemetryReader

ROOT = "/v1.1"
BUDGET_S = 20.0
_CONFORMANCE = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
_DONE = (
    "datamodel",
    "resource-path",
    "request-data/filter",
    "request-data/orderby",
    "request-data/top",
    "request-data/skip",
    "request-data/count",
    "request-data/expand",
    "request-data/select",
    "request-data/pagination",
)


class Text(str):
    """A bare value, by `$value`."""


class _Spot(NamedTuple):
    """Where a path has led: to a set, or to one of its entities.

    ids: of the set's entities; None for Observations, which `scope` tells.
    """

    kind: str
    id: str | None
    ids: Callable[[], Iterator[str]] | None
    scope: Scope | None


class Things:
    """The service. One for each request: it holds nothing of the store between them.

    Args:
        catalogue: of the nodes that are stored.
        base: address of the service as the client knows it, without `/v1.1`.
    """

    def __init__(self, reading: Reading, catalogue: Catalogue, reader: TelemetryReader, base: str):
        self._catalogue = catalogue
        self._reader = reader
        self._source = Source(reading, reader, time.monotonic() + BUDGET_S)
        self._deadline = time.monotonic() + BUDGET_S
        self._root = base + ROOT
        self._left = EXPANDED_IN_ALL

    def answer(self, path: str, query: str) -> Any:
        """Return JSON's value of a path below the root, or Text. Raises QueryError, StoreError."""
        segments = path_of(path)
        if not segments:
            return {
                "value": [{"name": k, "url": f"{self._root}/{k}"} for k in RELATIONS],
                "serverSettings": {"conformance": [_CONFORMANCE + part for part in _DONE]},
            }
        options = options_of(query)
        spot, rest = self._walk(segments)
        if rest and rest[-1].name == "$ref" and len(rest) == 1:
            return self._references(spot, options, path, query)
        if spot.id is None:
            if rest:
                raise QueryError(f"{rest[0].name!r} is no part of {spot.kind}", 404)
            return self._set(spot, options, path, query)
        entity = self._entity(spot.kind, spot.id)
        if not rest:
            return self._shaped(spot.kind, spot.id, entity, options)
        return _property(entity, rest)

    def _walk(self, segments: list[Segment]) -> tuple[_Spot, list[Segment]]:
        first, *rest = segments
        if first.name not in RELATIONS:
            raise QueryError(f"there is no {first.name!r}: one of {', '.join(RELATIONS)}", 404)
        catalogue = self._catalogue
        spot = _Spot(
            first.name,
            None,
            None if first.name == "Observations" else lambda: catalogue.ids(first.name),
            Scope(catalogue.nodes, list(STREAMS)) if first.name == "Observations" else None,
        )
        if first.id is not None:
            spot = _Spot(first.name, first.id, None, None)
        while rest and spot.id is not None and rest[0].name in RELATIONS[spot.kind]:
            step = rest.pop(0)
            spot = self._chosen(self._follow(spot.kind, spot.id, step.name), step.id)
        return spot, rest

    def _follow(self, kind: str, identifier: str, link: str) -> _Spot:
        self._entity(kind, identifier)
        relation = RELATIONS[kind][link]
        if relation.to == "Observations":
            return _Spot(relation.to, None, None, self._scope(kind, identifier))
        found = self._catalogue.related(kind, identifier, link)
        if relation.many:
            return _Spot(relation.to, None, lambda: found, None)
        return _Spot(relation.to, next(found, ""), None, None)

    def _scope(self, kind: str, identifier: str) -> Scope:
        if kind == "Datastreams":
            node, _, field = identifier.partition(":")
            return Scope([node], [field])
        return Scope(self._catalogue.nodes_at(identifier), list(STREAMS))

    def _chosen(self, spot: _Spot, identifier: str | None) -> _Spot:
        if identifier is None:
            return spot
        if spot.id is not None:
            raise QueryError("one entity has no others by id", 404)
        if spot.ids is not None and identifier not in spot.ids():
            raise QueryError(f"{spot.kind} has no {identifier[:60]!r}", 404)
        if spot.scope is not None:
            node, field, *_ = [*identifier.split(":"), ""]
            if node not in spot.scope.nodes or field not in spot.scope.fields:
                raise QueryError(f"Observations has no {identifier[:60]!r}", 404)
        return _Spot(spot.kind, identifier, None, None)

    def _entity(self, kind: str, identifier: str) -> dict[str, Any]:
        if kind == "Observations":
            one = self._source.one(identifier)
            found = None if one is None else one.entity()
        else:
            found = self._catalogue.entity(kind, identifier, self._first)
        if found is None:
            raise QueryError(f"{kind} has no {identifier[:60]!r}", 404)
        return found

    def _first(self, node: str) -> float | None:
        """Return when a node first introduced itself."""
        heard = (epoch["hello_at"] for epoch in self._reader.epochs(node))
        return next((at for at in heard if at is not None), None)

    def _address(self, kind: str, identifier: str) -> str:
        return f"{self._root}/{kind}{quoted(identifier)}"

    def _shaped(
        self, kind: str, identifier: str, entity: dict[str, Any], options: Options
    ) -> dict[str, Any]:
        """Return an entity with its links, what is expanded, and only what was selected."""
        address = self._address(kind, identifier)
        links = RELATIONS[kind]
        chosen = options.select
        for name in chosen:
            if name.split("/")[0] not in (*entity, *links, "id", "@iot.id", "@iot.selfLink"):
                raise QueryError(f"$select: {kind} have no {name[:40]!r}")
        found: dict[str, Any] = {"@iot.id": identifier, "@iot.selfLink": address}
        found |= {k: v for k, v in entity.items() if not chosen or k in chosen}
        expanded = dict(options.expand)
        for link, wanted in expanded.items():
            if link not in links:
                raise QueryError(f"$expand: {kind} have no {link[:40]!r}")
            self._expand(found, kind, identifier, link, links[link], wanted)
        for link in links:
            if link not in expanded and (not chosen or link in chosen):
                found[f"{link}@iot.navigationLink"] = f"{address}/{link}"
        return found

    def _expand(
        self,
        found: dict[str, Any],
        kind: str,
        identifier: str,
        link: str,
        relation: Relation,
        wanted: Options,
    ) -> None:
        spot = self._follow(kind, identifier, link)
        if not relation.many:
            if spot.id:
                entity = self._entity(spot.kind, spot.id)
                found[link] = self._shaped(spot.kind, spot.id, entity, wanted)
            return
        top = EXPANDED_MAX if wanted.top is None else min(wanted.top, PAGE_MAX)
        shown, more, count = self._page(spot, wanted, top)
        self._left -= len(shown)
        if self._left < 0:
            raise QueryError(f"$expand: {EXPANDED_IN_ALL} in all at most: say a lower $top")
        found[link] = shown
        if count is not None:
            found[f"{link}@iot.count"] = count
        if more and wanted.filter is None and wanted.order is None:
            found[f"{link}@iot.nextLink"] = f"{self._address(kind, identifier)}/{link}?{more}"

    def _set(self, spot: _Spot, options: Options, path: str, query: str) -> dict[str, Any]:
        top = PAGE if options.top is None else min(options.top, PAGE_MAX)
        shown, more, count = self._page(spot, options, top)
        found: dict[str, Any] = {}
        if count is not None:
            found["@iot.count"] = count
        left = None if options.top is None else options.top - len(shown)
        if more and left != 0:
            name, _, value = more.partition("=")
            changed = {name.removeprefix("$"): value}
            if left is not None:
                changed["top"] = str(left)
            found["@iot.nextLink"] = (
                f"{self._root}/{path.strip('/')}?{next_query(query, **changed)}"
            )
        found["value"] = shown
        return found

    def _page(
        self, spot: _Spot, options: Options, top: int
    ) -> tuple[list[dict[str, Any]], str, int | None]:
        """Return the entities of a page, what names the next one, and how many there are."""
        if spot.scope is not None:
            page, more = self._source.page(spot.scope, options, top) if top else ([], "")
            count = self._source.count(spot.scope, options) if options.counted else None
            return [self._observation(one, options) for one in page], more, count
        if options.token is not None:
            raise QueryError("$skiptoken: not one of ours")
        pairs = self._matching(spot, options)
        if options.order is not None:
            pairs = iter(sorted(pairs, key=_order(spot.kind, options), reverse=options.order[1]))
        count = None
        if options.counted:
            every = list(pairs)
            count, pairs = len(every), iter(every)
        taken = list(islice(pairs, options.skip, options.skip + top + 1))
        shown = [self._shaped(spot.kind, i, entity, options) for i, entity in taken[:top]]
        return shown, f"$skip={options.skip + top}" if len(taken) > top and top else "", count

    def _observation(self, one: Observation, options: Options) -> dict[str, Any]:
        return self._shaped("Observations", one.id, one.entity(), options)

    def _matching(self, spot: _Spot, options: Options) -> Iterator[tuple[str, dict[str, Any]]]:
        assert spot.ids is not None
        for n, identifier in enumerate(spot.ids()):
            if n % 1024 == 0 and time.monotonic() > self._deadline:
                raise Late
            entity = self._catalogue.entity(spot.kind, identifier, self._first)
            if entity is None:  # a place that was never heard from has no history
                continue
            if options.filter is not None and not works(
                options.filter, _comparable(identifier, entity)
            ):
                continue
            yield identifier, entity

    def _references(self, spot: _Spot, options: Options, path: str, query: str) -> dict[str, Any]:
        if spot.id is not None:
            raise QueryError("$ref goes behind a set", 404)
        found = self._set(spot, options, path, query)
        found["value"] = [{"@iot.selfLink": one["@iot.selfLink"]} for one in found["value"]]
        return found


def _comparable(identifier: str, entity: dict[str, Any]) -> dict[str, Any]:
    found = {"id": identifier, **entity}
    if isinstance(found.get("time"), str):
        found["time"] = moment(found["time"])
    return found


def _order(kind: str, options: Options) -> Callable[[tuple[str, dict[str, Any]]], Any]:
    assert options.order is not None
    name = options.order[0].removeprefix("@iot.")

    def key(pair: tuple[str, dict[str, Any]]) -> Any:
        have: Any = {"id": pair[0], **pair[1]}
        for step in name.split("/"):
            if not isinstance(have, dict) or step not in have:
                raise QueryError(f"$orderby: {kind} have no {name[:40]!r}")
            have = have[step]
        return str(have)

    return key


def _property(entity: dict[str, Any], rest: list[Segment]) -> Any:
    """Return a property by its path, `{name: value}`, or bare by `$value`."""
    have: Any = entity
    name = ""
    for segment in rest:
        if segment.id is not None:
            raise QueryError("a property has no id", 404)
        if segment.name == "$value" and segment is rest[-1] and name:
            return Text(have) if isinstance(have, str) else have
        name = segment.name
        if not isinstance(have, dict) or name not in have:
            raise QueryError(f"there is no {name!r}", 404)
        have = have[name]
    return {name: have}
