"""`send NODE ...`: a command to a node, followed to its end."""

import argparse
import time
from typing import Any

from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import printer
from lampione.cli.send_many import send_many, targets
from lampione.values import limits

WAIT_MAX_S = 30 * 86400.0


def order_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the core's Order. Raises CliError where a value does not fit the wire."""
    order: dict[str, Any] = {"op": options.order}
    if options.order == "level":
        order["level"] = options.level
    ramp_s = getattr(options, "ramp_s", None)
    if ramp_s is not None:
        _check("--ramp", "ramp_s", ramp_s)
        order["ramp_s"] = ramp_s
    for_s = getattr(options, "for_s", None)
    if getattr(options, "end", False):
        order["for_s"] = 0
    elif for_s is not None:
        _check("--for", "for_s", for_s)
        order["for_s"] = round(for_s)
    return order


def _check(option: str, name: str, seconds: float) -> None:
    low, high = limits(name)
    if not low <= seconds <= high:
        most = f"{high // 86400:.0f}d" if high > 86400 else f"{high:g}s"
        raise CliError(f"{option}: from {low:g}s to {most} are possible", USAGE)


def send(options: argparse.Namespace) -> int:
    """Send and print each change of the command's state; OK when it was done or accepted."""
    out = printer(options)
    if not 1 <= options.wait_s <= WAIT_MAX_S:
        raise CliError("--wait: from 1s to 30d are possible", USAGE)
    order = order_of(options)
    last: dict[str, Any] | None = None
    with core(options) as client:
        nodes = targets(client, options.node)
        if nodes != [options.node]:
            return send_many(client, out, options, nodes, order)
        for state in client.stream(
            "send", node=options.node, command=order, expires_s=options.wait_s
        ):
            if last is not None and state["state"] == last["state"]:
                last = state
                continue
            last = state
            if out.as_json:
                out.json(state)
            else:
                out.line(_line(state))
                if state["state"] == "queued" and not client.call("status")["broker"]["connected"]:
                    until = time.strftime("%H:%M:%S", time.localtime(state["expires"]))
                    out.line(f"no broker is connected: it waits for one until {until}")
            # A ramp can outlast patience: the node has said yes, and `show` tells the rest.
            if state["final"] or (state["state"] == "accepted" and not _ends_soon(state)):
                break
    return OK if last is not None and last["state"] in ("accepted", "done") else FAILED


def _ends_soon(state: dict[str, Any]) -> bool:
    """Say whether "done" follows within the ramp or the time; a held level is done by its ramp."""
    order = state["order"]
    lasts: float = order.get("ramp_s", 0) if order["op"] == "level" else order.get("for_s", 10)
    left: float = state["expires"] - state["changed"]
    return lasts <= left


def _line(state: dict[str, Any]) -> str:
    text = f"{state['node']}: {state['order']['op']} {state['state']}"
    if state["reason"]:
        text += f": {state['reason']}"
    if state["reason"] == "locked":
        text += " (somebody works on the lamp: `maintenance --end` when it is done)"
    if state["level"] is not None and state["final"]:
        text += f", lamp at {state['level']} %"
    return text
