"""Many nodes as `api.Node` at once: what they said last is read by columns.

Read one by one, the reports and healths of a city keep the core's thread for seconds each time a
terminal attaches.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from lampione_protocol import schema

from lampione import batch, values
from lampione.api import Node, Values
from lampione.core.shape import node_shape
from lampione.fleet.node import NodeState
from lampione.store import Frame

_FEW = 8  # fewer are read one by one


def read_many(kind: int, bodies: Sequence[bytes]) -> list[Values]:
    """Return what `values.try_read` says of each; for kinds without bytes and text."""
    message, fields = values.NAMES[kind], values.FIELDS[kind]
    decoded = batch.decode(fields, bodies)
    columns: list[list[Any]] = []
    names: list[str] = []
    for field in fields:
        if field[1] == "x":
            continue
        names.append(field[0])
        found, of = np.unique(decoded[field[0]], return_inverse=True)
        told = [
            values.readable(message, field, None if step == batch.UNKNOWN else step)
            for step in found.tolist()
        ]
        columns.append([told[n] for n in of.tolist()])
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    least = fields[0][2]  # bits: what ends within its first field is no message
    return [
        row if sound and len(body) * 8 >= least else {}
        for row, sound, body in zip(rows, decoded.sound.tolist(), bodies, strict=True)
    ]


def node_shapes(nodes: Iterable[NodeState]) -> list[Node]:
    """Return what `node_shape` says of each."""
    nodes = list(nodes)
    _read(schema.REPORT, [(node, node.report) for node in nodes])
    _read(schema.HEALTH, [(node, node.health) for node in nodes])
    return [node_shape(node) for node in nodes]


def _read(kind: int, latest: Sequence[tuple[NodeState, Frame | None]]) -> None:
    """Have each node remember its message as people read it, where it does not yet."""
    fresh: list[tuple[NodeState, bytes]] = []
    for node, frame in latest:
        if frame is not None and frame.type == kind:
            known = node.shown.get(kind)
            if known is None or known[0] is not frame.body:
                fresh.append((node, frame.body))
    if len(fresh) < _FEW:
        return
    said = read_many(kind, [body for _, body in fresh])
    for (node, body), row in zip(fresh, said, strict=True):
        node.shown[kind] = (body, row)
