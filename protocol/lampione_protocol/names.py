"""What the codes of kind "e" and "c" mean, in the order of their numbers. Append-only.

The node's own files use the numbers; this list is for hosts, and for the documentation.
"""

from lampione_protocol.hour import HOUR_FIELDS, RAW_FIELDS
from lampione_protocol.schema import HOUR, MESSAGES, RAW

SENSORS = ("particulates", "no2", "o3", "climate", "sound", "radar", "light", "energy", "tilt")
SENSOR_STATES = ("ok", "warming", "stale", "stuck", "implausible", "silent", "absent")
CLOCKS = ("unset", "holdover", "ntp", "controller")
LAMP_REASONS = (
    "design",
    "program",
    "sensor",
    "override",
    "fault",
    "group",
    "emergency",
    "maintenance",
    "identify",
)
RESET_CAUSES = ("power", "hard", "watchdog", "deep sleep", "soft", "brown-out")
HARDWARE = ("virtual", "esp32", "esp32-s3")
SEVERITIES = ("info", "warning", "error", "critical")
LOG_LEVELS = ("debug", "info", "warning", "error")
OPS = (
    "read",
    "level",
    "resume",
    "identify",
    "reboot",
    "time",
    "hello",
    "fetch",
    "clean",
    "emergency",
    "maintenance",
    "offer",
    "apply",
    "confirm",
    "revert",
)
"""From "offer" on they are a Setup's."""
CONFIG_STATES = ("confirmed", "trial", "damaged")
OUTCOMES = ("accepted", "done", "refused")
REFUSALS = (
    "none",
    "expired",
    "no challenge",
    "unknown operation",
    "out of range",
    "no such part",
    "not held",
    "busy",
    "challenge too old",
    "locked",
    "config damaged",
    "config not here",
    "flash",
)
REFUSED = ("truncated", "version", "epoch", "seal", "replay", "unknown type", "malformed")
"""Why a frame was refused, in the argument of "refused frames"."""
EVENTS = (
    "boot",
    "clock set",
    "task restarted",
    "sensor state",
    "outbox dropped",
    "outbox damaged",
    "refused frames",
    "lamp override ended",
    "settings damaged",
    "lamp failure",
    "impact",
    "tilted",
    "wind",
    "noise peak",
    "day burning",
    "lamp cycling",
    "light disagrees",
    "traffic disagrees",
    "knocked",
    "lamp changed",
    "config on trial",
    "config confirmed",
    "config reverted",
    "config damaged",
)
FAULTS = (
    "settings damaged",
    "key missing",
    "lamp",
    "sensor",
    "clock",
    "outbox",
    "network",
    "task restarted",
)

CODES = {
    "clock": CLOCKS,
    "lamp_reason": LAMP_REASONS,
    "reset_cause": RESET_CAUSES,
    "hardware": HARDWARE,
    "severity": SEVERITIES,
    "Log.level": LOG_LEVELS,
    "op": OPS,
    "outcome": OUTCOMES,
    "reason": REFUSALS,
    "code": EVENTS,
    "config_state": CONFIG_STATES,
}
FLAGS = {"valid": SENSORS, "profile": SENSORS, "faults": FAULTS}

ALL_MESSAGES = tuple(
    sorted(
        MESSAGES + ((HOUR, "Hour", HOUR_FIELDS), (RAW, "Raw", RAW_FIELDS)),
        key=lambda message: message[0],
    )
)
