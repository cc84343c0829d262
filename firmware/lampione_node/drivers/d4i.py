"""What D4i gear measures: its memory banks 202 to 204 (DiiA part 252)."""

from micropython import const

ACTIVE = const(202)
APPARENT = const(203)
LOAD_SIDE = const(204)

_VERSION = const(3)
_ENERGY = const(4)
_POWER = const(0x0B)
_END = const(0x10)


def number(buf, at, size):
    """Return the number of `size` bytes at buf[at:], None where the gear has none (now)."""
    value = int.from_bytes(buf[at : at + size], "big")
    return None if value >= (1 << 8 * size) - 2 else value


def scaled(buf, at, size, places):
    """Return the number after its power of ten at buf[at], in units of 10 ** -places, or None."""
    power = buf[at]
    if power > 127:
        power -= 256
    value = number(buf, at + 1, size)
    if value is None or not -6 <= power <= 6:
        return None
    power += places
    return value * 10**power if power >= 0 else value // 10**-power


async def energy(gear, bank=ACTIVE):
    """Return [Wh or VAh, 0.1 W or VA] of the gear's own meter, each None where it has none.

    None: it has no such bank, or it was not read well.
    """
    buf = bytearray(_END)
    got = await gear.read(bank, _VERSION, memoryview(buf)[_VERSION:], True)
    if got != _END - _VERSION:
        return None
    return [scaled(buf, _ENERGY, 6, 0), scaled(buf, _POWER, 4, 1)]
