"""`lampione provision`: boards become nodes; what is left of a list; the broker's certificate."""

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lampione import calibration, private, seeds
from lampione.broker_url import BrokerUrl
from lampione.cli.errors import FAILED, INTERRUPTED, OK, UNKNOWN_NODE, UNREACHABLE, USAGE, CliError
from lampione.cli.output import Printer, printer
from lampione.cli.progress import Progress
from lampione.cli.service import fleet_file
from lampione.config.model import Wifi
from lampione.core.folder import make_private
from lampione.desk.text import clean
from lampione.provision import boards, ca, wifi
from lampione.provision import rows as lists
from lampione.provision.commission import Bench, Stopped
from lampione.provision.controller import Controller
from lampione.provision.errors import ProvisionError
from lampione.provision.queue import Queue, held
from lampione.provision.rows import Row
from lampione.provision.run import Outcome, Run

RECORDS = "records"


def provision(options: argparse.Namespace) -> int:
    """`lampione provision NODE`, `--list FILE`, `status`, `broker HOST`."""
    out = printer(options)
    if options.node == "broker":
        return _broker(out, options)
    if options.host is not None:
        raise CliError("one node at a time, or a list of them with --list FILE", USAGE)
    if options.node == "status":
        if options.list_file is None:
            raise CliError("say of which list: lampione provision status --list FILE", USAGE)
        return _status(out, options)
    node: str | None = options.node
    path: Path | None = options.list_file
    if path is not None and options.board:
        raise CliError("with --list the boards stand in the list", USAGE)
    if node is not None and path is None:
        seed = seeds.load(fleet_file(options))
        return work(out, options, seed, Queue([single(options, seed)]))
    if node is not None or path is None:
        raise CliError("say which node, or --list FILE for many", USAGE)
    with held(path):
        seed = seeds.load(fleet_file(options))
        return work(out, options, seed, Queue(lists.load(path, seed), path))


def single(options: argparse.Namespace, seed: seeds.Seed) -> Row:
    """Return the row of a node on the command line. Raises CliError, NoBoardError."""
    known = calibration.load(options.state).get(options.node, {})
    row = Row(options.node, options.board, wifi=options.wifi, calibration=known)
    for mistake in lists.check(row, seed):
        code = UNKNOWN_NODE if "no node" in mistake else FAILED
        raise CliError(mistake, code)
    if options.wait_s == 0:
        return replace(row, board=boards.choose(options.board).serial_number)
    return row


def work(
    out: Printer,
    options: argparse.Namespace,
    seed: seeds.Seed,
    queue: Queue,
    *,
    new_key: bool = False,
) -> int:
    """Work a queue off; return the exit code."""
    left = queue.left()
    if not left:
        _summary(out, queue, Outcome(), many=True)
        return OK
    make_private(options.state)
    found = calibration.load(options.state)
    for row in queue.rows:
        if row.calibration:
            calibration.keep(options.state, row.node, row.calibration)
            found[row.node] = row.calibration
    seed = calibration.applied(seed, found)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    with _controller(options) as controller:
        bench = Bench(
            seed=seed,
            state=options.state,
            authority=ca.Authority.open(
                options.ca or ca.default_folder(), seed.fleet.name, apart_from=options.state
            ),
            broker=_broker_of(options, controller),
            hands=boards.RealHands(check),
            controller=controller,
            wifi=_networks(options, seed, left),
            sign_off=not options.no_sign_off,
            replace=options.replace,
            new_key=new_key,
            labels=options.labels,
            interval_s=options.interval,
            stop=stop,
        )
        with (
            _asked() as asked,
            Progress(out, [row.node for row in queue.rows], key="node") as progress,
        ):
            run = Run(
                bench,
                queue,
                options.records or options.state / RECORDS,
                _View(out, progress),
                jobs=options.jobs,
                wait_s=options.wait_s,
                asked=asked,
            )
            outcome = run.run()
    _summary(out, queue, outcome, many=options.list_file is not None)
    if outcome.interrupted:
        sys.stdout.flush()
        return INTERRUPTED
    return OK if outcome.good else FAILED


@contextlib.contextmanager
def _asked() -> Iterator[Callable[[], int]]:
    """Yield what says how often Ctrl-C was typed meanwhile.

    An exception could come in the middle of handing out the work.
    """
    count = 0

    def ask(*_: object) -> None:
        nonlocal count
        count += 1

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: count
    finally:
        signal.signal(signal.SIGINT, before)


class _View:
    """See run.View."""

    def __init__(self, out: Printer, progress: Progress) -> None:
        self._out = out
        self.tell = progress.tell
        self.say = progress.say
        self._end = progress.end

    def end(self, name: str, text: str, good: bool) -> None:
        """See run.View."""
        self._end(name, text, good)
        if self._out.as_json:
            self._out.json({"node": name, "good": good, "text": text})


@contextlib.contextmanager
def _controller(options: argparse.Namespace) -> Iterator[Controller | None]:
    """Connect to the controller; without a sign-off it need not run."""
    try:
        controller = Controller.open(options.state)
    except ProvisionError as error:
        if not options.no_sign_off:
            raise CliError(str(error), UNREACHABLE) from None
        yield None
        return
    with controller:
        yield controller


def _broker_of(options: argparse.Namespace, controller: Controller | None) -> BrokerUrl:
    """Return the broker as nodes reach it. Raises BrokerUrlError, CliError."""
    given = BrokerUrl.of(options.broker, os.environ)
    if given is not None:
        return given
    if controller is None:
        raise CliError("no controller runs: say with --broker how nodes reach the broker", USAGE)
    url = BrokerUrl.parse(controller.broker())
    if url.user is not None:
        raise CliError(
            f"the controller's broker {url} asks for a password: say with --broker as whom "
            "nodes come, with ?password-file=FILE",
            USAGE,
        )
    return url


def _networks(options: argparse.Namespace, seed: seeds.Seed, rows: list[Row]) -> "_Networks":
    """Return the networks of all rows: files are read, and people asked, before a board is touched.

    Raises ProvisionError, CliError.
    """
    found: dict[Path, Wifi] = {}
    common: Wifi | None = None
    if options.wifi is not None:
        common = found[options.wifi] = wifi.read(options.wifi)
    for row in rows:
        if row.wifi is not None and row.wifi not in found:
            found[row.wifi] = wifi.read(row.wifi)
    lacking = [
        row.node
        for row in rows
        if row.wifi is None and common is None and seed.radio_of(seed.node(row.node)) is None
    ]
    if lacking and not options.no_wifi:
        if not sys.stdin.isatty():
            raise CliError(
                f"{lacking[0]} has no network: give --wifi FILE, or --no-wifi for a cable", USAGE
            )
        common = wifi.ask()
    return _Networks(found, common)


class _Networks:
    """Gives a row its network."""

    def __init__(self, files: dict[Path, Wifi], common: Wifi | None) -> None:
        self._files = files
        self._common = common

    def __call__(self, row: Row) -> Wifi | None:
        return self._common if row.wifi is None else self._files[row.wifi]


def _status(out: Printer, options: argparse.Namespace) -> int:
    """Say what of a list is done; exit code 1 where something is left."""
    rows = lists.load(options.list_file, seeds.load(fleet_file(options)))
    queue = Queue(rows, options.list_file)
    left = queue.left()
    entries = queue.entries()
    if out.as_json:
        for entry in entries:
            out.json({**vars(entry), "next": bool(left) and entry.node == left[0].node})
        return FAILED if left else OK
    out.table(
        ["node", "state", "board", "tries"],
        ([e.node, _state_words(e), e.board or "", str(e.attempts or "")] for e in entries),
        right=frozenset({"tries"}),
    )
    for entry in entries:
        if entry.state != "done" and entry.why:
            out.line()
            out.line(f"{entry.node}: {clean(entry.why)}")
            out.line(f"  {clean(entry.do)}")
    out.line()
    _tell_next(out, queue, left)
    return FAILED if left else OK


def _state_words(entry: Any) -> str:
    if entry.state == "begun":
        return f"interrupted at {entry.step}" if entry.step else "interrupted"
    if entry.state == "failed" and entry.step:
        return f"failed at {entry.step}"
    return str(entry.state)


def _tell_next(out: Printer, queue: Queue, left: list[Row]) -> None:
    done = len(queue.rows) - len(left)
    if not left:
        out.line(f"all {done} are done")
        return
    row = left[0]
    board = row.board or queue.before(row)
    which = f"board {board}" if board else "the next board plugged in"
    out.line(f"{done} of {len(queue.rows)} done; next is {row.node}, {which}")


def _summary(out: Printer, queue: Queue, outcome: Outcome, *, many: bool) -> None:
    left = queue.left()
    if out.as_json:
        out.json(
            {
                "done": outcome.done,
                "failed": outcome.failed,
                "stopped": outcome.stopped,
                "no_board": outcome.missing,
                "left": [row.node for row in left],
            }
        )
        return
    for name in outcome.missing:
        entry = next(e for e in queue.entries() if e.node == name)
        row = next(r for r in queue.rows if r.node == name)
        which = f"board {row.board} is" if row.board else "no board is"
        absent = "not plugged in" if row.board else "plugged in for it"
        why = f" ({entry.why}: {entry.do})" if entry.why else ""
        out.line(f"{name}: {which} {absent}{why}")
    if many:
        _tell_next(out, queue, left)


def _broker(out: Printer, options: argparse.Namespace) -> int:
    """`lampione provision broker HOST`: certificates for the broker, and for the controller there.

    They are written into the current folder, in place of older ones.
    """
    if options.host is None:
        raise CliError("say for which host: lampione provision broker HOST", USAGE)
    seed = seeds.load(fleet_file(options))
    authority = ca.Authority.open(
        options.ca or ca.default_folder(), seed.fleet.name, apart_from=options.state
    )
    server = authority.issue_server(options.host)
    client = authority.issue_node(lists.CONTROLLER)
    stem = server.name.replace(":", "-").replace("/", "-")
    private.put(Path("ca.pem"), authority.certificate_pem(), 0o644)
    for name, issued in ((stem, server), (lists.CONTROLLER, client)):
        private.put(Path(f"{name}.pem"), issued.certificate_pem(), 0o644)
        private.put(Path(f"{name}.key"), issued.key_pem(), 0o600)
    if out.as_json:
        out.json(
            {
                "host": server.name,
                "serial": server.serial,
                "ca": "ca.pem",
                "certificate": f"{stem}.pem",
                "key": f"{stem}.key",
                "controller_certificate": f"{lists.CONTROLLER}.pem",
                "controller_key": f"{lists.CONTROLLER}.key",
            }
        )
        return OK
    ends = f"{server.not_after:%Y-%m-%d}"
    out.line(f"for the broker: ca.pem, {stem}.pem, {stem}.key (until {ends})")
    out.line(f"for the controller: ca.pem, {lists.CONTROLLER}.pem, {lists.CONTROLLER}.key")
    return OK
