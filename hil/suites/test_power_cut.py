"""The power fails at every single write and erase of the flash, in every operation on a file.

After each cut the node is there again, its lamp burns, its files are whole: the old content or the
new. What it had acknowledged is kept.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.board import BoardTimeoutError
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, OPS
from lampione_hil.testing.uplink import Uplink
from lampione_light import layout

DESIGN = 80
DUTY = 65535 * DESIGN // 100
MOST = 150  # operations of flash in one of ours: more would mean that it never ends
SURE, TRIAL = range(2)
Act = Callable[[Any, Uplink, Clock], None]


class CutError(Exception):
    """The power has failed."""


def until(made: Any, clock: Clock, test: Callable[[], Any], within_s: float = 30.0) -> Any:
    """Wait until something holds. Raises CutError when the power fails first."""

    def seen() -> Any:
        if not made.running:
            raise CutError
        return test()

    return clock.wait(seen, "the operation's end", within_s)


def answered(made: Any, uplink: Uplink, clock: Clock, counter: int) -> None:
    """Wait for the result of a command. Raises CutError when the power fails first."""
    until(made, clock, lambda: uplink.results(made, counter))


def starts(made: Any, uplink: Uplink, clock: Clock) -> None:
    """It starts and reports for some seconds."""
    count = len(uplink.hellos(made))
    made.power_on()
    until(made, clock, lambda: len(uplink.hellos(made)) > count)
    for _ in range(3):
        clock.run_for(1)
        if not made.running:
            raise CutError


def locks(made: Any, uplink: Uplink, clock: Clock) -> None:
    """Somebody locks the lamp to work on it, and unlocks it."""
    for seconds in (3600, 0):
        answered(made, uplink, clock, uplink.send(made, OPS["maintenance"], for_s=seconds))


def configures(made: Any, uplink: Uplink, clock: Clock) -> None:
    """A config is offered, sent, tried and confirmed."""

    def ask(op: str) -> None:
        answered(made, uplink, clock, uplink.setup(made, OPS[op], 7, CONFIG))

    ask("offer")
    uplink.chunks(made, 7, CONFIG)
    clock.run_for(2)
    ask("apply")
    ask("confirm")


CONFIG = (
    bytes([layout.FORMAT])
    + bytes([layout.LAMP, 0, 1, DESIGN])  # the same light: any other would be a fault
    + bytes([200, 2, 0])
    + bytes(range(256)) * 2  # more than is flushed at once
)


def sweep(
    made: Any,
    uplink: Uplink,
    clock: Clock,
    image: Path,
    act: Act,
    after: Callable[[dict[str, Any]], None],
    *,
    erase: bool = False,
) -> int:
    """Cut at the first, second, ... write (or erase) of `act`; return how many there were."""
    cut = made.cut_power_at_erase if erase else made.cut_power_at_write
    for number in range(1, MOST):
        made.power_off()
        made.restore(image)
        if act is not starts:
            starts(made, uplink, clock)
        cut(number, kept=(number * 3 % 7) / 7)
        try:
            act(made, uplink, clock)
        except (CutError, BoardTimeoutError):
            if made.running:
                raise
        failed = not made.running
        made.cut_power_at_write(0)
        made.cut_power_at_erase(0)
        if not failed:
            return number - 1
        count = len(uplink.hellos(made))
        made.power_on()
        after(uplink.wait_hello(made, count + 1, 60))
        assert uplink.errors == []
    raise AssertionError(f"{act.__name__}: more than {MOST} writes")


@pytest.fixture
def made(
    request: pytest.FixtureRequest, node: Nodes, uplink: Uplink, clock: Clock, tmp_path: Path
) -> Any:
    """A node of several boots, off; its image is at `image`."""
    interval_s = 1 if request.function is test_state else 60  # what else writes is not our matter
    made = node(parts={"lamp": LAMP}, lamp={"design_percent": DESIGN}, report_interval_s=interval_s)
    uplink.wait_hello(made)
    for boot in (2, 3):
        made.power_off()
        made.power_on()
        uplink.wait_hello(made, boot)
    clock.run_for(3)
    made.power_off()
    made.snapshot(tmp_path / "image")
    return made


@pytest.mark.needs("flash", "uplink", "pwm", "power")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("erase", [False, True], ids=["write", "erase"])
def test_state(
    erase: bool, made: Any, uplink: Uplink, clock: Clock, measure: Measure, tmp_path: Path
) -> None:
    """The numbers of a start, the lamp's memory, the outbox: the boot is still counted."""
    told = []

    def after(hello: dict[str, Any]) -> None:
        told.append(hello["boot"])
        assert made.pwm_duty(LAMP_PIN) >= DUTY - 1

    count = sweep(made, uplink, clock, tmp_path / "image", starts, after, erase=erase)
    measure("cuts", count, low=1 if erase else 5)
    measure("least boot counted", min(told, default=4), low=4)
    measure("most", max(told, default=4), high=5)


@pytest.mark.needs("flash", "uplink", "pwm", "power")
@pytest.mark.timeout(300)
def test_orders(made: Any, uplink: Uplink, clock: Clock, measure: Measure, tmp_path: Path) -> None:
    """A lock that was acknowledged is kept, one that was not is all there or not at all."""
    levels = set()

    def after(hello: dict[str, Any]) -> None:
        del hello
        levels.add(made.pwm_duty(LAMP_PIN))

    count = sweep(made, uplink, clock, tmp_path / "image", locks, after)
    measure("cuts", count, low=4)
    assert levels <= {0, DUTY}


@pytest.mark.needs("flash", "uplink", "pwm", "power")
@pytest.mark.timeout(300)
def test_config(made: Any, uplink: Uplink, clock: Clock, measure: Measure, tmp_path: Path) -> None:
    """The config before or the new one, whole; never a damaged one, and the light never moves."""
    found = set()

    def after(hello: dict[str, Any]) -> None:
        found.add((hello["config_version"], hello["config_state"]))
        assert abs(made.pwm_duty(LAMP_PIN) - DUTY) <= 1

    count = sweep(made, uplink, clock, tmp_path / "image", configures, after)
    measure("cuts", count, low=8)
    assert found <= {(0, SURE), (7, SURE), (7, TRIAL)}
