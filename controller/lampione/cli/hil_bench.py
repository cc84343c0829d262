"""`lampione hil doctor`, `verify` and `compare`: what they print."""

from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.real.outside import around
from lampione_hil.testing import compare, doctor, signing
from lampione_hil.testing.measuring import limits

from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.hil import BENCH, PAINT, rig_of
from lampione.cli.output import Printer
from lampione.desk.text import clean


def examine(options: Any) -> int:
    """Let the doctor look at the bench; make its key."""
    printer = Printer(as_json=options.json)
    file = rig_of(options)
    bench = options.state / BENCH
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
    try:
        by = signing.verify(record)
    except signing.SignatureError as error:
        raise CliError(f"{options.file}: {error}") from None
    own = signing.BenchKey.load(options.state / BENCH)
    wanted = options.key.replace(" ", "").lower() if options.key else None
    if wanted is not None and wanted != by.replace(" ", ""):
        raise CliError(f"{options.file}: signed by {by}, and not by {options.key}")
    known = wanted is not None or (own is not None and own.fingerprint == by)
    verdict = record["verdict"]["verdict"]
    firmware, rig = record["firmware"], record["rig"]["name"]
    if printer.as_json:
        printer.json({"signed_by": by, "known": known, "verdict": verdict, "made": record["made"],
                      "firmware_id": firmware["id"], "revision": firmware["revision"],
                      "rig": rig})  # fmt: skip
        return OK
    whose = "" if known else "; is that the bench that you know? --key FINGERPRINT compares it"
    printer.line(f"as it was signed on {clean(record['made'][:10])} by {by}{whose}")
    revision = f", revision {firmware['revision']}" if firmware["revision"] else ""
    printer.line(f"firmware {clean(firmware['id'] + revision)}, on rig {clean(rig)}")
    printer.line(f"release verdict: {printer.paint(verdict, 'bold', PAINT[verdict])}")
    for line in record["verdict"]["reasons"]:
        printer.line(f"  {clean(line)}")
    return OK


def differ(options: Any) -> int:
    """Say what moved between two records."""
    printer = Printer(as_json=options.json)
    try:
        both = signing.read(options.before), signing.read(options.after)
    except BenchError as error:
        raise CliError(str(error), USAGE) from None
    found = compare.compare(*both)
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
