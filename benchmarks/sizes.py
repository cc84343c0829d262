"""Bytes of one full report."""

from lampione_protocol.codec import encode
from lampione_protocol.schema import REPORT_FIELDS
from lampione_protocol.seal import TAG_BYTES, UP_HEADER

from benchmarks import sample
from benchmarks.row import Row, Rows


def rows() -> Rows:
    """Ours is sealed: its bytes hold the identity, the number and the tag too."""
    values = sample.steps(1)
    report = sample.physical(values)
    ours = len(encode(REPORT_FIELDS, values)) + UP_HEADER + TAG_BYTES
    peers = {
        "JSON": len(sample.as_json(report)),
        "CBOR array": len(sample.as_cbor(report)),
        "MessagePack array": len(sample.as_msgpack(report)),
        "protobuf": len(sample.protobuf_class()(**report).SerializeToString()),
    }
    yield Row("report_sealed_bytes", ours, "B", goal="<= 51")
    goals = {"JSON": "<= 0.16"}
    for peer, size in peers.items():
        name = f"report_{peer.split()[0].lower()}_ratio"
        yield Row(
            name, ours, "B", f"{peer}, not sealed, {size} B", ours / size, goals.get(peer, "")
        )
