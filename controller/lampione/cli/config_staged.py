"""`config push` in stages, and `config rollouts`: where they are, and what people do with them."""

import argparse
import time
from typing import Any

from lampione.cli.errors import FAILED, INTERRUPTED, OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.core.client import Client
from lampione.desk import configs, staged
from lampione.desk.configs import StageOptions
from lampione.desk.text import age

LOOK_S = 0.5
_STAYS = ("paused", "stopped")  # until somebody does something


def wanted(options: argparse.Namespace) -> bool:
    """Say whether a push is to go in stages."""
    return any(
        given is not None
        for given in (options.canary, options.waves, options.soak_s, options.stop_percent)
    ) or bool(options.at_once)


def push(out: Printer, client: Client, blobs: dict[str, str], options: argparse.Namespace) -> int:
    """Begin a push in stages and follow it."""
    number, names = options.canary or (0, [])
    begun = configs.begin(
        client.call,
        blobs,
        StageOptions(
            number,
            names,
            options.waves or [],
            options.soak_s or 0.0,
            options.stop_percent or 0.0,
            options.at_once or 0,
            options.trial_s,
        ),
    )
    if not out.as_json:
        out.line(f"rollout {begun['rollout']}: {staged.rules_text(begun)}")
    return follow(out, client, begun, options.wait_s)


def follow(out: Printer, client: Client, begun: Any, wait_s: float) -> int:
    """Tell of a rollout until it is over, stops, or time is up; return the exit code."""
    ends = time.monotonic() + wait_s
    number, shown = begun["rollout"], ""
    nodes: dict[str, Any] = {}
    found = begun
    try:
        while True:
            for node in found["nodes"]:
                before = nodes.get(node["node"])
                nodes[node["node"]] = node
                if before == node or (node["phase"] == "waiting" and not out.as_json):
                    continue
                if out.as_json:
                    out.json(node)
                elif before is None or before["phase"] != node["phase"]:
                    _print_node(out, node)
            line = staged.now_text({**found, "until": None}, 0.0)
            if line != shown:
                shown = line
                _print_head(out, found, line)
            if found["final"] or found["state"] in _STAYS or time.monotonic() > ends:
                break
            time.sleep(LOOK_S)
            found = client.call("rollout", rollout=number, since=found["revision"])
    except KeyboardInterrupt:
        _print_advice(out, number)
        return INTERRUPTED
    if not out.as_json:
        out.line(staged.summary(found))
    if found["final"]:
        good = found["state"] == "done" and not staged.total(found, *staged.FAILED, "skipped")
        return OK if good or found["state"] == "reverted" else FAILED
    _print_advice(out, number)
    return FAILED


def _print_head(out: Printer, found: Any, line: str) -> None:
    if out.as_json:
        out.json({key: value for key, value in found.items() if key != "nodes"})
    else:
        out.line(out.paint(line, "bold"))


def _print_node(out: Printer, node: Any) -> None:
    text = staged.node_text(node)
    out.line(f"  {node['node']}: {node['phase']}" + (f": {text}" if text else ""))


def _print_advice(out: Printer, number: int) -> None:
    if not out.as_json:
        out.line(
            f"the controller goes on with what is under way: `lampione config rollouts {number}` "
            "tells, with resume, retry, abort or revert behind it it goes another way"
        )


def rollouts(options: argparse.Namespace) -> int:
    """`lampione config rollouts [ID [DO]]`."""
    out = printer(options)
    if options.rollout is None:
        return _list(out, options)
    with core(options) as client:
        given = {} if options.do is None else {"do": options.do}
        found = client.call("rollout", rollout=options.rollout, **given)
        if options.follow:
            return follow(out, client, found, options.wait_s)
    if out.as_json:
        out.json(found)
        return OK
    now = time.time()
    out.line(out.paint(f"rollout {found['rollout']}: {staged.now_text(found, now)}", "bold"))
    out.line(staged.rules_text(found))
    out.line(staged.summary(found))
    rows = [
        [n["node"], str(n["wave"]), n["phase"], age(now - n["since"]), staged.node_text(n)]
        for n in staged.in_order({n["node"]: n for n in found["nodes"]})
    ]
    if rows:
        heads = ["node", "wave", "phase", "since", ""]
        out.table(heads, rows, right=frozenset({"wave", "since"}))
    return OK


def _list(out: Printer, options: argparse.Namespace) -> int:
    if options.do is not None or options.follow:
        raise CliError("say which rollout: its number", USAGE)
    with core(options) as client:
        found = client.call("rollouts", limit=options.limit)
    now = time.time()
    rows = []
    for one in found:
        if out.as_json:
            out.json(one)
        rows.append(
            [str(one["rollout"]), one["kind"], age(now - one["created"]),
             staged.now_text(one, now), staged.summary(one)]
        )  # fmt: skip
    if not rows and not out.as_json:
        out.line("no push in stages yet: `lampione config push --canary` begins one")
    elif not out.as_json:
        heads = ["rollout", "of", "age", "state", "nodes that have it"]
        out.table(heads, rows, right=frozenset({"rollout", "age"}))
    return OK
