"""What the core says to its front ends: the operations of its socket and the shapes they carry.

The socket is `core.sock` (mode 0600) in the state folder (mode 0700). Both ways go lines of JSON,
one object a line, UTF-8; a request has `LINE_MAX` bytes at most:

    request   {"id": 7, "op": "show", "node": "romana-01"}          id: any number of the client's
    answer    {"id": 7, "result": {...}}                            ends the request
    failure   {"id": 7, "error": {"kind": "unknown", "message": "..."}}    ends the request
    stream    {"id": 7, "item": {...}}                              any number, before the answer
    cancel    {"id": 8, "op": "cancel", "of": 7}                    ends a stream; 7 is answered

Several requests may be under way on one connection. Operations, their parameters (all optional
unless said) and what `result` is:

    status                                                    Status
    nodes     after (a name), limit                           list[Node] by name, NODES_PAGE at most
    places                                                    {node: Placed}
    select    where, sort, ascending, top, fields             Selected
    show      node (required)                                 Detail
    watch     nodes: list of names                            streams WatchItem until cancelled
    send      node, command (required: Order), expires_s      streams CommandState, then the last
    commands  node, limit                                     list[CommandState], newest first
    history   node (required), since, until, message,         History
              fields, limit
    statistics  what, by, since, until, nodes, together,      Statistics
              measures, zone, periods, immission_class
    gaps      node                                            list[Gap]
    events    node, since, limit                              list[Event], newest first
    refused                                                   list[Refused]
    configs   nodes, blobs                                    list[ConfigState]
    configure configs (required: {node: hex}), trial_s        list[Configured]
    follow    nodes (required)                                streams ConfigState, all final: ends
    revert    nodes (required), trial_s                       list[Configured]
    adopt     configs (required), version (required)          list[Configured]
    plan      configs (required), draft (its number, to add  Staged
              to), more (it stays a draft), canary (how many,
              or names), waves, soak_s, stop_percent,
              at_once, wait_s, trial_s
    rollouts  limit                                           list[Staged], newest first
    rollout   rollout (required), since (a revision),         Staged, with its nodes, or those
              do (pause, resume,                              that changed since
              abort, retry, revert)
    deliver   node, frames (required: sealed, in hex)         Delivered
    rekey     node (required): its key in the file is new     null
    store     do (required: fold, retain, vacuum), policy     counts by what they are of
    enter     operator, pin, terminal                         Entered; who acts from here on
    operators                                                 list[Operator]
    operator  do (required: set, remove), name (required), role, pin    list[Operator]
    deed      action (required: flash, provision, sign-off,   None; done with boards in hand
              bench run), node, detail
    audit     node, operator, since, before, limit            list[AuditEntry], newest first
    audit     after (required), limit                         list[AuditEntry], rising from there
    verify                                                    Verified
    alarms    which (active, standing, cleared, all),         list[Alarm], newest first
              node, since, limit
    alarm     alarm (required), do (required: ack, unack,     Alarm
              assign, note, shelve), text, for_s
    tags                                                      list[Tag]
    lock      node, reason, confirm (all required)            Tag
    unlock    node (required), reason                         Tag, as it was
    notes     since, limit                                    list[Note], newest first
    note      text (required)                                 Note

Times are Unix seconds (float). Values are what a person reads: 62.4 for 62.4 dB, names for
codes, lists of names for flags, None for unknown, Unix seconds for the wire's times. Field names,
units and ranges are those of `lampione_protocol.schema`; spare fields are left out.
"""

from typing import Any, Literal, NotRequired, TypedDict

LINE_MAX = 1 << 20
NODES_PAGE = 2000
SOCKET = "core.sock"

Json = Any
Values = dict[str, Json]
"""One decoded message: field name to value."""

ErrorKind = Literal["request", "unknown", "refused", "busy", "broken"]
"""request: malformed; unknown: no such node or operation; refused: cannot be done as asked;
busy: too much under way; broken: the core's own fault, see its log."""

OPS = (
    "status",
    "nodes",
    "places",
    "select",
    "show",
    "watch",
    "send",
    "commands",
    "history",
    "statistics",
    "gaps",
    "events",
    "refused",
    "configs",
    "configure",
    "follow",
    "revert",
    "adopt",
    "plan",
    "rollouts",
    "rollout",
    "deliver",
    "rekey",
    "store",
    "enter",
    "operators",
    "operator",
    "audit",
    "verify",
    "deed",
    "alarms",
    "alarm",
    "tags",
    "lock",
    "unlock",
    "notes",
    "note",
    "cancel",
)


class BrokerStatus(TypedDict):
    url: str  # without the password
    connected: bool
    since: float | None  # of the connection, or of its loss
    error: str | None  # why it is not connected, one line
    connects: int


class Counters(TypedDict):
    """Since the store was made, but for what is said to be of this start."""

    stored: int  # frames
    duplicates: int
    refused: int  # frames from the air
    unknown_type: int  # opened and stored raw
    lost: int  # sequence numbers that no node holds any more
    missing: int  # sequence numbers that are still expected, now
    batches: int  # commits, this start
    rate: float  # frames stored a second, of the last ten seconds


class Status(TypedDict):
    version: str
    pid: int
    started: float
    state_folder: str
    shard: str
    session: str  # hex
    broker: BrokerStatus
    database: str
    database_bytes: int
    nodes: int
    online: int
    counters: Counters


class Node(TypedDict):
    """The latest of one node. Everything but `node` may be None or empty before it speaks."""

    node: str
    online: bool
    state: Literal["online", "offline", "silent", "never"]  # silent: connected, nothing heard
    last_seen: float | None  # of the last frame that was opened
    epoch: str | None  # hex
    boot: int | None
    watermark: int | None  # every number up to here is stored or lost
    highest: int | None
    missing: int  # numbers up to the highest that have not come
    lost: int
    refused: int
    duplicates: int
    stored: int  # frames, this start
    report: Values
    health: Values
    hello: Values
    report_at: float | None  # when it was received
    health_at: float | None
    hello_at: float | None


class Placed(TypedDict):
    """Where a node stands, as the fleet's file says."""

    site: str  # id
    name: str  # of the site, as people call it
    latitude: float | None  # degrees north
    longitude: float | None  # degrees east
    approximate: bool  # not surveyed
    profile: str
    planned: bool
    feeder: NotRequired[str | None]  # what its mains come from
    radio: NotRequired[str | None]  # how it reaches the controller


class Summary(TypedDict):
    known: int  # nodes
    mean: float | None  # of decibels by energy
    least: float | None
    greatest: float | None


class Selected(TypedDict):
    """Nodes that a question is true of. What is stale is unknown, and None."""

    at: float
    nodes: int  # that have a key
    matched: int
    fields: list[str]
    units: list[str]
    summary: dict[str, Summary]  # of all that match, by field that is a number
    rows: list[Values]  # the first of them: node, site, state, age and the fields


class EpochRow(TypedDict):
    epoch: str
    boot: int
    first_seq: int | None
    hello_at: float | None
    superseded: bool  # by a flash restored from an image


class Gap(TypedDict):
    node: str
    watermark: int | None
    highest: int | None
    missing: list[list[int]]  # [first, last], both included
    lost: list["Lost"]


class Lost(TypedDict):
    first: int
    last: int
    at: float  # when the controller learned of it
    why: str


class Order(TypedDict):
    """A command as people give it; `op` of `lampione_protocol.names.OPS`."""

    op: Literal[
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
    ]
    level: NotRequired[int]  # %, op level
    ramp_s: NotRequired[float]  # 0 to 409.4, steps of 0.1
    for_s: NotRequired[
        int
    ]  # how long: level, emergency, maintenance (required; 0 ends it), identify
    first_seq: NotRequired[int]  # fetch
    last_seq: NotRequired[int]


class Delivered(TypedDict):
    """What came of frames that somebody read from a node's flash."""

    node: str
    frames: int
    stored: int  # those that were not here yet
    duplicates: int
    refused: int  # not sealed by this node


class CommandState(TypedDict):
    command: int  # the core's number for it
    node: str
    order: Order
    state: Literal["queued", "sent", "accepted", "done", "refused", "expired"]
    final: bool
    counter: int | None
    reason: str | None  # of a refusal, or why it waits
    level: int | None  # the lamp's, as the result said, %
    value: int | None
    created: float
    expires: float
    changed: float


class More(TypedDict):
    """What `show` says beside the latest."""

    tag: "Tag | None"  # the lamp is locked
    epochs: list[EpochRow]
    gaps: Gap
    commands: list[CommandState]
    refusals: dict[str, int]  # reason to count
    events: list["Event"]


class Detail(Node, More):
    """One node whole."""


class Event(TypedDict):
    node: str
    at: float | None  # the node's clock
    received: float
    code: str
    severity: str
    argument: int | None


class History(TypedDict):
    node: str
    message: str
    fields: list[str]
    units: list[str]
    rows: list[list[Json]]  # oldest first; [0] is always "at", Unix seconds
    more: bool  # cut at `limit`: ask again from the last row on


class Statistics(TypedDict):
    """Figures of spans of time; `lampione.statistics.Question` says what can be asked."""

    what: str
    by: str
    zone: str  # whose days, months and years
    fields: list[str]
    units: list[str]
    rows: list[list[Json]]  # by start; [0] is "at", the span's start, [1] the node
    notes: list[str]  # what the figures are and are not


class Refused(TypedDict):
    node: str | None  # None: of no node that we know
    reason: str  # truncated, version, unknown node, seal, too long, topic, body, counter, internal
    count: int
    last: float


class ConfigState(TypedDict):
    """A node's config: what it says it runs, and what became of the last rollout to it."""

    node: str
    running: int | None  # its version, as the node last said; 0: as provisioned
    running_digest: str | None  # hex; None: a version that is not known here
    state: str | None  # of `lampione_protocol.names.CONFIG_STATES`
    wanted: int | None  # the last rollout's version
    digest: str | None
    phase: str | None  # of `fleet.rollout.Phase`
    final: bool
    sent: int  # bytes that the node has said it holds
    size: int
    trial_s: int | None
    reason: str | None  # why it ended so, or what it waits for
    since: float | None  # in this phase, or the last sign of progress
    running_blob: NotRequired[str | None]  # hex, op configs with `blobs`; it holds secrets
    wanted_blob: NotRequired[str | None]


class Configured(TypedDict):
    node: str
    error: str | None  # why nothing was begun for this one
    state: ConfigState


class StagedNode(TypedDict):
    node: str
    wave: int  # from 1
    phase: str  # of `fleet.stages.Phase`
    final: bool
    progress: str | None  # of what is under way
    reason: str | None
    since: float  # in this phase


class Staged(TypedDict):
    """A rollout in stages, of `fleet.stages`."""

    rollout: int
    kind: str  # config
    author: str
    created: float
    changed: float
    revision: int  # rises with every change
    state: str  # of `fleet.stages.State`
    final: bool
    why: str | None  # it stopped
    wave: int  # the present one, from 1
    waves: list[dict[str, int]]  # of each, how many nodes are in which phase
    until: float | None  # of a soak
    soak_s: float
    stop_percent: float
    at_once: int
    wait_s: float
    options: Values  # the kind's: trial_s
    nodes: NotRequired[list[StagedNode]]  # op rollout: changed since, and all under way


class Entered(TypedDict):
    operator: str
    role: Literal["view", "operate", "configure"]
    why: str | None  # the role is no higher
    by_pin: bool  # a PIN proved the name


class Operator(TypedDict):
    name: str
    role: Literal["view", "operate", "configure"]
    pin: bool  # there is one


class AuditEntry(TypedDict):
    """One deed. `hash` is SHA-256 over the entry's before and `body`, hex."""

    seq: int
    at: float
    operator: str
    role: str
    terminal: str
    action: str
    node: str | None
    detail: dict[str, Json]
    body: str
    hash: str


class Verified(TypedDict):
    entries: int
    head: str  # the last hash, hex
    bad: int | None  # the first entry that is not what it was
    why: str | None


class Tag(TypedDict):
    """A lamp that is locked off."""

    node: str
    operator: str
    reason: str
    at: float


class Note(TypedDict):
    """What one shift leaves to the next. `head`: the audit's last hash then, hex."""

    id: int
    at: float
    operator: str
    text: str
    seq: int  # of the audit's last entry then
    head: str


class Snapshot(TypedDict):
    kind: Literal["snapshot"]  # first; of a city in pieces
    nodes: list[Node]
    left: int  # nodes of which pieces follow


class Change(TypedDict):
    kind: Literal["change"]
    nodes: list[Node]  # whole, those that changed


class Dropped(TypedDict):
    kind: Literal["dropped"]  # the reader was too slow: changes that newer ones replaced
    count: int


class Link(TypedDict):
    kind: Literal["broker"]
    broker: BrokerStatus


class Alarm(TypedDict):
    """A condition of a node or of a cause of many; see `lampione.alarms.book`.

    standing: active or not acknowledged, what the list shows.
    """

    id: int
    subject: str  # the node, or the cause in words
    node: str | None  # None: a cause
    rule: str
    what: str
    severity: str  # critical, major, minor, warning
    active: bool
    acknowledged: bool
    since: float  # by the sample's time, of the last time it began
    raised: float  # when it was learned of
    changed: float
    cleared: float | None  # by the sample's time
    count: int  # how often it was so
    value: str | None
    limit: str | None
    mend: str | None  # what to do about it
    acknowledged_at: float | None
    acknowledged_by: str | None
    assignee: str | None
    note: str | None
    shelved_until: float | None
    members: list[str]  # nodes, of a cause


class Tags(TypedDict):
    kind: Literal["tags"]
    tags: list[Tag]  # all


class Alarms(TypedDict):
    kind: Literal["alarms"]
    alarms: list[Alarm]  # whole, those that changed; first all that stand


WatchItem = Snapshot | Change | Dropped | Link | Tags | Alarms
