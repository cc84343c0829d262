"""`send` to many nodes: asked about first, then each followed to its end."""

import argparse
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.output import Printer
from lampione.core.client import Client, CoreError
from lampione.desk.orders import AT_ONCE, CHOICES, lamps, words
from lampione.live import words as questions

_QUESTION = re.compile(r"""[=<>!()"\s]""")  # a name has none of these
_GOOD = ("accepted", "done")


def targets(client: Client, text: str) -> list[str]:
    """Return the nodes that are meant: names, or those that a question is true of."""
    if not _QUESTION.search(text):
        return list(dict.fromkeys(name for name in text.split(",") if name))
    try:
        questions.parse(text)
    except questions.WordsError as error:
        raise CliError(f"{text!r}: {error}", USAGE) from None
    found = client.call("select", where=text)
    rows = found["rows"]
    if len(rows) < found["matched"]:
        raise CliError(f"{found['matched']} nodes are meant: {len(rows)} at most at once")
    return [row["node"] for row in rows]


def send_many(
    client: Client, out: Printer, options: argparse.Namespace, nodes: list[str], order: Any
) -> int:
    """Send an order to nodes; OK when all have taken it."""
    if not nodes:
        raise CliError("no node is meant: nothing is sent")
    _agree(client, options, nodes, order)

    def one(node: str) -> dict[str, Any]:
        state: dict[str, Any] = {"node": node, "order": order, "state": "refused", "reason": None}
        try:
            for found in client.stream("send", node=node, command=order, expires_s=options.wait_s):
                state = found
                if state["state"] == "accepted":
                    break  # it has said yes: `show` tells the rest
        except CoreError as error:
            state["reason"] = str(error)
        return state

    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for state in pool.map(one, nodes):
            counts[state["state"]] += 1
            if out.as_json:
                out.json(state)
            elif state["state"] not in _GOOD:
                out.line(f"{state['node']}: {state['state']}: {state['reason']}")
    if not out.as_json:
        out.line(f"{order['op']}: " + ", ".join(f"{n} {word}" for word, n in counts.items()))
    return OK if set(counts) <= set(_GOOD) else FAILED


def _agree(client: Client, options: argparse.Namespace, nodes: list[str], order: Any) -> None:
    """Say what it will do, and ask. Raises CliError when it is not wanted."""
    sites = client.call("places")
    choice = next((choice for choice in CHOICES if choice.op == order["op"]), None)
    if choice is None or (choice.asks and not order.get("for_s")):
        text = f"{order['op']}: {lamps(nodes, sites)}"
    else:
        text = words(choice, order, nodes, sites, time.time())
    if options.yes:
        return
    if not sys.stdin.isatty() or options.json:
        raise CliError(f"{text}: say --yes", USAGE)
    print(f"{text}. y to go on: ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CliError("nothing was sent")
