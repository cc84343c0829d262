"""The commissioning record: what was done with a board, when, by whom, and what came of it.

One pair of files for every attempt, NODE/2026-11-28T173347Z.json and .txt, never written again.
No secret is in it.
"""

import contextlib
import datetime
import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lampione import private
from lampione.provision.signoff import Check, as_data

FORMAT = 1
_MARKS = {"good": "✓", "note": "·", "bad": "✗"}


@dataclass
class Record:
    """What is filed of one attempt.

    outcome: "signed off", "not signed off" (--no-sign-off), "failed".
    step: where it failed; why and do: in words.
    replaces: serial number of the board that was this node before; new_key: that one's is void.
    """

    node: str
    site: str
    profile: str
    board: str | None = None
    started: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    ended: datetime.datetime | None = None
    outcome: str = "failed"
    step: str | None = None
    why: str | None = None
    do: str | None = None
    hardware: dict[str, Any] = field(default_factory=dict)
    firmware: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    replaces: str | None = None
    new_key: bool = False

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        return {
            "format": FORMAT,
            "node": self.node,
            "site": self.site,
            "profile": self.profile,
            "board": self.board,
            "replaces": self.replaces,
            "new_key": self.new_key,
            "started": _stamp(self.started),
            "ended": _stamp(self.ended) if self.ended else None,
            "by": _who(),
            "controller": version("lampione"),
            "outcome": self.outcome,
            "step": self.step,
            "why": self.why,
            "do": self.do,
            "hardware": self.hardware,
            "firmware": self.firmware,
            "certificate": self.certificate,
            "config": self.config,
            "calibration": self.calibration,
            "checks": [as_data(check) for check in self.checks],
        }

    def as_text(self) -> str:
        """Return it for people."""
        data = self.as_data()
        lines = [
            f"Commissioning record of {self.node}",
            "",
            f"outcome      {self.outcome}",
            f"site         {self.site}",
            f"profile      {self.profile}",
            f"board        {self.board or 'unknown'}",
            *self._swapped(),
            f"begun        {data['started']}, ended {data['ended']}, by {data['by']}",
        ]
        for name in ("hardware", "firmware", "certificate", "config"):
            if data[name]:
                said = ", ".join(f"{key} {value}" for key, value in data[name].items())
                lines.append(f"{name:<13}{said}")
        for part, settings in self.calibration.items():
            said = ", ".join(f"{key} {value}" for key, value in settings.items())
            lines.append(f"calibration  {part}: {said}")
        if self.why:
            lines += ["", f"failed at    {self.step}", f"why          {self.why}"]
            lines.append(f"what to do   {self.do}")
        if self.checks:
            lines += ["", "checks"]
            lines += [f"  {_MARKS[check.verdict]} {check.words()}" for check in self.checks]
        return "\n".join(lines) + "\n"

    def _swapped(self) -> list[str]:
        key = "a new key, its own is void" if self.new_key else "the same key"
        return [] if self.replaces is None else [f"replaces     board {self.replaces}, {key}"]


def _stamp(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return f"uid {os.getuid()}"


def file(folder: Path, record: Record) -> Path:
    """File a record, both files or none; return the path of its JSON. Raises OSError."""
    record.ended = datetime.datetime.now(datetime.UTC)
    place = folder / record.node
    place.mkdir(parents=True, exist_ok=True)
    stem = record.ended.strftime("%Y-%m-%dT%H%M%SZ")
    for n in range(1000):  # two within a second
        path = place / (f"{stem}.json" if n == 0 else f"{stem}-{n}.json")
        with contextlib.suppress(FileExistsError):
            path.open("x").close()  # ours now
            text = json.dumps(record.as_data(), indent=1, ensure_ascii=False)
            try:
                private.put(path.with_suffix(".txt"), record.as_text().encode(), 0o666)
                private.put(path, f"{text}\n".encode(), 0o666)
            except OSError:
                path.unlink(missing_ok=True)
                path.with_suffix(".txt").unlink(missing_ok=True)
                raise
            return path
    raise FileExistsError(f"{place} is full of records of this second")


def board_of(folder: Path, node: str) -> str | None:
    """Return the serial number of the board that is a node by its newest good record."""
    for path in sorted((folder / node).glob("*.json"), key=_filed, reverse=True):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(path.read_bytes())
            if found["outcome"] != "failed":
                return None if found["board"] is None else str(found["board"])
    return None


def _filed(path: Path) -> tuple[str, int]:
    """Return what sorts records as they were filed."""
    second, _, number = path.stem.partition("Z-")
    return second.removesuffix("Z"), int(number) if number.isdecimal() else 0


def boards(folder: Path) -> dict[str, str]:
    """Return {serial number: node} of every board that became one."""
    nodes = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = {board_of(folder, node): node for node in nodes}
    return {board: node for board, node in found.items() if board is not None}
