"""Configs: what the fleet's file wants of nodes beside what they run, and pushes in stages.

Whatever asks the controller here waits for it: in a front end it is work for `Desk.run`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lampione import calibration, keys, seeds, wanted
from lampione.config import blob
from lampione.config.diff import Change, diff
from lampione.config.model import NodeConfig

State = Mapping[str, Any]  # api.ConfigState
Call = Callable[..., Any]
"""Asks the controller, as `Client.call`."""

AT_ONCE = 50  # configs in a request
TRIAL_S = (10, 4094)


class NotChosen(Exception):
    """These nodes cannot be chosen. `kind`: usage, or unknown."""

    def __init__(self, message: str, kind: str = "usage") -> None:
        super().__init__(message)
        self.kind = kind


def fleet_file(state: Path, given: Path | None = None) -> Path | None:
    """Return the fleet's file: the one that was given, the folder's own, or None: Milan's."""
    own = state / "fleet.toml"
    return given or (own if own.exists() else None)


class Wanted:
    """The fleet's file and the secrets of its groups. Raises SeedError, KeyFileError."""

    def __init__(self, state: Path, given: Path | None = None) -> None:
        seed = seeds.load(fleet_file(state, given))
        self.seed = calibration.applied(seed, calibration.load(state))
        self._folder = state
        path = state / keys.FILE
        self._groups = keys.load(path).groups if path.exists() else {}

    def select(
        self, names: Sequence[str] = (), site: str | None = None, profile: str | None = None
    ) -> list[str]:
        """Return these nodes, or all that are not planned, of a site or a profile.

        Raises NotChosen.
        """
        known = {node.id: node for node in self.seed.nodes}
        for name in names:
            if name not in known:
                raise NotChosen(f"the fleet's file has no node {name!r}", "unknown")
            if known[name].planned:
                raise NotChosen(f"{name} is planned: there is nothing to set yet", "unknown")
        if site and site not in {one.id for one in self.seed.sites}:
            raise NotChosen(f"the fleet's file has no site {site!r}")
        if profile and profile not in self.seed.profiles:
            raise NotChosen(f"the fleet's file has no profile {profile!r}")
        chosen = frozenset(names)
        return [
            node.id
            for node in self.seed.running
            if (not names or node.id in chosen)
            and site in (None, node.site)
            and profile in (None, node.profile)
        ]

    def config(self, node: str) -> NodeConfig:
        """Return what the file wants of a node. Raises SeedError."""
        return wanted.of(self.seed, node, self._groups, self._folder)


def pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Give so many of these that a request holds them."""
    for first in range(0, len(names), AT_ONCE):
        yield names[first : first + AT_ONCE]


def states(call: Call, nodes: Sequence[str], *, blobs: bool = False) -> dict[str, State]:
    """Return what the controller knows of the configs of nodes."""
    found: dict[str, State] = {}
    for some in pieces(nodes):
        found |= {s["node"]: s for s in call("configs", nodes=some, blobs=blobs)}
    return found


def running(state: State) -> NodeConfig | None:
    """Return the config that a node runs; None: it is not known to the controller."""
    digits = state["running_blob"]
    return None if digits is None else blob.decode(bytes.fromhex(digits))


def runs(state: State) -> str:
    """Say which config a node says it runs."""
    version = state["running"]
    if version is None:
        return "never heard of"
    word = "as provisioned" if version == 0 else f"version {version}"
    return word if state["state"] in ("confirmed", None) else f"{word}, {state['state']}"


def count(changes: Sequence[Change]) -> str:
    """Say how many changes there are, and whether the node restarts for them."""
    restarts = any(change.reboot for change in changes)
    return _number(changes) + (", it restarts" if restarts else ", without a restart")


def _number(changes: Sequence[Change]) -> str:
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"


def change_text(change: Change, *, known: bool) -> str:
    """Say what becomes of one key. `known`: what the node runs is."""
    if change.secret:
        return "changed"
    if change.before is None:
        return f"{change.after}" if not known else f"+ {change.after}"
    if change.after is None:
        return f"- {change.before}"
    return f"{change.before} → {change.after}"


class Compared(NamedTuple):
    """One node: what the controller knows of it, what a push would change."""

    state: State
    config: NodeConfig
    changes: Sequence[Change]

    @property
    def node(self) -> str:
        """Return its name."""
        return str(self.state["node"])

    @property
    def known(self) -> bool:
        """Say whether the controller knows what it runs."""
        return self.state["running_blob"] is not None

    @property
    def reboot(self) -> bool:
        """Say whether it restarts for it."""
        return any(change.reboot for change in self.changes)

    @property
    def what(self) -> str:
        """Say what changes."""
        if not self.known:
            return "not known here: all of it"
        return count(self.changes) if self.changes else "none"

    @property
    def brief(self) -> str:
        """Say what changes, where there is little room."""
        if not self.known:
            return "not known here: all"
        return _number(self.changes) + (", it restarts" if self.reboot else "")

    def as_json(self) -> dict[str, Any]:
        """Return it as commands print it."""
        return {
            "node": self.node,
            "running": self.state["running"],
            "known": self.known,
            "reboot": self.reboot,
            "changes": [change._asdict() for change in self.changes],
        }


def compare(
    call: Call,
    fleet: Wanted,
    nodes: Sequence[str],
    tell: Callable[[int], None] = lambda _: None,
) -> list[Compared]:
    """Compare what nodes run with what the fleet's file wants of them.

    Args:
        tell: hears how many are compared.

    Raises SeedError for a secret that is not there, and what `call` raises.
    """
    found: list[Compared] = []
    for some in pieces(nodes):
        known = states(call, some, blobs=True)
        for node in some:
            config = fleet.config(node)
            found.append(Compared(known[node], config, diff(running(known[node]), config)))
        tell(len(found))
    return found


def blobs_of(compared: Iterable[Compared]) -> dict[str, str]:
    """Return configs as the wire has them, in hexadecimal digits."""
    return {one.node: blob.encode(one.config).hex() for one in compared}


class StageOptions(NamedTuple):
    """How a push goes on: see `fleet.stages`."""

    canary: int = 0
    canaries: Sequence[str] = ()
    waves: Sequence[str] = ()
    soak_s: float = 0.0
    stop_percent: float = 0.0
    at_once: int = 0
    trial_s: float = 300.0


def begin(call: Call, blobs: Mapping[str, str], options: StageOptions) -> Any:
    """Begin a push in stages; return its `api.Staged`. Of many nodes it takes several requests."""
    given: dict[str, Any] = {
        "canary": list(options.canaries) or options.canary,
        "waves": list(options.waves),
        "soak_s": options.soak_s,
        "stop_percent": options.stop_percent,
        "at_once": options.at_once,
        "trial_s": round(options.trial_s),
    }
    names = list(blobs)
    draft: dict[str, Any] = {}
    result: Any = None
    for some in pieces(names):
        more = some[-1] != names[-1]
        configs = {name: blobs[name] for name in some}
        try:
            result = call("plan", configs=configs, more=more, **given, **draft)
        except Exception:
            if draft:
                call("rollout", rollout=draft["draft"], do="abort")
            raise
        draft = {"draft": result["rollout"]}
    return result
