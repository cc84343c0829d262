"""What D4i gear knows of itself and its light source: memory banks 205 to 207 (DiiA part 253)."""

from micropython import const

from .d4i import number

_FIRST = const(3)  # before it: last location, a reserved one, lock
_END = const(0x21)
_MAINTENANCE = const(207)

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


async def diagnostics(gear, bank):
    """Return {name: value} of a bank 205 to 207; what the gear does not know is not in it.

    None: it was not read well. Temperatures in °C.
    """
    buf = bytearray(_END)
    got = await gear.read(bank, _FIRST, memoryview(buf)[_FIRST:], bank != _MAINTENANCE)
    if got < 0:
        return None
    found = {}
    for field in FIELDS[bank].split(","):
        name, at, size = field.split()
        at = int(at)
        size = int(size)
        if at + size <= _FIRST + got:
            value = number(buf, at, size)
            if value is not None:
                found[name] = value - 60 if name.endswith("_c") else value
    return found
