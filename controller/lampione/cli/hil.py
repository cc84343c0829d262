"""`lampione hil`: what its commands print."""

import datetime
import sys
import tempfile
from pathlib import Path
from typing import Any

from lampione_hil.real.outside import around
from lampione_hil.testing import compare, doctor, engine, report, rig, signing
from lampione_hil.testing.measuring import limits

from lampione.cli.errors import FAILED, INTERRUPTED, OK, USAGE, CliError
from lampione.cli.output import Printer, clean

_PAINT = {
    "pass": "green",
    "fail": "red",
    "skip": "dim",
    "broken": "yellow",
    "inconclusive": "yellow",
}
_BENCH = "bench"  # in the state folder: the bench's key, what the doctor found


def run(options: Any) -> int:
    """Run suites, follow them, report."""
    printer = Printer(as_json=options.json)
    now = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    folder = options.out or Path("hil-reports") / now
    order = _order(options, options.firmware, options.count, options.workers)
    file = _rig(options)
    bench = options.state / _BENCH
    signing.BenchKey.load(bench)  # a key that is not to be used is said now, not after an hour
    with around(file.hooks):
        try:
            going = engine.Run(order, folder)
            for line in going.follow():
                _tell(printer, line)
        finally:
            _all_off(file)
    if going.code not in (0, 1, 2, 5) or (going.code == 2 and not going.interrupted):
        _complain(going)
    record = report.write(folder, bench, order)
    _conclude(printer, record, folder)
    return INTERRUPTED if going.interrupted else report.CODES[record["verdict"]["verdict"]]


def _all_off(file: rig.RigFile) -> None:
    """Whatever became of the run, no board stays on."""
    if file.virtual:  # they end with the process that holds them
        return
    from lampione_hil.testing import hardware

    for wrong in hardware.all_off_now(file):
        print(f"lampione hil: not switched off: {wrong}", file=sys.stderr)


def _complain(going: engine.Run) -> None:
    wrong = [line for line in going.lines() if line["kind"] == "suite error"]
    said = [f"{line['where']}: {line['why']}" for line in wrong] or [going.complaint]
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


def _rig(options: Any) -> rig.RigFile:
    try:
        return rig.load(options.rig)
    except rig.RigError as error:
        raise CliError(str(error), USAGE) from None


def _tell(printer: Printer, line: dict[str, Any]) -> None:
    if printer.as_json:
        if line["kind"] == "test":
            printer.json(line)
    elif line["kind"] == "begin":
        boards = ", ".join(board["name"] for board in line["rig"]["boards"])
        revision = f", revision {line['revision']}" if line["revision"] else ""
        printer.line(f"rig {line['rig']['name']}: {boards}")
        printer.line(f"firmware {line['firmware_id']}{revision}")
    elif line["kind"] == "test":
        word = printer.paint(f"{line['outcome']:6}", _PAINT[line["outcome"]])
        board = ", ".join(board[0] for board in line["boards"]) or "–"
        turn = f" run {line['turn']}" if line["turn"] > 1 else ""
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
    printer.line(f"release verdict: {printer.paint(word, 'bold', _PAINT[word])}")
    for line in (*verdict["reasons"], *verdict["remarks"]):
        printer.line(f"  {clean(line)}")
    if record["signed_by"]:
        printer.line(f"signed by {record['signed_by']['fingerprint']}")
    printer.line(f"report: {folder / 'report.html'}")


def tests(options: Any) -> int:
    """List the tests, what they need, and what the rig lacks for them."""
    printer = Printer(as_json=options.json)
    file = _rig(options)
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


def examine(options: Any) -> int:
    """Let the doctor look at the bench; make its key."""
    printer = Printer(as_json=options.json)
    file = _rig(options)
    bench = options.state / _BENCH
    key = signing.BenchKey.make(bench)
    found = []
    with around(file.hooks):
        for check in doctor.examine(file):
            found.append(check)
            _tell_check(printer, check)
    doctor.keep(bench, file, found)
    bad = sum(check.ok is False for check in found)
    sound = not bad
    if printer.as_json:
        printer.json({"kind": "doctor", "rig": file.name, "sound": sound, "key": key.fingerprint})
    else:
        word = printer.paint("sound", "green") if sound else printer.paint("not sound", "red")
        printer.line(f"rig {file.name} is {word}" + (f": {bad} checks are bad" if bad else ""))
        printer.line(f"it signs with the key {key.fingerprint}")
    return OK if sound else FAILED


def _tell_check(printer: Printer, check: doctor.Check) -> None:
    if printer.as_json:
        printer.json({"kind": "check", "name": check.name, "board": check.board, "ok": check.ok,
                      "said": check.said, "what_to_do": check.what_to_do})  # fmt: skip
        return
    word, style = {True: ("ok", "green"), False: ("bad", "red"), None: ("–", "dim")}[check.ok]
    printer.line(
        f"{printer.paint(f'{word:4}', style)} {check.board:14} {check.name}: {clean(check.said)}"
    )
    if check.what_to_do:
        printer.line(f"{'':20}{clean(check.what_to_do)}")


def verify(options: Any) -> int:
    """Say whether a record is as it was signed, and by whom."""
    printer = Printer(as_json=options.json)
    record = signing.read(options.file)
    by = signing.verify(record)
    own = signing.BenchKey.load(options.state / _BENCH)
    wanted = options.key.replace(" ", "").lower() if options.key else None
    if wanted is not None and wanted != by.replace(" ", ""):
        raise CliError(f"{options.file}: signed by {by}, and not by {options.key}")
    known = wanted is not None or (own is not None and own.fingerprint == by)
    verdict = record["verdict"]["verdict"]
    if printer.as_json:
        printer.json({"signed_by": by, "known": known, "verdict": verdict, "made": record["made"]})
        return OK
    whose = "" if known else "; is that the bench that you know? --key FINGERPRINT compares it"
    printer.line(f"as it was signed on {record['made'][:10]} by {by}{whose}")
    printer.line(f"release verdict: {printer.paint(verdict, 'bold', _PAINT[verdict])}")
    for line in record["verdict"]["reasons"]:
        printer.line(f"  {clean(line)}")
    return OK


def differ(options: Any) -> int:
    """Say what moved between two records."""
    printer = Printer(as_json=options.json)
    found = compare.compare(signing.read(options.before), signing.read(options.after))
    if printer.as_json:
        printer.json(found.as_json())
        return OK if found.same else FAILED
    for name, (a, b) in (
        ("verdict", found.verdicts),
        ("firmware", found.firmware),
        ("revision", found.revisions),
        ("rig", found.rigs),
    ):
        printer.line(f"{name:9} {clean(a or '–')}" + ("" if a == b else f" → {clean(b or '–')}"))
    for title, lines in (
        ("outcomes that changed", [f"{a} → {b}  {t}" for t, a, b in found.outcomes]),
        ("measurements that moved", [_moved(m) for m in found.moved]),
        ("tests that went", found.only_before),
        ("tests that came", found.only_after),
        ("measurements that went", [f"{t}: {name}" for t, name in found.gone]),
        ("measurements that came", [f"{t}: {name}" for t, name in found.come]),
    ):
        if lines:
            printer.line()
            printer.line(printer.paint(f"{title}:", "bold"))
            for line in lines:
                printer.line(f"  {clean(line)}")
    printer.line()
    printer.line("nothing moved" if found.same else f"{len(found.moved)} measurements moved, "
                 f"{found.still} did not")  # fmt: skip
    return OK if found.same else FAILED


def _moved(m: compare.Moved) -> str:
    before, after = ("none" if v is None else f"{v:.5g}" for v in (m.before, m.after))
    noise = "noise not known: run with --count" if m.noise is None else f"noise {m.noise:.2g}"
    unit = f" {m.unit}" if m.unit else ""
    return (
        f"{m.test.rpartition('::')[2]}: {m.name} {before} → {after}{unit} "
        f"({noise}; limits {limits(m.low, m.high)})"
    )
