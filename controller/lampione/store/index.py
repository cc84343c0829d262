"""What a writer knows of the numbers that are stored: what is new is decided in memory."""

from collections.abc import Callable

from lampione.store.held import Held


class Index:
    """The numbers of each boot, asked of the database once, until a rollback."""

    def __init__(self, load: Callable[[int], tuple[int, Held]]):
        """`load`: (node, its stored numbers) of a boot."""
        self._load = load
        self._boots: dict[int, tuple[int, Held]] = {}

    def add(self, epoch: int, seq: int) -> int | None:
        """Add a number; return its node when the number is new."""
        found = self._boots.get(epoch)
        if found is None:
            found = self._boots[epoch] = self._load(epoch)
        node, held = found
        return node if held.add(seq) else None

    def forget(self) -> None:
        """Ask the database again: what was added is not stored, or somebody else may have written.

        Not one by one: boots that were made since have numbers that others will be given.
        """
        self._boots.clear()
