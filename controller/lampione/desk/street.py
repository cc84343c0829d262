"""Work at a post in the street: the node on the cable, and the controller or the store beside it.

For the command line and the screen alike. Nothing here asks or prints; what goes on is told.
"""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lampione_hil.real import ports
from lampione_hil.real.errors import NoBoardError
from lampione_protocol.seal import KEY_BYTES

from lampione import keys
from lampione.api import Delivered
from lampione.config.model import Wifi
from lampione.core.client import CoreError, NoCore
from lampione.core.folder import StateFolder, make_private
from lampione.core.street_answers import FRAMES_MAX, deliver_alone
from lampione.provision import attach, on_board
from lampione.provision.attach import SETTLE_MS, About, Told, Visit
from lampione.provision.boxed import Said
from lampione.provision.errors import ProvisionError
from lampione.provision.signoff import Check, Step, as_data, lamp_checks
from lampione.room.who import Who
from lampione.store.engine import open_engine

__all__ = ["SETTLE_MS"]

Check_ = Callable[[], None]
Call = Callable[..., Any]
"""Asks the controller, as `Client.call` does. Raises NoCore while none runs, CoreError."""


def nobody(op: str, **_: Any) -> Any:
    """Ask no controller: none is connected. Raises NoCore."""
    raise NoCore(f"no controller answers {op}")


class NoKey(Exception):
    """This folder cannot open what the node has sealed; the text says why."""


def port_of(serial: str | None = None, port: str | None = None) -> str:
    """Return the port of the board that is meant: the only one, or by its serial number.

    Raises NoBoardError.
    """
    if port is not None:
        return port
    found = ports.find()
    if serial is not None:
        return ports.choose(found, serial).port
    if len(found) != 1:
        hint = ": say which with --serial" if found else ""
        raise NoBoardError(ports.there_is(found) + hint)
    return found[0].port


def key_of(state: Path, about: About) -> bytes:
    """Return the node's key, when this folder has the one that the node has. Raises NoKey."""
    try:
        key = keys.load(state / keys.FILE).get(about.node)
    except keys.KeyFileError as error:
        raise NoKey(str(error)) from None
    if key is None or len(key) != KEY_BYTES:
        raise NoKey(f"this computer has no key of {about.node or 'a node without a name'}")
    if hashlib.sha256(key).digest() != about.key:
        raise NoKey(f"the board's key is not the one that this computer has of {about.node}")
    return key


def shown(about: About) -> dict[str, Any]:
    """Return who a node is, as data; no secret is in it."""
    return {
        "node": about.node,
        "shard": about.shard,
        "machine": about.machine,
        "micropython": about.micropython,
        "unique_id": about.unique_id,
        "slot": about.slot,
        "last_start": about.cause,
        "boot": about.boot,
        "key": about.key is not None,
        "config": None
        if about.config is None
        else {"version": about.config[0], "digest": about.config[1].hex()},
        "outbox_bytes": about.box_bytes,
        "acknowledged": about.acked,
        "settings": about.settings,
    }


def heard(said: Said) -> dict[str, Any]:
    """Return what a node's frames say, as data."""
    return {
        "report": said.report,
        "report_at": said.report_at,
        "health": said.health,
        "health_at": said.health_at,
        "recent": [{"at": at, "kind": kind, **values} for at, kind, values in said.recent],
        "opened": said.opened,
        "not_opened": said.refused,
    }


def status(port: str, state: Path, check: Check_, told: Told) -> dict[str, Any]:
    """Ask a node who it is and what its last frames say. Raises BenchError, ProvisionError."""
    with attach.visit(port, check=check, told=told) as visit:
        about = visit.about()
        found = shown(about)
        try:
            found |= heard(visit.latest(about, key_of(state, about)))
        except NoKey as error:
            found["sealed"] = str(error)
    return found | _started(visit)


def _started(visit: Visit) -> dict[str, Any]:
    return {"firmware": None if visit.hello is None else visit.hello.firmware, "running": True}


def lamp(
    port: str, call: Call, check: Check_, told: Told, each: Callable[[Step], None], settle_ms: int
) -> tuple[str, Sequence[Check]]:
    """Test a node's lamp; return (node, what to think of it).

    Raises BenchError, ProvisionError; one that the controller knows to be locked is refused.
    """
    with attach.visit(port, check=check, told=told) as visit:
        about = visit.about()
        _not_locked(call, about.node)
        told("lamp", None)
        steps, lamp_, metered = visit.lamp_test(each, settle_ms)
    return about.node, lamp_checks(steps, lamp_, metered=metered)


def _not_locked(call: Call, node: str) -> None:
    try:
        tags = call("tags")
    except CoreError:  # no controller, or one that knows no locks: the node's own lock holds
        return
    for tag in tags:
        if tag["node"] == node:
            raise ProvisionError(
                f"{node} is locked: {tag['reason']}", "whoever locked it takes the lock off first"
            )


def checks_data(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return findings as data."""
    return [as_data(one) for one in checks]


def outbox(
    port: str,
    state: Path,
    call: Call,
    check: Check_,
    told: Told,
    who: Who,
    *,
    everything: bool = False,
) -> dict[str, Any]:
    """Carry what a node holds into the controller, or its store while none runs.

    Raises BenchError, ProvisionError, CoreError, FolderError, KeyFileError, StoreError.
    """
    with attach.visit(port, check=check, told=told) as visit:
        about = visit.about()
        frames = visit.outbox(about, everything=everything)
    told("handing over", None)
    found: dict[str, Any] = {"node": about.node, "frames": len(frames)}
    if frames:
        found |= deliver(state, call, about.node, about.shard, frames, who)
    return found


def deliver(
    state: Path, call: Call, node: str, shard: str, frames: Sequence[bytes], who: Who
) -> dict[str, Any]:
    """Hand frames over to the controller, or to the store of its folder while none runs.

    Raises CoreError, FolderError, KeyFileError, StoreError.
    """
    total = {"stored": 0, "duplicates": 0, "refused": 0}
    try:
        for at in range(0, len(frames), FRAMES_MAX):
            piece = [frame.hex() for frame in frames[at : at + FRAMES_MAX]]
            counts = _counts(call("deliver", node=node, frames=piece))
            total = {name: total[name] + counts[name] for name in total}
    except NoCore:
        folder = StateFolder(state)
        make_private(state)
        alone = deliver_alone(folder, open_engine(folder.store), shard, node, frames, who)
        if alone is None:
            raise CoreError("unknown", f"this computer has no key of {node}") from None
        return {**_counts(alone), "to": "store"}
    return {**total, "to": "controller"}


def _counts(found: Delivered) -> dict[str, int]:
    return {name: found[name] for name in ("stored", "duplicates", "refused")}


def hear(port: str, each: Callable[[str], None], check: Check_) -> int:
    """Hear what a node prints until `check` raises, without stopping it. Raises BenchError."""
    return attach.listen(port, each, check=check)


def wifi(port: str, network: Wifi, call: Call, check: Check_, told: Told) -> dict[str, Any]:
    """Give a node another network, and see it start with it. Raises BenchError, ProvisionError."""
    with attach.visit(port, check=check, told=told) as visit:
        about = visit.about()
        known = None
        with contextlib.suppress(CoreError):  # none runs, or it does not know this node
            one = call("configs", nodes=[about.node])[0]
            known = max(one["running"] or 0, one["wanted"] or 0)
        told("settings", None)
        made = visit.set_wifi(about, network, known or 0)
        if made is not None and known is not None:
            version, config = made
            call("adopt", configs={about.node: config.hex()}, version=version)
    return {
        "node": about.node,
        "ssid": network.ssid,
        "config": None if made is None else made[0],
        **_started(visit),
    }


def retire(
    port: str, state: Path, node: str, call: Call, check: Check_, told: Told, who: Who
) -> dict[str, Any]:
    """Have a node's old board forget whose it was, once all it holds is handed over.

    Raises BenchError, ProvisionError, CoreError, FolderError, KeyFileError, StoreError.
    """
    with attach.visit(port, check=check, told=told) as visit:
        about = visit.about()
        if about.node != node:
            raise ProvisionError(
                f"this board is {about.node or 'nobody'}, not {node}", "plug in the old one"
            )
        key_of(state, about)  # before anything goes: frames of another key open for nobody
        frames = visit.outbox(about, everything=True)
        told("handing over", None)
        found: dict[str, Any] = {"node": node, "board": about.unique_id, "frames": len(frames)}
        if frames:
            found |= deliver(state, call, node, about.shard, frames, who)
        told("forgetting", None)
        on_board.forget(visit.repl)
    return found


def reset(port: str, check: Check_, told: Told) -> dict[str, Any]:
    """Start a node anew. Raises BenchError, LeftStopped."""
    with attach.visit(port, check=check, told=told) as visit:
        pass
    assert visit.hello is not None
    return {"node": visit.hello.name, **_started(visit)}
