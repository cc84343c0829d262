"""Failed tries to sign in: how long until the next, and which of them the audit hears of.

A name that is no operator's is treated as one that is, so that nobody learns which there are.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

FREE = 5  # tries of one name, before
WAIT_S = 60.0  # nothing is tried for so long, and twice as long after each more
WAIT_MOST_S = 900.0
FORGET_S = 3600.0  # after the last
NAMES_MOST = 1000  # of nobody's, that are remembered


class _Failed(NamedTuple):
    wrong: int  # of those that were tried
    all: int  # those that had to wait, too
    last: float  # the last that was tried


class Tries:
    """Counts by name."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._operators: dict[str, _Failed] = {}
        self._others: OrderedDict[str, _Failed] = OrderedDict()
        self._nobody = _Failed(0, 0, 0.0)  # all names together that are no operator's

    def wait_s(self, name: str) -> float:
        """Return how long this name has to wait; 0: it may try."""
        found = self._of(self._operators.get(name) or self._others.get(name))
        if found.wrong < FREE:
            return 0.0
        whole = min(WAIT_S * 2.0 ** (found.wrong - FREE), WAIT_MOST_S)
        return max(found.last + whole - self._now(), 0.0)

    def _of(self, found: _Failed | None) -> _Failed:
        if found is None or self._now() - found.last > FORGET_S:
            return _Failed(0, 0, self._now())
        return found

    def _more(self, found: _Failed | None, tried: bool) -> _Failed:
        before = self._of(found)
        if not tried:
            return before._replace(all=before.all + 1)
        return _Failed(before.wrong + 1, before.all + 1, self._now())

    def failed(self, name: str, *, known: bool, tried: bool) -> int | None:
        """Count one, and return how many it were when the audit is to hear of it.

        It hears of the first, the second, the fourth and so on, of all names together that are no
        operator's: so many tries are few entries.

        Args:
            known: it is an operator's name.
            tried: it had not to wait.
        """
        if known:
            found = self._operators[name] = self._more(self._operators.get(name), tried)
        else:
            self._others[name] = self._more(self._others.pop(name, None), tried)
            if len(self._others) > NAMES_MOST:
                self._others.popitem(last=False)
            found = self._nobody = self._more(self._nobody, tried=True)
        return found.all if found.all & (found.all - 1) == 0 else None

    def passed(self, name: str) -> None:
        """Somebody signed in by this name."""
        self._operators.pop(name, None)
