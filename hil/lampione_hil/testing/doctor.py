"""Is this bench sound? What is looked at, what was found, and when."""

import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.put import put
from lampione_hil.testing.rig import BoardTable, RigFile
from lampione_hil.virtual import VirtualBench, VirtualBoard, World

# Counts seconds of its own clock, in a PWM duty that can be seen from outside.
_MAIN = b"""
import machine, time
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=0)
print("boot", machine.reset_cause())
n = 0
while True:
    time.sleep(1)
    n += 1
    lamp.duty_u16(n)
"""
# Writes a file over and over, so that a write can be torn.
_WRITER = b"""
n = 0
while True:
    n += 1
    with open("/new", "wb") as file:
        file.write(bytes(5000))
    import os
    os.rename("/new", "/kept")
"""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    ok: None: it could not be looked at. said: what was found. what_to_do: where it is not ok.
    """

    name: str
    board: str
    ok: bool | None
    said: str
    what_to_do: str = ""


def examine(rig: RigFile) -> Iterator[Check]:
    """Look at every board of a rig, one check after the other."""
    if rig.virtual:
        yield from _virtual(rig.boards)
        return
    from lampione_hil.testing.hardware import checks

    for found in checks(rig):
        yield Check(found.name, found.board, found.ok, found.said, found.what_to_do)


def keep(bench: Path, rig: RigFile, checks: Iterable[Check]) -> None:
    """Write down what was found, for the reports of the runs to come. Raises BenchError."""
    found = {
        "rig": rig.name,
        "digest": rig.digest,
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "checks": [asdict(check) for check in checks],
    }
    path = bench / f"doctor-{rig.name}.json"
    try:
        bench.mkdir(mode=0o700, parents=True, exist_ok=True)
        put(path, f"{json.dumps(found, indent=1)}\n".encode())
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None


def found(bench: Path, rig: str) -> dict[str, Any] | None:
    """Return what the doctor found of a rig, None when it has not looked."""
    try:
        text = json.loads((bench / f"doctor-{rig}.json").read_text("utf-8"))
        checks = [asdict(Check(**check)) for check in text["checks"]]
        datetime.date.fromisoformat(text["at"][:10])
        return {"digest": str(text["digest"]), "at": text["at"], "checks": checks}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _virtual(boards: Iterable[BoardTable]) -> Iterator[Check]:
    todo = "run `lampione demo` to see whether virtual boards work here at all"
    for table in boards:
        try:
            with VirtualBench(clock="virtual") as bench:
                for name, look in _LOOKS:
                    quiet = World(street=None, air=None)
                    board = bench.board(f"{table.name}-{name.replace(' ', '-')}", world=quiet)
                    said = look(bench, board)
                    yield Check(name, table.name, not said, said or "yes", said and todo)
        except (BenchError, RuntimeError) as error:
            yield Check("starts", table.name, False, str(error), todo)
            return


def _power(bench: VirtualBench, board: VirtualBoard) -> str:
    board.write_files({"/main.py": _MAIN})
    board.power_on()
    bench.run_for(3.5)
    board.power_off()
    before = board.trace()
    bench.run_for(5)
    if board.running or board.trace() != before:
        return "it went on after the power was cut"
    board.power_on()
    bench.run_for(1.5)
    return "" if board.boots == 2 and board.exits == ["off"] else "it does not start again"


def _reset(bench: VirtualBench, board: VirtualBoard) -> str:
    board.write_files({"/main.py": _MAIN})
    board.power_on()
    bench.run_for(3.5)
    board.reset()
    bench.run_for(1.5)
    again = board.boots == 2 and board.pwm_duty(4) == 1
    return "" if again else "it did not start anew"


def _clock(bench: VirtualBench, board: VirtualBoard) -> str:
    board.write_files({"/main.py": _MAIN})
    board.power_on()
    bench.run_for(60.5)
    seconds = board.pwm_duty(4)
    return "" if seconds == 60 else f"60 s of the bench are {seconds} s of the board"


def _flash(bench: VirtualBench, board: VirtualBoard) -> str:
    board.write_files({"/main.py": _WRITER, "/kept": bytes(5000)})
    board.cut_power_at_write(20)
    board.power_on()
    bench.run_for(1)
    if board.running:
        return "a cut at a write did not come"
    return "" if board.list_files("/").get("/kept") == 5000 else "the file of before is gone"


_LOOKS: tuple[tuple[str, Callable[[VirtualBench, VirtualBoard], str]], ...] = (
    ("power cuts", _power),
    ("reset resets", _reset),
    ("clock passes", _clock),
    ("flash tears", _flash),
)
