"""`lampione hil`: what its commands print."""

import contextlib
import datetime
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

from lampione_hil.real.outside import around
from lampione_hil.testing import engine, report, rig, signing

from lampione.cli.deeds import telling
from lampione.cli.errors import INTERRUPTED, OK, USAGE, CliError
from lampione.cli.output import Printer
from lampione.desk.text import clean
from lampione.room.deeds import BENCH as BENCH_RUN
from lampione.room.deeds import to_nobody

PAINT = {
    "pass": "green",
    "fail": "red",
    "skip": "dim",
    "broken": "yellow",
    "inconclusive": "yellow",
}
BENCH = "bench"  # in the state folder: the bench's key, what the doctor found


def run(options: Any) -> int:
    """Run suites, follow them, report."""
    printer = Printer(as_json=options.json)
    folder = options.out or _fresh(Path("hil-reports"))
    order = _order(options, options.firmware, options.count, options.workers)
    file = rig_of(options)
    bench = options.state / BENCH
    signing.BenchKey.load(bench)  # a key that is not to be used is said now, not after an hour
    with contextlib.nullcontext(to_nobody) if options.no_audit else telling(options) as tell:
        with around(file.hooks):
            try:
                going = engine.Run(order, folder)
                for line in going.follow():
                    _tell(printer, line, options.count > 1)
            except engine.SuiteError as error:
                with contextlib.suppress(OSError):
                    folder.rmdir()  # nothing is in it
                raise CliError(str(error), USAGE) from None
            finally:
                _all_off(file)
        _complain(going)
        record = report.write(folder, bench, order)
        verdict = record["verdict"]["verdict"]
        tell(
            BENCH_RUN, result="stopped" if going.interrupted else verdict, rig=file.name,
            tests=len(record["tests"]), report=str(folder),
        )  # fmt: skip
    _conclude(printer, record, folder)
    return INTERRUPTED if going.interrupted else report.CODES[verdict]


def _fresh(reports: Path) -> Path:
    """Make a run's own folder: two may begin within one second. Raises OSError."""
    reports.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    for n in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            folder = reports / (now if n == 1 else f"{now}-{n}")
            folder.mkdir()
            return folder
    raise AssertionError


def _all_off(file: rig.RigFile) -> None:
    """Whatever became of the run, no board stays on."""
    if file.virtual:  # they end with the process that holds them
        return
    from lampione_hil.testing import hardware

    for wrong in hardware.all_off_now(file):
        print(f"lampione hil: not switched off: {wrong}", file=sys.stderr)


def _complain(going: engine.Run) -> None:
    """Raise CliError when pytest did not understand what was asked, or could not read a suite."""
    wrong = [line for line in going.lines() if line["kind"] == "suite error"]
    said = [f"{line['where']}: {line['why']}" for line in wrong]
    if not said and going.code in (3, 4):
        said = [going.complaint]
    if said:
        raise CliError(f"{'; '.join(said)} (see {going.folder / 'pytest.log'})", USAGE)


def _order(
    options: Any, firmware: Path | None = None, count: int = 1, workers: int | None = None
) -> engine.Order:
    return engine.Order(
        rig=options.rig,
        suites=tuple(options.suites),
        keyword=options.keyword,
        count=count,
        firmware=firmware,
        smoke=options.smoke,
        workers=workers,
    )


def rig_of(options: Any) -> rig.RigFile:
    """Return the rig that was named. Raises CliError."""
    try:
        return rig.load(options.rig)
    except rig.RigError as error:
        raise CliError(str(error), USAGE) from None


def _tell(printer: Printer, line: dict[str, Any], many: bool) -> None:
    if printer.as_json:
        if line["kind"] == "test":
            printer.json(line)
    elif line["kind"] == "begin":
        boards = ", ".join(board["name"] for board in line["rig"]["boards"])
        revision = f", revision {line['revision']}" if line["revision"] else ""
        printer.line(f"rig {line['rig']['name']}: {boards}")
        printer.line(f"firmware {line['firmware_id']}{revision}")
    elif line["kind"] == "test":
        word = printer.paint(f"{line['outcome']:6}", PAINT[line["outcome"]])
        board = ", ".join(board[0] for board in line["boards"]) or "–"
        turn = f" run {line['turn']}" if many else ""
        why = f": {line['why']}" if line["why"] else ""
        flaky = f" (known to be flaky: {line['flaky']})" if line["flaky"] else ""
        printer.line(
            f"{word} {line['seconds']:6.1f} s  {board:12} {line['test']}{turn}{clean(why + flaky)}"
        )


def _conclude(printer: Printer, record: dict[str, Any], folder: Path) -> None:
    verdict = record["verdict"]
    if printer.as_json:
        signed = record["signed_by"]
        printer.json({
            "kind": "verdict",
            **verdict,
            "folder": str(folder),
            "signed_by": signed and signed["fingerprint"],
        })  # fmt: skip
        return
    mixed = [test for test in record["tests"] if len({run["outcome"] for run in test["runs"]}) > 1]
    if mixed:
        printer.line()
        printer.line("not the same every time:")
        for test in mixed:
            printer.line(f"  {' '.join(run['outcome'] for run in test['runs'])}  {test['test']}")
    skipped: dict[str, int] = {}
    for test in record["tests"]:
        if all(run["outcome"] == "skip" for run in test["runs"]):
            why = test["runs"][0]["why"]
            skipped[why] = skipped.get(why, 0) + 1
    if skipped:
        printer.line()
        printer.line("skipped:")
        for why, number in sorted(skipped.items()):
            printer.line(f"  {number:4}  {clean(why)}")
    printer.line()
    word = verdict["verdict"]
    printer.line(f"release verdict: {printer.paint(word, 'bold', PAINT[word])}")
    for line in verdict["reasons"]:
        printer.line(f"  {clean(line)}")
    for line in verdict["remarks"]:
        printer.line(printer.paint(f"  note: {clean(line)}", "dim"))
    if record["signed_by"]:
        printer.line(f"signed by {record['signed_by']['fingerprint']}")
    printer.line(f"report: {folder / 'report.html'}")


def tests(options: Any) -> int:
    """List the tests, what they need, and what the rig lacks for them."""
    printer = Printer(as_json=options.json)
    file = rig_of(options)
    with tempfile.TemporaryDirectory(prefix="lampione-list-") as folder:
        try:
            found = engine.listed(_order(options), Path(folder))
        except engine.SuiteError as error:
            raise CliError(str(error), USAGE) from None
    if printer.as_json:
        for test in found:
            printer.json(test)
        return OK
    able = sum(not test["lacks"] for test in found)
    suite = ""
    for test in found:
        name, _, rest = test["test"].partition("::")
        if name != suite:
            suite = name
            printer.line(printer.paint(name, "bold"))
        marks = [*test["needs"], *(["wall clock"] if test["clock"] == "wall" else [])]
        marks += ["smoke"] if test["smoke"] else []
        marks += ["flaky"] if test["flaky"] else []
        needs = f"  [{', '.join(marks)}]" if marks else ""
        lack = f"  – skipped: {test['lacks']}" if test["lacks"] else ""
        printer.line(printer.paint(f"  {clean(rest)}", *(["dim"] if lack else [])) + needs + lack)
    printer.line(f"{len(found)} tests; rig {file.name} can run {able}")
    return OK
