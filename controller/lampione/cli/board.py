"""`lampione board`: virtual boards for any tool, and what can be done to them from outside."""

import argparse
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.output import Printer, printer

if TYPE_CHECKING:
    from lampione_hil.virtual.offered import Offered
    from lampione_hil.virtual.world import World

_LOOK_S = 1.0  # whether the bench still runs


def _row(board: "Offered", **more: object) -> dict[str, Any]:
    return {
        "name": board.name,
        "serial_number": board.serial_number,
        "port": board.port,
        "rfc2217": board.rfc2217,
        "pid": board.pid,
        "flash": board.flash,
        **more,
    }


def _print(out: Printer, rows: list[dict[str, Any]]) -> None:
    if out.as_json:
        for row in rows:
            out.json(row)
        return
    none = "–" if out.unicode else "-"
    powers = {True: "on", False: "off", None: "?"}
    out.table(
        ["name", "serial number", "port", "rfc2217", "power"],
        (
            [
                row["name"],
                row["serial_number"],
                row["port"] or none,
                row["rfc2217"] or none,
                powers[row.get("on", True)],
            ]
            for row in rows
        ),
        right=frozenset(),
    )


def start(options: argparse.Namespace) -> int:
    """`lampione board start`, until Ctrl-C or SIGTERM."""
    if options.rom and options.bare:
        raise CliError("--rom: what esptool writes to a --bare chip says whether it has one", USAGE)
    if options.detach:
        return _detach(options)
    from lampione_hil.partitions import ROM_BYTES
    from lampione_hil.virtual.offer import Offer

    out = printer(options)
    files = None
    if not options.blank and not options.bare:
        from lampione_hil.firmware import compile_tree

        files = compile_tree()

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, end)
    with Offer() as offer:
        boards = offer.start(
            options.name,
            options.count,
            files=files,
            flash_bytes=options.flash_bytes,
            rom_bytes=ROM_BYTES if options.rom else 0,
            bare=options.bare,
            world=_lamppost if options.world == "lamppost" else _nothing,
        )
        _print(out, [_row(board) for board in boards])
        if not out.as_json:
            out.line("they run until Ctrl-C, or `lampione board stop`")
        while not offer.over.wait(_LOOK_S):
            if not offer.alive:
                raise CliError("the process that runs the boards has ended: start them anew")
    return OK


def _lamppost(number: int) -> "World":
    from lampione_hil.virtual import SyntheticStreet
    from lampione_hil.virtual.lamppost import lamppost
    from lampione_hil.virtual.traffic import TrafficStreet

    return lamppost(number, SyntheticStreet(), traffic=TrafficStreet(seed=number))


def _nothing(number: int) -> "World":
    from lampione_hil.virtual import World

    del number
    return World(street=None, air=None)


def _detach(options: argparse.Namespace) -> int:
    """Start the owner as a process of its own, and end when its boards run."""
    command = [sys.executable, "-m", "lampione", "board", "start", "--json"]
    command += ["--count", str(options.count), "--name", options.name, "--world", options.world]
    command += ["--flash-bytes", str(options.flash_bytes)]
    command += [f"--{flag}" for flag in ("blank", "bare", "rom") if getattr(options, flag)]
    owner = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C in this terminal is not for it
    )
    assert owner.stdout is not None
    assert owner.stderr is not None
    rows = []
    try:
        for _ in range(options.count):
            line = owner.stdout.readline()
            if not line:
                said = owner.stderr.read().strip().removeprefix("lampione: ")
                raise CliError(said or "the boards did not start")
            rows.append(json.loads(line))
    except BaseException:
        owner.terminate()
        owner.wait()
        raise
    out = printer(options)
    _print(out, rows)
    if not out.as_json:
        out.line("they run until `lampione board stop`")
    return OK


def listing(options: argparse.Namespace) -> int:
    """`lampione board list`."""
    from lampione_hil.board import BenchError
    from lampione_hil.virtual import offered

    out = printer(options)
    rows = []
    for board in offered.offered():
        try:
            on = offered.ask(board.pid, "state", board.name)["on"]
        except BenchError:
            on = None  # it ends, or is being made, at this moment
        rows.append(_row(board, on=on))
    if rows or out.as_json:
        _print(out, rows)
        return OK
    out.line("no virtual board runs: `lampione board start`")
    return FAILED


def stop(options: argparse.Namespace) -> int:
    """`lampione board stop`."""
    from lampione_hil.virtual import offered

    out = printer(options)
    named = {board.name: board for board in map(offered.find, options.names)}
    boards = list(named.values()) or offered.offered()
    for board in boards:
        offered.ask(board.pid, "stop", board.name)
        if out.as_json:
            out.json({"name": board.name, "stopped": True})
        else:
            out.line(f"{board.name} has ended")
    for pid in {board.pid for board in boards} - {board.pid for board in offered.offered()}:
        offered.wait_gone(pid)
    if not boards and not out.as_json:
        out.line("no virtual board runs")
    return OK


def act(options: argparse.Namespace) -> int:
    """`lampione board power|reset|unplug|plug|cut`."""
    from lampione_hil.virtual import offered

    out = printer(options)
    board = offered.find(options.name)
    arguments: dict[str, object] = {}
    if options.op == "power":
        arguments["on"] = options.power == "on"
    elif options.op == "cut":
        arguments["write"] = options.write
    state = offered.ask(board.pid, options.op, board.name, **arguments)
    board = offered.find(board.name)  # its port may be another now
    if out.as_json:
        out.json(_row(board, **state))
    elif options.op == "cut":
        what = f"in write {options.write} from now" if options.write else "in no write"
        out.line(f"{board.name}: the power goes {what}")
    else:
        power = "on" if state["on"] else "off"
        reached = f", port {board.port}" if board.plugged else ", its cable is out"
        out.line(f"{board.name} is {power}{reached}, boots {state['boots']}")
    return OK
