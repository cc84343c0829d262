"""A push in stages before it begins: who would change, who is left out, and in which waves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lampione import keys
from lampione.desk import configs
from lampione.desk.configs import Call, Compared, StageOptions, Wanted
from lampione.desk.staged import MANY
from lampione.fleet.stages import sizes

NO_FILE = (
    "configs are made from the fleet's file and its keys, which are where the controller runs: "
    "begin the rollout there"
)


class NoFile(Exception):
    """There is nothing here to make configs from."""


class Line(NamedTuple):
    """One node of the plan. `left_out`: why it is not given anything; None: it is."""

    compared: Compared
    left_out: str | None
    state: str  # of the node, now

    @property
    def node(self) -> str:
        """Return its name."""
        return self.compared.node


def lines(
    compared: Iterable[Compared],
    locked: Mapping[str, Any],
    state: Callable[[str], str],
) -> list[Line]:
    """Judge nodes: what changes nothing or is locked is left out."""
    found = []
    for one in compared:
        left_out = None
        if one.node in locked:
            left_out = "locked"
        elif one.known and not one.changes:
            left_out = "up to date"
        found.append(Line(one, left_out, state(one.node)))
    return found


def compare(
    call: Call, state: Path | None, nodes: Sequence[str], tell: Callable[[int], None]
) -> list[Compared]:
    """Compare nodes with the fleet's file of a folder.

    Raises NoFile, NotChosen, SeedError, KeyFileError, and what `call` raises.
    """
    if state is None or not (state / keys.FILE).exists():  # its socket alone, as over SSH
        raise NoFile(NO_FILE)
    fleet = Wanted(state)
    return configs.compare(call, fleet, fleet.select(nodes), tell)


def check_waves(waves: Sequence[str]) -> None:
    """Raise ValueError when these are no waves."""
    sizes(1, 0, waves)


def chosen(plan: Sequence[Line]) -> list[Compared]:
    """Return those that are given something."""
    return [line.compared for line in plan if line.left_out is None]


def typed(plan: Sequence[Line]) -> str | None:
    """Return the word that has to be typed before many nodes restart."""
    return "restart" if sum(one.reboot for one in chosen(plan)) >= MANY else None


def in_words(plan: Sequence[Line], options: StageOptions) -> list[str]:
    """Say in numbers what beginning it will do."""
    given = chosen(plan)
    restarts = sum(one.reboot for one in given)
    words = [f"{len(given)} nodes get another config, {restarts} of them restart"]
    for why in ("up to date", "locked"):
        number = sum(line.left_out == why for line in plan)
        if number:
            words.append(f"{number} left out: {why}")
    offline = sum(line.state != "online" and line.left_out is None for line in plan)
    if offline:
        words.append(
            f"{offline} not online now: skipped if they still are not when their turn comes"
        )
    waves = sizes(len(given), max(options.canary, len(options.canaries)), options.waves)
    words.append(f"waves of {' + '.join(map(str, waves))}, {_soak(options)}")
    words.append(
        f"it stops when more than {options.stop_percent:g} % of a wave failed"
        if options.stop_percent < 100
        else "it does not stop, whatever fails"
    )
    return words


def _soak(options: StageOptions) -> str:
    if not options.soak_s:
        return "one right behind the other"
    return f"{options.soak_s / 60:g} min between them, when health is looked at"
