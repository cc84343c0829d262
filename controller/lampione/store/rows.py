"""Many messages of one node and type, as a chunk holds them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione import batch
from lampione.store import Frame

U32 = NDArray[np.uint32]
Index = NDArray[Any]


class Rows(NamedTuple):
    """Messages of one type. Rising by `at`, `received`, epoch and number, once in a chunk."""

    epochs: U32
    seqs: U32
    at: NDArray[np.int64]
    timed: NDArray[np.bool_]
    received: NDArray[np.int64]
    size: int  # of the bodies in `raw`, bytes
    bits: tuple[int, ...]
    raw: U32  # [column, row that is cut]
    cut: NDArray[np.bool_]
    others: list[bytes]  # bodies of the rows that are not

    def take(self, which: Index) -> "Rows":
        """Return some rows, by their numbers."""
        cut = self.cut[which]
        if self.others:
            place = np.where(self.cut, np.cumsum(self.cut), np.cumsum(~self.cut)) - 1
            raw = np.take(self.raw, place[which[cut]], axis=1)
            others = [self.others[n] for n in place[which[~cut]].tolist()]
        else:
            raw, others = np.take(self.raw, which, axis=1), []
        return self._replace(
            epochs=self.epochs[which],
            seqs=self.seqs[which],
            at=self.at[which],
            timed=self.timed[which],
            received=self.received[which],
            raw=raw,
            cut=cut,
            others=others,
        )

    def bodies(self) -> list[bytes]:
        """Return every row's body."""
        pasted = batch.paste(self.bits, self.raw) if self.raw.shape[1] else []
        if not self.others:
            return pasted
        sound, rest = iter(pasted), iter(self.others)
        return [next(sound if cut else rest) for cut in self.cut.tolist()]

    def frames(self, kind: int) -> Iterator[Frame]:
        """Give the messages as frames, which came at whole seconds."""
        times = zip(self.at.tolist(), self.timed.tolist(), strict=True)
        for epoch, seq, received, (at, timed), body in zip(
            self.epochs.tolist(),
            self.seqs.tolist(),
            self.received.tolist(),
            times,
            self.bodies(),
            strict=True,
        ):
            yield Frame(epoch, seq, kind, float(received), at if timed else None, body)

    def columns(self, fields: batch.Fields, names: Sequence[str] | None = None) -> batch.Columns:
        """Return the values; `sound` is of the whole message."""
        if self.others or self.bits != batch.widths(fields, self.size):
            found = batch.decode(fields, self.bodies())
            for name in [] if names is None else list(found.keys() - names):
                del found[name]
            return found
        raw = dict(enumerate(self.raw[: _fields_in(fields, self.bits)]))
        return batch.mean(fields, raw, len(self.epochs), names)


def _fields_in(fields: batch.Fields, bits: tuple[int, ...]) -> int:
    """Return how many of the columns are the fields' own."""
    count = 0
    for field, width in zip(fields, bits, strict=False):
        if field[1] in "yt" or field[2] != width:
            break
        count += 1
    return count


def rows(
    fields: batch.Fields,
    epochs: U32,
    seqs: U32,
    at: NDArray[np.int64],
    timed: NDArray[np.bool_],
    received: NDArray[np.int64],
    bodies: Sequence[bytes],
    sound: NDArray[np.bool_] | None = None,
) -> Rows:
    """Return messages as rows, in the order given.

    `sound`: as `batch.decode` says, when that was asked already.
    """
    if sound is None:
        sound = batch.decode(fields, bodies).sound
    sizes = np.fromiter(map(len, bodies), np.int64, len(bodies))
    able = sizes[sound & (sizes > 0)]
    size = int(np.bincount(able).argmax()) if len(able) else 0
    cut = sound & (sizes == size) & (size > 0)
    bits = batch.widths(fields, size)
    if cut.all():
        raw, others = batch.cut(bits, bodies), []
    else:
        chosen = [body for body, whole in zip(bodies, cut.tolist(), strict=True) if whole]
        others = [body for body, whole in zip(bodies, cut.tolist(), strict=True) if not whole]
        raw = batch.cut(bits, chosen)
    return Rows(epochs, seqs, at, timed, received, size, bits, raw, cut, others)


def merge(fields: batch.Fields, parts: Sequence[Rows]) -> Rows:
    """Return the rows of several, in the order of a chunk."""
    first = parts[0]
    meta = [np.concatenate([part[n] for part in parts]) for n in range(5)]
    epochs, seqs, at, timed, received = meta
    if all(part.bits == first.bits for part in parts):
        joined = Rows(
            epochs,
            seqs,
            at,
            timed,
            received,
            first.size,
            first.bits,
            np.concatenate([part.raw for part in parts], axis=1),
            np.concatenate([part.cut for part in parts]),
            [body for part in parts for body in part.others],
        )
    else:
        bodies = [body for part in parts for body in part.bodies()]
        joined = rows(fields, epochs, seqs, at, timed, received, bodies)
    if (at[1:] > at[:-1]).all():  # nearly always: what comes is later than what is there
        return joined
    return joined.take(np.lexsort((seqs, epochs, received, at)))
