"""`lampione provision`: boards become nodes; what is left of a list; the broker's certificate."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lampione import calibration, private, seeds
from lampione.cli.deeds import telling
from lampione.cli.errors import FAILED, INTERRUPTED, OK, UNKNOWN_NODE, UNREACHABLE, USAGE, CliError
from lampione.cli.output import Printer, printer
from lampione.cli.progress import Progress
from lampione.cli.service import fleet_file
from lampione.config.model import Wifi
from lampione.desk.text import clean
from lampione.provision import boards, ca, session, wifi
from lampione.provision import rows as lists
from lampione.provision.queue import Queue, held
from lampione.provision.rows import Row
from lampione.provision.run import Outcome, Run
from lampione.provision.signoff import Check, as_data


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
    if not queue.left():
        _summary(out, queue, Outcome(), many=True)
        return OK
    order = session.Order(
        state=options.state,
        broker=options.broker,
        ca=options.ca,
        records=options.records,
        labels=options.labels,
        wifi=options.wifi,
        no_wifi=options.no_wifi,
        sign_off=not options.no_sign_off,
        replace=options.replace,
        new_key=new_key,
        interval_s=options.interval,
        jobs=options.jobs,
        wait_s=options.wait_s,
    )
    try:
        with (
            telling(options) as tell,
            session.prepared(order, seed, queue, _ask) as bench,
            _asked() as asked,
            out.held(),
            Progress(out, [row.node for row in queue.rows], key="node") as progress,
        ):
            outcome = Run(
                bench,
                queue,
                order.records_folder,
                _View(out, progress),
                jobs=order.jobs,
                wait_s=order.wait_s,
                tell=tell,
                asked=lambda: max(asked(), out.wrong is not None),
            ).run()
    except session.NoControllerError as error:
        raise CliError(str(error), UNREACHABLE) from None
    except session.UnsaidError as error:
        raise CliError(str(error), USAGE) from None
    _summary(out, queue, outcome, many=options.list_file is not None)
    if outcome.interrupted:
        sys.stdout.flush()
        return INTERRUPTED
    return OK if outcome.good else FAILED


def _ask(node: str) -> Wifi:
    """Ask for the network of those that have none. Raises UnsaidError, ProvisionError."""
    if not sys.stdin.isatty():
        raise session.UnsaidError(
            f"{node} has no network", "give --wifi FILE, or --no-wifi for a cable"
        )
    return wifi.ask()


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
        self._shown: dict[str, Sequence[Check]] = {}

    def measured(self, name: str, checks: Sequence[Check]) -> None:
        """See run.View."""
        before = self._shown.get(name, ())
        self._shown[name] = checks
        for check in checks:
            if check in before:
                continue
            if self._out.as_json:
                self._out.json({"node": name, "check": as_data(check)})
            else:
                self.say(f"{name}: {check.words()}")

    def end(self, name: str, text: str, good: bool) -> None:
        """See run.View."""
        self._end(name, text, good)
        if self._out.as_json:
            self._out.json({"node": name, "good": good, "text": text})


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
        ([e.node, e.words, e.board or "", str(e.attempts or "")] for e in entries),
        right=frozenset({"tries"}),
    )
    for entry in entries:
        if entry.state != "done" and entry.why:
            out.line()
            out.line(f"{entry.node}: {clean(entry.why)}")
            out.line(f"  {clean(entry.do)}")
    out.line()
    out.line(queue.words())
    return FAILED if left else OK


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
        out.line(queue.words())


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
