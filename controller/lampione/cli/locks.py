"""`lock`, `unlock`, `locks`: lamps that are locked off while somebody works on them."""

import argparse
import sys
import time
from typing import Any

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import printer
from lampione.desk import present
from lampione.desk.darkness import darkness
from lampione.desk.text import age, clean


def lock(options: argparse.Namespace) -> int:
    """`lampione lock NODE --reason TEXT`."""
    with core(options) as client:
        client.call("show", node=options.node)  # a wrong name is said before a name is asked for
        confirm = options.confirm
        if confirm is None:
            confirm = _typed(options.node, options.reason)
        tag = client.call("lock", node=options.node, reason=options.reason, confirm=confirm)
    out = printer(options)
    if out.as_json:
        out.json(tag)
    else:
        out.line(
            f"{options.node} is locked until `lampione unlock {options.node}`; "
            "whether it is dark yet: `lampione locks`"
        )
    return OK


def _typed(node: str, reason: str) -> str:
    if not sys.stdin.isatty():
        raise CliError(f"there is no terminal to ask: confirm by --confirm {node}", USAGE)
    print(
        f"{node} goes dark and stays dark, whatever anybody or any program says, until the lock is "
        f"taken off: {clean(reason)}",
        file=sys.stderr,
    )
    try:
        typed = input("type the node's name to lock it: ").strip()
    except EOFError:
        typed = ""
    if typed != node:
        raise CliError(f"that is not its name: {node} was not locked")
    return typed


def unlock(options: argparse.Namespace) -> int:
    """`lampione unlock NODE`."""
    with core(options) as client:
        client.call("unlock", node=options.node, reason=options.reason)
    out = printer(options)
    if out.as_json:
        out.json({"node": options.node, "locked": False})
    else:
        out.line(f"{options.node} is not locked any more: it follows its program again")
    return OK


def locks(options: argparse.Namespace) -> int:
    """`lampione locks`."""
    with core(options) as client:
        now = time.time()
        tags: list[dict[str, Any]] = client.call("tags")
        for tag in tags:
            tag["lamp"] = darkness(client.call("show", node=tag["node"]), now)[1]
    out = printer(options)
    if out.as_json:
        for tag in tags:
            out.json(tag)
        return OK
    if not tags:
        out.line("no lamp is locked")
        return OK
    out.table(
        ["node", "locked by", "since", "for", "lamp", "why"],
        (
            [tag["node"], tag["operator"], present.clock(tag["at"], "%Y-%m-%d %H:%M:%S"),
             age(now - tag["at"]), tag["lamp"], tag["reason"]]
            for tag in tags
        ),
        right=frozenset({"for"}),
    )  # fmt: skip
    return OK
