"""The part of the writer for rollouts in stages."""

from collections.abc import Iterable

from lampione.store import StoredMember, StoredStages
from lampione.store.postgres.connect import Link

_STAGES = ", ".join(StoredStages._fields)
_MEMBER = ", ".join(StoredMember._fields)


class Staging:
    """Methods of `store.TelemetryStore`."""

    _link: Link

    def _next(self, what: str) -> int:
        raise NotImplementedError

    def add_stages(self, stages: StoredStages, keep: int) -> int:
        """Keep a new rollout, and of those that are over the last `keep`; return its number."""
        number = self._next("stages")
        self._link.write(
            f"INSERT INTO stages ({_STAGES}) "  # noqa: S608
            f"VALUES ({', '.join(['%s'] * len(stages))})",
            stages._replace(id=number),
        )
        for (old,) in self._link.read(
            "SELECT id FROM stages WHERE state IN ('done', 'aborted', 'reverted') "
            "ORDER BY id DESC OFFSET %s",
            (keep,),
        ):
            self._link.write("DELETE FROM stage_nodes WHERE stages = %s", (old,))
            self._link.write("DELETE FROM stages WHERE id = %s", (old,))
        return number

    def save_stages(self, stages: StoredStages) -> None:
        """Keep how a rollout is."""
        self._link.write(
            "UPDATE stages SET changed = %s, state = %s, wave = %s, until = %s, why = %s, "
            "forgiven = %s, insisted = %s WHERE id = %s",
            (
                stages.changed, stages.state, stages.wave, stages.until, stages.why,
                stages.forgiven, stages.insisted, stages.id,
            ),
        )  # fmt: skip

    def stages(self, limit: int) -> list[StoredStages]:
        """Return rollouts, the newest first."""
        rows = self._link.read(
            f"SELECT {_STAGES} FROM stages ORDER BY id DESC LIMIT %s",  # noqa: S608
            (limit,),
        )
        return [StoredStages(*row) for row in rows]

    def add_members(self, stages: int, members: Iterable[tuple[StoredMember, bytes]]) -> None:
        """Add nodes to a rollout, each with what it is to get."""
        self._link.write_many(
            f"INSERT INTO stage_nodes (stages, {_MEMBER}, payload) "  # noqa: S608
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(stages, *member, payload) for member, payload in members],
        )

    def save_members(self, stages: int, members: Iterable[StoredMember]) -> None:
        """Keep how nodes of a rollout are."""
        self._link.write_many(
            "UPDATE stage_nodes SET wave = %s, phase = %s, asked = %s, mark = %s, reason = %s, "
            "changed = %s WHERE stages = %s AND node = %s",
            [(*member[1:], stages, member.node) for member in members],
        )

    def members(self, stages: int) -> list[StoredMember]:
        """Return the nodes of a rollout."""
        rows = self._link.read(
            f"SELECT {_MEMBER} FROM stage_nodes WHERE stages = %s ORDER BY node",  # noqa: S608
            (stages,),
        )
        return [StoredMember(*row) for row in rows]

    def payload(self, stages: int, node: int) -> bytes | None:
        """Return what a node is to get; None: it is no longer kept."""
        rows = self._link.read(
            "SELECT payload FROM stage_nodes WHERE stages = %s AND node = %s", (stages, node)
        )
        return rows[0][0] if rows else None

    def forget_payloads(self, stages: int, nodes: Iterable[int]) -> None:
        """Keep no longer what these nodes were to get."""
        self._link.write_many(
            "UPDATE stage_nodes SET payload = NULL WHERE stages = %s AND node = %s",
            [(stages, node) for node in nodes],
        )
