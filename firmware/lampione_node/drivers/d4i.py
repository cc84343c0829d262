"""What D4i gear knows of itself: memory banks 202 to 207 (DiiA parts 252 and 253)."""

from micropython import const

ACTIVE = const(202)
APPARENT = const(203)
LOAD_SIDE = const(204)

_LOCK_BYTES = const(3)  # of every bank before its values: last location, -, lock
_VERSION = const(3)
_ENERGY = const(4)
_POWER = const(0x0B)
_END = const(0x10)

# A bank's values, as "name location bytes". In the names: _dv 0.1 V, _ma mA, _c °C + 60,
# _kh 1000 h, _h hundreds, _s seconds, _percent.
FIELDS = {
    205: "operating_s 4 4,starts 8 3,supply_dv 11 2,supply_hz 13 1,power_factor_percent 14 1,"
    "failure 15 1,failures 16 1,undervoltage 17 1,undervoltages 18 1,overvoltage 19 1,"
    "overvoltages 20 1,power_limited 21 1,power_limits 22 1,derating 23 1,deratings 24 1,"
    "shutdown 25 1,shutdowns 26 1,temperature_c 27 1,output_percent 28 1",
    206: "starts_since_reset 4 3,starts 7 3,on_since_reset_s 10 4,on_s 14 4,voltage_dv 18 2,"
    "current_ma 20 2,failure 22 1,failures 23 1,short 24 1,shorts 25 1,open 26 1,opens 27 1,"
    "derating 28 1,deratings 29 1,shutdown 30 1,shutdowns 31 1,temperature_c 32 1",
    207: "rated_life_kh 4 1,reference_temperature_c 5 1,rated_starts_h 6 2",
}


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


async def diagnostics(gear, bank):
    """Return {name: value} of a bank 205 to 207; what the gear does not know is not in it.

    None: it was not read well. Temperatures in °C.
    """
    buf = bytearray(0x21)
    got = await gear.read(bank, _LOCK_BYTES, memoryview(buf)[_LOCK_BYTES:], bank != 207)
    if got < 0:
        return None
    found = {}
    for field in FIELDS[bank].split(","):
        name, at, size = field.split()
        at = int(at)
        size = int(size)
        if at + size <= _LOCK_BYTES + got:
            value = number(buf, at, size)
            if value is not None:
                found[name] = value - 60 if name.endswith("_c") else value
    return found
