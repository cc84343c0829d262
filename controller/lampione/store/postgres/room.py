"""The part of the writer for the control room."""

from collections.abc import Sequence

from lampione.room.audit import FIRST, Deed, chained
from lampione.room.tags import Tag
from lampione.store import StoredNote
from lampione.store.postgres.connect import Link


class Room:
    """Methods of `store.TelemetryStore`."""

    _link: Link

    def add_deeds(self, deeds: Sequence[Deed]) -> None:
        """Add entries to the audit: one chain, whoever of several workers writes."""
        # Held to the commit, so that the next to add sees our last entry. It conflicts with itself
        # and not with readers.
        self._link.write("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
        entries = chained(*self.audit_head(), deeds)
        self._link.write_many(
            "INSERT INTO audit (seq, at, operator, action, node, body, hash) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (entry.seq, deed.at, deed.operator, deed.action, deed.node, entry.body, entry.hash)
                for entry, deed in zip(entries, deeds, strict=True)
            ],
        )

    def audit_head(self) -> tuple[int, bytes]:
        """Return number and hash of the last entry."""
        rows = self._link.read("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        return (rows[0][0], bytes(rows[0][1])) if rows else (0, FIRST)

    def tags(self) -> list[Tag]:
        """Return the locks."""
        rows = self._link.read(
            "SELECT n.name, author, reason, at, renewed FROM tags t JOIN nodes n ON n.id = t.node"
        )
        return [Tag(*row) for row in rows]

    def save_tag(self, node: int, tag: Tag) -> None:
        """Keep a lock as it is now."""
        self._link.write(
            "INSERT INTO tags (node, author, reason, at, renewed) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (node) DO UPDATE SET author = excluded.author, "
            "reason = excluded.reason, at = excluded.at, renewed = excluded.renewed",
            (node, *tag[1:]),
        )

    def drop_tag(self, node: int) -> None:
        """Forget a lock."""
        self._link.write("DELETE FROM tags WHERE node = %s", (node,))

    def add_note(self, note: StoredNote) -> StoredNote:
        """Keep a note; return it with its number and the audit's head."""
        self._link.write("LOCK TABLE notes IN SHARE ROW EXCLUSIVE MODE")
        seq, head = self.audit_head()
        number: int = self._link.read("SELECT coalesce(max(id), 0) + 1 FROM notes")[0][0]
        note = note._replace(id=number, seq=seq, head=head)
        self._link.write(
            "INSERT INTO notes (id, at, operator, body, seq, head) VALUES (%s, %s, %s, %s, %s, %s)",
            note,
        )
        return note
