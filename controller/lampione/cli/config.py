"""`config ...`: what nodes are set to, what the fleet's file wants, and the way there."""

import argparse
import json
import time
from collections.abc import Iterator

from lampione.cli import config_staged
from lampione.cli.config_follow import State, follow
from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.config import describe
from lampione.config.diff import shown, values
from lampione.config.model import NodeConfig
from lampione.core.client import Client
from lampione.desk import configs
from lampione.desk.configs import TRIAL_S, Compared, Wanted
from lampione.desk.text import age

FAILURES = ("refused", "reverted", "damaged", "cancelled")


def _select(fleet: Wanted, options: argparse.Namespace) -> list[str]:
    """Return the nodes that the options choose. Raises CliError, NotChosen."""
    if not options.nodes and not any((options.site, options.profile, options.all or None)):
        raise CliError("say which nodes: their names, --site, --profile or --all", USAGE)
    return fleet.select(options.nodes, options.site, options.profile)


def compare(options: argparse.Namespace) -> int:
    """`lampione config diff`: key by key, what a push would change."""
    out = printer(options)
    fleet = Wanted(options.state, options.fleet)
    nodes = _select(fleet, options)
    with core(options) as client:
        for compared in configs.compare(client.call, fleet, nodes):
            if out.as_json:
                out.json(compared.as_json())
            else:
                _print_changes(out, compared, whole=len(nodes) == 1)
    return OK


def _print_changes(out: Printer, compared: Compared, *, whole: bool) -> None:
    name = out.paint(compared.node, "bold")
    runs = configs.runs(compared.state)
    if not compared.changes:
        out.line(f"{name}  {runs}: as the fleet's file wants it")
        return
    if not compared.known:
        out.line(f"{name}  {runs}: what it runs is not known here, so all of it is new")
        if not whole:
            return
    else:
        out.line(f"{name}  {runs}: {configs.count(compared.changes)}")
    for change in compared.changes:
        text = configs.change_text(change, known=compared.known)
        note = out.paint("  (with a restart)", "yellow") if change.reboot else ""
        out.line(f"  {change.key:<30}{text}{note}")


def push(options: argparse.Namespace) -> int:
    """`lampione config push`: to a selection, followed to each node's outcome."""
    low, high = TRIAL_S
    if not low <= options.trial_s <= high:
        raise CliError(f"--trial: from {low}s to {high}s are possible", USAGE)
    out = printer(options)
    fleet = Wanted(options.state, options.fleet)
    if options.retry and not options.nodes and not options.site and not options.profile:
        options.all = True
    nodes = _select(fleet, options)
    with core(options) as client:
        if options.retry:
            states = configs.states(client.call, nodes)
            nodes = [node for node in nodes if states[node]["phase"] in FAILURES]
        if not nodes:
            if not out.as_json:
                out.line("nothing to do: no push to them has failed")
            return OK
        compared = configs.compare(client.call, fleet, nodes)
        blobs = configs.blobs_of(compared)
        if options.dry_run:
            _print_plan(out, compared, blobs)
            return OK
        if config_staged.wanted(options):
            return config_staged.push(out, client, blobs, options)
        return follow(
            out, client, nodes, options.wait_s, _configure(client, blobs, options.trial_s)
        )


def _print_plan(out: Printer, compared: list[Compared], blobs: dict[str, str]) -> None:
    rows = []
    for one in compared:
        size = len(blobs[one.node]) // 2
        if out.as_json:
            out.json({**one.as_json(), "bytes": size})
        rows.append([one.node, configs.runs(one.state), one.what, str(size)])
    if rows and not out.as_json:
        out.table(["node", "runs", "changes", "bytes"], rows, right=frozenset({"bytes"}))
        out.line("nothing was sent")


def _configure(client: Client, blobs: dict[str, str], trial_s: float) -> Iterator[State]:
    for names in configs.pieces(list(blobs)):
        some = {name: blobs[name] for name in names}
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
        rows.append(
            [state["node"], configs.runs(state), wants, phase, since, state["reason"] or ""]
        )
    if rows:
        heads = ["node", "runs", "last push", "phase", "since", ""]
        out.table(heads, rows, right=frozenset({"last push", "since"}))
    return OK


def show(options: argparse.Namespace) -> int:
    """`lampione config show NODE`: what it runs, or what the fleet's file wants."""
    out = printer(options)
    if options.wanted:
        fleet = Wanted(options.state, options.fleet)
        fleet.select([options.node])
        config: NodeConfig | None = fleet.config(options.node)
        title = f"{options.node}, as the fleet's file wants it"
    else:
        with core(options) as client:
            (state,) = client.call("configs", nodes=[options.node], blobs=True)
        config = configs.running(state)
        title = f"{options.node}, {configs.runs(state)}"
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
