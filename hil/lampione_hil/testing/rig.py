"""A rig as people write it: one TOML file of boards and instruments, checked at the edge."""

import datetime
import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lampione_hil.board import BenchError
from lampione_hil.real.outside import Hook
from lampione_hil.real.power import NoSwitch, Power

Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]

# What every virtual board can do. The parts it has depend on the test's world: all models count.
VIRTUAL = frozenset(
    {"power", "reset", "serial", "files", "flash", "pwm", "world", "trace", "exits", "clock"}
    | {"wifi", "uplink", "broker", "microphone", "doppler"}
)


class RigError(BenchError):
    """The rig file cannot be used; the text names file, place and what to do."""


class Table(BaseModel):
    """A table of the file: nothing in it is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Instrument(Table):
    """A board that plays and measures.

    calibrated: {quantity: the date on which its measurement was compared with a reference}.
    valid_days: how long that is believed.
    """

    name: Name
    serial_number: Text | None = None
    port: Text | None = None
    calibrated: dict[str, datetime.date] = Field(default_factory=dict)
    valid_days: int = Field(default=365, ge=1, le=3650)

    @model_validator(mode="after")
    def _known(self) -> Self:
        _found(self.serial_number, self.port)
        return self

    def expired(self, today: datetime.date) -> list[str]:
        """Return the quantities whose calibration is too old, or of a day to come."""
        limit = datetime.timedelta(days=self.valid_days)
        return [q for q, day in sorted(self.calibrated.items()) if not day <= today <= day + limit]


class Wires(Table):
    """What of a board is wired to its instrument.

    pwm: {pin of the board: channel of the instrument}.
    uart: {UART of the board: line of the instrument}.
    i2c, tone: the instrument is on the board's I2C bus, and in its microphone's place.
    """

    pwm: dict[int, int] = Field(default_factory=dict)
    uart: dict[int, int] = Field(default_factory=dict)
    i2c: bool = False
    tone: bool = False

    @property
    def capabilities(self) -> frozenset[str]:
        """What tests may ask of a board that is wired so."""
        found = {
            "pwm": bool(self.pwm),
            "played-uart": bool(self.uart),
            "played-i2c": self.i2c,
            "played-tone": self.tone,
        }
        return frozenset(name for name, there in found.items() if there)


class BoardTable(Table):
    """A board of the rig. A real one is known by its serial number, never by a port's name alone.

    capabilities: what tests may ask of a real board, beside what its kind can always do.
    instrument, wires: the name of the one wired to it, and how.
    rom: a virtual board has a partition that code runs from.
    reset: what resets a real board: DTR and RTS of its port ("lines"), its instrument, or nothing.
    """

    name: Name
    kind: Literal["virtual", "real"] = "real"
    serial_number: Text | None = None
    port: Text | None = None
    capabilities: frozenset[str] = frozenset()
    power: Power = NoSwitch()
    instrument: Name | None = None
    wires: Wires = Wires()
    rom: bool = False
    reset: Literal["lines", "instrument", "none"] = "lines"

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.kind == "real":
            _found(self.serial_number, self.port)
        if self.rom and self.kind == "real":
            raise ValueError("rom is for virtual boards: a real one's flash says it")
        wired = self.wires.capabilities or self.reset == "instrument"
        if self.instrument is None and wired:
            raise ValueError("wires and reset need an instrument: name it, or take them out")
        return self

    @property
    def shown(self) -> str:
        """How a report names it: its serial number, else its port."""
        return self.serial_number or self.port or self.name


class Network(Table):
    """How a rig's real boards reach a broker, and this computer the same one.

    broker: host:port as the boards see it. password_file: of the Wi-Fi, mode 0600.
    """

    broker: str = Field(pattern=r"^[^:/\s]+:\d{1,5}$")
    ssid: Text
    password_file: Text | None = None

    @field_validator("broker")
    @classmethod
    def _port(cls, broker: str) -> str:
        if not 1 <= int(broker.rpartition(":")[2]) <= 65535:
            raise ValueError(f"{broker!r}: a port is a number from 1 to 65535")
        return broker


class Flaky(Table):
    """A test that is known to fail now and then, and why: `test` is part of its name."""

    test: Text
    reason: Text


class RigFile(Table):
    """A bench: its boards, its instruments, and what is known to be unreliable about it.

    hooks: programs to run before a run and after it, as to get a place from a labgrid.
    """

    name: Name
    boards: tuple[BoardTable, ...] = Field(min_length=1, max_length=64)
    instruments: tuple[Instrument, ...] = ()
    network: Network | None = None
    flaky: tuple[Flaky, ...] = ()
    hooks: tuple[Hook, ...] = ()

    @field_validator("boards", "instruments", "flaky", "hooks", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, dict):
            raise ValueError("one table where a list is needed: write [[…]] with two brackets")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _once("the name", [b.name for b in self.boards] + [i.name for i in self.instruments])
        things: list[BoardTable | Instrument] = [*self.boards, *self.instruments]
        _once("the serial number", [thing.serial_number for thing in things])
        _once("the port", [thing.port for thing in things])
        if len({board.kind for board in self.boards}) > 1:
            raise ValueError("virtual and real boards have no time in common: make two rig files")
        known = {i.name for i in self.instruments}
        for board in self.boards:
            if board.instrument is not None and board.instrument not in known:
                raise ValueError(
                    f"board {board.name}: no instrument {board.instrument!r} in this file: "
                    "add [[instruments]] with that name"
                )
        return self

    @property
    def digest(self) -> str:
        """A short hash of everything in it: what doctor looked at is what runs."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def virtual(self) -> bool:
        """Whether its boards are virtual."""
        return self.boards[0].kind == "virtual"

    def instrument(self, name: str) -> Instrument:
        """Return the instrument of a name. Raises KeyError."""
        return {i.name: i for i in self.instruments}[name]


def virtual(count: int = 3) -> RigFile:
    """Return the rig that needs no hardware."""
    boards = tuple(BoardTable(name=f"virtual-{n}", kind="virtual") for n in range(1, count + 1))
    return RigFile(name="virtual", boards=boards)


def capabilities(board: BoardTable, rig: RigFile) -> frozenset[str]:
    """Return what tests may ask of a board of this rig."""
    if board.kind == "virtual":
        return VIRTUAL | _models() | board.capabilities
    found = {"serial", "files", *board.capabilities}
    if board.reset != "none":
        found.add("reset")
    if board.power.kind != "none":
        found.add("power")
    if board.instrument is not None:
        found.add("instrument")
    found |= board.wires.capabilities
    if rig.network is not None:
        found |= {"wifi", "uplink"}
    return frozenset(found)


def lacks(rig: RigFile, needs: Iterable[str]) -> str:
    """Say in words what no board of the rig has; "" when one has all."""
    wanted = set(needs)
    missing = {b.name: wanted - capabilities(b, rig) for b in rig.boards}
    if not all(missing.values()):
        return ""
    nowhere = set.intersection(*missing.values())
    if nowhere:
        return f"no board of rig {rig.name} has: {', '.join(sorted(nowhere))}"
    each = "; ".join(f"{b} lacks {', '.join(sorted(m))}" for b, m in missing.items())
    return f"no board of rig {rig.name} has all that is needed: {each}"


def load(path: Path | None) -> RigFile:
    """Read a rig file; None: three virtual boards. Raises RigError."""
    if path is None:
        return virtual()
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise RigError(f"{path}: {error.strerror}: name a rig file that can be read") from None
    except UnicodeDecodeError:
        raise RigError(f"{path}: not UTF-8: save it as UTF-8 text") from None
    return parse(text, str(path))


def parse(text: str, shown: str) -> RigFile:
    """Read the text of a rig file; `shown` is its name in errors. Raises RigError."""
    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, a thousand brackets
        raise RigError(f"{shown}: not TOML: {error}") from None
    try:
        return RigFile.model_validate(found)
    except ValidationError as error:
        errors = error.errors()
        inside = {e["loc"][0] for e in errors if len(e["loc"]) > 1}
        lines = [
            f"{shown}{_line(text, e['loc'])}: {_place(e['loc'], found)}{_say(e)}"
            for e in errors
            if e["type"] != "too_short" or e["loc"][0] not in inside  # those left out are wrong
        ]
        raise RigError("\n".join(dict.fromkeys(lines))) from None


def _models() -> frozenset[str]:
    """Return the names of all device models."""
    from lampione_hil.virtual import devices

    folder = Path(devices.__path__[0])
    texts = (path.read_text("utf-8") for path in folder.glob("*.py"))
    lines = (line.strip() for text in texts for line in text.splitlines())
    return frozenset(line[8:-1] for line in lines if line.startswith('name = "'))


def _found(serial_number: str | None, port: str | None) -> None:
    if (serial_number is None) == (port is None):
        raise ValueError("give serial_number (see `lampione board list`), or port, and not both")


def _once(what: str, values: Iterable[str | None]) -> None:
    twice = [v for v, n in Counter(v for v in values if v is not None).items() if n > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]!r} stands twice: every one of them is one thing")


def _line(text: str, place: tuple[int | str, ...]) -> str:
    """Return ":LINE" of the table or key at `place`, as far as it can be told."""
    table, count = place[0] if place else None, place[1] if len(place) > 1 else 0
    found, seen, inside, top = 0, -1, table is None, True
    for number, written in enumerate(text.splitlines(), 1):
        line = written.split("#")[0].strip()
        if line.startswith("["):
            head, top = line.strip("[] "), False
            if head == table:
                seen += 1
            inside = head.split(".")[0] == table and seen == (count if type(count) is int else 0)
            if inside and not found:
                found = number
        elif "=" in line:
            key = line.split("=")[0].strip()
            if (inside and key in place[1:]) or (top and key == table):
                return f":{number}"
    return f":{found}" if found else ""


def _place(place: tuple[int | str, ...], found: dict[str, Any]) -> str:
    words: list[str] = []
    inside: Any = found
    for part in place:
        inside = inside[part] if _holds(inside, part) else None
        if isinstance(part, int):
            name = inside.get("name") if isinstance(inside, dict) else None
            words[-1] += f" {name!r}" if name else f" number {part + 1}"
        else:
            words.append(part)
    return ".".join(words) + ": " if words else ""


def _holds(inside: Any, part: int | str) -> bool:
    if isinstance(inside, dict):
        return part in inside
    return isinstance(inside, list) and isinstance(part, int) and part < len(inside)


def _say(error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return "no such key here: take it out, or see docs/hil.md for those there are"
    if kind == "missing":
        return "is missing: add it"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        if "a-z" in context["pattern"]:
            return f"{error['input']!r}: a-z, 0-9 and -, 24 of them at most"
        return f"{error['input']!r}: write host:port"
    if kind == "literal_error":
        return f"{error['input']!r} is not one of {context['expected']}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}"
