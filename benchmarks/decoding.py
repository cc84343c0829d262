"""Batches of reports decoded, seals opened: what one core of the controller can take in."""

import operator
import os
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione import batch
from lampione.ingest.opener import open_up
from lampione.seals import Ciphers
from lampione_protocol import schema, seal
from lampione_protocol.codec import encode

from benchmarks import sample
from benchmarks.row import Row, Rows

BATCH = 10_000
ROUNDS = 7
REPEATS = 5
KEY = bytes(range(32))
NODE = "bligny-1"


def _seconds(*works: Callable[[], object]) -> list[float]:
    """Return the CPU time of each, the works taking turns.

    Of each turn the best of a few: the first ones read the data from memory, where the turn
    before has put its own into the caches.
    """
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, taken, strict=True):
            turn = []
            for _ in range(REPEATS):
                start = time.process_time()
                work()
                turn.append(time.process_time() - start)
            times.append(min(turn))
    return [statistics.median(times) for times in taken]


def _frames(bodies: list[bytes]) -> list[bytes]:
    epoch = os.urandom(4)
    cipher = AESCCM(seal.up_key(KEY, epoch), 8)
    frames = []
    for seq, body in enumerate(bodies):
        header = bytes([seal.first_byte(schema.REPORT)]) + epoch + b"\0\1" + seq.to_bytes(3, "big")
        nonce = seal.nonce(header, seal.UP_HEADER)
        frames.append(header + cipher.encrypt(nonce, body, header + NODE.encode()))
    return frames


def rows() -> Rows:
    """Ours gives numpy columns of every field, protobuf a tuple of every value; seals apart."""
    steps = [sample.steps(seed) for seed in range(BATCH)]
    ours = [encode(schema.REPORT_FIELDS, values) for values in steps]
    report = sample.protobuf_class()
    theirs = [report(**sample.physical(values)).SerializeToString() for values in steps]
    frames = _frames(ours)
    ciphers = Ciphers()

    values_of = operator.attrgetter(*sample.physical(steps[0]))

    def protobuf() -> None:
        # Parsing alone leaves the values packed: reading them is most of the cost.
        for data in theirs:
            values_of(report.FromString(data))

    def unseal() -> None:
        for frame in frames:
            open_up(ciphers, NODE, KEY, frame)

    batched, peer, opened = _seconds(
        lambda: batch.decode(schema.REPORT_FIELDS, ours), protobuf, unseal
    )
    each = batched / BATCH * 1e6
    yield Row(
        "decode_batch_ratio", each, "µs", f"protobuf, {peer / BATCH * 1e6:.2f} µs",
        peer / batched, ">= 20",
    )  # fmt: skip
    yield Row("open_seal_us", opened / BATCH * 1e6, "µs", "AES-CCM of a whole frame, one by one")
