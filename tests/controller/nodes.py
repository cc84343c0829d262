"""Nodes as the core says them, for tests of what shows them."""

from typing import Any

from lampione_protocol.names import ALL_MESSAGES

NOW = 1_800_000_000.0
_FIELDS = {name.lower(): [f[0] for f in fields if f[1] != "x"] for _, name, fields in ALL_MESSAGES}


def node(name: str, *, at: float | None = NOW - 2, state: str = "online", **report: Any) -> Any:
    """Return a node that reported at `at`, with these values of its report and no others."""
    values = dict.fromkeys(_FIELDS["report"]) | {"duration_s": 5} | report
    return {
        "node": name,
        "online": state == "online",
        "state": state,
        "last_seen": at,
        "epoch": "00c0ffee",
        "boot": 1,
        "watermark": 9,
        "highest": 9,
        "missing": 0,
        "lost": 0,
        "refused": 0,
        "duplicates": 0,
        "stored": 10,
        "report": {} if at is None else values,
        "health": dict.fromkeys(_FIELDS["health"]) | {"rssi": -61, "voltage": 230.5},
        "hello": {},
        "report_at": at,
        "health_at": at,
        "hello_at": None,
    }


def status(**counters: float) -> Any:
    """Return a core's status."""
    return {
        "version": "0.1.0",
        "broker": {"url": "mqtt://127.0.0.1", "connected": True, "error": None},
        "counters": {
            "stored": 0, "duplicates": 0, "refused": 0, "missing": 0, "lost": 0, "rate": 0.0
        } | counters,
    }  # fmt: skip
