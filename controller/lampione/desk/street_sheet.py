"""What is known of the node on a cable, as sections for a sheet."""

from collections.abc import Sequence
from typing import Any

from lampione.desk import present
from lampione.desk.text import age, clean
from lampione.provision.signoff import Check

LOG_LINES = 200
NAME_WIDTH = 14
Line = tuple[str, str]
Section = list[Line]
_VERDICTS = {"good": ("good", "✓"), "note": ("warn", "·"), "bad": ("bad", "✗")}


def about(found: dict[str, Any]) -> Section:
    """Return who a node is."""
    config = found["config"]
    settings = found["settings"]
    wifi, broker = settings.get("wifi") or {}, settings.get("broker") or {}
    facts = [
        ("node", f"{found['node'] or 'without a name'}, shard {found['shard'] or 'none'}"),
        ("board", f"{found['machine']}, {found['unique_id'] or 'no serial number'}"),
        ("MicroPython", found["micropython"]),
        ("firmware", f"{found['firmware']} from {found['slot']}"),
        ("last start", f"boot {found['boot']}, {found['last_start']}"),
        ("config", "damaged or none" if config is None else f"version {config['version']}"),
        ("key", "there" if found["key"] else "none: provision it"),
        (
            "Wi-Fi",
            f"{wifi.get('ssid') or 'none'}" + (", with a password" if wifi.get("password") else ""),
        ),
        (
            "broker",
            f"{broker.get('host') or 'none'}:{broker.get('port', 1883)}"
            + (", TLS" if broker.get("tls") else ""),
        ),
        (
            "outbox",
            f"{found['outbox_bytes'] / 1000:.1f} kB, acknowledged up to {found['acknowledged']}",
        ),
    ]
    return [("head", "who it is"), *(("", _fact(name, text)) for name, text in facts)]


def values(found: dict[str, Any], now: float) -> list[Section]:
    """Return what a node's last frames say; what is unknown is left out."""
    if "sealed" in found:
        return [[("head", "values"), ("warn", f"sealed: {found['sealed']}")]]
    sections: list[Section] = []
    for message in ("report", "health"):
        at = found[f"{message}_at"]
        when = "its clock was not set" if at is None else f"{age(now - at)} old"
        said = found[message]
        heading = f"{message}, {when}" if said else f"{message}: none in its outbox"
        sections.append(
            [
                ("head", heading),
                *(
                    ("", _fact(name, present.with_unit(message, name, value)))
                    for name, value in said.items()
                    if value not in (None, [])
                ),
            ]
        )
    return sections


def findings(checks: Sequence[Check]) -> Section:
    """Return what to think of a lamp."""
    lines = [("head", "lamp test")]
    for check in checks:
        tone, mark = _VERDICTS[check.verdict]
        lines.append((tone, f"{mark} {clean(check.words())}"))
    return lines


def log(lines: Sequence[str], *, listening: bool) -> Section:
    """Return what a node printed, the newest first."""
    heading = "log, as it comes" if listening else "log"
    return [("head", heading), *(("", clean(line)) for line in reversed(lines))]


def _fact(name: str, text: object) -> str:
    return f"{name:<{NAME_WIDTH}} {clean(str(text))}"
