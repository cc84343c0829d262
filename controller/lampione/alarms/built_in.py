"""The rules that are judged where nobody says otherwise."""

from lampione_protocol.names import SENSORS

from lampione.alarms.rules import Rule
from lampione.rollup import air, noise

CLASS = "IV"  # of intense human activity, as most streets of a city's districts

SILENT = Rule(
    "silent", "nothing is heard of it", "major", "state",
    mend="look at its neighbours first; then its feeder, its radio; `lampione show NODE`",
)  # fmt: skip
BROKER = Rule(
    "broker", "no connection to the broker", "critical", "state",
    mend="`lampione broker status`, where it is ours; nodes keep their reports meanwhile",
)  # fmt: skip
STORE = Rule(
    "store", "the store failed", "critical", "state",
    mend="room on the disk? `lampione store check`",
)  # fmt: skip
FORGED = Rule(
    "forged", "frames under its name are refused", "major", "state",
    mend="somebody else speaks in its name, or its key changed: `lampione refused`",
)  # fmt: skip
LOST = Rule(
    "lost", "reports that no node holds any more", "minor", "state",
    mend="`lampione gaps NODE` says which",
)  # fmt: skip
CONFIG = Rule(
    "config", "its config was not taken", "major", "state",
    mend="`lampione config status NODE` says why; mend it and push again",
)  # fmt: skip

STATES = (SILENT, BROKER, STORE, FORGED, LOST, CONFIG)

EVENTS = {
    "impact": Rule("impact", "something hit the lamppost", "major", "event", "impact",
                   mend="look at the lamppost"),
    "knocked": Rule("knocked", "it stands otherwise since something hit it", "critical", "event",
                    "knocked", mend="look at the lamppost at once"),
    "day burning": Rule("day-burning", "the lamp burns by day", "minor", "event", "day burning",
                        mend="its program, its clock, or its photocell"),
    "lamp cycling": Rule("lamp-cycling", "the lamp goes on and off", "major", "event",
                         "lamp cycling", mend="driver or luminaire at the end of its life"),
    "light disagrees": Rule("light-disagrees", "its light sensor saw no day or no night for 24 h",
                            "minor", "event", "light disagrees",
                            mend="clean the sensor; does something cover it, or shine on it?"),
    "traffic disagrees": Rule("traffic-disagrees", "its radar counts traffic that nobody hears",
                              "warning", "event", "traffic disagrees",
                              mend="where the radar looks; the microphone's opening"),
    "outbox damaged": Rule("outbox-damaged", "reports on its flash are damaged", "minor", "event",
                           "outbox damaged", mend="again and again: replace the board"),
    "outbox dropped": Rule("outbox-dropped", "its outbox was full and dropped the oldest", "minor",
                           "event", "outbox dropped", mend="why is it offline for so long?"),
    "refused frames": Rule("refused", "it refuses what is sent to it", "major", "event",
                           "refused frames", mend="a forged command, or a key that changed"),
    "config damaged": Rule("config-damaged", "its config is damaged; it runs as provisioned",
                           "major", "event", "config damaged", mend="`lampione config push`"),
}  # fmt: skip
"""By the code of the event."""

_FLAGS = (
    ("lamp", "lamp-failure", "the lamp fails, or its control", "critical",
     "the lamp is at its design level or dark: a crew"),
    ("settings damaged", "settings", "its settings are damaged", "major",
     "`lampione config push`, or provision it again"),
    ("key missing", "key", "it has no key", "critical", "provision it again"),
)  # fmt: skip


def _fault(word: str, name: str, what: str, severity: str, mend: str) -> Rule:
    return Rule(name, what, severity, "report", "faults", words=(word,), mend=mend)  # type: ignore[arg-type]


def _sensor(name: str) -> Rule:
    return Rule(
        f"sensor-{name}", f"sensor of {name}", "minor", "health", f"state_{name}",
        words=("stuck", "implausible", "silent"), mend="its cable, then the part itself",
    )  # fmt: skip


def air_rule(band: int = 4) -> Rule:
    """Return the rule of the air quality index, from a band on: 4 is poor."""
    return Rule(
        "air", f"air {air.BANDS[band - 1]} or worse", "warning", "hour", "aqi", above=band - 0.5,
        mend="nothing to mend: who breathes there wants to know",
    )  # fmt: skip


def noise_rule(of_class: str = CLASS) -> Rule:
    """Return the rule of the limits of immission of a class."""
    return Rule(
        "noise", f"noise over class {of_class}", "warning", "hour", "laeq",
        limits=noise.IMMISSION_LIMITS_DB[of_class], for_s=3600,
        mend="a guide to where to measure, not a measurement",
    )  # fmt: skip


def rules() -> list[Rule]:
    """Return all that are judged of samples."""
    return [
        *(_fault(*flag) for flag in _FLAGS),
        *(_sensor(name) for name in SENSORS),
        Rule("tilt", "it leans", "major", "health", "tilt", above=5, clear=4, for_s=1200,
             mend="look at the lamppost"),
        # EN 50160: 230 V within 10 %.
        Rule("voltage-low", "the mains are low", "minor", "health", "voltage", below=207,
             clear=210, for_s=900, mend="the feeder's operator"),
        Rule("voltage-high", "the mains are high", "minor", "health", "voltage", above=253,
             clear=250, for_s=900, mend="the feeder's operator"),
        Rule("hot", "its board is hot", "minor", "health", "board_temperature", above=75, clear=70,
             for_s=900, mend="the luminaire's heat sink, the sun"),
        Rule("radio", "its radio is weak", "warning", "health", "rssi", below=-85, clear=-80,
             for_s=1800, mend="the access point, the antenna"),
        Rule("clock", "its clock is not set", "minor", "report", "clock", words=("unset",),
             for_s=600, mend="`lampione send NODE time`"),
        Rule("restarted", "a task of its software was restarted", "warning", "report", "faults",
             words=("task restarted",), mend="`lampione history NODE --message log`; report it"),
        air_rule(),
        noise_rule(),
    ]  # fmt: skip


def every() -> list[Rule]:
    """Return every rule that comes with Lampione."""
    return [*STATES, *EVENTS.values(), *rules()]
