"""The operations on configs: what nodes run, rollouts, going back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from lampione import api
from lampione.api import Json
from lampione.config.blob import BlobError, decode, digest
from lampione.core.requests import NODES_MAX, Bad, InCore, names, number
from lampione.fleet.configs import TRIAL_S, ConfigRefused
from lampione.fleet.node import NodeState
from lampione.room.who import present

TRIAL_RANGE_S = (10, 4094)


class ConfigAnswers(InCore):
    """The operations on configs, for the server's event loop."""

    async def configs(self, request: dict[str, Json]) -> list[api.ConfigState]:
        """See `api`."""
        wanted = names(request, required=False)
        blobs = request.get("blobs") is True

        def look() -> list[api.ConfigState]:
            self._core.fleet.refresh()
            nodes = self._core.fleet.nodes
            chosen = [nodes[n] for n in sorted(nodes)] if wanted is None else self._nodes(wanted)
            return [self._state(node, blobs=blobs) for node in chosen]

        found: list[api.ConfigState] = await self.in_core(look)
        return found

    def _nodes(self, wanted: list[str]) -> list[NodeState]:
        return [self._node(name) for name in wanted]

    def _state(self, node: NodeState, *, blobs: bool) -> api.ConfigState:
        configs = self._core.configs
        state = configs.state(node)
        if blobs:
            running, wanted = configs.running(node), configs.wanted(node)
            state["running_blob"] = None if running is None else running[0].hex()
            state["wanted_blob"] = None if wanted is None else wanted.hex()
        return state

    async def configure(self, request: dict[str, Json]) -> list[api.Configured]:
        """See `api`."""
        blobs = blobs_of(request)
        trial_s = trial_of(request)
        who, core = present(), self._core

        def add(node: NodeState) -> None:
            core.configs.add(node, blobs[node.name], trial_s)
            core.deeds.record(who, "configure", node.name, digest=digest(blobs[node.name]).hex())

        return await self._each(list(blobs), add)

    async def revert(self, request: dict[str, Json]) -> list[api.Configured]:
        """See `api`."""
        trial_s = trial_of(request)
        who, core = present(), self._core

        def back(node: NodeState) -> None:
            core.configs.revert(node, trial_s)
            core.deeds.record(who, "revert", node.name)

        return await self._each(names(request, required=True) or [], back)

    async def adopt(self, request: dict[str, Json]) -> list[api.Configured]:
        """See `api`."""
        blobs = blobs_of(request)
        version = int(number(request, "version", 0, 1, 65534))
        if not version:
            raise Bad("request", "adopt needs version")
        who, core = present(), self._core

        def take(node: NodeState) -> None:
            core.configs.adopt(node, version, blobs[node.name])
            core.deeds.record(who, "adopt", node.name, version=version)

        return await self._each(list(blobs), take)

    async def _each(
        self, wanted: list[str], do: Callable[[NodeState], None]
    ) -> list[api.Configured]:
        """Do it for all of them, or, where one is not known, for none."""

        def begin() -> list[api.Configured]:
            found: list[api.Configured] = []
            for node in self._nodes(wanted):
                error = None
                try:
                    do(node)
                except ConfigRefused as refused:
                    error = str(refused)
                found.append(
                    {"node": node.name, "error": error, "state": self._state(node, blobs=False)}
                )
            return found

        answer: list[api.Configured] = await self.in_core(begin)
        return answer

    async def follow(self, request: dict[str, Json]) -> AsyncIterator[Json]:
        """Yield each node's state, then each change, until all are final."""
        wanted = names(request, required=True) or []
        loop = asyncio.get_running_loop()
        states: asyncio.Queue[api.ConfigState] = asyncio.Queue()
        core = self._core

        def listener(state: api.ConfigState) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(states.put_nowait, state)

        def begin() -> list[api.ConfigState]:
            first = [self._state(node, blobs=False) for node in self._nodes(wanted)]
            core.configs.listen(wanted, listener)
            return first

        open_: set[str] = set()
        try:
            for state in await self.in_core(begin):
                if not state["final"]:
                    open_.add(state["node"])
                yield state
            while open_:
                state = await states.get()
                if state["final"]:
                    open_.discard(state["node"])
                yield state
        finally:
            core.ask(lambda: core.configs.unlisten(listener))


def trial_of(request: dict[str, Json]) -> int:
    """Return how long a node tries a config. Raises Bad."""
    return int(number(request, "trial_s", TRIAL_S, *TRIAL_RANGE_S))


def blobs_of(request: dict[str, Json]) -> dict[str, bytes]:
    """Return the configs of a request, each checked. Raises Bad."""
    given: Any = request.get("configs")
    if not isinstance(given, dict) or not 0 < len(given) <= NODES_MAX:
        raise Bad("request", f"configs is an object of 1 to {NODES_MAX} nodes")
    found = {}
    for name, digits in given.items():
        try:
            found[name] = bytes.fromhex(digits)
            decode(found[name])
        except (ValueError, TypeError) as error:
            why = str(error) if isinstance(error, BlobError) else "not hexadecimal digits"
            raise Bad("request", f"the config of {name!r}: {why}") from None
    return found
