"""Holds leases for a core: renews, takes what is free, gives up what is too much, goes in order.

A thread of its own, on a connection of its own. The core is told what it holds and until when; a
lease is given up only after the core has let go of the shard.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Self

from lampione.core.core import Core
from lampione.store import Engine, StoreError
from lampione.store.leases import Leases, open_leases
from lampione.workers.balance import plan

LASTS_S = 10.0  # a dead worker's shards are free after that
ROUND_S = 2.0
UPKEEP = "~upkeep"  # no shard's name: who folds, and drops what is old, for all
_CORE_S = 30.0
_log = logging.getLogger("lampione.workers")


class Tenure:
    """A context; leaving it gives everything up."""

    def __init__(self, core: Core, engine: Engine, shards: Sequence[str], lasts_s: float = LASTS_S):
        self.name = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self.does_upkeep = False
        self._core = core
        self._engine = engine
        self._shards = frozenset(shards)
        self._lasts_s = lasts_s
        self._leases: Leases | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._ending.wait(wait_s):
            wait_s = min(ROUND_S, self._lasts_s / 5)
            try:
                self._round()
            except (StoreError, CancelledError, TimeoutError) as error:
                _log.warning("leases: %s", error or type(error).__name__)
                self._drop()
        with contextlib.suppress(StoreError, CancelledError, TimeoutError):
            self._core.hold(self.name, {}, float("inf")).result(_CORE_S)
            self._open().leave(self.name)
        self._drop()

    def _round(self) -> None:
        leases = self._open()
        now = time.monotonic()
        held = leases.renew(self.name, self._lasts_s)
        until = now + self._lasts_s
        terms = {shard: term for shard, term in held.items() if shard in self._shards}
        workers, rows = leases.look()
        take, drop = plan(self.name, workers, rows, self._shards)
        if drop:
            for shard in drop:
                terms.pop(shard, None)
            self._core.hold(self.name, terms, until).result(_CORE_S)
            for shard in drop:
                leases.give_up(shard, self.name)
            _log.info("gave up %s: others are there", ", ".join(drop))
        for shard in take:
            term = leases.take(shard, self.name, self._lasts_s)
            if term is not None:
                terms[shard] = term
                _log.info("took %s, term %d", shard, term)
        # Not waited for: the core may be loading, and leases are to be renewed meanwhile.
        self._core.hold(self.name, terms, until)
        self.does_upkeep = (
            UPKEEP in held or leases.take(UPKEEP, self.name, self._lasts_s) is not None
        )

    def _open(self) -> Leases:
        if self._leases is None:
            leases = open_leases(self._engine)
            leases.offer([*sorted(self._shards), UPKEEP])
            self._leases = leases
        return self._leases

    def _drop(self) -> None:
        self.does_upkeep = False
        if self._leases is not None:
            self._leases.close()
            self._leases = None
