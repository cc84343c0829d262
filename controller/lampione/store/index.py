"""What a writer knows of the numbers that are stored: what is new is decided in memory."""

from collections.abc import Callable

from lampione.store.held import Held


class Index:
    """The numbers of each boot, asked of the database once; what a rollback takes back, too."""

    def __init__(self, load: Callable[[int], tuple[int, Held]]):
        """`load`: (node, its stored numbers) of a boot."""
        self._load = load
        self._boots: dict[int, tuple[int, Held]] = {}
        self._added: list[tuple[Held, int]] = []

    def add(self, epoch: int, seq: int) -> int | None:
        """Add a number; return its node when the number is new."""
        found = self._boots.get(epoch)
        if found is None:
            found = self._boots[epoch] = self._load(epoch)
        node, held = found
        if not held.add(seq):
            return None
        self._added.append((held, seq))
        return node

    def commit(self) -> None:
        """What was added is stored."""
        self._added.clear()

    def rollback(self) -> None:
        """What was added since the last commit is not."""
        for held, seq in self._added:
            held.discard(seq)
        self._added.clear()

    def forget(self) -> None:
        """Ask the database again: somebody else may have written."""
        self._boots.clear()
        self._added.clear()
