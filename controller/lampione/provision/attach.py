"""A node on its USB serial line, whatever its radio does: who it is, what it holds, its lamp.

All but `listen` stop the node's program for that time, with its lamp at the design level (dark,
where it is locked for maintenance), and start the node again at the end, come what may. A cable
pulled meanwhile leaves it at its prompt: its watchdog starts it within the hour, and so does the
next visit.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.flashing import Hello, wait_hello
from lampione_hil.real.line import Line
from lampione_hil.real.repl import BAUD, Repl
from lampione_protocol.names import RESET_CAUSES

from lampione.config import blob, flash
from lampione.config.light import Lamp
from lampione.config.model import NodeConfig, Wifi
from lampione.provision import boxed, node_scripts, on_board
from lampione.provision.errors import ProvisionError
from lampione.provision.files import CONFIG, SETTINGS
from lampione.provision.signoff import LEVELS, Step

OPEN_S = 20.0
START_S = 45.0  # a start that hangs is given up after 30 s, then comes the other slot
SETTLE_MS = 2000  # a driver and its meter need that
_LOOKS = 4

Told = Callable[[str, float | None], None]
"""Hears (what is being done, which part of it is done)."""


class LeftStopped(ProvisionError):
    """The node stands at its prompt, its lamp at the design level."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}; the node stands still, its lamp at the design level",
            "plug it in and type `lampione attach reset`; else it starts by itself within an hour",
        )


@dataclass
class About:
    """Who a node is, without its secrets.

    settings: of its file, where passwords are only said to be there.
    config: (version, digest) of the one that runs, unless it is damaged.
    cause: of its last start. box: bytes of each file in its outbox.
    """

    machine: str
    micropython: str
    unique_id: str | None
    node: str
    key: bytes | None
    config: tuple[int, bytes] | None
    slot: str
    cause: str
    boot: int | None
    acked: int
    settings: dict[str, Any] = field(default_factory=dict)
    box: dict[str, int] = field(default_factory=dict)

    @property
    def shard(self) -> str:
        """Where its frames belong."""
        return str(self.settings.get("shard", ""))

    @property
    def box_bytes(self) -> int:
        """What its outbox takes."""
        return sum(self.box.values())


class Visit:
    """A node at its prompt. `hello` is what it said when it had started again."""

    def __init__(self, repl: Repl, told: Told) -> None:
        self.repl = repl
        self.told = told
        self.hello: Hello | None = None

    def about(self) -> About:
        """Ask who it is. Raises BenchError, ProvisionError."""
        found = on_board.look(self.repl)
        try:
            said: dict[str, Any] = json.loads(self.repl.exec(node_scripts.ABOUT).splitlines()[-1])
            cause = min(max(0, int(said["cause"]) - 1), len(RESET_CAUSES) - 1)
            settings = said.get("settings")
            return About(
                found.machine, found.micropython, found.unique_id, found.node or "", found.key,
                found.config, str(said["slot"]), RESET_CAUSES[cause], said.get("boot"),
                int(said.get("acked") or 0),
                settings if isinstance(settings, dict) else {},
                {f"{boxed.FOLDER}/{name}": int(size) for name, size in said["box"].items()},
            )  # fmt: skip
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise ProvisionError(
                "the board does not say what it holds",
                "reset it and try again; if it stays so, flash it with `lampione flash`",
            ) from None

    def outbox(self, about: About, *, everything: bool = False) -> list[bytes]:
        """Read the frames that nobody has acknowledged, or all it still has, oldest first.

        Raises BenchError.
        """
        paths = boxed.wanted(about.box, 0 if everything else about.acked)
        total = sum(about.box[path] for path in paths)
        found: list[bytes] = []
        done = 0
        for path in paths:
            self.told("outbox", done / total if total else None)
            found += boxed.frames(self.repl.read_file(path))
            done += about.box[path]
        if everything:
            return found
        return [frame for frame in found if boxed.number_of(frame) > about.acked]

    def latest(self, about: About, key: bytes) -> boxed.Said:
        """Open the newest segments until a report and a health are found. Raises BenchError."""
        frames: list[bytes] = []
        said = boxed.Said()
        for path in reversed(boxed.wanted(about.box, 0)):
            self.told("values", None)
            frames = boxed.frames(self.repl.read_file(path)) + frames
            said = boxed.read(about.node, key, frames)
            if said.report and said.health:
                break
        return said

    def lamp_test(
        self, each: Callable[[Step], None] = lambda _: None, settle_ms: int = SETTLE_MS
    ) -> tuple[list[Step], Lamp, bool]:
        """Show 0, 50 and 100 %, then the design level; return (steps, lamp, whether metered).

        Raises ProvisionError where there is no lamp or it is locked, BenchError.
        """
        script = node_scripts.LAMP.format(levels=LEVELS, settle_ms=settle_ms, looks=_LOOKS)
        steps: list[Step] = []
        settings: dict[str, Any] = {}
        metered = False
        self.repl.begin(script, OPEN_S)
        while (line := self.repl.readline(OPEN_S + _LOOKS * settle_ms / 1000)) is not None:
            try:
                said = json.loads(line)
            except ValueError:  # the firmware's own words
                continue
            if "error" in said:
                self.repl.end()
                raise _no_lamp(said["error"])
            if "asked" in said:
                power = said["power"]
                step = Step(said["asked"], "done", None, said["level"],
                            None if power is None else power / 10)  # fmt: skip
                steps.append(step)
                each(step)
            elif "lamp" in said:
                settings, metered = said["lamp"], bool(said["metered"])
        self.repl.end()
        lamp = Lamp.model_validate({"rated_w": int(settings.get("rated_w") or 0)})
        return steps, lamp, metered

    def set_wifi(self, about: About, wifi: Wifi, known: int) -> tuple[int, bytes] | None:
        """Give it another network; where its config names one, that config is made anew.

        Args:
            known: the highest version of a config that the controller knows of it.

        Returns (version, config) of the config that was made. Raises BenchError, ProvisionError.
        """
        network = {"ssid": wifi.ssid, "password": wifi.password.get_secret_value()}
        try:
            settings = json.loads(self.repl.read_file(SETTINGS))
            settings["wifi"] = network
        except (ValueError, TypeError, FileNotFoundError):
            raise ProvisionError(
                "the node's settings cannot be read", "provision it anew with `lampione provision`"
            ) from None
        made = self._config_with(about, network, known)
        new: dict[str, bytes] = {}
        if made is not None:
            new[CONFIG] = flash.file_of(*made)
            on_board.end_trial(self.repl)
        new[SETTINGS] = json.dumps(settings).encode()
        on_board.put(self.repl, new)
        return made

    def _config_with(
        self, about: About, network: dict[str, str], known: int
    ) -> tuple[int, bytes] | None:
        if about.config is None:
            return None
        try:
            config = blob.decode(self.repl.read_file(CONFIG)[16:])
        except (blob.BlobError, FileNotFoundError):
            return None  # the node goes by its settings then
        if config.radio is None:
            return None
        tables: dict[str, Any] = config.model_dump()
        tables["radio"]["wifi"] |= network
        made = blob.encode(NodeConfig.model_validate(tables))
        found = on_board.Found("", "", None, about.node, about.key, about.config)
        return on_board.config_version(found, made, known), made


@contextlib.contextmanager
def visit(
    port: str,
    *,
    check: Callable[[], None] = lambda: None,
    told: Told = lambda *_: None,
    start_s: float = START_S,
) -> Iterator[Visit]:
    """Stop the node at a port, and start it again at the end, whatever happened.

    Args:
        check: called all the while; what it raises ends the visit.
        start_s: how long its start may take.

    Raises BenchError, ProvisionError, LeftStopped.
    """
    told("stopping the node", None)
    # Nothing ends the opening: it would leave a node that has been stopped already.
    with Repl.open(port, timeout_s=OPEN_S) as repl:
        repl.check = check
        found = Visit(repl, told)
        try:
            yield found
            told("starting the node", None)
        except BaseException:
            _start(repl, start_s, busy=True)
            raise
        found.hello = _start(repl, start_s, busy=False)


def _start(repl: Repl, within_s: float, *, busy: bool) -> Hello:
    repl.check = None  # nothing is worth to leave it standing
    try:
        if busy:
            repl.enter(OPEN_S)
        repl.reset()
        hello = wait_hello(repl, within_s)
    except BenchError as error:
        raise LeftStopped(str(error)) from None
    if hello is None:
        raise LeftStopped(f"{repl.port}: no hello within {within_s:g} s")
    return hello


def listen(
    port: str,
    each: Callable[[str], None],
    *,
    for_s: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Hear what a node prints, without stopping it; return how many lines came.

    Args:
        for_s: for so long; None: until `check` raises.

    Raises BenchError.
    """
    line = Line(port, BAUD)
    line.check = check
    end = None if for_s is None else time.monotonic() + for_s
    count, text = 0, b""
    try:
        while end is None or time.monotonic() < end:
            text += line.some()
            *whole, text = text.split(b"\n")
            for one in whole:
                each(one.strip().decode(errors="replace"))
                count += 1
    finally:
        line.close()
    return count


def _no_lamp(why: str) -> ProvisionError:
    if why == "locked":
        return ProvisionError(
            "the lamp is locked for maintenance", "it stays dark until whoever works on it is done"
        )
    return ProvisionError(
        "the node drives no lamp", "see `lamp` in the fleet's file and its wiring"
    )
