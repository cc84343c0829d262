"""A rollout on the terminal: a line where it gets on, and what became of it at each node."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from lampione.cli.errors import FAILED, INTERRUPTED, OK
from lampione.cli.output import Printer
from lampione.core.client import Client, NoCore

State = dict[str, Any]
_PASSING = ("offered", "applying", "reverting")  # over at once, or told by what follows
_STOPPED = ("cancelled", "reverted")


def follow(
    out: Printer,
    client: Client,
    nodes: list[str],
    wait_s: float,
    begun: Iterator[State],
    stopped: frozenset[str] = frozenset(),
) -> int:
    """Follow what was begun until all is over or time is up; return the exit code.

    Args:
        stopped: nodes whose rollout was stopped: there, an end without it is what was wanted.
    """
    outcomes: dict[str, State] = {}
    refused: dict[str, str] = {}
    versions: dict[str, int | None] = {}
    interrupted = False
    ends = time.monotonic() + wait_s
    timer = threading.Timer(wait_s, client.close)
    timer.daemon = True
    try:
        for one in begun:
            if one["error"] is not None:
                refused[one["node"]] = one["error"]
                outcomes[one["node"]] = one["state"]
            else:
                versions[one["node"]] = one["state"]["wanted"]
                _progress(out, outcomes, one["state"])
        timer.start()
        followed = [node for node in nodes if node not in refused]
        for state in client.stream("follow", nodes=followed) if followed else ():
            _progress(out, outcomes, _of(versions, state))
    except KeyboardInterrupt:
        interrupted = True
    except NoCore:
        if time.monotonic() < ends:
            raise  # not our timer: the controller has gone
    finally:
        timer.cancel()
    good = _print_outcomes(out, nodes, outcomes, refused, stopped)
    if interrupted:
        return INTERRUPTED
    return OK if good else FAILED


def _of(versions: dict[str, int | None], state: State) -> State:
    """Return a state as it is for whoever began a version: another may have taken its place."""
    if versions.get(state["node"], state["wanted"]) == state["wanted"]:
        return state
    reason = f"version {state['wanted']} took its place"
    return {**state, "phase": "superseded", "final": True, "reason": reason}


def _progress(out: Printer, outcomes: dict[str, State], state: State) -> None:
    before = outcomes.get(state["node"])
    outcomes[state["node"]] = state
    if out.as_json:
        out.json(state)
    elif before is None or (_line(before) != _line(state) and not _passes(state)):
        out.line(_line(state))


def _passes(state: State) -> bool:
    return state["phase"] in _PASSING and state["reason"] is None


def _line(state: State) -> str:
    text = f"{state['node']}: {state['phase'] or 'nothing was begun'}"
    if state["phase"] == "sending":
        text += f" ({state['sent']} of {state['size']} bytes)"
    if state["reason"]:
        text += f": {state['reason']}"
    return text


def _print_outcomes(
    out: Printer,
    nodes: list[str],
    outcomes: dict[str, State],
    refused: dict[str, str],
    stopped: frozenset[str],
) -> bool:
    """Print a line a node; say whether all went well."""
    rows, good, open_ = [], True, 0
    for node in nodes:
        state = outcomes.get(node, {"phase": None, "final": True, "wanted": None, "reason": None})
        begun = node in outcomes and node not in refused
        outcome = state["phase"] if begun else "not begun"
        detail = refused.get(node) or state["reason"] or ""
        good &= outcome == "confirmed" or (node in stopped and outcome in _STOPPED)
        open_ += begun and not state["final"]
        if out.as_json:
            out.json({"node": node, "outcome": outcome, "detail": detail, "final": state["final"]})
        rows.append([node, outcome, str(state["wanted"] or ""), detail])
    if not out.as_json:
        out.line()
        out.table(["node", "outcome", "version", ""], rows, right=frozenset({"version"}))
        if open_:
            out.line(
                f"{open_} under way, and the controller goes on: `lampione config status` tells, "
                "`lampione config revert NODE` stops it"
            )
    return good
