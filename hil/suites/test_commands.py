"""Commands: obeyed once, in time, from whoever has the key; refused, counted and told otherwise."""

import os
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import DONE, LAMP, LAMP_PIN, OPS, REFUSALS, REFUSED
from lampione_hil.testing.uplink import FIELDS, Uplink
from lampione_protocol import schema

FULL = 65535


@pytest.fixture
def made(node: Nodes, uplink: Uplink) -> Any:
    """A node that has said hello; its clock is unset."""
    made = node(parts={"lamp": LAMP})
    uplink.wait_hello(made)
    return made


def refused_frames(made: Any, uplink: Uplink) -> int:
    """Return how many frames it has refused, as it counts them."""
    uplink.outcome(made, uplink.send(made, OPS["read"]))
    return int(uplink.of(made, schema.HEALTH)[-1]["refused_frames"])


def dark(made: Any, uplink: Uplink, **other: Any) -> bytes:
    """Return the frame of a command that would put the light out."""
    given = {"op": OPS["level"], "level": 0, "for_s": 600, **other.pop("values", {})}
    given.setdefault("challenge", uplink.hellos(made)[-1]["challenge"])
    fields = FIELDS[schema.COMMAND]
    return uplink.seal(made, schema.COMMAND, [given.get(field[0]) for field in fields], **other)


@pytest.mark.needs("pwm", "uplink")
def test_replay(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A copy of a command is never obeyed again, not even after a power cut (trust: the counter is
    on flash before anything is done)."""
    frame = dark(made, uplink, values={"for_s": 5})
    uplink.publish(made, frame)
    clock.wait(lambda: made.pwm_duty(LAMP_PIN) == 0, "the light out", 10)
    clock.run_for(8)
    before = refused_frames(made, uplink)
    uplink.publish(made, frame)
    clock.run_for(5)
    measure("output after the copy", 100 * made.pwm_duty(LAMP_PIN) / FULL, low=99.9, unit="%")
    measure("counted", refused_frames(made, uplink) - before, low=1, high=1)


@pytest.mark.needs("pwm", "uplink")
def test_no_challenge(made: Any, uplink: Uplink, measure: Measure) -> None:
    """While its clock is unset it obeys only who answers its latest hello."""
    counter = uplink.send(made, OPS["level"], level=0, for_s=600, challenge=b"\1\2\3\4")
    said = uplink.outcome(made, counter, REFUSED)
    no = REFUSALS["no challenge"]
    measure("reason", said["reason"], low=no, high=no)
    measure("output", 100 * made.pwm_duty(LAMP_PIN) / FULL, low=99.9, unit="%")


@pytest.mark.needs("pwm", "uplink")
def test_expired(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A command that comes after its time is refused."""
    now = 217_000_000
    uplink.outcome(made, uplink.send(made, OPS["time"], time=now, time_ms=0))
    counter = uplink.send(made, OPS["level"], level=0, for_s=600, expires=now - 1)
    said = uplink.outcome(made, counter, REFUSED)
    late = REFUSALS["expired"]
    measure("reason", said["reason"], low=late, high=late)
    counter = uplink.send(made, OPS["level"], level=40, for_s=600, expires=now + 600)
    uplink.outcome(made, counter, DONE)
    measure("output", 100 * made.pwm_duty(LAMP_PIN) / FULL, low=39.9, high=40.1, unit="%")


@pytest.mark.needs("pwm", "uplink")
def test_forged(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Frames of a wrong key, name, epoch, type, length or bit: refused, each counted."""
    good = dark(made, uplink)
    frames = [
        *[dark(made, uplink, key=bytes([n]) * 32) for n in range(5)],
        *[dark(made, uplink, name="another")],
        *[dark(made, uplink, epoch=os.urandom(4)) for _ in range(5)],
        *[good[:length] for length in range(0, len(good), 5)],
        good + b"\0",
        bytes([good[0] ^ 0x40]) + good[1:],
    ]
    for bit in range(8 * 13, 8 * len(good), 7):
        flipped = bytearray(good)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        frames.append(bytes(flipped))
    before = refused_frames(made, uplink)
    for frame in frames:
        uplink.publish(made, frame)
    clock.run_for(10)
    counted = refused_frames(made, uplink) - before
    measure("counted", counted, low=len(frames), high=len(frames))
    measure("output", 100 * made.pwm_duty(LAMP_PIN) / FULL, low=99.9, unit="%")
    measure("boots", made.boots, low=1, high=1)


@pytest.mark.needs("pwm", "uplink")
@pytest.mark.parametrize(
    "values",
    [{"level": 50}, {"level": None, "for_s": 60}, {"level": 50, "for_s": 0}],
    ids=["no end", "no level", "an end at once"],
)
def test_out_of_range(values: dict[str, Any], made: Any, uplink: Uplink, measure: Measure) -> None:
    """An override without an end would outlive its reason: there is none."""
    said = uplink.outcome(made, uplink.send(made, OPS["level"], **values), REFUSED)
    reason = REFUSALS["out of range"]
    measure("reason", said["reason"], low=reason, high=reason)
    measure("output", 100 * made.pwm_duty(LAMP_PIN) / FULL, low=99.9, unit="%")
