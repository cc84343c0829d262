"""The self check: what is played comes in again, over wires of the instrument's own.

The settings' "check": {"pwm": {"pin", "channel"}, "voltage": {"pin", "channel", "full_mv"},
"uart": {"line"}, "drive": {"drive", "level"}}: a spare pin at a PWM input; another, filtered, at
a voltage's pin, where 3.3 V are shown as `full_mv`; a line's tx at its rx; an output at a digital
input.
"""

from micropython import const

from .inputs import LEVEL, PWM, VOLTAGE

_PASSED = const(0)
_FAILED = const(1)
_NOT_WIRED = const(2)
_DUTY = const(25000)  # in 0.001 %
_WITHIN = const(500)
_SETTLE_MS = const(200)  # of the filter
_TEXT = b"lampione check\x00\xff\x55"
_WINDOW_MS = const(100)


def check(name, part, machine, parts, inputs, pause):  # type: ignore[no-untyped-def]
    """Return (verdict, played, measured)."""
    if part is None:
        return _NOT_WIRED, None, None
    if name == "pwm":
        output = machine.PWM(machine.Pin(part["pin"]), freq=1000, duty_u16=16384)
        try:
            pause(5)
            duty = inputs.measure(PWM, part["channel"], _WINDOW_MS)[2]
        finally:
            output.deinit()
        return _verdict(abs(duty - _DUTY) <= _WITHIN, _DUTY, duty)
    if name == "voltage":
        output = machine.PWM(machine.Pin(part["pin"]), freq=20000, duty_u16=32768)
        try:
            pause(_SETTLE_MS)
            tenths = inputs.measure(VOLTAGE, part["channel"], _WINDOW_MS)[3]
        finally:
            output.deinit()
        wanted = part["full_mv"] * 5
        return _verdict(abs(tenths - wanted) <= wanted // 33, wanted, tenths)
    if name == "uart":
        lines = parts[name]
        lines.open(part["line"], 115200)
        try:
            line = lines.line(part["line"])
            line.play(0, 0, 1, _TEXT)
            pause(60)
            heard = line.read()[0]
        finally:
            lines.open(part["line"], 0)
        same = sum([1 for a, b in zip(heard, _TEXT) if a == b])
        return _verdict(heard == _TEXT, len(_TEXT), same)
    if name == "drive":
        outputs = parts[name]
        good = 0
        try:
            for level in (0, 1, 0, 1):
                outputs.drive(part["drive"], level)
                pause(2)
                good += inputs.measure(LEVEL, part["level"], 1)[5] == level
        finally:
            outputs.stop()
        return _verdict(good == 4, 4, good)
    return _NOT_WIRED, None, None


def _verdict(good, played, measured):
    return _PASSED if good else _FAILED, played, measured
