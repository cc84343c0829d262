"""The doctor of real boards finds what is wrong with a bench, and says it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from lampione_hil.instrument import Instrument
from lampione_hil.real import doctor
from lampione_hil.real.board import RealBoard
from lampione_hil.real.errors import NoBoardError
from lampione_hil.real.wired import Wired
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

from tests.hil import instrument_rig as rig


@dataclass
class Switch:
    """A switch of a virtual board; `stuck`: its contact is."""

    board: VirtualBoard
    stuck: bool = False
    name: str = "the switch"
    off_s: float = 0.1

    def on(self) -> None:
        self.board.power_on()

    def off(self) -> None:
        if not self.stuck:
            self.board.power_off()

    def state(self) -> bool | None:
        return None


@pytest.fixture
def board(bench: VirtualBench) -> Iterator[VirtualBoard]:
    name = f"d{len(bench.boards)}"
    made = bench.board(
        name, {"/main.py": b"print('before')\n"}, world=World(street=None, air=SteadyAir())
    )
    made.power_on()
    yield made
    made.power_off()


Looks = Callable[..., dict[str, doctor.Check]]


@pytest.fixture
def looks(board: VirtualBoard, monkeypatch: pytest.MonkeyPatch) -> Looks:
    monkeypatch.setattr(doctor, "_WATCH_S", 0.5)
    monkeypatch.setattr(doctor, "_SETTLE_S", 0.2)

    def look(
        *names: str, find: Callable[[], str] | None = None, **settings: object
    ) -> dict[str, doctor.Check]:
        if names:
            chosen = tuple(getattr(doctor, f"_{name}") for name in names)
            monkeypatch.setattr(doctor, "_LOOKS", chosen)
        settings = {"name": "post", "serial_number": board.serial_number, **settings}
        made = RealBoard(find or board.rfc2217, **settings)  # type: ignore[arg-type]
        try:
            return {check.name: check for check in doctor.examine(made)}
        finally:
            made.close()

    return look


def test_a_sound_bench(board: VirtualBoard, looks: Looks) -> None:
    found = looks(power=Switch(board))
    assert {name: check.ok for name, check in found.items()} == {
        "answers": True,
        "is who it should be": True,
        "power cuts": True,
        "reset resets": True,
    }
    assert found["answers"].said.startswith("MicroPython 1.")
    assert found["power cuts"].said == "off: silent for 0.5 s; on: starts as from power-on"
    assert not any(check.what_to_do for check in found.values())
    assert board.read_file("/main.py") == b"print('before')\n"


def test_a_bench_without_a_switch(board: VirtualBoard, looks: Looks) -> None:
    found = looks(serial_number="0001")
    assert {name: check.ok for name, check in found.items()} == {
        "answers": True,
        "power cuts": None,
        "reset resets": True,
    }


def test_a_switch_that_switches_nothing(board: VirtualBoard, looks: Looks) -> None:
    found = looks("power", power=Switch(board, stuck=True))["power cuts"]
    assert found.ok is False
    assert found.said == "it goes on talking while its power is off"
    assert "the switch switches something else" in found.what_to_do


def test_a_hub_that_cuts_the_data_lines_only(board: VirtualBoard, looks: Looks) -> None:
    """The port is gone, the console silent, and the board runs on: VBUS is on."""
    plugged = True

    class Hub(Switch):
        def on(self) -> None:
            nonlocal plugged
            plugged = True
            self.board.power_on()

        def off(self) -> None:
            nonlocal plugged
            plugged = False

    def find() -> str:
        if not plugged:
            raise NoBoardError("no board: look at its cable")
        return board.rfc2217

    found = looks("power", find=find, power=Hub(board))["power cuts"]
    assert found.ok is False
    assert "it was never off" in found.said or "goes on talking" in found.said


def test_a_reset_line_that_is_not_connected(board: VirtualBoard, looks: Looks) -> None:
    # The pseudo-terminal has no lines: as a board whose RTS goes nowhere.
    found = looks("reset", find=lambda: board.port)["reset resets"]
    assert found.ok is False
    assert found.said.startswith("it goes on: it has been running for")
    assert "RTS must reach EN" in found.what_to_do


def test_another_board(board: VirtualBoard, looks: Looks) -> None:
    found = looks("identity", serial_number="02:00:00:00:00:01")["is who it should be"]
    assert found.ok is False
    assert found.said == f"its chip is {board.serial_number}"
    assert found.what_to_do.startswith("the rig file says 020000000001")


def test_nobody_there(board: VirtualBoard, looks: Looks) -> None:
    board.power_off()  # its bridge answers, the chip does not
    found = looks(answer_s=0.5)
    assert list(found) == ["answers"]
    assert found["answers"].ok is False
    assert "does not answer" in found["answers"].said


@pytest.fixture
def instrument(bench: VirtualBench, board: VirtualBoard) -> Iterator[VirtualBoard]:
    """An instrument whose first channel is at the board's pin 10, and a spare pin at nothing."""
    made = rig.board(bench, f"i{len(bench.boards)}")
    board.power_off()
    bench.wire(board, 10, made, rig.PWM_IN)
    bench.wire(made, rig.DRIVE, made, rig.LEVEL)
    board.power_on()
    made.power_on()
    yield made
    made.power_off()


def test_the_instruments_wires(board: VirtualBoard, instrument: VirtualBoard, looks: Looks) -> None:
    """Pin 10 is wired as the rig file says; pin 11 is wired to nothing."""
    for pin, good in ((10, True), (11, False)):
        wired = Wired(lambda: Instrument(instrument.port), {pin: 0})
        found = looks("wires", instrument=wired)
        check = found[f"wire of pin {pin}"]
        assert check.ok is good, check
        assert found["instrument measures drive"].ok is True
        assert found["instrument measures what it plays"].ok is None
    assert "look at the wire between pin 11 and the instrument" in check.what_to_do


def test_a_measured_duty(board: VirtualBoard, instrument: VirtualBoard) -> None:
    real = RealBoard(
        board.rfc2217, name="post", instrument=Wired(lambda: Instrument(instrument.port), {10: 0})
    )
    assert real.capabilities >= {"instrument", "pwm"}
    main = b"import machine\nmachine.PWM(machine.Pin(10), freq=1000, duty_u16=13107)\nprint('on')\n"
    real.power_off()
    real.write_files({"/main.py": main})
    real.power_on()
    real.wait_console("on")
    assert real.pwm_duty(10) == pytest.approx(13107, abs=66)
    with pytest.raises(KeyError):
        real.pwm_duty(11)
    real.close()
