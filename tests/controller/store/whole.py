"""Everything that a database holds, in whatever form."""

import sqlite3
from pathlib import Path

from lampione.store import Frame
from lampione.store.engine import open_engine

Identity = tuple[str, bytes, int, int]  # node, epoch, boot, number


def frames_in(database: Path) -> list[tuple[str, Frame]]:
    """Return every frame with the name of its node."""
    reader = open_engine(database).reader()
    names = reader.names()
    found = [(names[node], frame) for node, frame in reader.frames()]
    reader.close()
    return found


def bodies_in(database: Path) -> list[tuple[Identity, bytes]]:
    """Return the identity and the body of every frame."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        boots = {row[0]: row[1:] for row in db.execute("SELECT id, epoch, boot FROM epochs")}
    db.close()
    return [
        ((name, *boots[frame.epoch], frame.seq), frame.body) for name, frame in frames_in(database)
    ]
