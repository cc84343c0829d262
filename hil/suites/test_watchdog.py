"""The watchdog: quiet while all is well, and nothing that hangs outlives it."""

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import I2C, LAMP, LAMP_PIN, PARTS
from lampione_hil.testing.uplink import Uplink
from lampione_protocol import names

WATCHDOG = names.RESET_CAUSES.index("watchdog")
DESIGN = 80
DUTY = 65535 * DESIGN // 100
BITES_S = 45  # the firmware's time-out, and the most that it may take to notice: another period
NOTICED_S = 2 * BITES_S
HANGS_S = 60

# All of the program stands still.
BLOCKED = (
    b"""
import asyncio, time
async def block():
    await asyncio.sleep(%d)
    while True:
        time.sleep_ms(100)
asyncio.create_task(block())
from lampione_node import app
app.main()
"""
    % HANGS_S
)
# One task, the only one that sleeps for 10 s, waits for what never comes; the others go on.
HANGING = b"""
import asyncio, time
sleep_ms = asyncio.sleep_ms
def or_for_ever(ms):
    if ms == 10000 and time.ticks_ms() > %d:
        return asyncio.Event().wait()
    return sleep_ms(ms)
asyncio.sleep_ms = or_for_ever
from lampione_node import app
app.main()
""" % (1000 * HANGS_S)


@pytest.mark.needs("exits", "world", "pwm")
def test_fed_while_all_is_well(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A whole lamppost with everything in order runs on: no reset in three minutes."""
    made = node(parts=PARTS)
    clock.run_for(4 * BITES_S)
    measure("boots", made.boots, low=1, high=1)
    assert made.exits == []


@pytest.mark.needs("exits", "files", "pwm", "world")
@pytest.mark.parametrize("main", [BLOCKED, HANGING], ids=["all of it", "a task that hangs"])
def test_what_hangs(
    main: bytes, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Whether the whole program stands still or one task of it waits for ever, the watchdog
    restarts the node in time; the lamp burns at its design level, and the hello says why."""
    made = node(
        parts={"lamp": LAMP, "climate": I2C},
        lamp={"design_percent": DESIGN},
        files={"/main.py": main},
    )
    clock.run_for(HANGS_S - 5)
    measure("boots before", made.boots, low=1, high=1)
    began_s = clock.now_s()
    clock.wait(lambda: made.boots == 2, "the watchdog", 5 + NOTICED_S + 10)
    took_s = clock.now_s() - began_s - 5
    measure("it took", took_s, low=BITES_S - 15, high=NOTICED_S, unit="s")
    assert made.exits == ["watchdog"]
    hello = uplink.wait_hello(made, 2)
    measure("reset cause", hello["reset_cause"], low=WATCHDOG, high=WATCHDOG)
    measure("duty", made.pwm_duty(LAMP_PIN), low=DUTY - 1, high=DUTY + 1)
