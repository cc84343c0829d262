"""`config ...`: what nodes are set to, what the fleet's file wants, and the way there."""

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from lampione import calibration, keys, seeds, wanted
from lampione.cli.config_follow import State, follow
from lampione.cli.errors import OK, UNKNOWN_NODE, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.cli.service import fleet_file
from lampione.config import blob, describe
from lampione.config.diff import Change, diff, shown, values
from lampione.config.model import NodeConfig
from lampione.core.client import Client
from lampione.desk.text import age

FAILURES = ("refused", "reverted", "damaged", "cancelled")
TRIAL_S = (10, 4094)
_AT_ONCE = 50  # configs in a request


class Fleet:
    """The fleet's file and the secrets of its groups."""

    def __init__(self, options: argparse.Namespace) -> None:
        seed = seeds.load(fleet_file(options))
        self.seed = calibration.applied(seed, calibration.load(options.state))
        self._folder = options.state
        path = options.state / keys.FILE
        self._groups = keys.load(path).groups if path.exists() else {}

    def select(self, options: argparse.Namespace) -> list[str]:
        """Return the nodes that the options choose. Raises CliError."""
        by_table = (options.site, options.profile, options.all or None)
        if not options.nodes and not any(by_table):
            raise CliError("say which nodes: their names, --site, --profile or --all", USAGE)
        known = {node.id: node for node in self.seed.nodes}
        for name in options.nodes:
            if name not in known:
                raise CliError(f"the fleet's file has no node {name!r}", UNKNOWN_NODE)
            if known[name].planned:
                raise CliError(f"{name} is planned: there is nothing to set yet", UNKNOWN_NODE)
        if options.site and options.site not in {site.id for site in self.seed.sites}:
            raise CliError(f"the fleet's file has no site {options.site!r}", USAGE)
        if options.profile and options.profile not in self.seed.profiles:
            raise CliError(f"the fleet's file has no profile {options.profile!r}", USAGE)
        return [
            node.id
            for node in self.seed.running
            if (not options.nodes or node.id in options.nodes)
            and options.site in (None, node.site)
            and options.profile in (None, node.profile)
        ]

    def config(self, node: str) -> NodeConfig:
        """Return what the file wants of a node. Raises SeedError."""
        return wanted.of(self.seed, node, self._groups, self._folder)


def _states(client: Client, nodes: list[str], *, blobs: bool = False) -> dict[str, State]:
    found: dict[str, State] = {}
    for first in range(0, len(nodes), _AT_ONCE):
        some = nodes[first : first + _AT_ONCE]
        found |= {s["node"]: s for s in client.call("configs", nodes=some, blobs=blobs)}
    return found


def _running(state: State) -> NodeConfig | None:
    digits = state["running_blob"]
    return None if digits is None else blob.decode(bytes.fromhex(digits))


def _runs(state: State) -> str:
    """Say which config a node says it runs."""
    version = state["running"]
    if version is None:
        return "never heard of"
    word = "as provisioned" if version == 0 else f"version {version}"
    return word if state["state"] in ("confirmed", None) else f"{word}, {state['state']}"


def compare(options: argparse.Namespace) -> int:
    """`lampione config diff`: key by key, what a push would change."""
    out = printer(options)
    fleet = Fleet(options)
    nodes = fleet.select(options)
    with core(options) as client:
        states = _states(client, nodes, blobs=True)
    for node in nodes:
        state = states[node]
        changes = diff(_running(state), fleet.config(node))
        if out.as_json:
            out.json(_compared(state, changes))
        else:
            _print_changes(out, state, changes, whole=len(nodes) == 1)
    return OK


def _compared(state: State, changes: list[Change]) -> dict[str, Any]:
    return {
        "node": state["node"],
        "running": state["running"],
        "known": state["running_blob"] is not None,
        "reboot": any(change.reboot for change in changes),
        "changes": [
            {"key": c.key, "before": c.before, "after": c.after, "reboot": c.reboot}
            for c in changes
        ],
    }


def _print_changes(out: Printer, state: State, changes: list[Change], *, whole: bool) -> None:
    name = out.paint(state["node"], "bold")
    if not changes:
        out.line(f"{name}  {_runs(state)}: as the fleet's file wants it")
        return
    if state["running_blob"] is None:
        out.line(f"{name}  {_runs(state)}: what it runs is not known here, so all of it is new")
        if not whole:
            return
    else:
        out.line(f"{name}  {_runs(state)}: {_count(changes)}")
    for change in changes:
        if change.secret:
            text = "changed"
        elif change.before is None:
            text = f"{change.after}" if state["running_blob"] is None else f"+ {change.after}"
        elif change.after is None:
            text = f"- {change.before}"
        else:
            text = f"{change.before} → {change.after}"
        note = out.paint("  (with a restart)", "yellow") if change.reboot else ""
        out.line(f"  {change.key:<30}{text}{note}")


def _count(changes: list[Change]) -> str:
    restarts = any(change.reboot for change in changes)
    word = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
    return word + (", it restarts" if restarts else ", without a restart")


def push(options: argparse.Namespace) -> int:
    """`lampione config push`: to a selection, followed to each node's outcome."""
    low, high = TRIAL_S
    if not low <= options.trial_s <= high:
        raise CliError(f"--trial: from {low}s to {high}s are possible", USAGE)
    out = printer(options)
    fleet = Fleet(options)
    if options.retry and not options.nodes and not options.site and not options.profile:
        options.all = True
    nodes = fleet.select(options)
    with core(options) as client:
        states = _states(client, nodes, blobs=True)
        if options.retry:
            nodes = [node for node in nodes if states[node]["phase"] in FAILURES]
        if not nodes:
            if not out.as_json:
                out.line("nothing to do: no push to them has failed")
            return OK
        configs = {node: fleet.config(node) for node in nodes}
        blobs = {node: blob.encode(config).hex() for node, config in configs.items()}
        if options.dry_run:
            _print_plan(out, states, configs, blobs)
            return OK
        return follow(
            out, client, nodes, options.wait_s, _configure(client, blobs, options.trial_s)
        )


def _print_plan(
    out: Printer,
    states: dict[str, State],
    configs: dict[str, NodeConfig],
    blobs: dict[str, str],
) -> None:
    rows = []
    for node, config in configs.items():
        state = states[node]
        changes = diff(_running(state), config)
        if out.as_json:
            out.json({**_compared(state, changes), "bytes": len(blobs[node]) // 2})
            continue
        known = state["running_blob"] is not None
        what = (_count(changes) if changes else "none") if known else "not known here: all of it"
        rows.append([node, _runs(state), what, str(len(blobs[node]) // 2)])
    if rows:
        out.table(["node", "runs", "changes", "bytes"], rows, right=frozenset({"bytes"}))
        out.line("nothing was sent")


def _configure(client: Client, blobs: dict[str, str], trial_s: float) -> Iterator[State]:
    names = list(blobs)
    for first in range(0, len(names), _AT_ONCE):
        some = {name: blobs[name] for name in names[first : first + _AT_ONCE]}
        yield from client.call("configure", configs=some, trial_s=round(trial_s))


def status(options: argparse.Namespace) -> int:
    """`lampione config status`."""
    out = printer(options)
    parameters = {"nodes": options.nodes} if options.nodes else {}
    with core(options) as client:
        states = client.call("configs", **parameters)
    now = time.time()
    rows = []
    for state in states:
        if out.as_json:
            out.json(state)
            continue
        phase = state["phase"] or ""
        if phase == "sending":
            phase += f" {state['sent']}/{state['size']}"
        since = "" if state["since"] is None else age(now - state["since"])
        wants = "" if state["wanted"] is None else str(state["wanted"])
        rows.append([state["node"], _runs(state), wants, phase, since, state["reason"] or ""])
    if rows:
        heads = ["node", "runs", "last push", "phase", "since", ""]
        out.table(heads, rows, right=frozenset({"last push", "since"}))
    return OK


def show(options: argparse.Namespace) -> int:
    """`lampione config show NODE`: what it runs, or what the fleet's file wants."""
    out = printer(options)
    if options.wanted:
        fleet = Fleet(options)
        options.nodes, options.site, options.profile, options.all = (
            [options.node],
            None,
            None,
            False,
        )
        fleet.select(options)
        config: NodeConfig | None = fleet.config(options.node)
        title = f"{options.node}, as the fleet's file wants it"
    else:
        with core(options) as client:
            (state,) = client.call("configs", nodes=[options.node], blobs=True)
        config = _running(state)
        title = f"{options.node}, {_runs(state)}"
        if config is None:
            raise CliError(f"{title}: what it runs is not known here")
    assert config is not None
    if out.as_json:
        out.json(json.loads(config.model_dump_json()))
        return OK
    out.line(out.paint(title, "bold"))
    for key, value in values(config).items():
        out.line(f"  {key:<30}{shown(value) or 'none'}")
    return OK


def revert(options: argparse.Namespace) -> int:
    """`lampione config revert NODE`: stop what is under way, else go back to the one before."""
    out = printer(options)
    with core(options) as client:
        begun = client.call("revert", nodes=options.nodes, trial_s=round(options.trial_s))
        stopped = frozenset(
            one["node"] for one in begun if one["state"]["phase"] in ("cancelled", "reverting")
        )
        return follow(out, client, options.nodes, options.wait_s, iter(begun), stopped)


def schema(options: argparse.Namespace) -> int:
    """`lampione config schema`."""
    out = printer(options)
    if out.as_json:
        out.json(describe.schema())
    else:
        out.line(json.dumps(describe.schema(), indent=2))
    return OK
