"""Folds the store, drops what is too old and gives space back, beside the core.

One thread: what it does to the store never happens twice at a time. People's wishes (`ask`) are
done in it too, between two rounds.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from lampione.store import Engine, Folder, Keeper, StoreError
from lampione.store.retention import Policy

FOLD_S = 300.0
FIRST_S = 60.0  # after the start: whatever was left unfolded
KEEP_S = 3600.0
DOES = ("fold", "retain", "vacuum")
_log = logging.getLogger("lampione.upkeep")

_Wish = tuple[Callable[[], Any], "Future[Any]"]


class Upkeep:
    """A context; leaving it ends the thread after the step that it is in.

    Args:
        may: says whether the store is ours to fold: of several workers one does it.
    """

    def __init__(
        self,
        engine: Engine,
        may: Callable[[], bool] = lambda: True,
        fold_s: float = FOLD_S,
        first_s: float = FIRST_S,
    ) -> None:
        self._engine = engine
        self._may = may
        self._fold_s = fold_s
        self._wishes: queue.SimpleQueue[_Wish | None] = queue.SimpleQueue()
        self._ending = False
        self._fold_at = time.monotonic() + first_s
        self._keep_at = self._fold_at
        self._folder: Folder | None = None
        self._keeper: Keeper | None = None
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._wishes.put(None)
        self._thread.join()
        while not self._wishes.empty():
            wish = self._wishes.get()
            if wish is not None:
                wish[1].cancel()

    def stop(self) -> bool:
        """Say whether a step is to be the last."""
        return self._ending

    def ask(self, wish: Callable[[], Any]) -> "Future[Any]":
        """Do something in this thread, when it is done with what it does now."""
        answer: Future[Any] = Future()
        self._wishes.put((wish, answer))
        return answer

    def folder(self) -> Folder:
        """Return what folds; in this thread alone. Raises StoreError."""
        if self._folder is None:
            self._folder = self._engine.folder()
        return self._folder

    def keeper(self) -> Keeper:
        """Return what looks after the store; in this thread alone. Raises StoreError."""
        if self._keeper is None:
            self._keeper = self._engine.keeper()
        return self._keeper

    def perform(self, do: str, policy: Policy, *, alone: bool = False) -> dict[str, int]:
        """Do one of DOES now, in this thread; return counts by what they are of.

        `alone`: nobody else uses the store.

        Raises StoreError.
        """
        now = time.time()
        if do == "fold":
            folded, days = self.folder().fold(now, self.stop), self.folder().refold(now, self.stop)
            return {"frames": folded.frames, "chunks": folded.chunks, "days": days.chunks}
        if do == "retain":
            self.keeper().set_policy(policy)
            return self.keeper().retain(self.keeper().policy(), now, self.stop)
        return {"bytes": self.keeper().vacuum(self.stop, alone=alone)}

    def _run(self) -> None:
        while not self._ending:
            self._wait()
            if time.monotonic() < self._fold_at or self._ending:
                continue
            try:
                self._round()
            except StoreError as error:
                _log.warning("upkeep: %s", error)
                self._drop()
            except Exception:  # noqa: BLE001 - said, and tried again
                _log.exception("upkeep failed; it is tried again")
                self._drop()
            self._fold_at = time.monotonic() + self._fold_s
        self._drop()

    def _wait(self) -> None:
        """Do a wish, or wait until it is time to fold."""
        try:
            wish = self._wishes.get(timeout=max(0.0, self._fold_at - time.monotonic()))
        except queue.Empty:
            return
        if wish is None:
            return
        question, answer = wish
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(question())
        except Exception as error:  # noqa: BLE001 - the asker's
            answer.set_exception(error)

    def _round(self) -> None:
        """One step that fails, on a damaged chunk, keeps no other from being done."""
        begun = time.monotonic()
        steps = [self._fold]
        if begun >= self._keep_at:
            self._keep_at = begun + KEEP_S
            steps += [self._refold, self._retain]
        failed: StoreError | None = None
        for step in steps:
            if self._not_ours():
                break
            try:
                step()
            except StoreError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def _not_ours(self) -> bool:
        """Say whether a step is to be the last: we end, or another worker does it now."""
        return self._ending or not self._may()

    def _fold(self) -> None:
        begun = time.monotonic()
        folded = self.folder().fold(time.time(), self._not_ours)
        if folded.frames:
            took = time.monotonic() - begun
            _log.info("folded %d frames into %d chunks in %.1f s", *folded, took)

    def _refold(self) -> None:
        self.folder().refold(time.time(), self._not_ours)

    def _retain(self) -> None:
        keeper = self.keeper()
        for name, count in keeper.retain(keeper.policy(), time.time(), self._not_ours).items():
            _log.info("dropped %d rows of %s, which were too old", count, name)

    def _drop(self) -> None:
        for each in (self._folder, self._keeper):
            if each is not None:
                try:
                    each.close()
                except StoreError as error:
                    _log.warning("upkeep: %s", error)
        self._folder = self._keeper = None
