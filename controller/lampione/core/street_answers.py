"""What somebody at a post hands over: frames from a node's flash, a board with a new key."""

from collections.abc import Sequence

from lampione_protocol import topics

from lampione.api import Delivered, Json
from lampione.broker_url import BrokerUrl
from lampione.core.core import Core
from lampione.core.folder import StateFolder
from lampione.core.requests import Bad, InCore, text
from lampione.fleet.node import NodeState
from lampione.ingest.session import Received
from lampione.room.who import Who, present
from lampione.store import Engine

FRAMES_MAX = 5000  # a request; of 51 bytes at most they fit a line


def take(core: Core, node: NodeState, frames: Sequence[bytes], who: Who) -> Delivered:
    """Take frames in, in the core's thread; the round's commit keeps them. Raises StoreError."""
    topic = topics.topic(node.shard, node.name, topics.UP)
    before = node.duplicates, sum(node.refusals.values())
    stored = core.intake.take([Received(topic, frame, 0) for frame in frames])
    found: Delivered = {
        "node": node.name,
        "frames": len(frames),
        "stored": stored,
        "refused": sum(node.refusals.values()) - before[1],
        "duplicates": 0,
    }
    found["duplicates"] = len(frames) - stored - found["refused"]
    core.deeds.record(
        who, "deliver", node.name, frames=len(frames), stored=stored, refused=found["refused"]
    )
    return found


class StreetAnswers(InCore):
    """The operations, for the server's event loop."""

    async def deliver(self, request: dict[str, Json]) -> Delivered:
        """See `api`."""
        name, given, who = text(request, "node"), request.get("frames"), present()
        if not isinstance(given, list) or not 0 < len(given) <= FRAMES_MAX:
            raise Bad("request", f"frames is a list of 1 to {FRAMES_MAX} frames in hex")
        try:
            frames = [bytes.fromhex(frame) for frame in given]
        except (ValueError, TypeError):
            raise Bad("request", "a frame is a text of hex digits") from None
        found: Delivered = await self.in_core(
            lambda: take(self._core, self._node(name), frames, who)
        )
        return found

    async def rekey(self, request: dict[str, Json]) -> None:
        """See `api`."""
        name, who = text(request, "node"), present()
        core = self._core

        def renew() -> None:
            node = self._node(name)
            if not core.fleet.rekey(node):
                raise Bad("refused", f"the key file has no key of {name}, or cannot be read")
            core.intake.forget_key(node)
            core.downlink.forget_key(node)
            core.deeds.record(who, "new key", name)

        await self.in_core(renew)


def deliver_alone(
    folder: StateFolder, engine: Engine, shard: str, node: str, frames: Sequence[bytes], who: Who
) -> Delivered | None:
    """Take frames in where no controller runs; None: the folder has no key of this node.

    Raises FolderError where one runs, KeyFileError, StoreError.
    """
    with folder.owned():
        # Never started: it connects to nobody, and owns the store for this one round.
        core = Core(folder, engine.writer(), BrokerUrl.parse("mqtt://127.0.0.1"), shard)
        try:
            state = core.fleet.find(node)
            if state is None:
                return None
            found = take(core, state, frames, who)
            core.commit()
            return found
        finally:
            core.stop()
