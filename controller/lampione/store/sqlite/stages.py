"""The part of the writer for rollouts in stages."""

from collections.abc import Iterable

from lampione.store import StoredMember, StoredStages
from lampione.store.sqlite.link import SqliteLink

_STAGES = ", ".join(StoredStages._fields)
_MEMBER = ", ".join(StoredMember._fields)


class SqliteStages(SqliteLink):
    """Methods of `store.TelemetryStore`."""

    def add_stages(self, stages: StoredStages, keep: int) -> int:
        """Keep a new rollout, and of those that are over the last `keep`; return its number."""
        number: int = self._read("SELECT coalesce(max(id), 0) + 1 FROM stages")[0][0]
        self._write(
            f"INSERT INTO stages ({_STAGES}) VALUES ({', '.join('?' * len(stages))})",  # noqa: S608
            stages._replace(id=number),
        )
        for (old,) in self._read(
            "SELECT id FROM stages WHERE state IN ('done', 'aborted', 'reverted') "
            "ORDER BY id DESC LIMIT -1 OFFSET ?",
            (keep,),
        ):
            self._write("DELETE FROM stage_nodes WHERE stages = ?", (old,))
            self._write("DELETE FROM stages WHERE id = ?", (old,))
        return number

    def save_stages(self, stages: StoredStages) -> None:
        """Keep how a rollout is."""
        self._write(
            "UPDATE stages SET changed = ?, state = ?, wave = ?, until = ?, why = ?, "
            "forgiven = ?, insisted = ? WHERE id = ?",
            (
                stages.changed, stages.state, stages.wave, stages.until, stages.why,
                stages.forgiven, stages.insisted, stages.id,
            ),
        )  # fmt: skip

    def stages(self, limit: int) -> list[StoredStages]:
        """Return rollouts, the newest first."""
        rows = self._read(
            f"SELECT {_STAGES} FROM stages ORDER BY id DESC LIMIT ?",  # noqa: S608
            (limit,),
        )
        return [StoredStages(*row) for row in rows]

    def add_members(self, stages: int, members: Iterable[tuple[StoredMember, bytes]]) -> None:
        """Add nodes to a rollout, each with what it is to get."""
        self._write_many(
            f"INSERT INTO stage_nodes (stages, {_MEMBER}, payload) "  # noqa: S608
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(stages, *member, payload) for member, payload in members],
        )

    def save_members(self, stages: int, members: Iterable[StoredMember]) -> None:
        """Keep how nodes of a rollout are."""
        self._write_many(
            "UPDATE stage_nodes SET wave = ?, phase = ?, asked = ?, mark = ?, reason = ?, "
            "changed = ? WHERE stages = ? AND node = ?",
            [(*member[1:], stages, member.node) for member in members],
        )

    def members(self, stages: int) -> list[StoredMember]:
        """Return the nodes of a rollout."""
        rows = self._read(
            f"SELECT {_MEMBER} FROM stage_nodes WHERE stages = ? ORDER BY node",  # noqa: S608
            (stages,),
        )
        return [StoredMember(*row) for row in rows]

    def payload(self, stages: int, node: int) -> bytes | None:
        """Return what a node is to get; None: it is no longer kept."""
        rows = self._read(
            "SELECT payload FROM stage_nodes WHERE stages = ? AND node = ?", (stages, node)
        )
        return rows[0][0] if rows else None

    def forget_payloads(self, stages: int, nodes: Iterable[int]) -> None:
        """Keep no longer what these nodes were to get."""
        self._write_many(
            "UPDATE stage_nodes SET payload = NULL WHERE stages = ? AND node = ?",
            [(stages, node) for node in nodes],
        )
