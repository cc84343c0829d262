"""Every message, as data: the one place that says what is on the wire.

A message is a tuple of fields, a field a tuple

    (name, kind, bits, low, high, steps, unit, since)

    name    unit in the name where the unit column cannot carry it
    kind    "i" integer; "e" code of a list in `names`; "m" minifloat, 4 bits of exponent over a
            mantissa; "c" code or flags that have no "unknown"; "y" bytes; "t" text, last field
            only, its length in one byte before it; "x" spare
    bits    width on the wire ("t": of the longest text, without its length)
    low     least value, in steps
    high    greatest value, in steps
    steps   steps in one unit; negative: units in one step
    unit    of the value that a person reads
    since   the schema revision that the field came in

Values are integers counted in steps, so that a board without an FPU never touches a float:
62.4 dB in a field of 10 steps a dB is 624. Unknown is None, on the wire all ones. Spare bits and
padding are ones too: a field that is later cut from them reads "unknown" from an older sender.
Hence no such field may be of kind "c" or "y", which have no unknown.

Privacy: no field carries sound or a picture; `speed_mean` and `speed_max` are unknown where fewer
than three vehicles were counted in both directions together.

Append-only: `schema.lock` holds what may no longer change, `docs/protocol.md` shows it.
Times are whole seconds since 2020-01-01T00:00:00Z, without leap seconds.
"""

WIRE_VERSION = 1  # refused when it differs; three bits
REVISION = 3  # of this schema; grows with every field added
EPOCH_2020 = 1577836800  # Unix time of the wire's zero

HELLO = 1
REPORT = 2
HEALTH = 3
HOUR = 4
EVENT = 5
COMMAND = 6
RESULT = 7
WATERMARK = 8
LOG = 9
CONFIG = 10
GROUP = 12
RAW = 14
SETUP = 15
# Numbers kept for what comes: a receiver skips and counts what it does not know.
IMAGE = 11
BENCH = 13

HELLO_FIELDS = (
    ("epoch", "y", 32, 0, 0, 1, "", 1),
    ("boot", "i", 16, 0, 65534, 1, "", 1),
    ("first_seq", "i", 24, 0, 16777214, 1, "", 1),
    ("oldest_held", "i", 24, 0, 16777214, 1, "", 1),
    ("last_counter", "i", 31, 0, 2147483646, 1, "", 1),
    ("challenge", "y", 32, 0, 0, 1, "", 1),
    ("answer", "y", 32, 0, 0, 1, "", 1),
    ("firmware", "c", 16, 0, 65535, 1, "", 1),
    ("protocol", "c", 8, 0, 255, 1, "", 1),
    ("hardware", "e", 8, 0, 254, 1, "", 1),
    ("profile", "c", 10, 0, 1023, 1, "", 1),
    ("reset_cause", "e", 4, 0, 14, 1, "", 1),
    ("config_version", "i", 16, 0, 65534, 1, "", 1),
    ("clock", "c", 2, 0, 3, 1, "", 1),
    ("config_state", "e", 2, 0, 2, 1, "", 3),
    ("spare", "x", 7, 0, 0, 1, "", 1),
)

REPORT_FIELDS = (
    ("start", "i", 31, 0, 2147483646, 1, "s", 1),
    ("duration_s", "i", 9, 1, 510, 1, "s", 1),
    ("clock", "c", 2, 0, 3, 1, "", 1),
    ("pm1", "i", 11, 0, 2046, 2, "µg/m³", 1),
    ("pm2_5", "i", 11, 0, 2046, 2, "µg/m³", 1),
    ("pm10", "i", 11, 0, 2046, 2, "µg/m³", 1),
    ("no2", "i", 9, 0, 510, 1, "ppb", 1),
    ("o3", "i", 9, 0, 510, 1, "ppb", 1),
    ("temperature", "i", 10, -400, 622, 10, "°C", 1),
    ("humidity", "i", 7, 0, 100, 1, "%", 1),
    ("laeq", "i", 10, 200, 1222, 10, "dB", 1),
    ("lafmax", "i", 10, 200, 1222, 10, "dB", 1),
    ("la10", "i", 9, 100, 610, 5, "dB", 1),
    ("la50", "i", 9, 100, 610, 5, "dB", 1),
    ("la90", "i", 9, 100, 610, 5, "dB", 1),
    ("lceq", "i", 9, 100, 610, 5, "dB", 1),
    ("sound_valid", "i", 5, 0, 25, -4, "%", 1),
    ("vehicles_toward", "i", 8, 0, 254, 1, "", 1),
    ("vehicles_away", "i", 8, 0, 254, 1, "", 1),
    ("speed_mean", "i", 8, 0, 254, 1, "km/h", 1),
    ("speed_max", "i", 8, 0, 254, 1, "km/h", 1),
    ("presence", "i", 5, 0, 25, -4, "%", 1),
    ("ambient_light", "m", 10, 0, 2031616, 20, "lx", 1),
    ("lamp_level", "i", 7, 0, 100, 1, "%", 1),
    ("lamp_reason", "e", 4, 0, 14, 1, "", 1),
    ("lamp_power", "i", 10, 0, 1022, 2, "W", 1),
    ("valid", "c", 9, 0, 511, 1, "", 1),
    ("faults", "c", 8, 0, 255, 1, "", 1),
    ("spare", "x", 8, 0, 0, 1, "", 1),
)

HEALTH_FIELDS = (
    ("time", "i", 31, 0, 2147483646, 1, "s", 1),
    ("clock", "c", 2, 0, 3, 1, "", 1),
    ("correction_set", "i", 6, 0, 62, 1, "", 1),
    ("energy", "i", 24, 0, 16777214, -10, "Wh", 1),
    ("burn_hours", "i", 18, 0, 262142, 1, "h", 1),
    ("voltage", "i", 10, 0, 1022, 2, "V", 1),
    ("board_temperature", "i", 8, -40, 125, 1, "°C", 1),
    ("rssi", "i", 7, -127, -1, 1, "dBm", 1),
    ("tilt", "i", 8, 0, 254, 2, "°", 1),
    ("free_heap", "i", 12, 0, 4094, -1024, "B", 1),
    ("uptime", "i", 20, 0, 1048574, -60, "s", 1),
    ("outbox_depth", "i", 17, 0, 131070, 1, "", 1),
    ("outbox_drops", "i", 20, 0, 1048574, 1, "", 1),
    ("task_restarts", "i", 12, 0, 4094, 1, "", 1),
    ("refused_frames", "i", 16, 0, 65534, 1, "", 1),
    ("state_particulates", "e", 4, 0, 14, 1, "", 1),
    ("state_no2", "e", 4, 0, 14, 1, "", 1),
    ("state_o3", "e", 4, 0, 14, 1, "", 1),
    ("state_climate", "e", 4, 0, 14, 1, "", 1),
    ("state_sound", "e", 4, 0, 14, 1, "", 1),
    ("state_radar", "e", 4, 0, 14, 1, "", 1),
    ("state_light", "e", 4, 0, 14, 1, "", 1),
    ("state_energy", "e", 4, 0, 14, 1, "", 1),
    ("state_tilt", "e", 4, 0, 14, 1, "", 1),
    ("idle", "i", 7, 0, 100, 1, "%", 2),
    ("spare", "x", 10, 0, 0, 1, "", 1),
)

EVENT_FIELDS = (
    ("time", "i", 31, 0, 2147483646, 1, "s", 1),
    ("clock", "c", 2, 0, 3, 1, "", 1),
    ("code", "e", 8, 0, 254, 1, "", 1),
    ("severity", "c", 2, 0, 3, 1, "", 1),
    ("argument", "i", 30, -536870912, 536870910, 1, "", 1),
    ("spare", "x", 7, 0, 0, 1, "", 1),
)

COMMAND_FIELDS = (
    ("op", "c", 6, 0, 63, 1, "", 1),
    ("expires", "i", 31, 0, 2147483646, 1, "s", 1),
    ("challenge", "y", 32, 0, 0, 1, "", 1),
    ("ask", "y", 32, 0, 0, 1, "", 1),
    ("level", "i", 7, 0, 100, 1, "%", 1),
    ("ramp", "i", 12, 0, 4094, 10, "s", 1),
    ("for_s", "i", 20, 0, 1048574, 1, "s", 1),
    ("time", "i", 31, 0, 2147483646, 1, "s", 1),
    ("time_ms", "i", 10, 0, 999, 1, "ms", 1),
    ("first_seq", "i", 24, 0, 16777214, 1, "", 1),
    ("last_seq", "i", 24, 0, 16777214, 1, "", 1),
    ("spare", "x", 11, 0, 0, 1, "", 1),
)

RESULT_FIELDS = (
    ("time", "i", 31, 0, 2147483646, 1, "s", 1),
    ("clock", "c", 2, 0, 3, 1, "", 1),
    ("counter", "i", 31, 0, 2147483646, 1, "", 1),
    ("op", "c", 6, 0, 63, 1, "", 1),
    ("outcome", "c", 2, 0, 3, 1, "", 1),
    ("reason", "e", 5, 0, 30, 1, "", 1),
    ("level", "i", 7, 0, 100, 1, "%", 1),
    ("value", "i", 24, 0, 16777214, 1, "", 1),
    ("spare", "x", 4, 0, 0, 1, "", 1),
)

WATERMARK_FIELDS = (
    ("seq", "i", 24, 0, 16777214, 1, "", 1),
    ("spare", "x", 8, 0, 0, 1, "", 1),
)

LOG_FIELDS = (
    ("time", "i", 31, 0, 2147483646, 1, "s", 1),
    ("clock", "c", 2, 0, 3, 1, "", 1),
    ("level", "c", 3, 0, 7, 1, "", 1),
    ("spare", "x", 4, 0, 0, 1, "", 1),
    ("text", "t", 216, 0, 0, 1, "", 1),
)

# A piece of a config (lampione_light.layout), down; which config a Setup has said before.
CONFIG_FIELDS = (
    ("version", "i", 16, 0, 65534, 1, "", 3),
    ("offset", "i", 13, 0, 8190, 1, "B", 3),
    ("spare", "x", 3, 0, 0, 1, "", 3),
    ("data", "t", 200, 0, 0, 1, "", 3),
)

# What is to become of a config, down: a command, with a command's counter.
SETUP_FIELDS = (
    ("op", "c", 6, 0, 63, 1, "", 3),
    ("version", "i", 16, 0, 65534, 1, "", 3),
    ("size", "i", 13, 0, 8190, 1, "B", 3),
    ("digest", "y", 64, 0, 0, 1, "", 3),
    ("expires", "i", 31, 0, 2147483646, 1, "s", 3),
    ("challenge", "y", 32, 0, 0, 1, "", 3),
    ("trial", "i", 12, 0, 4094, 1, "s", 3),
    ("spare", "x", 10, 0, 0, 1, "", 3),
)

# From node to node of a group: somebody walks here, more light please. It can only raise.
GROUP_FIELDS = (
    ("time", "i", 31, 0, 2147483646, 1, "s", 3),
    ("level", "i", 7, 0, 100, 1, "%", 3),
    ("hold", "i", 9, 1, 510, 1, "s", 3),
    ("spare", "x", 9, 0, 0, 1, "", 3),
)

MESSAGES = (
    (HELLO, "Hello", HELLO_FIELDS),
    (REPORT, "Report", REPORT_FIELDS),
    (HEALTH, "Health", HEALTH_FIELDS),
    (EVENT, "Event", EVENT_FIELDS),
    (COMMAND, "Command", COMMAND_FIELDS),
    (RESULT, "Result", RESULT_FIELDS),
    (WATERMARK, "Watermark", WATERMARK_FIELDS),
    (LOG, "Log", LOG_FIELDS),
    (CONFIG, "Config", CONFIG_FIELDS),
    (SETUP, "Setup", SETUP_FIELDS),
    (GROUP, "Group", GROUP_FIELDS),
)
