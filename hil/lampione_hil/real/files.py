"""Files of a real board, over its REPL: few round trips, since each of them takes its time."""

import ast
import hashlib
import posixpath
from collections.abc import Collection, Mapping

from lampione_hil.board import BenchError
from lampione_hil.real.repl import Repl

_WALK_S = 60.0
_BATCH = 24  # paths in one program: its source takes memory on the board

# Prints what lies below a folder: (path, bytes), and (path, -1) for a folder after its files.
_WALK = """
import os
def walk(top):
    for entry in os.ilistdir(top or '/'):
        path = top + '/' + entry[0]
        if entry[1] == 0x4000:
            walk(path)
            print(repr((path, -1)))
        else:
            print(repr((path, os.stat(path)[6])))
walk({top!r})
"""
_REMOVE = """
import os
for path, folder in {paths!r}:
    (os.rmdir if folder else os.remove)(path)
"""
_HASHES = """
import hashlib, binascii
part = bytearray(512)
view = memoryview(part)
for path in {paths!r}:
    digest = hashlib.sha256()
    try:
        with open(path, 'rb') as file:
            while True:
                size = file.readinto(part)
                if not size:
                    break
                digest.update(view[:size])
        print(binascii.hexlify(digest.digest()).decode())
    except OSError:
        print('-')
"""
_FOLDERS = """
import os
for path in {paths!r}:
    try:
        os.mkdir(path)
    except OSError:
        os.stat(path)
"""


def listed(repl: Repl, path: str = "/") -> dict[str, int]:
    """Return {absolute path: bytes} of every file below a folder."""
    return {name: size for name, size in _walk(repl, path) if size >= 0}


def remove_all(repl: Repl, keep: Collection[str] = ()) -> None:
    """Remove every file but those to keep, and the folders that are empty then."""
    kept = set(keep)
    for path in keep:
        while len(path := posixpath.dirname(path)) > 1:
            kept.add(path)
    gone = [(path, size < 0) for path, size in _walk(repl, "/") if path not in kept]
    for at in range(0, len(gone), _BATCH):
        repl.exec(_REMOVE.format(paths=gone[at : at + _BATCH]), timeout_s=_WALK_S)


def write(repl: Repl, files: Mapping[str, bytes]) -> None:
    """Write {absolute path: content}; folders are made, and what is the same is left alone."""
    for path in files:
        if not path.startswith("/") or path != posixpath.normpath(path):
            raise ValueError(f"{path!r} is no absolute path")
    there = hashes(repl, list(files))
    changed = {
        path: data
        for path, data in files.items()
        if there[path] != hashlib.sha256(data).hexdigest()
    }
    folders: set[str] = set()
    for path in changed:
        while len(path := posixpath.dirname(path)) > 1:
            folders.add(path)
    if folders:
        repl.exec(_FOLDERS.format(paths=sorted(folders)), timeout_s=_WALK_S)
    for path, data in changed.items():
        repl.write_file(path, data)
    there = hashes(repl, list(changed))
    for path, data in changed.items():
        if there[path] != hashlib.sha256(data).hexdigest():
            raise BenchError(f"{path} did not come whole over the serial line: try again")


def hashes(repl: Repl, paths: list[str]) -> dict[str, str]:
    """Return the sha256 of files, hexadecimal; "-" for one that is not there."""
    found: dict[str, str] = {}
    for at in range(0, len(paths), _BATCH):
        batch = paths[at : at + _BATCH]
        lines = repl.exec(_HASHES.format(paths=batch), timeout_s=_WALK_S).decode().split()
        found.update(zip(batch, lines, strict=True))
    return found


def _walk(repl: Repl, path: str) -> list[tuple[str, int]]:
    top = "/".join(["", *path.strip("/").split("/")]).rstrip("/")
    lines = repl.exec(_WALK.format(top=top), timeout_s=_WALK_S).decode().splitlines()
    found: list[tuple[str, int]] = [ast.literal_eval(line) for line in lines]
    return found
