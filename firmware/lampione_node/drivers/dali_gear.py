"""Control gear on a DALI line (IEC 62386-102): levels, settings, questions, memory banks."""

from micropython import const

from .dali import GARBLED, NO

# Commands of an addressed gear
OFF = const(0x00)
RECALL_MAX = const(0x05)
_SET_SYSTEM_FAILURE = const(0x2C)
_SET_POWER_ON = const(0x2D)
_SET_FADE_TIME = const(0x2E)
_SET_EXTENDED_FADE = const(0x30)
_ENABLE_WRITE = const(0x81)

# Questions
STATUS = const(0x90)
LAMP_FAILURE = const(0x92)
ACTUAL_LEVEL = const(0xA0)
_DTR0_CONTENT = const(0x98)
_DTR1_CONTENT = const(0x9C)
_POWER_ON = const(0xA3)
_SYSTEM_FAILURE = const(0xA4)
_FADE = const(0xA5)
_EXTENDED_FADE = const(0xA8)
_READ_MEMORY = const(0xC5)
_CURVE = const(0xEE)  # of LED gear (part 207)

# Frames to all
_SET_DTR0 = const(0xA3)
_DEVICE_TYPE = const(0xC1)
_SET_DTR1 = const(0xC3)
_WRITE_MEMORY = const(0xC9)  # without an answer

# STATUS
GEAR_FAILED = const(1)
LAMP_FAILED = const(2)
LIMITED = const(8)
FADING = const(16)
POWER_CYCLED = const(128)

MASK = const(255)
_LED = const(6)
_LOCK = const(2)  # where a bank is latched
_LATCH = const(0xAA)
_TRIES = const(3)


def extended_fade(ramp_ms):
    """Return the extended fade time nearest to a ramp: base - 1, and the unit's number << 4."""
    if ramp_ms < 50:
        return 0
    number = 0x10
    for unit_ms in (100, 1000, 10000):
        base = (ramp_ms + unit_ms // 2) // unit_ms
        if base <= 16:
            return number | base - 1
        number += 0x10
    return number | min(16, (ramp_ms + 30000) // 60000) - 1


class Gear:
    """One gear (`address` 0..63), a group (0..15), or all that there are.

    What it raises is the line's OSError. A question is asked again where its answer is garbled or
    does not come, three times in all.
    """

    def __init__(self, line, address=None, group=None):
        self._line = line
        if address is None and group is None:
            to = 0x7F
        elif group is None and 0 <= address < 64:
            to = address
        elif address is None and 0 <= group < 16:
            to = 0x40 | group
        else:
            raise ValueError("DALI: address")
        self._byte = to << 1

    async def dapc(self, arc):
        """Go to an arc power 0..254 with the gear's fade; 255 stops a fade."""
        await self._line.send(self._byte, arc)

    async def do(self, command, twice=False):
        """Send a command; those that change settings go twice."""
        await self._line.send(self._byte | 1, command, False, twice)

    async def ask(self, question):
        """Return the byte that answers a question, NO or GARBLED."""
        found = NO
        for _ in range(_TRIES):
            found = await self._line.send(self._byte | 1, question, True)
            if found is not NO and found != GARBLED:
                break
        return found

    async def _keep(self, question, command, value):
        # What it holds already is not written: the gear's flash wears out. Nor is it where no
        # answer comes: there may be nothing but a receiver that is broken.
        found = await self.ask(question)
        if found is NO or found == value:
            return found == value
        await self._line.send(_SET_DTR0, value)
        await self.do(command, True)
        return await self.ask(question) == value

    async def be_safe(self, arc):
        """Let it go to `arc` by itself when its power comes back or its line dies.

        Return whether it said that it will.
        """
        power_on = await self._keep(_POWER_ON, _SET_POWER_ON, arc)
        return await self._keep(_SYSTEM_FAILURE, _SET_SYSTEM_FAILURE, arc) and power_on

    async def fade(self, ramp_ms):
        """Let it take so long (0, 100 ms to 16 min) to a new level; return whether it will."""
        fade = await self.ask(_FADE)
        if fade is not NO and fade >> 4:  # or garbled
            await self._line.send(_SET_DTR0, 0)
            await self.do(_SET_FADE_TIME, True)
        return await self._keep(_EXTENDED_FADE, _SET_EXTENDED_FADE, extended_fade(ramp_ms))

    async def linear(self):
        """Return whether its dimming curve is linear."""
        for _ in range(_TRIES):
            await self._line.send(_DEVICE_TYPE, _LED)
            found = await self._line.send(self._byte | 1, _CURVE, True)
            if found is not NO and found != GARBLED:
                return found == 1
        return False  # no LED gear of part 207

    async def read(self, bank, first, buf, latch=False):
        """Read len(buf) bytes of a memory bank, of one moment where it is latched.

        Return how many came: a location that is not there ends it. -1: what came is not to be
        believed.
        """
        line = self._line
        await line.send(_SET_DTR1, bank)
        if latch:
            await line.send(_SET_DTR0, _LOCK)
            await self.do(_ENABLE_WRITE, True)
            await line.send(_WRITE_MEMORY, _LATCH)
        await line.send(_SET_DTR0, first)
        n = 0
        while n < len(buf):
            # not asked again: the gear may have moved on to the next
            found = await line.send(self._byte | 1, _READ_MEMORY, True)
            if found is NO:
                break
            if found == GARBLED:
                return -1
            buf[n] = found
            n += 1
        # a frame may have been lost: nothing acknowledges it. Where no answer came, DTR0 has
        # counted or not.
        at = await self.ask(_DTR0_CONTENT)
        if at not in (first + n, first + n + 1) or await self.ask(_DTR1_CONTENT) != bank:
            return -1
        return n
