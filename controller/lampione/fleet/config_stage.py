"""Configs as what a rollout in stages rolls out."""

from collections.abc import Mapping
from typing import Any

from lampione.fleet.configs import TRIAL_S, ConfigRefused, Configs
from lampione.fleet.kept_configs import sealed_for, unsealed
from lampione.fleet.node import NodeState
from lampione.fleet.rollout import Rollout
from lampione.fleet.staged_kind import Outcome, Untouched

SAME = "it runs already"
REPLACED = "another push took its place"


class ConfigKind:
    """See `staged.Kind`. A mark is the version of the node's rollout."""

    name = "config"

    def __init__(self, configs: Configs) -> None:
        self._configs = configs

    @property
    def moved(self) -> set[str]:
        """Return the nodes whose outcome may be another than before; the caller clears it."""
        return self._configs.moved

    def keep(self, node: NodeState, payload: bytes) -> bytes:
        """Return a config as it may be kept."""
        return sealed_for(node, payload)

    def begin(self, node: NodeState, kept: bytes, options: Mapping[str, Any]) -> int:
        """Give a node its config. Raises Untouched."""
        blob = unsealed(node, kept)
        if blob is None:
            raise Untouched("it has another key now: begin a new rollout")
        if not node.reachable:
            raise Untouched("it was offline")
        try:
            self._configs.add(node, blob, int(options.get("trial_s", TRIAL_S)))
        except ConfigRefused as refused:
            raise Untouched(str(refused)) from None
        rollout = self._configs.rollout(node)
        assert rollout is not None
        return rollout.version

    def _of(self, node: NodeState, mark: int) -> Rollout | None:
        rollout = self._configs.rollout(node)
        return rollout if rollout is not None and rollout.version == mark else None

    def outcome(self, node: NodeState, mark: int) -> Outcome | None:
        """Return what became of it; None: it is under way."""
        rollout = self._of(node, mark)
        if rollout is None:
            return Outcome(took=False, reason=REPLACED, replaced=True)
        if not rollout.final:
            return None
        took = rollout.phase == "confirmed"
        same = took and rollout.reason == SAME
        reason = rollout.reason if took else f"{rollout.phase}: {rollout.reason or 'as asked'}"
        return Outcome(took=took, reason=reason, same=same)

    def stop(self, node: NodeState, mark: int) -> None:
        """Stop what is under way; what it has not taken for good it gives back."""
        rollout = self._of(node, mark)
        if rollout is not None and not rollout.final:
            self._configs.revert(node, TRIAL_S)

    def back(self, node: NodeState, mark: int, options: Mapping[str, Any]) -> int:
        """Have a node go back to what it had; return the mark of that. Raises Untouched."""
        rollout = self._of(node, mark)
        if rollout is None or not rollout.final:
            raise Untouched(REPLACED)
        try:
            self._configs.revert(node, int(options.get("trial_s", TRIAL_S)))
        except ConfigRefused as refused:
            raise Untouched(str(refused)) from None
        rollout = self._configs.rollout(node)
        assert rollout is not None
        return rollout.version

    def ill(self, node: NodeState, mark: int) -> str | None:
        """Say why a node that took it is not well; None: it is."""
        if not node.reachable:
            return "it has gone offline since"
        if self._of(node, mark) is None:
            return None  # somebody else's by now, and no evidence
        running = self._configs.says(node)[0]
        return None if running == mark else f"it runs version {running} since"

    def progress(self, node: NodeState, mark: int) -> str | None:
        """Say how far it is."""
        rollout = self._of(node, mark)
        if rollout is None or rollout.final:
            return None
        text = str(rollout.phase)
        if rollout.phase == "sending":
            text += f" {rollout.sent}/{rollout.size} bytes"
        why = self._configs.reason(node)
        return f"{text}: {why}" if why else text
