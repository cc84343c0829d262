"""The binary config: what a node can be told, in sections.

    [format 1 byte] then, any number of times, [section 1][length 2][content]

Numbers are big-endian. Append-only: a field is added at a section's end, a section under a number
of its own. A section that ends early has the defaults for the rest; what lies beyond the fields
that are known, and sections that are not known, are skipped. So old nodes and new controllers,
and the other way round, understand each other. PLAN may come more than once; of any other section
the last one counts.
"""

from struct import calcsize, unpack

FORMAT = 1
SIZE_MAX = 4096  # of a whole config, in bytes

SITE = 1  # latitude, longitude in 0.00001 degrees; UTC offset in minutes; summer time (civil)
LAMP = 2  # design, minimum, maximum percent; rated W, budget W (0: none); the driver's curve, end
# points in 0.1 %; most delay s, dwell s; hot, hottest in degrees Celsius, percent when hottest
UPKEEP = 3  # constant light output: (10 hours burnt, percent) each
NIGHT = 4  # source; minutes after sunset and sunrise; lx below and above which it is dark, bright
PLAN = 5  # its number; (anchor, minutes, level percent, ramp in s) each step
RULES = 6  # (weekdays, first month, day, last month, day, plan) each, the first that fits counts
TRAFFIC = 7  # service flow in vehicles/h, percent below half of it, percent below a quarter
PRESENCE = 8  # level percent, hold s, ramp in 0.1 s, neighbours that a wave reaches
GROUP = 9  # member 0 to 65535, key of 16 bytes, name
REPORTING = 10  # report and health interval in s, least vehicles for speeds, noise peaks told
PARTS = 11  # JSON, as in the settings' "parts"
RADIO = 12  # JSON, the settings' "wifi" and "broker"

FORMATS = {
    SITE: ">iihB",
    LAMP: ">BBBHHBHHBHbbB",
    UPKEEP: ">HB",
    NIGHT: ">BhhHH",
    PLAN: ">BhBH",
    RULES: ">BBBBBB",
    TRAFFIC: ">HBB",
    PRESENCE: ">BHBB",
    REPORTING: ">HIBB",
}
"""Of a section's fields; of PLAN, RULES and UPKEEP those of one row."""

NOWHERE = 0x3FFFFFFF  # a latitude that is not known
DEFAULTS = {
    SITE: (NOWHERE, 0, 60, 1),
    LAMP: (100, 1, 100, 0, 0, 0, 0, 1000, 0, 0, 127, 127, 100),
    NIGHT: (2, 0, 0, 20, 35),
    TRAFFIC: (0, 100, 100),
    PRESENCE: (0, 60, 20, 0),
    REPORTING: (60, 900, 3, 1),
}


class ConfigError(ValueError):
    """A config that is not whole, or of another format; args = (what is wrong, at which byte)."""


def sections(blob: "bytes | bytearray | memoryview") -> list:
    """Return [(section, content), ...] of a config. Raises ConfigError."""
    size = len(blob)
    if not size or blob[0] != FORMAT:
        raise ConfigError("format", 0)
    if size > SIZE_MAX:
        raise ConfigError("size", SIZE_MAX)
    found = []
    at = 1
    while at < size:
        start = at + 3
        if start > size:
            raise ConfigError("section", at)
        end = start + (blob[at + 1] << 8 | blob[at + 2])
        if end > size:
            raise ConfigError("section", at)
        found.append((blob[at], blob[start:end]))
        at = end
    return found


def fields(section: int, content: "bytes | bytearray | memoryview") -> tuple:
    """Return a section's values, defaults for what an older sender did not know.

    A value that its sender cut in half counts as not sent.
    """
    values = DEFAULTS[section]
    form = FORMATS[section]
    for n in range(len(values), 0, -1):
        part = form[: n + 1]
        size = calcsize(part)
        if size <= len(content):
            return unpack(part, content[:size]) + values[n:]
    return values


def rows(section: int, content: "bytes | bytearray | memoryview") -> list:
    """Return the rows of a section, tuples; half a row at the end is left out."""
    form = FORMATS[section]
    size = calcsize(form)
    return [unpack(form, content[at : at + size]) for at in range(0, len(content) - size + 1, size)]
