"""The models of the radars, by what their makers write."""

import itertools
import json
import math
import pickle
from collections.abc import Callable, Sequence

import pytest
from lampione_hil.virtual.devices.base import UartDevice, asked_s
from lampione_hil.virtual.devices.ld2415h import Ld2415h
from lampione_hil.virtual.devices.moving import Steady
from lampione_hil.virtual.devices.ops243 import Ops243, Setup
from lampione_hil.virtual.uart import UartLine

CAR = Steady([(12.0, 30.0), (-3.0, 20.0), (1.0, 11.0)])  # 12 dB are the threshold


CLOCK = itertools.count(1000, 100)  # seconds; it only grows


def listen(part: UartDevice, seconds: float) -> list[bytes]:
    """Return all that a part says by itself."""
    start_s = next(CLOCK)
    said = []
    due_s = part.next_due_s(start_s)
    while due_s is not None and due_s <= start_s + seconds:
        at_s = asked_s(due_s)
        said.append(part.due(at_s))
        due_s = part.next_due_s(at_s)
    return [data for data in said if data]


def last(part: UartDevice) -> str:
    *_, line = listen(part, 1)
    assert line.endswith(b"\r\n")
    return line.decode().strip()


def ask(part: UartDevice, command: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(part.feed(command, 50.0))
    return found


def test_ops243_as_delivered() -> None:
    """m/s, a speed a line, 19200 baud, 1024 samples at 10,000 a second: steps of 0.0607 m/s."""
    part = Ops243(CAR)
    assert part.baud == 19200
    assert ask(part, b"U?") == {"Units": "m-per-sec"}
    assert Setup().resolution_mps == pytest.approx(0.0607, abs=5e-5)
    assert float(last(part)) == pytest.approx(198 * 0.06068, abs=0.006)  # 197.8 steps
    assert 5 < len(listen(part, 10)) / 10 < 7


def test_ops243_resolution_and_rate_follow_samples() -> None:
    """20,000 a second in 512: 0.2427 m/s, and 5 to 30 reports a second at 512."""
    part = Ops243(CAR)
    part.feed(b"S2S<", 0)
    assert part.setup.resolution_mps == pytest.approx(0.2427, abs=5e-5)
    assert float(last(part)) == pytest.approx(49 * 0.24268, abs=0.006)  # 49.4 steps
    for rate in (b"SV", b"SX", b"S2", b"SL", b"SC"):
        part.feed(rate, 0)
        assert 5 < 1 / part.setup.period_s < 30
    part.feed(b"SX", 0)
    fast = Ops243(Steady([(60.0, 30.0)]))
    assert float(last(fast)) < 0, "beyond 31 m/s it is taken for the other direction"
    fast.feed(b"S2", 0)
    assert float(last(fast)) == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize(
    ("command", "name", "factor"),
    [
        (b"UC", "cm-per-sec", 100),
        (b"UF", "ft-per-sec", 3.2808),
        (b"UK", "km-per-hr", 3.6),
        (b"US", "mph", 2.23694),
        (b"UM", "m-per-sec", 1),
    ],
)
def test_ops243_units(command: bytes, name: str, factor: float) -> None:
    part = Ops243(CAR)
    assert ask(part, command) == {"Units": name}
    assert float(last(part)) == pytest.approx(198 * 0.060677 * factor, rel=2e-3)


def test_ops243_formats() -> None:
    part = Ops243(CAR)
    part.feed(b"UKF1", 0)
    assert last(part) == "43.3"
    part.feed(b"OM", 0)
    magnitude, speed = last(part).split(",")
    assert speed == "43.3"
    assert 750 < float(magnitude) < 830  # 25 * 10 ** (30 / 20), 3 %
    part.power_up(next(CLOCK))
    part.feed(b"UKF1OMOT", 0)
    clock, _, speed = last(part).split(",")
    assert 100 < float(clock) < 101
    part.feed(b"OJ", 0)
    said = json.loads(last(part))
    assert (said["speed"], said["direction"]) == (43.3, "inbound")
    assert 750 < said["magnitude"] < 830
    part.feed(b"O3Ot", 0)
    said = json.loads(last(part))
    assert said["speed"] == [43.3, -10.7]
    assert len(said["magnitude"]) == 2
    part.feed(b"OjOm", 0)
    assert last(part) == "43.3,-10.7"
    newer = Ops243(CAR, quoted=True)
    newer.feed(b"UKF1OMOJ", 0)
    said = json.loads(last(newer))
    assert (said["unit"], said["speed"]) == ("kmph", "43.3")
    assert isinstance(said["magnitude"], str)


def test_ops243_filters() -> None:
    part = Ops243(CAR)
    part.feed(b"UKF0O9", 0)
    assert last(part) == "43,-11"
    part.feed(b"M>30\r", 0)
    assert last(part) == "43,-11,3"
    assert ask(part, b"R>5.5\r") == {"RequiredMinSpeed": "5.500"}
    assert last(part) == "43,-11"
    part.feed(b"R<40\r", 0)
    assert last(part) == "-11"
    part.feed(b"R<0\rR+", 0)
    assert last(part) == "43"
    part.feed(b"R-", 0)
    assert last(part) == "-11"
    part.feed(b"R|PI", 0)
    assert listen(part, 1) == []
    part.feed(b"PA", 0)
    part.look(Steady())
    assert listen(part, 1) == [], "an empty street says nothing"


def test_ops243_questions() -> None:
    part = Ops243()
    said = [json.loads(line) for line in part.feed(b"??", 9.0).splitlines()]
    assert {"Product": "OPS243"} in said
    assert {"SamplingRate": 10000, "resolution": 0.0607} in said
    for command in (b"?V", b"?P", b"?B", b"?U", b"?R", b"F?", b"R?", b"I?", b"A."):
        assert ask(part, command)
    assert part.feed(b"\r\nzz\x80\x00", 0) == b""
    assert ask(part, b"x\rU?") == {"Units": "m-per-sec"}, "a return ends what was begun"
    assert part.feed(b"U", 0) == b""
    assert ask(part, b"?") == {"Units": "m-per-sec"}, "in two pieces"


def test_ops243_memory() -> None:
    part = Ops243(CAR)
    part.feed(b"UKOM", 0)
    part.feed(b"I3", 0)
    assert part.baud == 57600
    part.power_up(0)
    assert (part.setup, part.baud) == (Setup(), 19200)
    part.feed(b"UKOJA!I4AI", 0)
    part.feed(b"USI1", 0)
    part.fault("brownout")
    assert (part.setup.unit, part.setup.json, part.baud) == ("K", True, 115200)
    part.feed(b"AX", 0)
    part.power_up(0)
    assert (part.setup, part.baud) == (Setup(), 115200)


def test_ops243_faults() -> None:
    part = Ops243(CAR)
    part.feed(b"UKOM", 0)
    assert len(set(listen(part, 5))) > 20, "a magnitude is never still"
    part.fault("stuck")
    part.look(Steady())
    assert len(set(listen(part, 5))) == 1
    part.fault("")
    part.look(CAR)
    for kind in ("silent", "usb"):
        part.fault(kind)
        assert listen(part, 1) == []
        assert part.feed(b"U?", 20.0) == b""
    part.fault("crc")
    assert all(max(line) > 127 for line in listen(part, 1))
    assert max(part.feed(b"U?", 30.0)) > 127
    part.fault("implausible")
    part.feed(b"S2", 0)
    assert float(last(part).split(",")[1]) == pytest.approx(1000, abs=1)
    part.fault("half")
    (line,) = listen(part, 3)
    assert b"\n" not in line
    with pytest.raises(ValueError, match="no fault 'wet'"):
        part.fault("wet")


def test_ld2415h_lines() -> None:
    """Inbound alone as delivered; then both, and the strongest of both."""
    part = Ld2415h(CAR)
    assert last(part) == "V+043.2"
    part.look(Steady([(-3.0, 20.0)]))
    assert listen(part, 1) == []
    part.feed(bytes.fromhex("43 46 02 00 01 00 0d 0a"), 0)
    assert last(part) == "V-010.8"
    assert len(listen(part, 10)) == pytest.approx(110, abs=2)
    part.feed(bytes.fromhex("43 46 02 00 02 02 0d 0a"), 0)
    assert last(part) == "V-003.0", "m/s"
    assert len(listen(part, 10)) == pytest.approx(60, abs=2)
    part.feed(bytes.fromhex("43 46 02 00 02 01 0d 0a"), 0)
    assert last(part) == "V-006.7", "mph"


def test_ld2415h_settings() -> None:
    part = Ld2415h()
    query = b"CF\x07" + bytes(10)
    firmware, settings = part.feed(b"\x80C" + query, 0).splitlines()
    assert firmware == b"No.:20230801E v5.0"
    assert settings == b"X1:01 X2:00 X3:05 X4:01 X5:00 X6:00 X7:05 X8:03 X9:01 X0:01"
    assert part.feed(b"CF\x01\x0a\x1e\x07\r", 0) == b""
    assert part.feed(b"\nCF\x03\x02\0\0\r\nCF\x04\x09\x28\0\r\nCF\x09", 0) == b""
    part.power_up(1.0)
    _, settings = part.feed(query, 2.0).splitlines()
    assert settings == b"X1:0A X2:1E X3:07 X4:01 X5:00 X6:00 X7:02 X8:09 X9:28 X0:01"
    part.look(Steady([(2.6, 30.0)]))
    assert listen(part, 1) == [], "below 10 km/h"
    part.look(Steady([(10.0, 30.0)]))
    assert last(part) == "V+041.6", "36 / cos 30"
    part.fault("brownout")
    assert b"X1:01 " in part.feed(query, 3.0)


def test_ld2415h_faults() -> None:
    part = Ld2415h(CAR)
    line = last(part)
    part.fault("stuck")
    part.look(Steady())
    assert last(part) == line
    part.fault("implausible")
    assert last(part) == "V+999.9"
    part.fault("crc")
    part.look(CAR)
    assert all(max(line) > 127 for line in listen(part, 1))
    part.fault("half")
    assert len(listen(part, 3)) == 1
    part.fault("silent")
    assert listen(part, 1) == []
    assert part.feed(b"CF\x07" + bytes(10), 51) == b""
    with pytest.raises(ValueError, match="no fault 'usb'"):
        part.fault("usb")


@pytest.mark.parametrize("make", [Ops243, Ld2415h])
def test_models_pickle(make: Callable[[Steady], UartDevice]) -> None:
    part = pickle.loads(pickle.dumps(make(CAR)))
    assert last(part)


@pytest.mark.parametrize("make", [Ops243, Ld2415h])
def test_what_was_worked_out_ahead_is_let_go_when_the_street_changes(
    make: Callable[[Steady], UartDevice],
) -> None:
    street = Steady([(12.0, 30.0)])
    line = UartLine(make(street))
    line.set(line.device.baud, 1000, True, 0)
    line.supply(True, 0)
    line.advance(10_000_000)
    assert line.read(1000)
    street.found = []
    line.device.forget()
    line.changed()
    line.advance(11_000_000)  # what was on its way
    line.read(1000)
    line.advance(50_000_000)
    assert not line.read(1000)


@pytest.mark.parametrize("make", [Ops243, Ld2415h])
def test_a_street_is_asked_for_whole_minutes(make: Callable[[Steady], UartDevice]) -> None:
    class Counted(Steady):
        times = 0

        def targets(
            self, times_s: Sequence[float], least_db: float = -math.inf
        ) -> list[Sequence[tuple[float, float]]]:
            self.times += 1
            return super().targets(times_s, least_db)

    street = Counted([(12.0, 30.0)])
    line = UartLine(make(street))
    line.set(line.device.baud, 1000, True, 0)
    line.supply(True, 0)
    for second in range(1, 600):
        line.advance(second * 1_000_000)
        assert line.read(1000)
    assert street.times <= 11
