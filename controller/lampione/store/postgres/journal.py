"""The journal: batches that are not rolled up yet. A damaged one is made again from its rows."""

import json
import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import closing

from lampione.store import Frame, aside, batches
from lampione.store.held import Held
from lampione.store.postgres.connect import Link
from lampione.store.postgres.walk import PostgresSeries

_log = logging.getLogger("lampione.store")


def read(link: Link) -> batches.Packed:
    """Return all of it; what was damaged is whole with the transaction that is open."""
    packed, damaged = _whole(link)
    if damaged:
        _mend(link, damaged)
        packed, _ = _whole(link)
    return packed


def _whole(link: Link) -> tuple[batches.Packed, list[tuple[int, str]]]:
    return batches.sift(link.read("SELECT id, body FROM batches"))


def append(link: Link, frames: Sequence[tuple[int, Frame]]) -> None:
    """Append a batch of (node, frame)."""
    times = [frame.received for _, frame in frames]
    link.write(
        "INSERT INTO batches (id, count, oldest, newest, body) VALUES (%s, %s, %s, %s, %s)",
        (secrets.randbits(62), len(frames), min(times), max(times), batches.pack(frames)),
    )


def put_aside(link: Link, kind: str, place: tuple[object, ...], why: str, body: bytes) -> None:
    """Keep what is damaged, out of the way."""
    aside.tell(why)
    link.write(
        "INSERT INTO aside (id, at, kind, place, why, body) VALUES (%s, %s, %s, %s, %s, %s)",
        (
            secrets.randbits(62),
            time.time(),
            kind,
            json.dumps(dict(zip(aside.COLUMNS[kind], place, strict=True))),
            why,
            body,
        ),
    )


def _mend(link: Link, damaged: list[tuple[int, str]]) -> None:
    why = dict(damaged)
    # Deleted first: another worker that mends it too waits here, and then finds nothing.
    gone = link.read(
        "DELETE FROM batches WHERE id = ANY (%s) RETURNING id, body, count, oldest, newest",
        (list(why),),
    )
    if not gone:
        return
    _, _, counts, oldest, newest = zip(*gone, strict=True)
    with closing(PostgresSeries(link.url)) as reader:
        came = list(reader.came(min(oldest), max(newest)))
    lost = _unknown(link, came)
    if lost:
        append(link, lost)
    if len(lost) == sum(counts):
        for words in why.values():
            _log.error("%s: it was made again from its rows", words)
        return
    for number, body, *place in gone:
        found = f"{why[number]}, {len(lost)} of {sum(counts)} messages are there as rows"
        put_aside(link, "batch", tuple(place), found, body)


def _unknown(link: Link, came: list[tuple[int, Frame]]) -> list[tuple[int, Frame]]:
    """Return those that are neither rolled up nor in the journal."""
    # The journal before `held`: what is rolled up meanwhile is in both.
    rows = _whole(link)[0].rows
    waiting = set(zip(rows["epoch"].tolist(), rows["seq"].tolist(), strict=True))
    epochs = sorted({frame.epoch for _, frame in came})
    held = {
        epoch: Held.unpack(body)
        for epoch, body in link.read(
            "SELECT epoch, body FROM held WHERE epoch = ANY (%s)", (epochs,)
        )
    }
    nothing = Held.unpack(None)
    return [
        (node, frame)
        for node, frame in came
        if (frame.epoch, frame.seq) not in waiting
        and frame.seq not in held.get(frame.epoch, nothing)
    ]
