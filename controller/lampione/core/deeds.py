"""What was done, and what came of it, on its way into the audit. For the core's thread."""

import time
from typing import Any

from lampione.api import CommandState, ConfigState, Staged
from lampione.room.audit import Deed
from lampione.room.who import CONFIGURE, ITSELF, Who
from lampione.store import TelemetryStore

_ITSELF = Who(ITSELF, CONFIGURE)


class Deeds:
    """Those of a round, which its commit writes."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store = store
        self._round: list[Deed] = []

    def record(self, who: Who, action: str, node: str | None = None, **detail: Any) -> None:
        """Write into the audit, in the commit of this round."""
        detail = {name: value for name, value in detail.items() if value is not None}
        self._round.append(Deed(time.time(), *who[:3], action, node, detail))

    def command_ended(self, state: CommandState) -> None:
        """A command has its last state."""
        order = state["order"]
        self.record(
            _ITSELF, "command ended", state["node"], command=state["command"], op=order["op"],
            state=state["state"], reason=state["reason"], level=state["level"],
        )  # fmt: skip

    def config_ended(self, state: ConfigState) -> None:
        """A config has ended on its way to a node."""
        self.record(
            _ITSELF, "config ended", state["node"], version=state["wanted"],
            phase=state["phase"], reason=state["reason"],
        )  # fmt: skip

    def rollout_ended(self, staged: Staged) -> None:
        """A rollout in stages is over, or was stopped by failures."""
        what = "rollout ended" if staged["final"] else "rollout stopped"
        self.record(
            _ITSELF, what, rollout=staged["rollout"], state=staged["state"], why=staged["why"]
        )

    def flush(self) -> None:
        """Write them, in this round's commit. Raises StoreError."""
        if self._round:
            self._store.add_deeds(self._round)

    def clear(self) -> None:
        """The round is over."""
        self._round.clear()
