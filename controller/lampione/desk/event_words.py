"""An event in words: what happened, and its argument as people read it."""

from lampione_protocol.names import LAMP_REASONS, REFUSED, RESET_CAUSES, SENSOR_STATES, SENSORS

from lampione.api import Event

# The argument's unit, and how many of the wire's steps are one of it.
_UNITS = {
    "lamp failure": ("W", 1),
    "day burning": ("W", 1),
    "impact": ("g", 1000),
    "tilted": ("°", 2),
    "knocked": ("° moved", 2),
    "noise peak": ("dB", 10),
    "light disagrees": ("lx", 1),
    "traffic disagrees": ("vehicles", 1),
    "lamp cycling": ("times", 1),
    "lamp override ended": ("%", 1),
    "clock set": ("s after boot", 1),
}
# What begins as a warning and ends as information.
_SPANS = frozenset(
    ("lamp failure", "day burning", "lamp cycling", "light disagrees", "traffic disagrees", "wind")
)


def told(event: Event) -> str:
    """Return what an event says, such as "radar silent" or "lamp failure (0 W)"."""
    code, argument = event["code"], event["argument"]
    if code in _SPANS and event["severity"] == "info":
        return f"{code} ended"
    if argument is None or code == "wind":
        return code
    if code == "sensor state":
        return f"{_word(SENSORS, argument >> 4)} {_word(SENSOR_STATES, argument & 15)}"
    if code == "boot":
        return f"boot ({_word(RESET_CAUSES, argument)})"
    if code == "refused frames":
        reason, count = divmod(argument, 1_000_000)
        return f"{count} frames refused ({_word(REFUSED, reason)})"
    if code == "lamp changed":
        return f"lamp at {argument & 127} % ({_changed(argument >> 7 & 15, argument >> 11)})"
    if code.startswith("config "):
        return f"{code} (version {argument})" if argument else code
    if code in _UNITS:
        unit, steps = _UNITS[code]
        return f"{code} ({argument / steps:g} {unit})"
    return f"{code} ({argument})"


def _changed(reason: int, author: int) -> str:
    """Return why a lamp's level is what it is, and by whom."""
    word = _word(LAMP_REASONS, reason)
    if word in ("program", "sensor"):
        step = author & 31
        plan = f", plan {author >> 5}" if author >> 5 else ""
        return f"{word}{plan}" + ("" if step == 31 else f", step {step}")
    if word in ("override", "emergency", "maintenance"):
        return f"{word}, command {author}"
    return f"{word} of member {author}" if word == "group" else word


def _word(words: tuple[str, ...], n: int) -> str:
    return words[n] if 0 <= n < len(words) else f"code {n}"
