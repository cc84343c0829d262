"""What a lamp will do tonight: from its config, the sun and the clock."""

from pathlib import Path
from typing import Any, NamedTuple

from lampione_protocol.schema import EPOCH_2020

from lampione.config import blob as blobs
from lampione.program import words
from lampione.program.nights import NO_STEP, Nights
from lampione.program.simulate import Lamp, Lit

NOTE = "by the sun and the clock: photocell, traffic, walkers and orders may change it"
_NO_KEY = bytes(16)  # no light depends on a group's secret


class NoNight(ValueError):
    """Nothing can be told of tonight; the text says why."""


class Coming(NamedTuple):
    """One change of the lamp's level.

    at: Unix seconds, when it begins.
    level: percent, where it leads.
    over_s: how long it takes.
    """

    at: float
    level: float
    what: str
    over_s: int = 0

    @property
    def told(self) -> str:
        """What happens, in words."""
        if not self.level:
            return self.what
        over = f" within {words.length(self.over_s)}" if self.over_s else ""
        return f"{self.what}: {self.level:g} %{over}"


class Tonight(NamedTuple):
    """The night that is, or that comes next.

    changes: in order, those that are over, too.
    source: whose config says so.
    """

    changes: list[Coming]
    plan: int
    source: str

    def next(self, now: float) -> Coming | None:
        """Return what comes first after an instant."""
        return next((change for change in self.changes if change.at > now), None)


def of_config(
    blob: bytes, node: str, now: float, source: str, burn_h: int | None = None
) -> Tonight:
    """Return the night of a node's config. Raises NoNight."""
    try:
        nights, lamp = Nights(blob, node), Lamp(blob, node, burn_h=burn_h)
        night = nights.at(int(now) - EPOCH_2020)
        if night.off + lamp.delay_s <= now - EPOCH_2020:  # over: until noon it is the last one
            night = nights.of(night.day + 1)
        lit = lamp.lit(night)
    except ValueError as error:
        raise NoNight(str(error)) from None
    return Tonight(list(_changes(lit)), night.plan, source)


def _changes(lit: Lit) -> list[Coming]:
    delay = lit.on - lit.night.on
    found: list[Coming] = []

    def add(at: float, level: float, what: str, over_s: int = 0) -> None:
        percent = round(level / 100, 1)
        if not found or found[-1].level != percent:
            found.append(Coming(at + EPOCH_2020, percent, what, over_s))

    for on, off in lit.night.spans:
        add(on + delay, lit.at(on + delay), "lights")
        for held in lit.night.lit:
            if on < held.start < off and held.which != NO_STEP:
                there = min(held.start + held.ramp_s, held.end, off) - 0.001
                add(held.start + delay, lit.at(there + delay), "step", held.ramp_s)
        add(off + delay, 0, "off")
    return found


def wanted(state: Path, node: str) -> bytes:
    """Return the config that the fleet's file of a state folder wants of a node. Raises NoNight."""
    from lampione import seeds
    from lampione import wanted as of_fleet  # a quarter of a second

    path = state / "fleet.toml"
    try:
        seed = seeds.load(path if path.exists() else None)
        config = of_fleet.of(seed, node, dict.fromkeys(seed.groups, _NO_KEY), state)
    except seeds.SeedError as error:
        raise NoNight(str(error)) from None
    except KeyError:
        raise NoNight("it is not of the fleet's file") from None
    return blobs.encode(config)


def find(config: dict[str, Any] | None, state: Path | None, node: str, now: float,
         burn_h: int | None = None) -> Tonight:  # fmt: skip
    """Return tonight by the config that the node runs, or else by the fleet's file.

    Args:
        config: `api.ConfigState` with blobs; None: nothing is known of it.

    Raises NoNight.
    """
    running = None if config is None else config.get("running_blob")
    if running:
        try:
            return of_config(bytes.fromhex(running), node, now, "the config that it runs", burn_h)
        except NoNight:
            if state is None:
                raise
    if state is None:
        raise NoNight("the controller does not know the config that it runs")
    return of_config(wanted(state, node), node, now, "the fleet's file", burn_h)
