"""The part of the writer for the control room."""

from collections.abc import Sequence

from lampione.room.audit import FIRST, Deed, chained
from lampione.room.tags import Tag
from lampione.store import StoredNote
from lampione.store.sqlite.link import SqliteLink


class SqliteRoom(SqliteLink):
    """Methods of `store.TelemetryStore`."""

    def add_deeds(self, deeds: Sequence[Deed]) -> None:
        """Add entries to the audit."""
        self._begin()  # nobody else adds any, from here on to the commit
        entries = chained(*self.audit_head(), deeds)
        self._write_many(
            "INSERT INTO audit (seq, at, operator, action, node, body, hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (entry.seq, deed.at, deed.operator, deed.action, deed.node, entry.body, entry.hash)
                for entry, deed in zip(entries, deeds, strict=True)
            ],
        )

    def audit_head(self) -> tuple[int, bytes]:
        """Return number and hash of the last entry."""
        rows = self._read("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        return rows[0] if rows else (0, FIRST)

    def tags(self) -> list[Tag]:
        """Return the locks."""
        rows = self._read(
            "SELECT n.name, author, reason, at, renewed FROM tags t JOIN nodes n ON n.id = t.node"
        )
        return [Tag(*row) for row in rows]

    def save_tag(self, node: int, tag: Tag) -> None:
        """Keep a lock as it is now."""
        self._write(
            "INSERT OR REPLACE INTO tags (node, author, reason, at, renewed) "
            "VALUES (?, ?, ?, ?, ?)",
            (node, *tag[1:]),
        )

    def drop_tag(self, node: int) -> None:
        """Forget a lock."""
        self._write("DELETE FROM tags WHERE node = ?", (node,))

    def add_note(self, note: StoredNote) -> StoredNote:
        """Keep a note; return it with its number and the audit's head."""
        seq, head = self.audit_head()
        number: int = self._read("SELECT coalesce(max(id), 0) + 1 FROM notes")[0][0]
        note = note._replace(id=number, seq=seq, head=head)
        self._write(
            "INSERT INTO notes (id, at, operator, body, seq, head) VALUES (?, ?, ?, ?, ?, ?)", note
        )
        return note
