"""The slots of a node: folders that hold one whole tree of modules each.

boot.py starts the first slot of those that /slot names by their letters, best first. What is
written is always a slot that does not run.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

FOLDERS = {"a": "/lib", "b": "/lib.b"}
ROM_LETTER, ROM_FOLDER = "r", "/rom/lib"  # a ROM partition, in front of a slot with the same
SLOT = "/slot"
SCRIPTS = ("/boot.py", "/main.py")
MANIFEST = "lampione.json"  # in a slot: what it holds when it is whole
NEW = ".new"  # behind the name of what is renamed into place
_IMAGE = "/lib/"  # where `compile_tree` puts its modules
_PACKAGES = ("lampione_node/", "lampione_protocol/", "lampione_light/", MANIFEST)


def digest(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Tree:
    """A firmware to be written: modules by their paths inside a slot, and the two scripts."""

    modules: dict[str, bytes]
    scripts: dict[str, bytes]
    ident: str  # of its content

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "Tree":
        """Make one of what `compile_tree` returns, and add its manifest.

        Raises ValueError for a path that is neither a script nor a module.
        """
        modules, scripts = {}, {}
        for path, data in files.items():
            if path in SCRIPTS:
                scripts[path] = data
            elif path.startswith(_IMAGE):
                modules[path[len(_IMAGE) :]] = data
            else:
                raise ValueError(f"{path}: only modules and boot.py, main.py are flashed")
        listed = {path: digest(data) for path, data in sorted(modules.items())}
        everything = {**listed, **{path: digest(data) for path, data in sorted(scripts.items())}}
        ident = digest(json.dumps(everything).encode())[:12]
        modules[MANIFEST] = json.dumps({"id": ident, "sha256": listed}).encode()
        return cls(modules, scripts, ident)


@dataclass(frozen=True)
class State:
    """What lies on a board."""

    files: Mapping[str, tuple[int, str]]  # {path: (bytes, SHA-256 in hex)} of slots and scripts
    order: bytes | None  # the content of /slot
    manifests: Mapping[str, bytes]  # {letter: content}
    started: str | None  # the folder that it runs from
    block_bytes: int
    blocks_free: int

    def letters(self) -> list[str]:
        """Return the slots' letters, best first, as boot.py reads them."""
        named = (self.order or b"").decode("latin-1") + "".join(FOLDERS)
        return list(dict.fromkeys(letter for letter in named if letter in FOLDERS))

    @property
    def rom_first(self) -> bool:
        """Whether the next start would come from the ROM partition."""
        return (self.order or b"").startswith(ROM_LETTER.encode())

    def modules(self, letter: str) -> dict[str, str]:
        """Return {path inside the slot: SHA-256} of what is ours in it."""
        begin = FOLDERS[letter] + "/"
        return {
            path[len(begin) :]: sha
            for path, (_, sha) in self.files.items()
            if path.startswith(begin) and path[len(begin) :].startswith(_PACKAGES)
        }

    def whole(self, letter: str) -> bool:
        """Whether a slot holds what its manifest says."""
        try:
            listed = dict(json.loads(self.manifests.get(letter, b""))["sha256"])
        except (ValueError, KeyError, TypeError):
            return False
        found = self.modules(letter)
        return all(found.get(path) == sha for path, sha in listed.items())


def running(state: State) -> str | None:
    """Return the slot that is not to be touched: what runs, or would at the next start."""
    if "/main.py" not in state.files:
        return None
    # Where it runs from another slot than the first, the first could not start.
    letters = sorted(state.letters(), key=lambda letter: FOLDERS[letter] != state.started)
    for letter in letters:
        if state.whole(letter):
            return letter
    for letter in letters:  # trees without a manifest come from elsewhere
        if "lampione_node/app.mpy" in state.modules(letter):
            return letter
    return None
