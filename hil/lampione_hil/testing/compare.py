"""What moved between two records, beyond noise. Repeated measurements (--count) give the noise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lampione_hil.testing.verdict import of_test

# Student's t for a two-sided chance of 0.1 %, by degrees of freedom (any table of it).
_T = {
    1: 636.62, 2: 31.60, 3: 12.92, 4: 8.61, 5: 6.87, 6: 5.96, 7: 5.41, 8: 5.04, 9: 4.78, 10: 4.59,
    12: 4.32, 15: 4.07, 20: 3.85, 30: 3.65, 60: 3.46,
}  # fmt: skip
_T_END = 3.29
SHARE = 0.1  # of the limits' width: what counts as moved where the noise is not known
_SAME = 1e-9  # relative: two ways to compute one number


@dataclass(frozen=True)
class Moved:
    """A measurement that changed. noise: what a change by chance would reach; None: not known."""

    test: str
    name: str
    unit: str
    before: float | None
    after: float | None
    noise: float | None
    low: float | None
    high: float | None


@dataclass
class Comparison:
    """What two records differ in."""

    verdicts: tuple[str, str]
    firmware: tuple[str, str]
    revisions: tuple[str, str]
    rigs: tuple[str, str]
    outcomes: list[tuple[str, str, str]] = field(default_factory=list)  # test, before, after
    only_before: list[str] = field(default_factory=list)
    only_after: list[str] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)  # test, measurement
    come: list[tuple[str, str]] = field(default_factory=list)
    still: int = 0  # measurements that did not move

    @property
    def same(self) -> bool:
        """Whether nothing moved that a bench measures."""
        verdict = self.verdicts[0] == self.verdicts[1]
        changes = (self.outcomes, self.only_before, self.only_after, self.moved, self.gone)
        return verdict and not any(changes) and not self.come

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "same": self.same}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Compare two records."""
    both = (before, after)
    found = Comparison(
        verdicts=_pair(r["verdict"]["verdict"] for r in both),
        firmware=_pair(r["firmware"]["id"] for r in both),
        revisions=_pair(r["firmware"]["revision"] for r in both),
        rigs=_pair(r["rig"]["name"] for r in both),
    )
    old, new = ({t["test"]: t for t in r["tests"]} for r in both)
    found.only_before = sorted(old.keys() - new.keys())
    found.only_after = sorted(new.keys() - old.keys())
    for name in sorted(old.keys() & new.keys()):
        outcomes = of_test(old[name]), of_test(new[name])
        if outcomes[0] != outcomes[1]:
            found.outcomes.append((name, *outcomes))
        if "skip" not in outcomes:
            _values(found, name, old[name], new[name])
    return found


def _values(found: Comparison, test: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    before, after = _series(old), _series(new)
    found.gone += [(test, name) for name in before if name not in after]
    found.come += [(test, name) for name in after if name not in before]
    for name, ms in after.items():
        if name not in before:
            continue
        a, b = ([m["value"] for m in series] for series in (before[name], ms))
        limits = ms[-1]
        noise, is_moved = moved(a, b, limits["low"], limits["high"])
        if is_moved:
            found.moved.append(
                Moved(test, name, limits["unit"], _mean(a), _mean(b), noise,
                      limits["low"], limits["high"])
            )  # fmt: skip
        else:
            found.still += 1


def moved(
    before: Sequence[float | None],
    after: Sequence[float | None],
    low: float | None = None,
    high: float | None = None,
) -> tuple[float | None, bool]:
    """Return (what chance would reach, whether the difference is more than that).

    With repeated values: Student's t-test of two means. Without: a tenth of the limits' width, or
    of a single limit, and the noise is None.
    """
    a, b = ([v for v in series if v is not None] for series in (before, after))
    if not a or not b or len(a) < len(before) or len(b) < len(after):
        return None, len(a) != len(b)  # nothing was there to measure
    mean_a, mean_b = math.fsum(a) / len(a), math.fsum(b) / len(b)
    difference = abs(mean_a - mean_b)
    exact = _SAME * max(abs(mean_a), abs(mean_b))
    degrees = len(a) + len(b) - 2
    if degrees < 1:
        known = [v for v in (low, high) if v is not None]
        width = known[1] - known[0] if len(known) == 2 else abs(known[0]) if known else 0.0
        return None, difference > max(SHARE * width, exact)
    squares = math.fsum((v - mean_a) ** 2 for v in a) + math.fsum((v - mean_b) ** 2 for v in b)
    spread = math.sqrt(squares / degrees * (1 / len(a) + 1 / len(b)))
    noise = max(_t(degrees) * spread, exact)
    return noise, difference > noise


def _t(degrees: int) -> float:
    """Return the limit for degrees of freedom: that of the next fewer ones in the table."""
    known = [limit for number, limit in _T.items() if number <= degrees]
    return known[-1] if degrees <= 200 else _T_END


def _series(test: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for run in test["runs"]:
        seen: dict[str, int] = {}
        for m in run["measurements"]:
            seen[m["name"]] = seen.get(m["name"], 0) + 1
            number = seen[m["name"]]  # measured again within one run: another measurement
            name = m["name"] if number == 1 else f"{m['name']} ({number})"
            found.setdefault(name, []).append(m)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return math.fsum(known) / len(known) if known else None


def _pair(values: Any) -> tuple[str, str]:
    first, second = values
    return first, second
