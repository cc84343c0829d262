"""An audit for tests: what a night's crew did, as the core says it."""

from typing import Any

from lampione.room.audit import FIRST, Deed, Entry, chained

from tests.controller.nodes import NOW


def shown(entry: Entry) -> dict[str, Any]:
    """Return an entry as the core says it."""
    deed = entry.deed._asdict()
    return {"seq": entry.seq, **deed, "body": entry.body, "hash": entry.hash.hex()}


def deed(before_s: float, who: str, action: str, node: str | None = None, **detail: Any) -> Deed:
    """Return something that was done so long ago."""
    role = "operate" if who == "bruno" else "configure"
    return Deed(
        NOW - before_s, who, role, "" if who == "lampione" else "pts/3", action, node, detail
    )


NIGHT = (
    deed(90000, "anna", "operator", do="set", name="bruno", role="operate"),
    deed(7200, "anna", "configure", "bligny-1", digest="60444c5b3f60878d"),
    deed(7100, "lampione", "config ended", "bligny-1", version=4, phase="reverted",
         reason="no uplink within the trial"),
    deed(3600, "bruno", "send", "lazio-1", command=11, op="level", level=80, for_s=1800),
    deed(3598, "lampione", "command ended", "lazio-1", command=11, op="level", state="done",
         level=80),
    deed(1800, "bruno", "lock", "umbria-1", reason="new driver, Bruno on the ladder"),
    deed(1795, "lampione", "command ended", "umbria-1", command=12, op="maintenance", state="done",
         level=0),
    deed(900, "bruno", "refused entry", operator="anna"),
    deed(600, "anna", "unlock", "umbria-1", reason="Bruno is back", locked_by="bruno"),
    deed(60, "bruno", "send", "bligny-1", command=13, op="emergency", for_s=3600),
    deed(30, "bruno", "note", note=1),
)  # fmt: skip


def night() -> list[dict[str, Any]]:
    """Return the entries of the night, newest first."""
    return [shown(entry) for entry in reversed(chained(0, FIRST, NIGHT))]
