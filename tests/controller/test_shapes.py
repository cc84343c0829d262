"""Many nodes at once are said as each alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import values
from lampione.core.shape import node_shape
from lampione.core.shapes import node_shapes, read_many
from lampione.fleet.node import NodeState
from lampione.fleet.sequences import Line
from lampione.store import Frame
from lampione_protocol import schema
from lampione_protocol.codec import encode

KINDS = (schema.REPORT, schema.HEALTH)


def _value(field: Any) -> Any:
    kind, _, low, high = field[1:5]
    if kind == "m":
        return st.sampled_from([None, low, high])
    if kind == "c":
        return st.integers(low, high)
    return st.none() | st.integers(low, high)


def bodies(kind: int) -> st.SearchStrategy[bytes]:
    fields = values.FIELDS[kind]
    steps = st.tuples(*(st.none() if field[1] == "x" else _value(field) for field in fields))
    return steps.map(lambda found: encode(fields, list(found)))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_read_by_columns_as_one_by_one(kind: int, data: st.DataObject) -> None:
    sound = bodies(kind)
    cut = st.tuples(sound, st.integers(0, 60)).map(lambda found: found[0][: found[1]])
    given = data.draw(st.lists(sound | cut | st.binary(max_size=70), max_size=12))
    assert read_many(kind, given) == [values.try_read(kind, body) for body in given]


@given(bodies(schema.REPORT), st.lists(st.booleans(), max_size=30))
def test_shapes_as_one_by_one_and_what_is_known_is_kept(body: bytes, spoke: list[bool]) -> None:
    def fleet() -> list[NodeState]:
        nodes = [NodeState(n, f"n{n}", "test", b"", Line(), 0) for n in range(len(spoke))]
        for node, has in zip(nodes, spoke, strict=True):
            if has:
                node.report = Frame(1, node.id, schema.REPORT, 1.0, None, bytes(bytearray(body)))
        return nodes

    nodes = fleet()
    assert node_shapes(nodes) == [node_shape(node) for node in fleet()]
    kept = [node.shown.get(schema.REPORT) for node in nodes]
    node_shapes(nodes)
    assert all(node.shown.get(schema.REPORT) is k for node, k in zip(nodes, kept, strict=True))
