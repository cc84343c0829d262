"""One board from bare to signed off: the steps, in the order in which they can be done again."""

import ipaddress
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError

from lampione import keys, seeds
from lampione.broker_url import BrokerUrl
from lampione.config import blob
from lampione.config.model import Wifi
from lampione.core.folder import make_private
from lampione.provision import files, label, on_board, trial
from lampione.provision.ca import Authority
from lampione.provision.controller import Controller
from lampione.provision.errors import ProvisionError
from lampione.provision.hands import Hands, Place
from lampione.provision.record import Record
from lampione.provision.rows import Row
from lampione.provision.signoff import Check, judge, passed, so_far

HELLO_S = 60.0  # to join the network, to reach the broker, to be heard
BOOT_S = 30.0
_AT_PROMPT = ("who it is", "files", "last config")  # steps that interrupt what the board runs

Told = Callable[[str, float | None], None]
"""Hears (what is being done, which part of it is done)."""


class Stopped(Exception):
    """Ctrl-C: nothing is wrong with this board; the next run goes on with it."""


@dataclass
class Bench:
    """What all boards of a run have in common.

    seed: the fleet, without the calibrations of the list.
    broker: as nodes reach it. wifi: for rows that name no file.
    controller: None: without a sign-off, and nobody is told of the config.
    replace: boards that are another node may become this one.
    new_key: the node gets one, so that whatever board it was is believed no more.
    interval_s: of the reports during the sign-off. warm_s, meter_s: see `trial.sign_off`.
    """

    seed: seeds.Seed
    state: Path
    authority: Authority
    broker: BrokerUrl
    hands: Hands
    controller: Controller | None
    wifi: Callable[[Row], Wifi | None]
    sign_off: bool = True
    replace: bool = False
    new_key: bool = False
    labels: Path | None = None
    interval_s: int = 3
    warm_s: float = trial.WARM_S
    meter_s: float = trial.METER_S
    stop: threading.Event = field(default_factory=threading.Event)

    def make_key(self, node: str) -> keys.Keys:
        """Return the fleet's secrets, the node's and its group's among them; made where missing.

        Raises KeyFileError, FolderError.
        """
        make_private(self.state)
        path = self.state / keys.FILE
        group = self.seed.group_of(node)
        groups = [] if group is None else [group[0]]
        known = keys.load(path) if path.exists() else keys.Keys()
        if self.new_key and node in known:
            keys.renew(path, node)
            known = keys.load(path)
        if node in known and all(name in known.groups for name in groups):
            return known
        keys.new(path, [] if node in known else [node], groups)
        return keys.load(path)


def commission(bench: Bench, row: Row, place: Place, board_of: str | None, record: Record,
               told: Told) -> None:  # fmt: skip
    """Do everything for one board, writing into its record as it goes.

    Args:
        place: where the board is plugged in.
        board_of: the serial number of the board that is this node so far; None: there is none.

    Raises ProvisionError, BenchError, SeedError, KeyFileError, FolderError, OSError, Stopped.
    """
    tell = _Steps(bench.stop, record, told)
    try:
        _commission(bench, row, place, board_of, record, tell)
    except BaseException:
        if record.step in _AT_PROMPT:  # else it would stand there for an hour
            bench.hands.let_go(place)
        raise


def _commission(
    bench: Bench, row: Row, place: Place, board_of: str | None, record: Record, tell: "_Steps"
) -> None:
    seed = bench.seed
    node = seed.node(row.node)
    record.calibration = node.calibration
    tell("who it is")
    with bench.hands.repl(place) as repl:
        found = on_board.look(repl)
    record.hardware = {"machine": found.machine, "unique_id": found.unique_id}
    _check_board(bench, row, place, found, board_of)
    if board_of is not None and board_of != place.serial_number:
        record.replaces = board_of
    secrets = bench.make_key(row.node)
    record.new_key = bench.new_key
    if bench.controller is not None:
        bench.controller.wait_known(row.node)
        if bench.new_key:
            bench.controller.rekey(row.node)

    tell("flash")
    flashed = bench.hands.flash(place, lambda said, part: tell("flash", said, part or None))
    record.firmware = {"micropython": found.micropython, **flashed}

    tell("files")
    made = files.make(
        seed, row.node, secrets, bench.authority, bench.broker, bench.wifi(row), bench.state,
        bench.interval_s,
    )  # fmt: skip
    record.certificate = {
        "serial": made.certificate.serial,
        "from": f"{made.certificate.not_before:%Y-%m-%d}",
        "to": f"{made.certificate.not_after:%Y-%m-%d}",
    }
    known = 0 if bench.controller is None else bench.controller.config_version(row.node)
    version = on_board.config_version(found, made.config, known)
    record.config = {"version": version, "digest": blob.digest(made.config).hex()}
    signing = bench.sign_off
    with bench.hands.repl(place) as repl:
        on_board.install(
            repl, found, made.with_config(version, signing=signing), row.node, made.key
        )
    _start(bench, row, place, record, tell, version)
    if signing and bench.controller is not None:
        _sign_off(bench, row, record, tell)
        tell("last config")
        with bench.hands.repl(place) as repl:
            after = on_board.look(repl)
            on_board.install(
                repl, after, made.with_config(version, signing=False), row.node, made.key
            )
        _start(bench, row, place, record, tell, version)
    if bench.controller is not None:
        bench.controller.adopt(row.node, version, made.config)
    if bench.labels is not None:
        site = seed.site_of(node)
        label.write(bench.labels, seed.shard_of(row.node), row.node, site.name, place.serial_number)
    record.outcome = "signed off" if signing else "not signed off"
    record.step = None


class _Steps:
    """Says where a board is, and stops between two steps when Ctrl-C was pressed."""

    def __init__(self, stop: threading.Event, record: Record, told: Told) -> None:
        self._stop = stop
        self._record = record
        self._told = told
        self._said = ""

    def __call__(self, step: str, said: str | None = None, part: float | None = None) -> None:
        self._record.step = step
        if self._stop.is_set():
            raise Stopped
        self._said = said or step
        self._told(self._said, part)

    def measured(self, checks: Sequence[Check]) -> None:
        """Show what was measured so far."""
        self._record.checks = checks
        self._told(self._said, None)


def _check_board(
    bench: Bench, row: Row, place: Place, found: on_board.Found, board_of: str | None
) -> None:
    """Raise ProvisionError where this board cannot become this node."""
    if found.node not in (None, "", row.node) and not bench.replace:
        raise ProvisionError(
            f"this board is node {found.node} already",
            f"plug in another one, or make it {row.node} with --replace: its outbox goes then",
        )
    if board_of is not None and board_of != place.serial_number and not bench.replace:
        raise ProvisionError(
            f"{row.node} is board {board_of} already",
            "plug that one in, or put this one in its place with --replace",
        )
    wanted = bench.seed.profiles[bench.seed.node(row.node).profile].hardware
    machine = found.machine.upper().replace("-", "")
    if "ESP32" in machine and ("S3" in machine) != (wanted == "esp32-s3"):
        raise ProvisionError(
            f"this board is a {found.machine}, and {row.node}'s profile wants an {wanted}",
            "plug in another board, or see to `hardware` in the fleet's file",
        )
    if is_loopback(bench.broker.host) and not place.virtual:
        raise ProvisionError(
            f"the broker {bench.broker} can be reached from this computer only",
            "say with --broker how nodes reach it",
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is this computer and no other."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _start(
    bench: Bench, row: Row, place: Place, record: Record, tell: _Steps, version: int
) -> None:
    """Start the node, and wait until it says hello: here, and at the controller."""
    tell("start")
    hello = bench.hands.start(place, BOOT_S)
    record.firmware["firmware"] = hello.firmware
    if hello.name != row.node:
        raise ProvisionError(
            f"the board started as {hello.name or 'nobody'}, not as {row.node}",
            "run this again; if it stays so, the board's flash is worn",
        )
    if bench.controller is None:
        return
    tell("hello at the controller")
    epoch = hello.values["epoch"]
    assert isinstance(epoch, bytes)
    controller_row = bench.controller.wait(
        row.node, lambda seen: seen["epoch"] == epoch.hex(), "its hello at the controller", HELLO_S
    )
    said: dict[str, Any] = controller_row["hello"]
    if said.get("config_version") != version or said.get("config_state") != "confirmed":
        raise ProvisionError(
            f"the node runs config {said.get('config_version')} ({said.get('config_state')}), "
            f"not {version}",
            "run this again; if it stays so, the board's flash is worn",
        )


def _sign_off(bench: Bench, row: Row, record: Record, tell: _Steps) -> None:
    assert bench.controller is not None
    tell("sign-off")
    node = bench.seed.node(row.node)
    profile = bench.seed.profiles[node.profile]
    evidence = trial.sign_off(
        bench.controller,
        row.node,
        profile.sensors,
        profile.lamp if profile.parts.lamp is not None else None,
        told=lambda said: tell("sign-off", said),
        measured=lambda found: tell.measured(so_far(found)),
        warm_s=bench.warm_s,
        meter_s=bench.meter_s,
    )
    record.checks = judge(evidence)
    if not passed(record.checks):
        bad = [check for check in record.checks if check.verdict == "bad"]
        raise ProvisionError(
            "; ".join(f"{check.name}: {'nothing' if check.value is None else check.value}"
                      for check in bad),
            "; ".join(_once(check.do for check in bad)),
        )  # fmt: skip


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


EXPECTED = (
    ProvisionError, BenchError, seeds.SeedError, keys.KeyFileError, OSError, TimeoutError,
)  # fmt: skip
"""What can go wrong with one board and concerns no other."""
