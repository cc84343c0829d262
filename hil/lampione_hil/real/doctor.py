"""Is a real board's place on the bench sound? Each thing is tried, and looked at from outside.

A small program counts on the board meanwhile; the main.py of before is put back.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from lampione_hil.board import BenchError
from lampione_hil.real.board import RealBoard

_OLDEST = (1, 26)
_WATCH_S = 2.0  # how long a board that is off must be silent
_LOOK = "look at its cable, its power, and what the rig file says"
_SETTLE_S = 0.5  # what was on its way before
_LATE_S = 0.5  # a program begins after the board; that two clocks run apart is less
_LINE_S = 20.0
_MAC = re.compile(r"[0-9a-f]{12}")
_COUNT = re.compile(r"lampione probe (\d+) ms (\w+)")
_SECOND = r"lampione probe \d{4,} ms"  # by then it can show that it has not started anew

# Says every 100 ms how long it has been running: the first lines may be lost on USB.
_PROBE = b"""
import machine, time
began = time.ticks_ms()
cause = "cold" if machine.reset_cause() == machine.PWRON_RESET else "warm"
while True:
    print("lampione probe", time.ticks_diff(time.ticks_ms(), began), "ms", cause)
    time.sleep_ms(100)
"""
_DUTIES = (16384, 49152)
_PWM = b"""
import machine, time
machine.PWM(machine.Pin(%d), freq=1000, duty_u16=%d)
print("lampione probe 0 ms cold")
while True:
    time.sleep_ms(100)
"""
_DUTY_NEAR = 656  # 1 %


class Check(NamedTuple):
    """One thing that was looked at.

    ok: None: it could not be looked at. said: what was found. what_to_do: where it is not ok.
    """

    name: str
    board: str
    ok: bool | None
    said: str
    what_to_do: str = ""


def examine(board: RealBoard) -> Iterator[Check]:
    """Look at a board, its switch, its reset line and its wires, one after the other.

    It ends with the first check where nothing answers.
    """
    try:
        board.power_off()
        before = _main(board)
    except BenchError as error:
        yield Check("answers", board.name, False, str(error), _LOOK)
        return
    try:
        for look in _LOOKS:
            try:
                yield from look(board)
            except BenchError as error:
                name = look.__name__.strip("_")
                yield Check(name, board.name, False, str(error), "see to that first")
                return
            finally:
                with contextlib.suppress(BenchError):
                    board.power_off()
    finally:
        with contextlib.suppress(BenchError, FileNotFoundError):
            board.power_off()
            if before is None:
                board.remove_file("/main.py")
            else:
                board.write_files({"/main.py": before})
            board.power_off()


def _main(board: RealBoard) -> bytes | None:
    try:
        return board.read_file("/main.py")
    except FileNotFoundError:
        return None


def _identity(board: RealBoard) -> Iterator[Check]:
    told = board.evaluate(
        "(lambda s, m, b: (s.implementation[1][:3], s.implementation._machine, "
        "b.hexlify(m.unique_id())))"
        "(__import__('sys'), __import__('machine'), __import__('binascii'))"
    )
    assert isinstance(told, tuple)
    version, machine, identity = told
    number = ".".join(map(str, version))
    good = tuple(version[:2]) >= _OLDEST
    todo = "" if good else "install a later one: `lampione flash --micropython IMAGE`"
    yield Check("answers", board.name, good, f"MicroPython {number}, {machine}", todo)
    wanted = board.serial_number.replace(":", "").lower()
    if _MAC.fullmatch(wanted):
        chip = identity.decode()
        yield Check(
            "is who it should be",
            board.name,
            chip == wanted,
            f"its chip is {chip}",
            "" if chip == wanted else f"the rig file says {wanted}: plug the right one in",
        )


def _power(board: RealBoard) -> Iterator[Check]:
    name = "power cuts"
    switch = board.power
    if switch is None:
        todo = 'name its switch in the rig file, or leave out what needs "power"'
        yield Check(name, board.name, None, "nothing switches its power", todo)
        return
    board.write_files({"/main.py": _PROBE})
    board.start()  # a switch that does nothing would not even start it
    board.wait_console(_COUNT.pattern, _LINE_S)
    board.power_off()
    time.sleep(_SETTLE_S)
    before = len(board.console())
    time.sleep(max(_WATCH_S, switch.off_s))
    if len(board.console()) > before:
        todo = f"{switch.name} switches something else, or its contact is stuck"
        yield Check(name, board.name, False, "it goes on talking while its power is off", todo)
        return
    since = time.monotonic()
    board.power_on()
    ran_s, longest_s, cause = _running(board, since)
    if ran_s > longest_s:
        said = f"it has been running for {ran_s:.1f} s: it was never off"
        todo = (
            f"{switch.name} cuts the data lines and leaves the supply on, or the board has another "
            "supply: measure its 5 V while it is off"
        )
        yield Check(name, board.name, False, said, todo)
        return
    cold = cause == "cold"
    said = f"off: silent for {max(_WATCH_S, switch.off_s):g} s; on: starts as from power-on"
    if not cold:
        said = "it starts, and its chip does not call that a power-on"
    yield Check(name, board.name, cold, said, "" if cold else "look at its supply's capacitors")


def _reset(board: RealBoard) -> Iterator[Check]:
    name = "reset resets"
    if "reset" not in board.capabilities:
        yield Check(name, board.name, None, "the rig file says that nothing resets it")
        return
    board.write_files({"/main.py": _PROBE})
    board.start()
    board.wait_console(_SECOND, _LINE_S)
    since = time.monotonic()
    board.reset()
    time.sleep(_SETTLE_S)
    board.forget()
    ran_s, longest_s, _ = _running(board, since)
    good = ran_s <= longest_s
    said = "it starts anew" if good else f"it goes on: it has been running for {ran_s:.1f} s"
    todo = 'RTS must reach EN (see docs/rigs.md), else write `reset = "none"` in the rig file'
    yield Check(name, board.name, good, said, "" if good else todo)


def _running(board: RealBoard, since: float) -> tuple[float, float, str]:
    """Return for how long its program has been running, how long it can have, and its start."""
    found = _COUNT.search(board.wait_console(_COUNT.pattern, _LINE_S))
    assert found is not None
    return int(found[1]) / 1000, time.monotonic() - since + _LATE_S, found[2]


def _wires(board: RealBoard) -> Iterator[Check]:
    instrument = board.instrument
    if instrument is None:
        return
    apart = []
    for name, verdict in instrument.checks():
        if verdict == "not wired":
            apart.append(name)
            continue
        good = verdict == "passed"
        said = "what it plays" if good else "not what it plays"
        todo = "" if good else "look at the instrument's own wires, and its settings' `check`"
        yield Check(f"instrument measures {name}", board.name, good, said, todo)
    if apart:
        yield Check(
            "instrument measures what it plays", board.name, None, f"not wired: {', '.join(apart)}"
        )
    for pin in instrument.pwm_pins:
        measured = []
        for duty in _DUTIES:
            board.write_files({"/main.py": _PWM % (pin, duty)})
            board.power_on()
            board.wait_console(_COUNT.pattern, _LINE_S)
            measured.append(board.pwm_duty(pin))
            board.power_off()
        good = all(abs(m - d) <= _DUTY_NEAR for m, d in zip(measured, _DUTIES, strict=True))
        said = " and ".join(f"{100 * m / 65535:.1f} %" for m in measured) + " for 25 % and 75 %"
        todo = "" if good else f"look at the wire between pin {pin} and the instrument"
        yield Check(f"wire of pin {pin}", board.name, good, said, todo)


_LOOKS = (_identity, _power, _reset, _wires)
