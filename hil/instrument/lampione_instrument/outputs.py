"""Digital outputs, and the node's reset and boot pins."""

from micropython import const

from .refusal import RANGE, Refusal, need, one_of

_LOW = const(0)
_HIGH = const(1)
_RELEASED = const(2)
_BOOT_MS = const(100)  # the boot pin is looked at when the reset is over


class Outputs:
    """A list of {"pin"}; released until they are driven."""

    def __init__(self, machine, parts):
        self._Pin = machine.Pin
        self._parts = parts
        for part in parts:
            machine.Pin(part["pin"], machine.Pin.IN)

    def drive(self, channel, level):
        """Drive an output low or high, or let go of it."""
        pin = one_of(self._parts, channel, "channel")["pin"]
        if need(level, "drive") > _RELEASED:
            raise Refusal(RANGE, "drive: 0 to 2")
        if level == _RELEASED:
            self._Pin(pin, self._Pin.OUT).init(self._Pin.IN)
        else:
            self._Pin(pin, self._Pin.OUT, value=level)

    def stop(self):
        """Let go of them all."""
        for channel in range(len(self._parts)):
            self.drive(channel, _RELEASED)

    def service(self):
        """There is nothing to do."""
        return 1000


class Button:
    """A line that is pulled low, or let go: {"pin"}."""

    def __init__(self, machine, part):
        self._pin = machine.Pin(part["pin"], machine.Pin.OPEN_DRAIN, value=_HIGH)

    def press(self):
        """Pull it low."""
        self._pin.value(_LOW)

    def stop(self):
        """Let go of it."""
        self._pin.value(_HIGH)

    def service(self):
        """There is nothing to do."""
        return 1000


def press(reset, boot, hold_ms, pause):  # type: ignore[no-untyped-def]
    """Reset the node; with its boot pin, into the loader of its ROM."""
    try:
        if boot:
            boot.press()
        reset.press()
        pause(hold_ms)
        reset.stop()
        if boot:
            pause(_BOOT_MS)
    finally:
        reset.stop()
        if boot:
            boot.stop()
