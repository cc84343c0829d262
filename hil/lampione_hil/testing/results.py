"""results.jsonl: what a run finds out, a JSON object a line, as it comes."""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lampione_hil.firmware import sources
from lampione_hil.testing.collecting import base_name, turn_of
from lampione_hil.testing.rig import RigFile

_TOLD = ("boards", "clock", "board_s", "micropython", "measurements", "flaky", "needs")
_WORKER = re.compile(r"^\[gw\d+\] .*\n?", re.MULTILINE)  # pytest-xdist says who it was


class Results:
    """Writes the file; gathers a test's three phases into one outcome.

    outcome: "pass", "fail" (the firmware, or the test), "skip", "broken" (the bench).
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._tests: dict[str, dict[str, Any]] = {}
        self._collected = False
        self._deselected: set[str] = set()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def add(self, kind: str, **values: Any) -> None:
        """Write a line."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                text = json.dumps({"kind": kind, **values}, ensure_ascii=False)
                # Half a surrogate pair, as a console may show it, is no text.
                file.write(text.encode("utf-8", "replace").decode() + "\n")

    def begin(
        self, rig: RigFile, firmware: str, folder: Path | None, config: pytest.Config
    ) -> None:
        """Write what runs on what."""
        today = datetime.date.today()
        self.add(
            "begin",
            at=time.time(),
            rig=json.loads(rig.model_dump_json()),
            rig_digest=rig.digest,
            firmware_id=firmware,
            firmware_folder=None if folder is None else str(folder.resolve()),
            revision=revision(folder or sources()[0]),
            lampione=_version(),
            micropython=micropython(),
            python=platform.python_version(),
            system=f"{platform.system()} {platform.machine()}",
            expired={i.name: i.expired(today) for i in rig.instruments if i.expired(today)},
            keyword=config.option.keyword or "",
            smoke=bool(config.getoption("--smoke")),
            count=config.getoption("--count"),
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write which suite cannot be read, and why."""
        if report.failed:
            why = _WORKER.sub("", report.longreprtext).strip()
            self.add("suite error", where=report.nodeid, why=_last_line(why), details=why[-20_000:])

    def collected(self, ids: list[str]) -> None:
        """Write what will run; once, whoever tells it first."""
        if not self._collected:
            self._collected = True
            self.add("collected", tests=sorted({base_name(i) for i in ids}), runs=len(ids))

    def deselected(self, ids: list[str]) -> None:
        """Write which tests nobody asked for, those not told before."""
        fresh = {base_name(i) for i in ids} - self._deselected
        self._deselected |= fresh
        if fresh:
            self.add("deselected", tests=sorted(fresh))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the report of a set-up, a call or a tear-down; write the outcome after the last."""
        told: dict[str, Any] = dict(report.user_properties).get("lampione", {})  # type: ignore[assignment]
        test = self._tests.setdefault(
            report.nodeid,
            {
                "test": base_name(report.nodeid),
                "turn": turn_of(report.nodeid),
                "outcome": "pass",
                "why": "",
                "details": "",
                "seconds": 0.0,
                "boards": [],
                "clock": "",
                "board_s": None,
                "micropython": {},
                "measurements": [],
                "flaky": "",
                "needs": [],
            },
        )
        test["seconds"] = round(test["seconds"] + report.duration, 3)
        for key in _TOLD:
            if told.get(key):
                test[key] = told[key]
        died = report.when not in ("setup", "call", "teardown")  # pytest-xdist's word for it
        if report.failed:
            why = _WORKER.sub("", report.longreprtext).strip()
            test["outcome"] = "broken" if told.get("broken") or died else "fail"
            test["why"] = test["why"] or _last_line(why)
            test["details"] = "\n\n".join(filter(None, [test["details"], why]))[-20_000:]
        elif report.skipped and test["outcome"] == "pass":
            longrepr = report.longrepr
            why = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr or "")
            test["outcome"], test["why"] = "skip", why.removeprefix("Skipped: ")
        if report.when == "teardown" or died:
            self.add("test", **self._tests.pop(report.nodeid))


def revision(folder: Path) -> str:
    """Return the git revision of a folder, with "+" when files differ from it; "" without git.

    A folder that only lies inside somebody's repository, as an installed package may, has none.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        found = git("rev-parse", "--short=12", "HEAD") if git("ls-files", "--", ".") else ""
        changed = git("status", "--porcelain", "--untracked-files=no") if found else ""
    except OSError:  # no git, or no such folder
        return ""
    return found + ("+" if changed else "")


def _version() -> str:
    try:
        return importlib.metadata.version("lampione")
    except importlib.metadata.PackageNotFoundError:
        return ""


def micropython() -> str:
    """Return the version of the virtual boards' MicroPython; "" where there is none."""
    from lampione_hil.interpreter import NoInterpreterError, command

    script = "import sys; print(sys.version.split('; ')[-1])"
    try:
        done = subprocess.run([*command(), "-c", script], capture_output=True, check=False)
    except (NoInterpreterError, OSError):
        return ""
    return done.stdout.decode(errors="replace").strip()


def _last_line(text: str) -> str:
    """Return the line of an error's text that says most: pytest marks it with an E."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or ["no reason given"])[0][:300]
