"""`alarms`: what is broken, and what people do about it."""

import argparse
import time
from collections.abc import Iterable, Sequence
from typing import Any

from lampione.alarms.load import FILE, RulesError, rules_of
from lampione.alarms.rules import Rule
from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.core.client import CoreError, NoCore
from lampione.desk import alarm_words as words
from lampione.desk.present import clock


def alarms(options: argparse.Namespace) -> int:
    """`lampione alarms`: the worst first."""
    which = "all" if options.all else "cleared" if options.cleared else "standing"
    asked: dict[str, Any] = {"which": which, "limit": options.limit}
    if options.node is not None:
        asked["node"] = options.node
    if options.since_s is not None:
        asked["since"] = time.time() - options.since_s
    with core(options) as client:
        if options.node is not None:
            client.call("show", node=options.node)  # a wrong name is no silence
        found = client.call("alarms", **asked)
    out = printer(options)
    if not found and not out.as_json:
        out.line("no alarms")
    _print(out, words.ordered(found, time.time()))
    return OK


def _print(out: Printer, found: Sequence[Any]) -> None:
    if out.as_json:
        for alarm in found:
            out.json(alarm)
    elif found:
        now = time.time()
        out.table(
            ["id", "severity", "state", "since", "which", "what", "who", "note"],
            (
                [
                    str(alarm["id"]),
                    words.severity(alarm)[1],
                    words.state(alarm, now),
                    clock(alarm["since"], "%m-%d %H:%M"),
                    words.which(alarm),
                    words.what(alarm),
                    words.who(alarm),
                    alarm["note"] or "",
                ]
                for alarm in found
            ),
            right=frozenset(("id",)),
        )


def ack(options: argparse.Namespace) -> int:
    """`lampione alarms ack ID ...`."""
    return _do(options, options.alarm, do="ack")


def unack(options: argparse.Namespace) -> int:
    """`lampione alarms unack ID ...`."""
    return _do(options, options.alarm, do="unack")


def assign(options: argparse.Namespace) -> int:
    """`lampione alarms assign ID NAME`."""
    return _do(options, [options.alarm], do="assign", text=options.text)


def note(options: argparse.Namespace) -> int:
    """`lampione alarms note ID TEXT`."""
    return _do(options, [options.alarm], do="note", text=options.text)


def shelve(options: argparse.Namespace) -> int:
    """`lampione alarms shelve ID ... --for T`."""
    return _do(options, options.alarm, do="shelve", for_s=options.for_s)


def _do(options: argparse.Namespace, ids: Iterable[int], **asked: Any) -> int:
    changed, failed = [], []
    with core(options) as client:
        for number in ids:
            try:
                changed.append(client.call("alarm", alarm=number, **asked))
            except NoCore:
                raise
            except CoreError as error:
                failed.append(str(error))
    out = printer(options)
    _print(out, changed)
    if failed:
        raise CliError("; ".join(failed), FAILED)
    return OK


def rules(options: argparse.Namespace) -> int:
    """`lampione alarms rules`."""
    try:
        if options.check is not None:
            from lampione.alarms import file

            found = file.load(options.check)
        else:
            found = rules_of(options.state)
    except RulesError as error:
        raise CliError(str(error), USAGE if options.check else FAILED) from None
    out = printer(options)
    if out.as_json:
        for rule in found:
            out.json(_shape(rule))
        return OK
    out.table(
        ["rule", "severity", "of", "limit", "for", "what", "from"],
        (
            [
                rule.name,
                rule.severity,
                f"{rule.of}.{rule.field}" if rule.field else rule.of,
                rule.limit,
                f"{rule.for_s} s" if rule.for_s else "",
                rule.what,
                rule.source,
            ]
            for rule in found
        ),
        right=frozenset(("for",)),
    )
    if options.check is None and not (options.state / FILE).exists():
        out.line(f"\nof Lampione itself; {options.state / FILE} may say otherwise: docs/alarms.md")
    return OK


def _shape(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "what": rule.what,
        "severity": rule.severity,
        "of": rule.of,
        "field": rule.field or None,
        "limit": rule.limit or None,
        "clear": rule.clear,
        "for_s": rule.for_s,
        "clear_for_s": rule.clear_s,
        "nodes": list(rule.nodes),
        "sites": list(rule.sites),
        "profiles": list(rule.profiles),
        "mend": rule.mend or None,
        "source": rule.source,
    }
