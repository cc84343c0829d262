"""What is shown of one node, by subject: headings with lines; tones beside words, never alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lampione_protocol.names import SENSOR_STATES, SENSORS

from lampione.desk import present
from lampione.desk.event_words import told
from lampione.desk.present import UNKNOWN, Row, is_stale
from lampione.desk.text import age, clean, filled
from lampione.desk.tonight import NOTE, Tonight
from lampione.rollup.measures import SENSOR_OF

Line = tuple[str, str]
"""(tone, text); tones of `tui.tones`"""
Section = list[Line]

NAME, VALUE = 18, 14
_WIDTH = 56  # of a column of values
_HEALTH_OLD_S = 2700.0
_CALM = ("program", "design", "sensor", "group")

ADVICE = {
    "warming": "wait: it has just started",
    "stale": "nothing usable comes: look at wiring, and what corrects it",
    "stuck": "always the same: clean it, power it off and on; change it",
    "implausible": "an impossible answer: clean it, look at its fan; change it",
    "silent": "it answered once: look at its cable and power; change it",
    "absent": "it never answered: is it there, on the profile's pins?",
}
_TONES = {"ok": "good", "warming": "note", "absent": "bad", "silent": "bad"}
_GLYPHS = {"ok": "●", "warming": "◔"}


def _line(name: str, text: str, after: str = "", tone: str = "") -> Line:
    return tone, clean(f"{name:<{NAME}} {text:<{VALUE}} {after}".rstrip())


def _ago(at: float | None, now: float) -> str:
    return "never" if at is None else f"{age(now - at)} ago"


def values(row: Row, now: float) -> list[Section]:
    """Return every value with its unit, and what it is worth."""
    found = []
    for message in ("report", "health"):
        at = row[f"{message}_at"]
        old = is_stale(row, now) if message == "report" else at is None or now - at > _HEALTH_OLD_S
        section: Section = [("head", f"{message}, {_ago(at, now)}" + (", OLD" if old else ""))]
        fields = [f for f in present.FIELDS[message] if not f.startswith("state_")]
        known = [f for f in fields if row[message].get(f) is not None]
        section += [_value(message, field, row[message], old=old) for field in known]
        others = [f for f in fields if f not in known]
        if others:
            section.append(("dim", f"{UNKNOWN} not known:"))
        section += [
            ("dim", "  " + "  ".join(others[n] for n in line))
            for line in filled(others, _WIDTH - 4)
            if line
        ]
        found.append(section)
    return found


def _value(message: str, field: str, said: Mapping[str, Any], *, old: bool) -> Line:
    text = present.with_unit(message, field, said[field])
    sensor = SENSOR_OF.get(field) if message == "report" else None
    valid = said.get("valid")
    if sensor is not None and valid is not None and sensor not in valid:
        return _line(field, text, f"not valid: {sensor}", "warn")
    return _line(field, text, "old" if old else "", "dim" if old else "")


def sensors(row: Row, events: Sequence[Mapping[str, Any]], now: float) -> list[Section]:
    """Return each sensor's state, since when, and what to do about it."""
    health, at = row["health"], row["health_at"]
    section: Section = [("head", f"sensors, as the health of {_ago(at, now)} says")]
    since = _since(events)
    for n, sensor in enumerate(SENSORS):
        state = health.get(f"state_{sensor}")
        if state is None:
            section.append(("dim", f"{sensor:<14} – not known, or not of its profile"))
            continue
        begun = since.get(n)
        length = f"since {_moment(begun[1])}" if begun is not None and begun[0] == state else ""
        section.append(
            (
                _TONES.get(state, "warn"),
                f"{sensor:<14} {_GLYPHS.get(state, '▲')} {state:<12} {length}",
            )
        )
        if state in ADVICE:
            section.append(("", f"{'':14} → {ADVICE[state]}"))
    faults = row["report"].get("faults")
    if faults:
        section.append(("bad", f"faults of the node: {', '.join(faults)}"))
    return [section]


def _since(events: Iterable[Mapping[str, Any]]) -> dict[int, tuple[str, float]]:
    """Return (state, when it began) by sensor, of events newest first."""
    found: dict[int, tuple[str, float]] = {}
    for event in events:
        argument = event["argument"]
        if event["code"] != "sensor state" or argument is None:
            continue
        state = argument & 15
        word = SENSOR_STATES[state] if state < len(SENSOR_STATES) else "?"
        found.setdefault(argument >> 4, (word, event["at"] or event["received"]))
    return found


def _moment(at: float) -> str:
    return present.clock(at, "%d %b %H:%M:%S")


def light(
    row: Row, tonight: Tonight | str | None, tag: Mapping[str, Any] | None, now: float
) -> list[Section]:
    """Return the lamp with its reason, and what comes next tonight.

    tonight: or why nothing is known of it; None: it has not been told yet.
    """
    report = row["report"]
    old = is_stale(row, now)
    reason = report.get("lamp_reason")
    lamp: Section = [("head", "lamp, now" if not old else "lamp, when last heard (OLD)")]
    if tag is not None:
        lamp.append(
            ("bad", f"▣ LOCKED OFF by {clean(tag['operator'])} {_ago(tag['at'], now)}: "
                    f"{clean(tag['reason'])}")
        )  # fmt: skip
    tone = "dim" if old else "warn" if reason not in (None, *_CALM) else ""
    lamp += [
        _line("level", present.with_unit("report", "lamp_level", report.get("lamp_level")),
              "", tone),
        _line("because of", reason or UNKNOWN, "", tone),
        _line("power", present.with_unit("report", "lamp_power", report.get("lamp_power")),
              "", "dim" if old else ""),
        _line("ambient light",
              present.with_unit("report", "ambient_light", report.get("ambient_light")),
              "", "dim" if old else ""),
        _line("burnt", present.with_unit("health", "burn_hours", row["health"].get("burn_hours"))),
        _line("energy", present.with_unit("health", "energy", row["health"].get("energy"))),
    ]  # fmt: skip
    return [lamp, _tonight(tonight, now)]


def _tonight(tonight: Tonight | str | None, now: float) -> Section:
    section: Section = [("head", "tonight")]
    if not isinstance(tonight, Tonight):
        text = "not known yet" if tonight is None else f"not known: {tonight}"
        return [*section, ("dim", clean(text))]
    following = tonight.next(now)
    for change in tonight.changes:
        mark, tone = "  ", "dim" if change.at <= now else ""
        after = ""
        if change is following:
            mark, tone, after = "▶ ", "bold", f"   in {_until(change.at - now)}"
        section.append((tone, f"{mark}{present.clock(change.at, '%H:%M')}  {change.told}{after}"))
    if not tonight.changes:
        section.append(("", "the lamp stays dark: the sun does not set"))
    elif following is None:
        section.append(("dim", "nothing more: it burns on"))
    plan = f", plan {tonight.plan}" if tonight.plan else ""
    section.append(("dim", f"from {tonight.source}{plan}"))
    section += [("dim", part) for part in NOTE.split(": ")]
    return section


def _until(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


_LOUD = {"warning": "warn", "error": "bad", "critical": "bad"}


def events(
    found: Sequence[Mapping[str, Any]] | str | None, log: Sequence[Mapping[str, Any]] | str | None
) -> list[Section]:
    """Return events and the log, newest first; text: why they are not known."""
    happened = _listed("events", found, lambda e: (
        _LOUD.get(e["severity"], ""),
        f"{_moment(e['at'] or e['received'])}  {e['severity']:<8} {told(e)}",
    ))  # fmt: skip
    said = _listed("log", log, lambda e: (
        _LOUD.get(e["level"], "dim"), f"{_moment(e['at'])}  {e['level'] or '?':<8} {e['text']}"
    ))  # fmt: skip
    return [happened, said]


def _listed(head: str, rows: Sequence[Any] | str | None, each: Any) -> Section:
    if not isinstance(rows, str) and rows:
        return [("head", head), *((tone, clean(text)) for tone, text in map(each, rows))]
    text = (
        f"not known: {rows}"
        if isinstance(rows, str)
        else "not known yet"
        if rows is None
        else "none"
    )
    return [("head", head), ("dim", clean(text))]


def link(row: Row, detail: Mapping[str, Any], now: float) -> list[Section]:
    """Return how its frames come: outbox, gaps, what was refused, who it is."""
    health = row["health"]
    gaps = detail.get("gaps") or {"missing": [], "lost": []}
    depth, drops = health.get("outbox_depth"), health.get("outbox_drops")
    way: Section = [("head", "frames")]
    way += [
        _line("outbox", present.with_unit("health", "outbox_depth", depth), "wait on its flash",
              "warn" if depth else ""),
        _line("dropped there", present.with_unit("health", "outbox_drops", drops), "",
              "bad" if drops else ""),
        _line("stored up to", _text(row["watermark"]), f"of {_text(row['highest'])}"),
        _line("missing", _text(row["missing"]), "they come by themselves" if row["missing"] else "",
              "warn" if row["missing"] else ""),
        _line("lost", _text(row["lost"]), "no node holds them" if row["lost"] else "",
              "bad" if row["lost"] else ""),
        _line("refused", _text(row["refused"]), "", "warn" if row["refused"] else ""),
        _line("duplicates", _text(row["duplicates"])),
        _line("last heard", _ago(row["last_seen"], now)),
        _line("signal", present.with_unit("health", "rssi", health.get("rssi"))),
        _line("boot", _text(row["boot"]), f"epoch {_text(row['epoch'])}"),
    ]  # fmt: skip
    holes: Section = [("head", "gaps")]
    holes += [("warn", f"missing {_span(*span)}") for span in gaps["missing"][:20]]
    holes += [
        ("bad", clean(f"lost {_span(one['first'], one['last'])}: {one['why']}, known since "
                      f"{_moment(one['at'])}"))
        for one in gaps["lost"][:20]
    ]  # fmt: skip
    if len(holes) == 1:
        holes.append(("dim", "nothing is missing and nothing is lost"))
    refusals = detail.get("refusals") or {}
    holes += [("warn", f"refused, {why}: {count}") for why, count in sorted(refusals.items())]
    hello: Section = [("head", f"hello, {_ago(row['hello_at'], now)}")]
    hello += [
        _line(field, present.with_unit("hello", field, row["hello"].get(field)))
        for field in present.FIELDS["hello"]
    ]
    return [way, holes, hello]


def _text(found: Any) -> str:
    return UNKNOWN if found is None else str(found)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


_OUTCOMES = {"done": "good", "accepted": "note", "refused": "bad", "expired": "warn"}


def commands(found: Sequence[Mapping[str, Any]] | str | None, now: float) -> list[Section]:
    """Return commands with what became of them, newest first."""
    return [_listed("commands", found, lambda one: (
        _OUTCOMES.get(one["state"], ""),
        f"{_moment(one['created'])}  {_order(one['order']):<28} {one['state']:<9}"
        f"{_became(one, now)}",
    ))]  # fmt: skip


def _order(order: Mapping[str, Any]) -> str:
    parts = [str(order["op"])]
    if order.get("level") is not None:
        parts.append(f"{order['level']} %")
    if order.get("for_s") is not None:
        parts.append(f"for {age(order['for_s'])}")
    return " ".join(parts)


def _became(one: Mapping[str, Any], now: float) -> str:
    parts = []
    if one["reason"]:
        parts.append(str(one["reason"]))
    if one["level"] is not None:
        parts.append(f"lamp at {one['level']} %")
    if not one["final"]:
        left = one["expires"] - now
        parts.append(f"waits {age(left)} more" if left > 0 else "its time is over")
    return ", ".join(parts)
