"""The fleet's secrets: one JSON file, readable by its owner only, rewritten whole or not at all.

    {"version": 1, "nodes": {"romana-01": "<64 hex digits>"}, "groups": {"park": "<32>"}}

Losing it means to provision every node again; whoever reads it can command the whole fleet. It is
therefore kept apart from the database, so that a backup of one does not hold the other. A group's
secret reaches its nodes with their configs.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lampione_protocol.seal import KEY_BYTES
from lampione_protocol.topics import NAME_MAX, is_name

from lampione import private

FILE = "keys.json"
GROUP_KEY_BYTES = 16


class KeyFileError(Exception):
    """The file cannot be used; the text says what to do and holds no secret."""


class Keys(dict[str, bytes]):
    """Node to K_node. Its repr names the nodes only.

    Attributes: groups, the secrets of groups by name.
    """

    def __init__(
        self, nodes: Mapping[str, bytes] | None = None, groups: Mapping[str, bytes] | None = None
    ) -> None:
        super().__init__(nodes or {})
        self.groups = dict(groups or {})

    def __repr__(self) -> str:
        return f"Keys({sorted(self)})"


def load(path: Path) -> Keys:
    """Return the keys of a file. Raises KeyFileError."""
    try:
        text = private.read(path)
    except private.NotPrivateError as error:
        raise KeyFileError(str(error)) from None
    except FileNotFoundError:
        raise KeyFileError(f"{path} is missing: make it with `lampione keys new --all`") from None
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    return _parse(path, text)


def _parse(path: Path, text: bytes) -> Keys:
    try:
        document = json.loads(text)
        version = document["version"]
        nodes = list(document["nodes"].items())
        groups = list(document.get("groups", {}).items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise KeyFileError(f"{path} is not a key file: restore it from its backup") from None
    if version != 1:
        raise KeyFileError(f"{path} is of another version than this program knows: update it")
    return Keys(_bytes_of(path, nodes, KEY_BYTES), _bytes_of(path, groups, GROUP_KEY_BYTES))


def _bytes_of(path: Path, items: list[tuple[Any, Any]], size: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, digits in items:
        try:
            key = bytes.fromhex(digits)
        except (ValueError, TypeError):
            key = b""
        if not is_name(name) or len(key) != size:
            raise KeyFileError(f"{path}: the entry of {name!r} is damaged: restore the backup")
        found[name] = key
    return found


def new(path: Path, nodes: Iterable[str], groups: Iterable[str] = ()) -> list[str]:
    """Make keys for these nodes and groups, and the file when there is none; return
    the nodes' names.

    A node that has a key is refused, as a new one would lock the node out; a group that has one
    keeps it. Raises KeyFileError.
    """
    names = list(dict.fromkeys(nodes))
    groups = list(dict.fromkeys(groups))
    for name, what in (*((n, "node") for n in names), *((g, "group") for g in groups)):
        if not is_name(name):
            raise KeyFileError(
                f"{name!r} cannot be a {what}'s name: use a-z, 0-9 and '-', {NAME_MAX} at most"
            )
    try:
        with _locked(path.parent):
            keys = load(path) if path.exists() else Keys()
            taken = [name for name in names if name in keys]
            if taken:
                raise KeyFileError(f"{', '.join(taken)}: already in {path}, which is unchanged")
            for name in names:
                keys[name] = os.urandom(KEY_BYTES)
            for name in groups:
                if name not in keys.groups:
                    keys.groups[name] = os.urandom(GROUP_KEY_BYTES)
            _write(path, keys)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    return names


def renew(path: Path, node: str) -> None:
    """Make another key for a node; what its last one sealed opens no more. Raises KeyFileError."""
    try:
        with _locked(path.parent):
            keys = load(path)
            if node not in keys:
                raise KeyFileError(f"{path} has no key of {node}")
            keys[node] = os.urandom(KEY_BYTES)
            _write(path, keys)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against another `keys new`; nothing is left behind by a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)  # the rename
    finally:
        os.close(descriptor)


def _write(path: Path, keys: Keys) -> None:
    document: dict[str, Any] = {
        "version": 1,
        "nodes": {name: key.hex() for name, key in sorted(keys.items())},
    }
    if keys.groups:
        document["groups"] = {name: key.hex() for name, key in sorted(keys.groups.items())}
    private.put(path, f"{json.dumps(document, indent=1)}\n".encode("ascii"))
