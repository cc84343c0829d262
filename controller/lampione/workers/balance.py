"""Which shards a worker takes and gives up: each of n has a fair share, or one more."""

from collections import Counter
from collections.abc import Collection, Sequence

from lampione.store.leases import Lease


def plan(
    me: str, workers: Collection[str], leases: Sequence[Lease], shards: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return what to take, all of it free, and what to give up.

    Who holds most keeps the one more, so that nothing moves without need.

    Args:
        workers: that are there.
        shards: that are to be served.
    """
    there = {me, *workers}
    ours = [lease for lease in leases if lease.shard in shards]
    held = Counter(lease.holder for lease in ours if lease.runs and lease.holder in there)
    fair, more = divmod(len(shards), len(there))
    order = sorted(there, key=lambda name: (-held[name], name))
    share = fair + (order.index(me) < more)
    mine = [lease.shard for lease in ours if lease.runs and lease.holder == me]
    free = [lease.shard for lease in ours if not lease.runs or not lease.holder]
    return free[: max(0, share - len(mine))], mine[share:]
