"""Is a stored audit whole? The chain, what notes know of it, and the columns to ask by."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lampione.room.audit import Chain, Entry


def wrong(rows: Iterable[Sequence[Any]], notes: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield what is wrong; of a broken chain the first place alone.

    Args:
        rows: seq, at, operator, action, node, body, hash; rising.
        notes: the audit's last seq and hash when each was written.
    """
    chain = Chain({seq: bytes(head) for seq, head in notes if seq})
    for seq, at, operator, action, node, body, digest in rows:
        entry = Entry(seq, body, bytes(digest))
        fault = chain.take([entry])
        if fault is not None:
            yield f"audit: {fault.why}"
            return
        try:
            deed = entry.deed
        except (ValueError, TypeError):
            yield f"audit: entry {seq} is none of ours"
            continue
        own = (deed.at, deed.operator, deed.action, deed.node)
        if (round(at, 3), operator, action, node) != own:
            yield f"audit: the columns of entry {seq} are not its own"
    fault = chain.end()
    if fault is not None:
        yield f"audit: {fault.why}"
