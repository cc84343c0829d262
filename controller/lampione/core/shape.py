"""The core's own objects as the dictionaries of `lampione.api`."""

import time
from typing import Literal

from lampione_protocol import schema

from lampione import values
from lampione.alarms.book import Alarm
from lampione.api import Alarm as AlarmShape
from lampione.api import Event, Node, Values
from lampione.api import Tag as TagShape
from lampione.fleet.node import NodeState
from lampione.live import age
from lampione.room.tags import Tag
from lampione.store import Frame

_State = Literal["online", "offline", "silent", "never"]


def state_of(node: NodeState) -> _State:
    """Return `api.Node`'s state."""
    if node.last_seen is None:
        return "never"
    if not node.reachable:
        return "offline"
    quiet_s = age.quiet_after(_latest(node, node.report).get("duration_s"))
    quiet = time.time() - node.last_seen > quiet_s
    return "silent" if quiet else "online"


def _read(node: NodeState, kind: int, body: bytes | None) -> Values:
    """Return a message as people read it, from memory when it is the one shown before."""
    if body is None:
        return {}
    known = node.shown.get(kind)
    if known is None or known[0] is not body:
        known = node.shown[kind] = (body, values.try_read(kind, body))
    return known[1]


def _latest(node: NodeState, frame: Frame | None) -> Values:
    return {} if frame is None else _read(node, frame.type, frame.body)


def node_shape(node: NodeState) -> Node:
    """Return a node's latest."""
    line = node.line
    state = state_of(node)
    current = line.current
    return {
        "node": node.name,
        "online": state == "online",
        "state": state,
        "last_seen": node.last_seen,
        "epoch": None if current is None else current.epoch.hex(),
        "boot": None if current is None else current.boot,
        "watermark": None if current is None else line.watermark,
        "highest": None if current is None else line.highest,
        "missing": node.missing,
        "lost": node.lost,
        "refused": sum(node.refusals.values()),
        "duplicates": node.duplicates,
        "stored": node.stored,
        "report": _latest(node, node.report),
        "health": _latest(node, node.health),
        "hello": _read(node, schema.HELLO, node.hello_body),
        "report_at": None if node.report is None else node.report.received,
        "health_at": None if node.health is None else node.health.received,
        "hello_at": node.hello_at,
    }


def event_shape(row: tuple[str, float, int | None, bytes]) -> Event:
    """Return an event of the reader's."""
    node, received, at, body = row
    said = values.try_read(schema.EVENT, body)
    return {
        "node": node,
        "at": at,
        "received": received,
        "code": str(said.get("code")),
        "severity": str(said.get("severity")),
        "argument": said.get("argument"),
    }


def tag_shape(tag: Tag) -> TagShape:
    """Return a lock as the socket carries it."""
    return {"node": tag.node, "operator": tag.author, "reason": tag.reason, "at": tag.at}


def alarm_shape(alarm: Alarm) -> AlarmShape:
    """Return an alarm as the socket carries it."""
    return {
        "id": alarm.id,
        "subject": alarm.subject,
        "node": alarm.node,
        "rule": alarm.rule,
        "what": alarm.what,
        "severity": alarm.severity,
        "active": alarm.active,
        "acknowledged": alarm.acked is not None,
        "since": alarm.since,
        "raised": alarm.raised,
        "changed": alarm.changed,
        "cleared": alarm.cleared,
        "count": alarm.count,
        "value": alarm.value,
        "limit": alarm.limit,
        "mend": alarm.mend,
        "acknowledged_at": alarm.acked,
        "acknowledged_by": alarm.acked_by,
        "assignee": alarm.assignee,
        "note": alarm.note,
        "shelved_until": alarm.shelved,
        "members": list(alarm.members),
    }
