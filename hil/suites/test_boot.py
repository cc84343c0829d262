"""Boot and identity: light first, then who it is, whatever is on its flash."""

import re
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, PARTS, REASONS, reports
from lampione_hil.testing.uplink import Uplink
from lampione_protocol import codec, schema

DESIGN = 80
DUTY = 65535 * DESIGN // 100
NODE_LINE = r"lampione node (\S+) boot (\d+) epoch ([0-9a-f]{8}) firmware ([0-9.]+)"
HELLO_LINE = r"lampione hello ([0-9a-f]+)"


def said(board: Any, pattern: str) -> tuple[str, ...]:
    """Return the groups of the latest line that fits."""
    found = re.findall(pattern, board.console())
    assert found, board.console()[-1000:]
    return found[-1] if isinstance(found[-1], tuple) else (found[-1],)


@pytest.mark.smoke
@pytest.mark.needs("serial", "files", "power")
def test_identity(board: Any, node: Nodes, clock: Clock, measure: Measure) -> None:
    """It says its name, counts its boots, and draws its epoch anew at every one (the seal's rule:
    no nonce ever repeats, even on a flash put back from an image)."""
    node(parts={"lamp": LAMP})
    name, first, epoch, _ = said(board, NODE_LINE)
    assert name == board.name
    board.power_off()
    board.power_on()
    clock.wait(lambda: re.search(NODE_LINE, board.console()), "its start", 20)
    _, second, other, _ = said(board, NODE_LINE)
    measure("boots counted", int(second) - int(first), low=1, high=1)
    assert epoch != other


@pytest.mark.smoke
@pytest.mark.needs("serial", "files")
def test_hello_on_the_serial_line(board: Any, node: Nodes, measure: Measure) -> None:
    """The line by which whoever flashes knows what runs: an unsealed Hello, no secret in it."""
    node(parts={"lamp": LAMP})
    (text,) = said(board, HELLO_LINE)
    wire = bytes.fromhex(text)
    values = codec.decode(schema.HELLO_FIELDS, wire, 0, len(wire))
    hello = {field[0]: value for field, value in zip(schema.HELLO_FIELDS, values, strict=True)}
    assert said(board, NODE_LINE)[2] == hello["epoch"].hex()
    measure("protocol revision", hello["protocol"], low=schema.REVISION, high=schema.REVISION)
    measure("reset cause", hello["reset_cause"], low=0, high=0)


@pytest.mark.needs("pwm", "trace", "files")
def test_light_first(board: Any, node: Nodes, clock: Clock, measure: Measure) -> None:
    """The first thing that any pin does is the lamp at its design level, and nothing lowers it
    (EN 13201: a street is lit whatever its control is doing)."""
    board.power_off()
    node(parts=PARTS, lamp={"design_percent": DESIGN})
    changes = [c for c in board.trace() if c.pin == LAMP_PIN and c.kind == "pwm"]
    measure("duty at first", changes[0].value, low=DUTY - 1, high=DUTY + 1)
    measure("least duty", min(c.value for c in changes), low=DUTY - 1)
    assert board.trace()[0].pin == LAMP_PIN


@pytest.mark.needs("pwm", "files", "serial")
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/settings.json", b""),
        ("/settings.json", b'{"parts": 5'),
        ("/node.key", b"short"),
        ("/state/numbers", b"\xff" * 22),
        ("/state/orders", b"\0" * 40),
        ("/config/good", b"\xa5" * 300),
        ("/config/trial", b"\x01" * 11),
        ("/outbox/00000001.seg", b"\x33" * 4096),
    ],
    ids=lambda value: value if isinstance(value, str) else len(value),
)
def test_damaged_files_cost_no_light(
    path: str, content: bytes, board: Any, node: Nodes, clock: Clock, measure: Measure
) -> None:
    """Whatever a file holds, the lamp burns at its design level."""
    node(parts={"lamp": LAMP}, lamp={"design_percent": DESIGN})
    clock.run_for(5)
    board.power_off()
    board.write_files({path: content})
    board.power_on()
    clock.run_for(10)
    measure("duty", board.pwm_duty(LAMP_PIN), low=DUTY - 1, high=DUTY + 1)
    board.power_off()


@pytest.mark.smoke
@pytest.mark.needs("files")
def test_first_report(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Two intervals after its start it has reported what it lights and since when."""
    made = node(parts={"lamp": LAMP}, lamp={"design_percent": DESIGN}, report_interval_s=5)
    clock.run_for(11)
    first = reports(uplink, made)[0]
    measure("level", first["lamp_level"], low=DESIGN, high=DESIGN, unit="%")
    measure("reason", first["lamp_reason"], low=REASONS["design"], high=REASONS["program"])
    measure("interval", first["duration_s"], low=5, high=5, unit="s")
