"""The part of the writer for what people want of nodes, commands and configs; and for losses."""

import json

from lampione.api import CommandState
from lampione.store import StoredConfig, StoredRollout
from lampione.store.commands import COMMAND_COLUMNS, command_of
from lampione.store.sqlite.link import SqliteLink


class SqliteOrders(SqliteLink):
    """Methods of `store.TelemetryStore`."""

    def lose(self, node: int, spans: list[list[int]], at: float, why: str) -> None:
        """Record numbers that no one holds."""
        self._write_many(
            "INSERT INTO losses (node, first, last, at, why) VALUES (?, ?, ?, ?, ?)",
            [(node, first, last, at, why) for first, last in spans],
        )

    def find(self, node: int, seq: int) -> None:
        """Take one number out of the losses."""
        rows = self._read(
            "SELECT id, first, last, at, why FROM losses "
            "WHERE node = ? AND first <= ? AND last >= ? ORDER BY id DESC LIMIT 1",
            (node, seq, seq),
        )
        for number, first, last, at, why in rows:
            self._write("DELETE FROM losses WHERE id = ?", (number,))
            left = [[first, seq - 1]] if first < seq else []
            right = [[seq + 1, last]] if seq < last else []
            self.lose(node, left + right, at, why)

    def lost_counts(self) -> dict[int, int]:
        """Return how many numbers each node lost."""
        return dict(self._read("SELECT node, sum(last - first + 1) FROM losses GROUP BY node"))

    def counter(self, node: int, counter: int) -> None:
        """Keep the last counter given to a command."""
        self._write("UPDATE nodes SET counter = ? WHERE id = ?", (counter, node))

    def add_command(self, node: int, state: CommandState) -> int:
        """Record a new command; return its number."""
        number = self._write(
            'INSERT INTO commands (node, "order", state, final, created, expires, changed) '
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                node,
                json.dumps(state["order"]),
                state["state"],
                state["final"],
                state["created"],
                state["expires"],
                state["changed"],
            ),
        ).lastrowid
        assert number is not None
        return number

    def save_command(self, state: CommandState, epoch: bytes | None, frame: bytes | None) -> None:
        """Keep what became of a command."""
        self._write(
            "UPDATE commands SET state = ?, final = ?, counter = ?, epoch = ?, frame = ?, "
            "reason = ?, level = ?, value = ?, changed = ? WHERE id = ?",
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
        rows = self._read(
            f"SELECT {COMMAND_COLUMNS}, c.epoch, c.frame "  # noqa: S608
            "FROM commands c JOIN nodes n ON n.id = c.node WHERE c.final = 0 ORDER BY c.id"
        )
        return [(command_of(row), row[12], row[13]) for row in rows]

    def add_config(self, config: StoredConfig, keep: int) -> None:
        """Keep a config; forget the oldest, but for those of a rollout and the last confirmed."""
        self._write("INSERT OR REPLACE INTO configs VALUES (?, ?, ?, ?, ?, ?)", config)
        self._write(
            "DELETE FROM configs WHERE node = ?1 AND version NOT IN ("
            "SELECT version FROM (SELECT version FROM configs WHERE node = ?1 "
            "ORDER BY created DESC, version DESC LIMIT ?2) "
            "UNION SELECT version FROM rollouts WHERE node = ?1 "
            "UNION SELECT version FROM (SELECT version FROM configs WHERE node = ?1 "
            "AND confirmed IS NOT NULL ORDER BY confirmed DESC LIMIT 2))",
            (config.node, keep),
        )

    def config(self, node: int, version: int) -> StoredConfig | None:
        """Return a config that is kept."""
        rows = self._read(
            "SELECT node, version, digest, sealed, created, confirmed FROM configs "
            "WHERE node = ? AND version = ?",
            (node, version),
        )
        return StoredConfig(*rows[0]) if rows else None

    def last_config(self, node: int) -> int:
        """Return the version made last, 0: none."""
        rows = self._read(
            "SELECT version FROM configs WHERE node = ? ORDER BY created DESC, version DESC "
            "LIMIT 1",
            (node,),
        )
        return rows[0][0] if rows else 0

    def confirm_config(self, node: int, version: int, at: float) -> None:
        """The node runs it for good."""
        self._write(
            "UPDATE configs SET confirmed = ? WHERE node = ? AND version = ? AND confirmed IS NULL",
            (at, node, version),
        )

    def confirmed_before(self, node: int, version: int) -> int | None:
        """Return the version confirmed last that says something else than this one."""
        rows = self._read(
            "SELECT version FROM configs WHERE node = ?1 AND version <> ?2 "
            "AND confirmed IS NOT NULL AND digest IS NOT "
            "(SELECT digest FROM configs WHERE node = ?1 AND version = ?2) "
            "ORDER BY confirmed DESC, version DESC LIMIT 1",
            (node, version),
        )
        return rows[0][0] if rows else None

    def save_rollout(self, rollout: StoredRollout) -> None:
        """Keep what became of a rollout, the node's last."""
        self._write(
            "INSERT OR REPLACE INTO rollouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rollout
        )

    def rollouts(self) -> list[StoredRollout]:
        """Return every node's last."""
        rows = self._read(
            "SELECT node, version, phase, sent, trial_s, first_counter, epoch, reason, created, "
            "changed FROM rollouts"
        )
        return [StoredRollout(*row) for row in rows]
