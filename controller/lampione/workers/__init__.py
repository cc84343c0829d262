"""`lampione worker`: some of the shards of a store that several workers share."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lampione import serve
from lampione.broker_url import BrokerUrl
from lampione.core.core import Core
from lampione.store import Engine
from lampione.workers.tenure import LASTS_S, Tenure

__all__ = ["work"]


def work(
    state: Path,
    shards: Sequence[str],
    broker: BrokerUrl | None,
    *,
    engine: Engine,
    shard_of: Callable[[str], str],
    lasts_s: float = LASTS_S,
    ready: Callable[[Core], None] = lambda _: None,
    until_eof: bool = False,
) -> None:
    """Serve what falls to us until SIGTERM or SIGINT, see `serve.serve`.

    Args:
        shards: of the whole fleet, the same for every worker.
        engine: the store that they share.
        lasts_s: how long a lease runs.
    """
    serve.serve(
        state,
        (),
        broker,
        engine=engine,
        shard_of=shard_of,
        attend=lambda core, store: Tenure(core, store, shards, lasts_s),
        ready=ready,
        until_eof=until_eof,
    )
