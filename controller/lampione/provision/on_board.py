"""What lies on a board, and how files get onto it: whole or not at all, and never seen.

Everything goes over one open REPL. Secrets travel as a file's content only: no script and no
error holds any.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lampione_hil.board import BenchError
from lampione_hil.real.errors import BoardCodeError

from lampione.config import blob
from lampione.provision.errors import ProvisionError

_FOREIGN = ("/outbox", "/state", "/config")  # of no use to another node
_OF_A_NODE = ("/settings.json", "/node.key", "/certs", *_FOREIGN)
_NEW = ".new"
_FULL = ("ENOSPC", "OSError: 28")

# What it prints is no secret: of the key a hash, which of 32 random bytes tells nothing.
_LOOK = """
import binascii, hashlib, json, os, struct, sys
def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
about = sys.implementation
found = {"version": ".".join(map(str, about.version[:3]))}
found["machine"] = getattr(about, "_machine", sys.platform)
try:
    import machine
    found["unique_id"] = binascii.hexlify(machine.unique_id()).decode()
except Exception:
    pass
data = _read("/settings.json")
found["settings"] = data is not None
try:
    found["node"] = json.loads(data)["node"]
except Exception:
    pass
data = _read("/node.key")
if data:
    found["key"] = binascii.hexlify(hashlib.sha256(data).digest()).decode()
data = _read("/config/good")
if data and len(data) > 16:
    version, size, digest = struct.unpack(">HH8s", data[:12])
    if hashlib.sha256(data[16:]).digest()[:8] == digest:
        found["config"] = [version, binascii.hexlify(digest).decode()]
del data
print(json.dumps(found))
"""
_REMOVE = """
import os
def _remove(path):
    try:
        names = os.listdir(path)
    except OSError:
        names = ()
    for name in names:
        _remove(path + "/" + name)
    try:
        os.remove(path)
    except OSError:
        try:
            os.rmdir(path)
        except OSError:
            pass
for path in {paths!r}:
    _remove(path)
"""
_MKDIR = """
import os
for path in {paths!r}:
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != 17:
            raise
"""
_RENAME = """
import os
for path in {paths!r}:
    os.rename(path + {new!r}, path)
if hasattr(os, "sync"):
    os.sync()
"""


class Repl(Protocol):
    """What is needed of `lampione_hil.real.repl.Repl`."""

    def exec(self, code: str, timeout_s: float = 10) -> bytes:
        """Run a script; return what it printed. Raises BenchError."""
        ...

    def write_file(
        self, path: str, data: bytes, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Write a file. Raises BenchError."""
        ...

    def sha256(self, path: str) -> bytes | None:
        """Return a file's hash; None: there is none. Raises BenchError."""
        ...


@dataclass(frozen=True)
class Found:
    """What a board is.

    node: whose settings it has; "" where they cannot be read.
    key: SHA-256 of its key.
    config: (version, digest) of the config it runs, if that is whole.
    """

    machine: str
    micropython: str
    unique_id: str | None
    node: str | None
    key: bytes | None
    config: tuple[int, bytes] | None


def look(repl: Repl) -> Found:
    """Ask a board who it is. Raises BenchError, ProvisionError."""
    try:
        said: dict[str, Any] = json.loads(repl.exec(_LOOK).splitlines()[-1])
        config = said.get("config")
        node = said.get("node")
        return Found(
            str(said["machine"]),
            str(said["version"]),
            said.get("unique_id"),
            node if isinstance(node, str) else "" if said["settings"] else None,
            bytes.fromhex(said["key"]) if "key" in said else None,
            None if config is None else (int(config[0]), bytes.fromhex(config[1])),
        )
    except (ValueError, KeyError, IndexError, TypeError):
        raise ProvisionError(
            "the board does not say what it is",
            "reset it and try again; if it stays so, flash it with `lampione flash --erase`",
        ) from None


def is_of(found: Found, node: str, key: bytes) -> bool:
    """Say whether a board holds this very node: what lies on it can be read and goes on."""
    same_key = found.key == hashlib.sha256(key).digest()
    return same_key and found.node in (node, "", None)


def install(repl: Repl, found: Found, new: Mapping[str, bytes], node: str, key: bytes) -> int:
    """Put a node's files in place; return how many were not there already.

    All are written beside and checked before the first is renamed, and the settings come last.
    What another node has left goes first; with the same key everything else stays. Raises
    ProvisionError when the flash is full, BenchError.
    """
    try:
        return _install(repl, found, new, node, key)
    except BoardCodeError as error:
        if any(word in error.last for word in _FULL):
            raise ProvisionError(
                "the board's flash is full",
                "remove files that are not the node's, with `mpremote rm`, or take another board",
            ) from None
        raise


def _install(repl: Repl, found: Found, new: Mapping[str, bytes], node: str, key: bytes) -> int:
    if not is_of(found, node, key):
        # Frames sealed under another key open for nobody; burn hours belong to this post's lamp.
        gone = ("/outbox",) if found.node == node else _FOREIGN
        repl.exec(_REMOVE.format(paths=gone), timeout_s=60)
    end_trial(repl)
    return put(repl, new)


def forget(repl: Repl) -> None:
    """Have a board forget whose it was; its firmware stays. Raises BenchError."""
    repl.exec(_REMOVE.format(paths=_OF_A_NODE), timeout_s=60)


def end_trial(repl: Repl) -> None:
    """Forget a config on trial: it would take the place of the one that is written now."""
    repl.exec(_REMOVE.format(paths=("/config/trial", "/config/new")))


def put(repl: Repl, new: Mapping[str, bytes]) -> int:
    """Put files in place, all or none; return how many were not there. Raises BenchError."""
    changed = [
        path for path, data in new.items() if repl.sha256(path) != hashlib.sha256(data).digest()
    ]
    folders = sorted({path.rpartition("/")[0] for path in changed} - {""})
    if folders:
        repl.exec(_MKDIR.format(paths=tuple(folders)))
    for path in changed:
        repl.write_file(path + _NEW, new[path])
        if repl.sha256(path + _NEW) != hashlib.sha256(new[path]).digest():
            raise BenchError(f"{path} arrived damaged: see to the cable, and run this again")
    if changed:
        repl.exec(_RENAME.format(paths=tuple(changed), new=_NEW))
    return len(changed)


def config_version(found: Found, wanted: bytes, known: int) -> int:
    """Return the version that a config gets: its own where it is there already, else the next.

    `known`: the highest one that the controller knows of this node.
    """
    if found.config is not None and found.config[1] == blob.digest(wanted):
        return found.config[0]
    highest = max(known, found.config[0] if found.config is not None else 0)
    return highest % 65534 + 1
