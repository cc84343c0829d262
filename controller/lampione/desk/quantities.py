"""What a map shows of a node: a letter, which says so without colour, a word and its range."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from lampione.desk.present import STATES, Row, air_band, is_stale, reported, with_unit
from lampione.rollup.air import BANDS, EDGES, UGM3_A_PPB


class Band(NamedTuple):
    """One of the letters. tone: of `tui.tones`, as `present.STATES` has them."""

    letter: str
    word: str
    range: str
    tone: str

    @property
    def legend(self) -> str:
        """The letter and what it means."""
        return " ".join(filter(None, (self.letter, self.word, self.range)))


UNKNOWN = Band("?", "not known", "", "dim")


class Seen(NamedTuple):
    """What a band is judged by."""

    row: Row
    now: float
    severity: str | None  # of the node's worst active alarm


class Quantity(NamedTuple):
    """One thing that a map can show.

    bands: from the least urgent to the most.
    judge: returns the band's place; None: not known.
    told: the value in words.
    """

    key: str
    title: str
    bands: tuple[Band, ...]
    judge: Callable[[Seen], int | None]
    told: Callable[[Seen], str]

    def band(self, place: int | None) -> Band:
        """Return the band of what was judged."""
        return UNKNOWN if place is None else self.bands[place]

    def legend(self) -> list[str]:
        """Return what the letters mean."""
        return [band.legend for band in (*self.bands, UNKNOWN)]


def current(seen: Seen, field: str) -> Any:
    """Return a report's value when it is of now and its sensor vouches for it, else None."""
    return None if is_stale(seen.row, seen.now) else reported(seen.row, field)


def _steps(value: float | None, edges: Iterable[float]) -> int | None:
    """Return how many edges a value has reached."""
    return None if value is None else sum(value >= edge for edge in edges)


def _of_field(
    key: str, title: str, field: str, edges: tuple[float, ...], bands: tuple[Band, ...]
) -> Quantity:
    return Quantity(
        key, title, bands,
        lambda seen: _steps(current(seen, field), edges),
        lambda seen: with_unit("report", field, current(seen, field)),
    )  # fmt: skip


_STATE_ORDER = ("online", "never", "silent", "offline")
_NEVER = {"never": "x"}  # among dots a dot is not seen
_SEVERITIES = ("warning", "minor", "major", "critical")


def _ugm3(seen: Seen, pollutant: str) -> float | None:
    found = current(seen, pollutant)
    return None if found is None else float(found) * UGM3_A_PPB.get(pollutant, 1.0)


def _air(seen: Seen) -> int | None:
    """Return the worst pollutant's band."""
    band = None if is_stale(seen.row, seen.now) else air_band(seen.row)
    return None if band is None else band - 1


def _air_told(seen: Seen) -> str:
    place = _air(seen)
    if place is None:
        return "–"
    parts = (f"{p} {v:.0f}" for p in EDGES if (v := _ugm3(seen, p)) is not None)
    return f"{BANDS[place]} ({', '.join(parts)} µg/m³)"


def _vehicles(seen: Seen) -> float | None:
    """Return vehicles an hour, both ways."""
    ways = [current(seen, way) for way in ("vehicles_toward", "vehicles_away")]
    known = [way for way in ways if way is not None]
    duration_s = seen.row["report"].get("duration_s")
    return sum(known) * 3600 / duration_s if known and duration_s else None


def _vehicles_told(seen: Seen) -> str:
    found = _vehicles(seen)
    return "–" if found is None else f"{found:.0f} vehicles/h"


def _alarm(seen: Seen) -> int:
    if seen.severity is None:
        return 0
    return 1 + (_SEVERITIES.index(seen.severity) if seen.severity in _SEVERITIES else 0)


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "state",
        "state",
        tuple(Band(_NEVER.get(s, STATES[s][0]), s, "", STATES[s][1]) for s in _STATE_ORDER),
        lambda seen: _STATE_ORDER.index(seen.row["state"]),
        lambda seen: str(seen.row["state"]),
    ),
    _of_field(
        "level", "lamp's level", "lamp_level", (1, 25, 50, 75),
        (
            Band("o", "dark", "0 %", "dim"),
            Band("a", "low", "1-24 %", ""),
            Band("b", "half", "25-49 %", "note"),
            Band("c", "more", "50-74 %", "warn"),
            Band("d", "full", "75-100 %", "head"),
        ),
    ),
    _of_field(
        "laeq", "noise, LAeq", "laeq", (50, 55, 60, 65, 70, 75),
        (
            Band("a", "quiet", "<50 dB", "good"),
            Band("b", "", "50-54", "good"),
            Band("c", "", "55-59", "note"),
            Band("d", "", "60-64", "note"),
            Band("e", "loud", "65-69", "warn"),
            Band("f", "", "70-74", "bad"),
            Band("g", "very loud", "75 dB on", "bad"),
        ),
    ),
    Quantity(
        "air",
        "air now, bands of the European index",
        tuple(
            Band(letter, word, "", tone)
            for letter, word, tone in zip(
                "abcdef", BANDS, ("good", "good", "note", "warn", "bad", "bad"), strict=True
            )
        ),
        _air,
        _air_told,
    ),
    Quantity(
        "traffic",
        "traffic, vehicles an hour",
        (
            Band("o", "none", "0", "dim"),
            Band("a", "little", "<120", "good"),
            Band("b", "some", "<600", "note"),
            Band("c", "much", "<1200", "warn"),
            Band("d", "dense", "1200 on", "bad"),
        ),
        lambda seen: _steps(_vehicles(seen), (1e-9, 120, 600, 1200)),
        _vehicles_told,
    ),
    _of_field(
        "power", "lamp's power", "lamp_power", (1, 25, 50, 100),
        (
            Band("o", "off", "<1 W", "dim"),
            Band("a", "", "1-24 W", "good"),
            Band("b", "", "25-49 W", "note"),
            Band("c", "", "50-99 W", "warn"),
            Band("d", "", "100 W on", "bad"),
        ),
    ),
    Quantity(
        "alarms",
        "active alarms",
        (
            Band("o", "none", "", "good"),
            Band("w", "warning", "", "warn"),
            Band("m", "minor", "", "warn"),
            Band("M", "MAJOR", "", "bad"),
            Band("C", "CRITICAL", "", "bad"),
        ),
        _alarm,
        lambda seen: seen.severity or "none",
    ),
)  # fmt: skip
BY_KEY: Mapping[str, Quantity] = {quantity.key: quantity for quantity in QUANTITIES}


def severities(alarms: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the worst severity of active alarms by node; a cause's is of each of its members."""
    found: dict[str, str] = {}
    for alarm in alarms:
        if not alarm["active"]:
            continue
        rank = _rank(alarm["severity"])
        for node in (alarm["node"], *alarm["members"]):
            if node is not None and (node not in found or _rank(found[node]) < rank):
                found[node] = alarm["severity"]
    return found


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
