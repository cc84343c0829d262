"""A luminaire with a 0-10 V input, behind a filtered PWM pin.

Settings of the lamp: "curve" (0: the driver's light follows its input in a straight line; 1: by
three decades, as IEC 62386-102 has it), "duty_low" and "duty_high": the duty in 0.1 %, measured,
at which the light begins and at which it is full. At level 0 the pin is low.
"""

import math

from micropython import const

_PWM_HZ = const(1000)  # of the filter before the 0-10 V input
_FULL = const(10000)


def duty_u16(level, curve=0, low=0, high=1000):
    """Return the PWM duty, 0 to 65535, for a level in 0.01 %."""
    if level <= 0:
        return 0
    share = min(level, _FULL)
    if curve:
        share = max(0, int((1 + math.log10(share / _FULL) / 3) * _FULL + 0.5))
    return ((low * 10 + (high - low) * share // 1000) * 65535 + 5000) // _FULL


class Dimmer:
    """Drives the pin.

    Args:
        machine: where the pin comes from.
        part: the settings' `lamp` part: "pin".
        lamp: the settings of the lamp, see the module.
        level: in 0.01 %, the pin's from its first moment on.

    It cannot tell whether the lamp has failed.
    """

    failed = None

    def __init__(self, machine, part, lamp, level):
        self.shape(lamp.get("curve", 0), lamp.get("duty_low", 0), lamp.get("duty_high", 1000))
        pin = machine.Pin(part["pin"])
        self._pwm = machine.PWM(pin, freq=_PWM_HZ, duty_u16=duty_u16(level, *self._how))

    def shape(self, curve, low, high):
        """Follow another curve, see the module, from the next level on."""
        self._how = curve, low, high

    def set(self, level):
        """Show a level, 0 to 10000."""
        self._pwm.duty_u16(duty_u16(level, *self._how))
