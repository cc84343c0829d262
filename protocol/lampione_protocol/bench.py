"""Bench messages: between a host and the instrument board of a bench, over a serial line.

The same field tables, codec and line as the node's messages (`schema`, `codec`, `stream`), in a
schema of its own with a revision of its own: a node never loads this module. A frame is

    version and BENCH in one byte, as every frame has it; kind; ask; the message

A host numbers its requests (`ask`, 1 to 255, round and round) and has one of them under way at a
time; the answer carries the request's number. Neither kind nor ask is ever 0, so that the first
byte of a frame on the line is 4 or more: a Ctrl-C between frames cannot be the beginning of one.

The cable is trusted: nothing is sealed, and no frame leaves the bench.

`at` and `at_us`: milliseconds since the instrument's start, and microseconds beyond them.
"""

from lampione_protocol.errors import TruncatedError, VersionError
from lampione_protocol.schema import BENCH, WIRE_VERSION

REVISION = 1  # of this schema; grows with every field added
HEAD_BYTES = 3
FRAME_MAX = 224
ASK_MAX = 255

# Requests
IDENTIFY = 1
UART = 2
PLAY = 3
ANSWER = 4
READ = 5
TARGET = 6
REGISTERS = 7
SCRIPT = 8
TONE = 9
DOPPLER = 10
MEASURE = 11
DRIVE = 12
PRESS = 13
DALI = 14
TRIGGER = 15
STOP = 16
CHECK = 17
# Answers
INSTRUMENT = 20
DONE = 21
REFUSED = 22
HEARD = 23
MEASURED = 24
STAMP = 25
SEEN = 26
CHECKED = 27

_AT = (
    ("at", "i", 30, 0, 1073741822, 1, "ms", 1),
    ("at_us", "i", 10, 0, 999, 1, "µs", 1),
)
_DATA = ("data", "t", 1600, 0, 0, 1, "", 1)

IDENTIFY_FIELDS = (
    ("revision", "c", 8, 0, 255, 1, "", 1),
    ("spare", "x", 8, 0, 0, 1, "", 1),
)

UART_FIELDS = (
    ("line", "c", 3, 0, 7, 1, "", 1),
    ("baud", "i", 22, 0, 4000000, 1, "Bd", 1),
    ("spare", "x", 7, 0, 0, 1, "", 1),
)

PLAY_FIELDS = (
    ("line", "c", 3, 0, 7, 1, "", 1),
    ("first", "i", 24, 0, 16777214, 1, "ms", 1),
    ("every", "i", 24, 0, 16777214, 1, "ms", 1),
    ("times", "i", 13, 0, 8190, 1, "", 1),
    _DATA,
)

ANSWER_FIELDS = (
    ("line", "c", 3, 0, 7, 1, "", 1),
    ("after", "i", 13, 0, 8190, 1, "ms", 1),
    ("asked", "i", 8, 1, 200, 1, "B", 1),
    _DATA,
)

READ_FIELDS = (
    ("source", "e", 4, 0, 14, 1, "", 1),
    ("line", "c", 3, 0, 7, 1, "", 1),
    ("spare", "x", 1, 0, 0, 1, "", 1),
)

TARGET_FIELDS = (
    ("address", "i", 7, 8, 119, 1, "", 1),
    ("register_bits", "i", 6, 0, 16, 1, "", 1),
    ("spare", "x", 3, 0, 0, 1, "", 1),
)

REGISTERS_FIELDS = (
    ("offset", "i", 16, 0, 4095, 1, "B", 1),
    _DATA,
)

SCRIPT_FIELDS = (
    ("after", "i", 13, 0, 8190, 1, "ms", 1),
    ("spare", "x", 3, 0, 0, 1, "", 1),
    ("asked", "i", 8, 1, 200, 1, "B", 1),
    _DATA,
)

TONE_FIELDS = (
    ("frequency", "i", 24, 0, 16777214, 100, "Hz", 1),
    ("level", "i", 11, 0, 1400, 10, "dB", 1),
    ("spare", "x", 5, 0, 0, 1, "", 1),
)

DOPPLER_FIELDS = (
    ("frequency", "i", 24, 0, 16777214, 100, "Hz", 1),
    ("amplitude", "i", 16, 0, 65534, 10, "mV", 1),
)

MEASURE_FIELDS = (
    ("quantity", "e", 4, 0, 14, 1, "", 1),
    ("channel", "c", 4, 0, 15, 1, "", 1),
    ("window", "i", 14, 1, 16382, 1, "ms", 1),
    ("spare", "x", 2, 0, 0, 1, "", 1),
)

DRIVE_FIELDS = (
    ("channel", "c", 4, 0, 15, 1, "", 1),
    ("drive", "e", 2, 0, 2, 1, "", 1),
    ("spare", "x", 2, 0, 0, 1, "", 1),
)

PRESS_FIELDS = (
    ("hold", "i", 14, 1, 16382, 1, "ms", 1),
    ("boot", "c", 1, 0, 1, 1, "", 1),
    ("spare", "x", 1, 0, 0, 1, "", 1),
)

DALI_FIELDS = (
    ("frame", "c", 24, 0, 16777215, 1, "", 1),
    ("bits", "i", 5, 8, 24, 1, "", 1),
    ("answer", "c", 1, 0, 1, 1, "", 1),
    ("spare", "x", 2, 0, 0, 1, "", 1),
)

TRIGGER_FIELDS = (
    ("channel", "c", 4, 0, 15, 1, "", 1),
    ("edge", "e", 2, 0, 2, 1, "", 1),
    ("count", "i", 8, 1, 254, 1, "", 1),
    ("within", "i", 14, 1, 16382, 1, "ms", 1),
    ("spare", "x", 4, 0, 0, 1, "", 1),
)

STOP_FIELDS = (
    ("capability", "e", 5, 0, 30, 1, "", 1),
    ("spare", "x", 3, 0, 0, 1, "", 1),
)

CHECK_FIELDS = (
    ("capability", "e", 5, 0, 30, 1, "", 1),
    ("spare", "x", 3, 0, 0, 1, "", 1),
)

INSTRUMENT_FIELDS = (
    ("revision", "c", 8, 0, 255, 1, "", 1),
    ("firmware", "c", 16, 0, 65535, 1, "", 1),
    ("hardware", "e", 8, 0, 254, 1, "", 1),
    ("capabilities", "c", 24, 0, 16777215, 1, "", 1),
    ("lacking", "c", 24, 0, 16777215, 1, "", 1),
    ("serial", "y", 48, 0, 0, 1, "", 1),
    ("calibrated_pwm", "i", 14, 0, 16382, 1, "d", 1),
    ("calibrated_voltage", "i", 14, 0, 16382, 1, "d", 1),
    ("calibrated_current", "i", 14, 0, 16382, 1, "d", 1),
    ("calibrated_tone", "i", 14, 0, 16382, 1, "d", 1),
    ("calibrated_doppler", "i", 14, 0, 16382, 1, "d", 1),
    ("spare", "x", 2, 0, 0, 1, "", 1),
)

DONE_FIELDS = _AT

REFUSED_FIELDS = (
    ("reason", "e", 5, 0, 30, 1, "", 1),
    ("spare", "x", 3, 0, 0, 1, "", 1),
    ("text", "t", 480, 0, 0, 1, "", 1),
)

HEARD_FIELDS = _AT + (
    ("source", "e", 4, 0, 14, 1, "", 1),
    ("line", "c", 3, 0, 7, 1, "", 1),
    ("more", "c", 1, 0, 1, 1, "", 1),
    ("lost", "i", 16, 0, 65534, 1, "B", 1),
    _DATA,
)

MEASURED_FIELDS = _AT + (
    ("quantity", "e", 4, 0, 14, 1, "", 1),
    ("channel", "c", 4, 0, 15, 1, "", 1),
    ("count", "i", 16, 0, 65534, 1, "", 1),
    ("frequency", "i", 30, 0, 1073741822, 100, "Hz", 1),
    ("duty", "i", 17, 0, 100000, 1000, "%", 1),
    ("voltage", "i", 20, 0, 1048574, 10, "mV", 1),
    ("current", "i", 20, 0, 1048574, 100, "mA", 1),
    ("level", "i", 2, 0, 1, 1, "", 1),
    ("spare", "x", 7, 0, 0, 1, "", 1),
)

STAMP_FIELDS = _AT + (
    ("channel", "c", 4, 0, 15, 1, "", 1),
    ("count", "i", 8, 0, 254, 1, "", 1),
    ("spare", "x", 4, 0, 0, 1, "", 1),
)

SEEN_FIELDS = _AT + (
    ("frame", "c", 24, 0, 16777215, 1, "", 1),
    ("bits", "i", 5, 8, 24, 1, "", 1),
    ("garbled", "c", 1, 0, 1, 1, "", 1),
    ("more", "c", 1, 0, 1, 1, "", 1),
    ("spare", "x", 1, 0, 0, 1, "", 1),
)

CHECKED_FIELDS = (
    ("capability", "e", 5, 0, 30, 1, "", 1),
    ("verdict", "e", 3, 0, 6, 1, "", 1),
    ("played", "i", 30, 0, 1073741822, 1, "", 1),
    ("measured", "i", 30, 0, 1073741822, 1, "", 1),
    ("spare", "x", 4, 0, 0, 1, "", 1),
)

MESSAGES = (
    (IDENTIFY, "Identify", IDENTIFY_FIELDS),
    (UART, "Uart", UART_FIELDS),
    (PLAY, "Play", PLAY_FIELDS),
    (ANSWER, "Answer", ANSWER_FIELDS),
    (READ, "Read", READ_FIELDS),
    (TARGET, "Target", TARGET_FIELDS),
    (REGISTERS, "Registers", REGISTERS_FIELDS),
    (SCRIPT, "Script", SCRIPT_FIELDS),
    (TONE, "Tone", TONE_FIELDS),
    (DOPPLER, "Doppler", DOPPLER_FIELDS),
    (MEASURE, "Measure", MEASURE_FIELDS),
    (DRIVE, "Drive", DRIVE_FIELDS),
    (PRESS, "Press", PRESS_FIELDS),
    (DALI, "Dali", DALI_FIELDS),
    (TRIGGER, "Trigger", TRIGGER_FIELDS),
    (STOP, "Stop", STOP_FIELDS),
    (CHECK, "Check", CHECK_FIELDS),
    (INSTRUMENT, "Instrument", INSTRUMENT_FIELDS),
    (DONE, "Done", DONE_FIELDS),
    (REFUSED, "Refused", REFUSED_FIELDS),
    (HEARD, "Heard", HEARD_FIELDS),
    (MEASURED, "Measured", MEASURED_FIELDS),
    (STAMP, "Stamp", STAMP_FIELDS),
    (SEEN, "Seen", SEEN_FIELDS),
    (CHECKED, "Checked", CHECKED_FIELDS),
)

# What the codes mean, in the order of their numbers. Append-only.
CAPABILITIES = (
    "uart",
    "i2c",
    "tone",
    "doppler",
    "pwm",
    "voltage",
    "current",
    "level",
    "drive",
    "reset",
    "boot",
    "dali",
    "trigger",
)
QUANTITIES = ("pwm", "voltage", "current", "level")
SOURCES = ("uart", "i2c", "dali")
DRIVES = ("low", "high", "released")
EDGES = ("rising", "falling", "both")
HARDWARE = ("virtual", "esp32", "esp32-s3")
REASONS = (
    "unknown message",
    "malformed",
    "out of range",
    "not wired",
    "not on this board",
    "not open",
    "full",
    "timeout",
    "no signal",
    "failed",
)
VERDICTS = ("passed", "failed", "not wired")

CODES = {
    "capability": CAPABILITIES,
    "quantity": QUANTITIES,
    "source": SOURCES,
    "drive": DRIVES,
    "edge": EDGES,
    "hardware": HARDWARE,
    "reason": REASONS,
    "verdict": VERDICTS,
}
FLAGS = {"capabilities": CAPABILITIES, "lacking": CAPABILITIES}


def fields_of(kind: int) -> "tuple | None":
    """Return the fields of a kind of message, None where there is none such."""
    for number, _, fields in MESSAGES:
        if number == kind:
            return fields
    return None


def head(kind: int, ask: int) -> bytes:
    """Return what stands in front of a message."""
    return bytes((WIRE_VERSION << 5 | BENCH, kind, ask))


def parse(frame: "bytes | bytearray") -> tuple:
    """Return (kind, ask) of a frame. Raises TruncatedError, VersionError."""
    if len(frame) < HEAD_BYTES:
        raise TruncatedError("frame", HEAD_BYTES, len(frame))
    if frame[0] != WIRE_VERSION << 5 | BENCH:
        raise VersionError(WIRE_VERSION << 5 | BENCH, frame[0])
    return frame[1], frame[2]
