"""Topics: `lampione/v1/<shard>/<node>/up`, `/down` and `/state`, `.../<group>/wave`.

A shard is a share of the fleet that one session of the controller reads. `/state` is the only
topic that is retained: "online" by the node, which repeats it, "offline" as its last will. On
`/wave` the nodes of a group talk to each other, controller or not.
"""

ROOT = "lampione/v1"
UP = "up"
DOWN = "down"
STATE = "state"
WAVE = "wave"
ONLINE = b"online"
OFFLINE = b"offline"
NAME_MAX = 24


def is_name(name: str) -> bool:
    """Say whether this can be a shard's or a node's id: a-z, 0-9, "-", 1 to 24 of them.

    Brokers give `.`, `$`, `+` and `#` meanings of their own.
    """
    if not 0 < len(name) <= NAME_MAX:
        return False
    for c in name:
        if not ("a" <= c <= "z" or "0" <= c <= "9" or c == "-"):
            return False
    return True


def topic(shard: str, node: str, leaf: str) -> str:
    """Return a node's topic; `+` stands for all nodes of the shard."""
    return ROOT + "/" + shard + "/" + node + "/" + leaf


def parse(name: str) -> "tuple[str, str, str] | None":
    """Return (shard, node, leaf), or None for a topic that is not ours."""
    parts = name.split("/")
    if len(parts) != 5 or parts[0] + "/" + parts[1] != ROOT:
        return None
    if not is_name(parts[2]) or not is_name(parts[3]) or parts[4] not in (UP, DOWN, STATE, WAVE):
        return None
    return parts[2], parts[3], parts[4]
