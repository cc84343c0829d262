"""The work on the board: a small script of ours at its raw prompt, and what it is told to do."""

import functools
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from lampione_hil.flashing import chip
from lampione_hil.flashing.chip import Chip
from lampione_hil.flashing.slots import FOLDERS, MANIFEST, SCRIPTS, SLOT, State
from lampione_hil.real.errors import BoardCodeError, FlashFullError
from lampione_hil.real.repl import Repl

BLOCK = 4096  # bytes of a block before it is packed
_WINDOW = 12  # 2^12 bytes: what a node's heap has to spare
ROM = "rom"  # instead of a path
_LOOK_S = 60.0
_STEP_S = 30.0  # of one file or block; an erase of a worn sector takes long
_FULL = ("ENOSPC", "OSError: 28")

Told = Callable[[int, int], None]  # (done, of all)


@functools.cache
def script() -> str:
    """Return the agent's source without comments and indents, which would only cost time."""
    source = (Path(__file__).parent / "board" / "agent.py").read_text("utf-8")
    lines = [line for line in source.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    return "\n".join(re.sub("^(    )+", lambda m: " " * (len(m[0]) // 4), line) for line in lines)


class Agent:
    """Our script on a board. Its methods raise what `Repl.exec` does, and FlashFullError."""

    def __init__(self, repl: Repl) -> None:
        self.repl = repl
        repl.exec(script())
        self.chip: Chip = chip.ask(repl)

    def state(self) -> State:
        """Look at both slots and what chooses between them."""
        files = self.look([*FOLDERS.values(), *SCRIPTS, SLOT])
        manifests = {}
        for letter, folder in FOLDERS.items():
            if f"{folder}/{MANIFEST}" in files:
                manifests[letter] = self.repl.read_file(f"{folder}/{MANIFEST}")
        return State(
            files=files,
            order=self.repl.read_file(SLOT) if SLOT in files else None,
            manifests=manifests,
            started=self.chip.paths[-1] if self.chip.paths else None,
            block_bytes=self.chip.block_bytes,
            blocks_free=self.chip.blocks_free,
        )

    def look(self, paths: Iterable[str]) -> dict[str, tuple[int, str]]:
        """Return {path: (bytes, SHA-256 in hex)} of files, and of all below folders."""
        found = {}
        said = self._exec(f"look({list(paths)!r})", _LOOK_S)
        for line in said.decode("utf-8", "replace").splitlines():
            size, sha, path = line.split(" ", 2)
            found[path] = (int(size), sha)
        return found

    def room(self, gone: Sequence[str], folders: Sequence[str]) -> None:
        """Remove files and make folders."""
        self._exec(f"room({list(gone)!r},{list(folders)!r})", _LOOK_S)

    def copy(self, pairs: Sequence[tuple[str, str]], told: Told) -> None:
        """Copy files on the board itself."""
        self.repl.begin(f"copy({list(pairs)!r})")
        done = 0
        while self.repl.readline(_STEP_S) is not None:
            done += 1
            told(done, len(pairs))
        self._end()

    def send(self, files: Mapping[str, bytes], told: Told | None = None) -> None:
        """Write files; their folders are there. `ROM` stands for the ROM partition.

        The board asks for each block, as it cannot listen while it writes to its flash.
        """
        self.repl.begin(f"take({[(path, len(data)) for path, data in files.items()]!r})")
        data = b"".join(files.values())
        done = 0
        while self.repl.readline(_STEP_S) is not None:
            if told:
                told(done, len(data))
            self.repl.send(_packed(data[done : done + BLOCK], self.chip.inflates))
            done = min(done + BLOCK, len(data))
        self._end()

    def rom(self, size: int) -> str:
        """Return the SHA-256, in hex, of the first `size` bytes of the ROM partition."""
        return self._exec(f"rom_hash({size})", _LOOK_S).strip().decode()

    def rename(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Rename files into place, in this order."""
        self._exec(f"rename({list(pairs)!r})", _LOOK_S)

    def _exec(self, code: str, timeout_s: float) -> bytes:
        try:
            return self.repl.exec(code, timeout_s)
        except BoardCodeError as error:
            raise self._full(error) from None

    def _end(self) -> None:
        try:
            self.repl.end(_STEP_S)
        except BoardCodeError as error:
            raise self._full(error) from None

    def _full(self, error: BoardCodeError) -> BoardCodeError | FlashFullError:
        if any(word in error.last for word in _FULL):
            return FlashFullError(
                f"{self.repl.port}: the board's flash is full: remove files that are not the "
                "node's, with `mpremote rm`, or choose a board with more"
            )
        return error


def _packed(block: bytes, inflates: bool) -> bytes:
    """Return a block as it goes over the wire."""
    kind, data = b"r", block
    if inflates:
        packer = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW)
        packed = packer.compress(block) + packer.flush()
        if len(packed) < len(block):
            kind, data = b"z", packed
    data = data.replace(b"\x1d", b"\x1db").replace(b"\x03", b"\x1da")
    return kind + b"%04x" % len(data) + data
