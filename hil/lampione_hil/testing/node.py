"""A node on a board: what its flash holds, and when it runs."""

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from struct import pack
from typing import Any

from lampione_hil import firmware
from lampione_hil.testing.stand import Stand

SHARD = "hil"
LAMP_PIN = 10
BROKER = {"host": "127.0.0.1", "port": 1883}
WIFI = {"ssid": "lampione", "password": "lampione"}
STARTS_S = 20.0
_RUNS = re.compile(r"lampione (hello|node) ")


def compiled(folder: Path | None, march: str | None = None) -> dict[str, bytes]:
    """Return the tree under test: ours, or that of a folder.

    The folder holds main.py and lampione_node, or `firmware/` and `protocol/` as a checkout does.
    """
    if folder is None:
        return firmware.compile_tree(march=march)
    inner = folder / "firmware"
    protocol = folder / "protocol"
    return firmware.compile_tree(
        inner if inner.is_dir() else folder, protocol if protocol.is_dir() else None, march
    )


def firmware_id(files: Mapping[str, bytes]) -> str:
    """Return a short hash of a tree."""
    digest = hashlib.sha256()
    for path, data in sorted(files.items()):
        digest.update(path.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()[:16]


def confirmed(config: bytes, version: int = 1) -> dict[str, bytes]:
    """Return the file of a confirmed config."""
    head = pack(">HH8s", version, len(config), hashlib.sha256(config).digest()[:8])
    return {"/config/good": head + pack(">I", zlib.crc32(head)) + config}


class Nodes:
    """The fixture `node`: makes nodes of the test's boards."""

    def __init__(self, stand: Stand, tree: Callable[[str | None], Mapping[str, bytes]]) -> None:
        """Make nodes; `tree(march)` is the firmware under test, compiled for a board."""
        self.keys: dict[str, bytes] = {}
        self.broker: dict[str, Any] | None = dict(BROKER)
        self.wifi: dict[str, Any] = dict(WIFI)
        self._stand = stand
        self._tree = tree
        self._used = 0

    def __call__(
        self,
        parts: Mapping[str, Mapping[str, Any]] | None = None,
        lamp: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        config: bytes | None = None,
        *,
        start: bool = True,
        world: Any = None,
        key: bytes | None = None,
        **settings: Any,
    ) -> Any:
        """Write a node to the test's next board, switch it on, and return the board when it runs.

        Args:
            parts: of its settings; None: a lamp at pin 10.
            lamp: how the lamp is driven.
            files: written over all else.
            config: confirmed, as version 1.
            start: False: it stays off.
            world: of a virtual board made here; see the fixture `virtual_world`.
            key: its secret of 32 bytes; None: one of the test's own.
            settings: over those of a node that reports every minute; `broker=None`: none.

        Raises BoardTimeoutError when it does not start.
        """
        taken = self._stand.taken
        if self._used < len(taken):
            if world is not None:
                raise ValueError("the board is made already: override the fixture virtual_world")
        else:
            self._stand.take(world)
        board = taken[self._used][1]
        self._used += 1
        # Of the test's own, so that a test on the virtual clock always does the same.
        made = hashlib.sha256(f"{self._stand.test} {board.name}".encode()).digest()
        self.keys[board.name] = key or made
        text = {
            "node": board.name,
            "shard": SHARD,
            "broker": self.broker,
            "wifi": self.wifi,
            "report_interval_s": 60,
            "health_interval_s": 900,
            "parts": {"lamp": {"pin": LAMP_PIN}} if parts is None else parts,
            **({} if lamp is None else {"lamp": lamp}),
            **settings,
        }
        content = {
            **self._tree(getattr(board, "march", None)),
            "/settings.json": json.dumps(text).encode(),
            "/node.key": self.keys[board.name],
            **({} if config is None else confirmed(config)),
            **(files or {}),
        }
        board.write_files(content)
        if start:
            board.power_on()
            self.runs(board)
        return board

    def runs(self, board: Any, within_s: float = STARTS_S) -> None:
        """Wait until the node says that it runs. Raises BoardTimeoutError."""
        clock = self._stand.clock
        clock.wait(lambda: _RUNS.search(board.console()), f"{board.name}: its start", within_s)
