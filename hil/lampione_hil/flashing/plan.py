"""What is to be done to a board so that it runs a tree: decided here, without a board."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from lampione_hil.flashing.slots import (
    FOLDERS,
    MANIFEST,
    NEW,
    SLOT,
    State,
    Tree,
    digest,
    running,
)

_SPARE_BLOCKS = 8  # for folders' logs, and for what the node writes meanwhile
_FOLDER_BLOCKS = 2


@dataclass(frozen=True)
class Plan:
    """The steps, in their order. All between `before` and `commit` leave alone what runs."""

    slot: str  # the letter that runs at the end
    before: bytes | None = None  # /slot, where what is written to would be started first
    remove: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    copy: list[tuple[str, str]] = field(default_factory=list)  # (there, here), on the board
    send: dict[str, bytes] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)  # SHA-256 before the commit
    commit: list[tuple[str, str]] = field(default_factory=list)  # (there, here), renamed
    kept: int = 0  # files of the slot that are there already
    blocks: int = 0  # that it takes of the file system

    @property
    def folder(self) -> str:
        """Where the slot is."""
        return FOLDERS[self.slot]

    @property
    def changes(self) -> bool:
        """Whether anything is written at all."""
        return bool(self.remove or self.copy or self.send or self.commit)


def plan(state: State, tree: Tree) -> Plan:
    """Return what makes the board run `tree`."""
    wanted = {path: digest(data) for path, data in tree.modules.items()}
    keep = running(state)
    slot = _slot(state, wanted, keep)
    folder = FOLDERS[slot]
    there = state.modules(slot)
    remove = [f"{folder}/{path}" for path, sha in there.items() if wanted.get(path) != sha]
    held = {sha: path for letter in FOLDERS for path, sha in _paths(state, letter)}
    held = {sha: path for sha, path in held.items() if path not in remove}
    copy, send = [], {}
    expected = {f"{folder}/{path}": sha for path, sha in wanted.items()}
    missing = sorted((p for p in wanted if there.get(p) != wanted[p]), key=_manifest_last)
    for path in missing:
        here = f"{folder}/{path}"
        if wanted[path] in held:
            copy.append((held[wanted[path]], here))
        else:
            send[here] = tree.modules[path]
    commit = []
    roots = dict(tree.scripts)
    first = state.letters()[0]
    before = _order(keep) if keep and slot == first != keep and missing else None
    if before or first != slot:
        roots[SLOT] = _order(slot)
    for path, data in roots.items():
        if state.files.get(path, (0, ""))[1] != digest(data) or (path == SLOT and before):
            send[path + NEW] = data
            expected[path + NEW] = digest(data)
            commit.append((path + NEW, path))
    folders = _folders([*send, *(here for _, here in copy)])
    return Plan(
        slot=slot,
        before=before,
        remove=sorted(remove),
        folders=folders,
        copy=copy,
        send=send,
        expected=expected,
        commit=commit,
        kept=len(wanted) - len(missing),
        blocks=_blocks(state, remove, folders, copy, send),
    )


def _slot(state: State, wanted: dict[str, str], keep: str | None) -> str:
    """Return the letter to write to; of one that has all of it already, if there is one."""
    letters = state.letters()
    if keep:
        letters.remove(keep)
        letters.insert(0, keep)
    modules = {path: sha for path, sha in wanted.items() if path != MANIFEST}
    for letter in letters:
        found = state.modules(letter)
        found.pop(MANIFEST, None)  # nothing that runs reads it: it may be written where it lacks
        if "/main.py" in state.files and found == modules:
            return letter
    return letters[1] if keep else letters[0]


def _order(letter: str) -> bytes:
    """Return the content of /slot that puts one first."""
    return "".join([letter, *(other for other in FOLDERS if other != letter)]).encode()


def _paths(state: State, letter: str) -> Iterable[tuple[str, str]]:
    for path, sha in state.modules(letter).items():
        yield f"{FOLDERS[letter]}/{path}", sha


def _manifest_last(path: str) -> tuple[bool, str]:
    return path == MANIFEST, path


def _folders(paths: Iterable[str]) -> list[str]:
    """Return the folders of paths, each after the one that holds it."""
    found: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder != "/":
            found.add(folder)
            folder = posixpath.dirname(folder)
    return sorted(found)


def _blocks(
    state: State,
    remove: list[str],
    folders: list[str],
    copy: list[tuple[str, str]],
    send: dict[str, bytes],
) -> int:
    """Return how many blocks must be free: what is written, less what goes before."""
    size = state.block_bytes
    there = {path.rpartition("/")[0] for path in state.files}
    made = sum(_FOLDER_BLOCKS for folder in folders if not _holds(there, folder))
    sizes = [len(data) for data in send.values()] + [state.files[old][0] for old, _ in copy]
    gone = sum(-(-state.files[path][0] // size) for path in remove)
    written = sum(-(-one // size) for one in sizes)
    return made + written - gone + _SPARE_BLOCKS if written else 0


def _holds(folders: set[str], folder: str) -> bool:
    return any(one == folder or one.startswith(folder + "/") for one in folders)
