"""`lampione attach`: a node on a cable, in words or as JSON."""

import argparse
import contextlib
import getpass
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from lampione.cli.attach_arguments import mistake
from lampione.cli.errors import FAILED, INTERRUPTED, OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.config.model import Wifi
from lampione.desk import street
from lampione.desk.text import age, clean
from lampione.provision import attach as attaching
from lampione.provision import wifi as networks
from lampione.provision.signoff import Check, Step, passed
from lampione.room.who import CONFIGURE, Who

_MARKS = {"good": "✓", "note": "·", "bad": "✗"}
_VALUES = 3  # a line


class _Stopped(Exception):
    """Ctrl-C: the node is started again, then the command ends."""


def attach(options: argparse.Namespace) -> int:
    """`lampione attach`."""
    if (wrong := mistake(options)) is not None:
        raise CliError(wrong, USAGE)
    out = printer(options)
    network = _network(options) if options.do == "wifi" else None  # asked for before it is stopped
    port = street.port_of(options.serial, options.port)
    with _ctrl_c() as check:
        try:
            return _do(out, options, port, network, check)
        except _Stopped:
            if not out.as_json and options.do != "log":
                out.line("stopped; the node runs again")
            return OK if options.do == "log" else INTERRUPTED


@contextlib.contextmanager
def _ctrl_c() -> Iterator[Callable[[], None]]:
    """Yield what raises once Ctrl-C was typed: between two looks, never within a step."""
    typed = False

    def note(*_: object) -> None:
        nonlocal typed
        typed = True

    def check() -> None:
        if typed:
            raise _Stopped

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def _network(options: argparse.Namespace) -> Wifi:
    try:
        return networks.read(options.wifi) if options.wifi else networks.ask(options.ssid)
    except EOFError:
        raise CliError("nobody is there to ask: name a file with --wifi", USAGE) from None


def caller(options: argparse.Namespace) -> street.Call:
    """Return what asks the controller of the options' folder, as whoever works here."""

    def call(op: str, **parameters: Any) -> Any:
        with core(options) as client:
            return client.call(op, **parameters)

    return call


def _do(
    out: Printer, options: argparse.Namespace, port: str, network: Wifi | None,
    check: Callable[[], None],
) -> int:  # fmt: skip
    state, do, call = options.state, options.do, caller(options)

    def told(what: str, part: float | None) -> None:
        if out.live:
            share = "" if part is None else f" {part:.0%}"
            out.raw(f"\r\x1b[K{what}{share}")

    def done() -> None:
        if out.live:
            out.raw("\r\x1b[K")

    if do == "log":
        return _log(out, port, options.for_s, check)
    if do == "lamp":
        return _lamp(out, options, port, check, told, done)
    try:
        if do == "outbox":
            who = Who(getpass.getuser(), CONFIGURE, "cable")
            found = street.outbox(port, state, call, check, told, who, everything=options.all)
        elif do == "wifi":
            assert network is not None
            found = street.wifi(port, network, call, check, told)
        elif do == "reset":
            found = street.reset(port, check, told)
        else:
            found = street.status(port, state, check, told)
    finally:
        done()
    if out.as_json:
        out.json(found)
        return OK
    {"outbox": _say_outbox, "wifi": _say_wifi, "reset": _say_started}.get(do, _say_status)(
        out, found
    )
    return OK


def _log(out: Printer, port: str, for_s: float | None, check: Callable[[], None]) -> int:
    def each(line: str) -> None:
        if out.as_json:
            out.json({"at": time.time(), "line": line})
        else:
            out.line(clean(line))

    count = attaching.listen(port, each, for_s=for_s, check=check)
    if not count and not out.as_json:
        out.line(
            "it printed nothing: a node says little while all is well. If it stands still, "
            "`lampione attach reset` starts it"
        )
    return OK


def _lamp(
    out: Printer, options: argparse.Namespace, port: str, check: Callable[[], None],
    told: attaching.Told, done: Callable[[], None],
) -> int:  # fmt: skip
    def each(step: Step) -> None:
        done()
        if not out.as_json:
            power = "" if step.power_w is None else f", {step.power_w:g} W"
            out.line(f"lamp at {step.level_percent} %{power}")

    try:
        node, checks = street.lamp(port, caller(options), check, told, each, attaching.SETTLE_MS)
    finally:
        done()
    good = passed(checks)
    if out.as_json:
        out.json({"node": node, "ok": good, "checks": street.checks_data(checks)})
    else:
        for one in checks:
            _say_check(out, one)
        out.line(f"{node} runs again, its lamp by its program")
    return OK if good else FAILED


def _say_check(out: Printer, check: Check) -> None:
    colour = {"good": "green", "note": "yellow", "bad": "red"}[check.verdict]
    out.line(f"{out.paint(_MARKS[check.verdict], colour)} {clean(check.words())}")


def _say_status(out: Printer, found: dict[str, Any]) -> None:
    config = found["config"]
    settings = found["settings"]
    wifi, broker = settings.get("wifi") or {}, settings.get("broker") or {}
    rows = [
        ("node", f"{found['node'] or 'without a name'}, shard {found['shard'] or 'none'}"),
        ("board", f"{found['machine']}, MicroPython {found['micropython']}, "
                  f"{found['unique_id'] or 'no serial number'}"),
        ("firmware", f"{found['firmware']} from {found['slot']}"),
        ("last start", ("" if found["boot"] is None else f"boot {found['boot']}, ")
                       + str(found["last_start"])),
        ("config", "damaged or none" if config is None else f"version {config['version']}"),
        ("key", "there" if found["key"] else "none: provision it"),
        ("Wi-Fi", f"{wifi.get('ssid') or 'none'}"
                  + (", with a password" if wifi.get("password") else "")),
        ("broker", f"{broker['host']}:{broker.get('port', 1883)}"
                   + (", TLS" if broker.get("tls") else "") if broker.get("host") else "none"),
        ("outbox", f"{found['outbox_bytes'] / 1000:.1f} kB, acknowledged up to "
                   f"{found['acknowledged']}"),
    ]  # fmt: skip
    for name, text in rows:
        out.line(f"{name:<11}{clean(text)}")
    if "sealed" in found:
        out.line(f"{'values':<11}sealed: {clean(found['sealed'])}")
        return
    now = time.time()
    for what in ("report", "health"):
        at = found[f"{what}_at"]
        when = "its clock was not set" if at is None else f"{age(now - at)} old"
        out.line(f"\n{what} ({when})" if found[what] else f"\n{what}: none in its outbox")
        said = [f"{name} {_plain(value)}" for name, value in found[what].items()
                if value not in (None, [])]  # fmt: skip
        for n in range(0, len(said), _VALUES):
            out.line("  " + clean(", ".join(said[n : n + _VALUES])))
    if found["not_opened"]:
        out.line(f"not opened: {found['not_opened']}")


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _say_outbox(out: Printer, found: dict[str, Any]) -> None:
    if not found["frames"]:
        who = found["node"] or "a node without a name"
        out.line(f"{who}: nothing in its outbox that is not acknowledged")
        return
    where = {"controller": "the controller", "store": "the store; no controller runs"}
    out.line(
        f"{found['node']}: {found['frames']} frames to {where[found['to']]}: "
        f"{found['stored']} new, {found['duplicates']} there already, {found['refused']} refused"
    )


def _say_wifi(out: Printer, found: dict[str, Any]) -> None:
    made = "" if found["config"] is None else f", with config {found['config']}"
    out.line(f"{found['node']} has started with the network {clean(found['ssid'])}{made}")


def _say_started(out: Printer, found: dict[str, Any]) -> None:
    who = found["node"] or "a node without settings"
    out.line(f"{who} has started, firmware {found['firmware']}")
