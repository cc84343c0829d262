"""The part of the writer for what people want of nodes: commands, configs; and for losses."""

import json

from lampione.api import CommandState
from lampione.store import StoredConfig, StoredRollout
from lampione.store.commands import COMMAND_COLUMNS, command_of
from lampione.store.postgres.connect import Link


class Orders:
    """Methods of `store.TelemetryStore`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def _next(self, what: str) -> int:
        """Return a new number; who else wants one waits for our commit, so that none is missing."""
        found: int = self._link.read(f"UPDATE ids SET {what} = {what} + 1 RETURNING {what}")[0][0]  # noqa: S608
        return found

    def lose(self, node: int, spans: list[list[int]], at: float, why: str) -> None:
        """Record numbers that no one holds."""
        self._link.write_many(
            "INSERT INTO losses (node, number, first, last, at, why) SELECT %s::integer, "
            "coalesce(max(number), 0) + 1, %s, %s, %s, %s FROM losses WHERE node = %s",
            [(node, first, last, at, why, node) for first, last in spans],
        )

    def find(self, node: int, seq: int) -> None:
        """Take one number out of the losses."""
        rows = self._link.read(
            "SELECT number, first, last, at, why FROM losses "
            "WHERE node = %s AND first <= %s AND last >= %s ORDER BY number DESC LIMIT 1",
            (node, seq, seq),
        )
        for number, first, last, at, why in rows:
            self._link.write("DELETE FROM losses WHERE node = %s AND number = %s", (node, number))
            left = [[first, seq - 1]] if first < seq else []
            right = [[seq + 1, last]] if seq < last else []
            self.lose(node, left + right, at, why)

    def lost_counts(self) -> dict[int, int]:
        """Return how many numbers each node lost."""
        return dict(
            self._link.read("SELECT node, sum(last - first + 1)::bigint FROM losses GROUP BY node")
        )

    def add_command(self, node: int, state: CommandState) -> int:
        """Record a new command; return its number."""
        number = self._next("commands")
        self._link.write(
            'INSERT INTO commands (id, node, "order", state, final, created, expires, changed) '
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                number,
                node,
                json.dumps(state["order"]),
                state["state"],
                state["final"],
                state["created"],
                state["expires"],
                state["changed"],
            ),
        )
        return number

    def save_command(self, state: CommandState, epoch: bytes | None, frame: bytes | None) -> None:
        """Keep what became of a command."""
        self._link.write(
            "UPDATE commands SET state = %s, final = %s, counter = %s, epoch = %s, frame = %s, "
            "reason = %s, level = %s, value = %s, changed = %s WHERE id = %s",
            (
                state["state"],
                state["final"],
                state["counter"],
                epoch,
                frame,
                state["reason"],
                state["level"],
                state["value"],
                state["changed"],
                state["command"],
            ),
        )

    def open_commands(self) -> list[tuple[CommandState, bytes | None, bytes | None]]:
        """Return every command that is not final."""
        rows = self._link.read(
            f"SELECT {COMMAND_COLUMNS}, c.epoch, c.frame "  # noqa: S608
            "FROM commands c JOIN nodes n ON n.id = c.node WHERE NOT c.final ORDER BY c.id"
        )
        return [(command_of(row), row[12], row[13]) for row in rows]

    def add_config(self, config: StoredConfig, keep: int) -> None:
        """Keep a config; forget the oldest, but for those of a rollout and the last confirmed."""
        self._link.write(
            "INSERT INTO configs (node, version, digest, sealed, created, confirmed) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (node, version) DO UPDATE SET "
            "digest = excluded.digest, sealed = excluded.sealed, created = excluded.created, "
            "confirmed = excluded.confirmed",
            config,
        )
        node = config.node
        self._link.write(
            "DELETE FROM configs WHERE node = %s AND version NOT IN ("
            "SELECT version FROM (SELECT version FROM configs WHERE node = %s "
            "ORDER BY created DESC, version DESC LIMIT %s) a "
            "UNION SELECT version FROM rollouts WHERE node = %s "
            "UNION SELECT version FROM (SELECT version FROM configs WHERE node = %s "
            "AND confirmed IS NOT NULL ORDER BY confirmed DESC LIMIT 2) b)",
            (node, node, keep, node, node),
        )

    def config(self, node: int, version: int) -> StoredConfig | None:
        """Return a config that is kept."""
        rows = self._link.read(
            "SELECT node, version, digest, sealed, created, confirmed FROM configs "
            "WHERE node = %s AND version = %s",
            (node, version),
        )
        return StoredConfig(*rows[0]) if rows else None

    def last_config(self, node: int) -> int:
        """Return the version made last, 0: none."""
        rows = self._link.read(
            "SELECT version FROM configs WHERE node = %s ORDER BY created DESC, version DESC "
            "LIMIT 1",
            (node,),
        )
        return rows[0][0] if rows else 0

    def confirm_config(self, node: int, version: int, at: float) -> None:
        """The node runs it for good."""
        self._link.write(
            "UPDATE configs SET confirmed = %s "
            "WHERE node = %s AND version = %s AND confirmed IS NULL",
            (at, node, version),
        )

    def confirmed_before(self, node: int, version: int) -> int | None:
        """Return the version confirmed last that says something else than this one."""
        rows = self._link.read(
            "SELECT version FROM configs WHERE node = %s AND version <> %s "
            "AND confirmed IS NOT NULL AND digest IS DISTINCT FROM "
            "(SELECT digest FROM configs WHERE node = %s AND version = %s) "
            "ORDER BY confirmed DESC, version DESC LIMIT 1",
            (node, version, node, version),
        )
        return rows[0][0] if rows else None

    def save_rollout(self, rollout: StoredRollout) -> None:
        """Keep what became of a rollout, the node's last."""
        names = StoredRollout._fields
        self._link.write(
            f"INSERT INTO rollouts ({', '.join(names)}) "  # noqa: S608
            f"VALUES ({', '.join(['%s'] * len(names))}) ON CONFLICT (node) DO UPDATE SET "
            f"{', '.join(f'{name} = excluded.{name}' for name in names[1:])}",
            rollout,
        )

    def rollouts(self) -> list[StoredRollout]:
        """Return every node's last."""
        rows = self._link.read(
            f"SELECT {', '.join(StoredRollout._fields)} FROM rollouts ORDER BY node"  # noqa: S608
        )
        return [StoredRollout(*row) for row in rows]
