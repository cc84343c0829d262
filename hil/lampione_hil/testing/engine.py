"""Runs pytest on suites, in a process of its own, and follows what it finds out.

pytest's settings are ours (pytest.ini beside this file): neither those of the project that a suite
lies in, nor PYTEST_ADDOPTS, nor plugins that happen to be installed, nor a conftest.py above the
suites take part.
"""

import contextlib
import fcntl
import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.testing import record
from lampione_hil.testing import rig as rigs

INI = Path(__file__).with_name("pytest.ini")
LOOK_S = 0.1
END_S = 60.0  # for boards to be switched off
KILLED_S = 10.0  # a run whose command was killed takes to end
WRITTEN = ("results.jsonl", "record.json", "junit.xml", "report.html")


class SuiteError(BenchError):
    """A suite, or what was asked of pytest, is wrong; the text says where."""


@dataclass(frozen=True)
class Order:
    """What is to be run.

    suites: folders or files; (): those that come with Lampione.
    workers: boards at a time; None: as many as the rig and this computer have.
    """

    rig: Path | None = None
    suites: tuple[Path, ...] = ()
    keyword: str = ""
    count: int = 1
    firmware: Path | None = None
    smoke: bool = False
    workers: int | None = None


def suites() -> Path:
    """Return the folder of the suites, from the checkout or the installed package.

    Raises BenchError.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "suites", package / "_suites"):
        if folder.is_dir():
            return folder
    raise BenchError("the suites are not installed: reinstall lampione")


def workers(order: Order) -> int:
    """Return how many boards to use at a time: no more than there are cores."""
    most = len(rigs.load(order.rig).boards)
    return max(1, min(most, order.workers or cores()))


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def command(order: Order, folder: Path) -> list[str]:
    """Return the command that runs an order. Raises BenchError."""
    for module in ("pytest", "pytest_timeout", "xdist"):
        if importlib.util.find_spec(module) is None:
            raise BenchError(f"{module} is missing: run `pip install 'lampione[hil]'`")
    where = [path.resolve() for path in order.suites] or [suites()]
    for path in where:
        if not path.exists():
            raise SuiteError(f"{path}: no such suite")
    _check(order.keyword)
    first = where[0] if where[0].is_dir() else where[0].parent
    found = [sys.executable, "-m", "pytest", "-c", str(INI), f"--rootdir={first}"]
    found += [f"--confcutdir={first}", "-p", "pytest_timeout", "-p", "xdist"]
    found += ["-p", "lampione_hil.testing.plugin", "--run-folder", str(folder.resolve())]
    if order.rig is not None:
        found += ["--rig", str(order.rig.resolve())]
    if order.firmware is not None:
        found += ["--firmware", str(order.firmware.resolve())]
    if order.keyword:
        found += ["-k", order.keyword]
    if order.smoke:
        found.append("--smoke")
    if order.count > 1:
        found += ["--count", str(order.count)]
    if workers(order) > 1:
        found += ["-n", str(workers(order)), "--dist", "worksteal"]
    return [*found, *map(str, where)]


def _check(keyword: str) -> None:
    """Refuse a keyword that workers of pytest-xdist would silently end by. Raises SuiteError."""
    from _pytest.mark.expression import Expression, ParseError

    try:
        Expression.compile(keyword)
    except (ParseError, RecursionError) as error:
        raise SuiteError(f"-k {keyword!r}: {error}") from None


def environment() -> dict[str, str]:
    """Return the environment of pytest: nothing that would change what a run does."""
    found = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PY_COLORS"))}
    return {**found, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class Run:
    """One run of pytest. `follow` it to its end.

    Ctrl-C and SIGTERM reach pytest, which switches the boards off; the end is waited for. pytest
    ends, too, when this process is killed: see `plugin`.

    Raises BenchError, OSError.
    """

    def __init__(self, order: Order, folder: Path, *more: str) -> None:
        asked = [*command(order, folder), *more]
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.interrupted = False
        self._ends_at = math.inf
        self._results = folder / "results.jsonl"
        with contextlib.ExitStack() as stack:
            held = _held(folder)
            stack.callback(os.close, held)
            for name in WRITTEN:  # a record of the run before is not this one's
                (folder / name).unlink(missing_ok=True)
            ours, its = os.pipe()
            stack.callback(os.close, its)
            try:
                log = stack.enter_context((folder / "pytest.log").open("wb"))
                self._process = subprocess.Popen(
                    [*asked, "--ends-with", str(ours)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment(),
                    pass_fds=(held, ours),
                    start_new_session=True,  # a Ctrl-C comes through us, once
                )
            finally:
                os.close(ours)
            self._ours = stack.pop_all()

    def follow(self) -> Iterator[dict[str, Any]]:
        """Yield what is found out, as it comes."""
        at = 0
        with self._signals():
            ended = False
            while not ended:
                ended = self._ended()
                if not self._results.exists():
                    continue
                with self._results.open("rb") as file:
                    file.seek(at)
                    for line in file:
                        if line.endswith(b"\n"):
                            at += len(line)
                            yield json.loads(line)

    def lines(self) -> list[dict[str, Any]]:
        """Return what has been found out so far."""
        return record.lines(self._results)

    @property
    def code(self) -> int | None:
        """pytest's exit code."""
        return self._process.returncode

    @property
    def log(self) -> str:
        """What pytest printed."""
        return (self.folder / "pytest.log").read_text("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The line of the log that says why pytest did not run anything."""
        lines = [line for line in self.log.splitlines() if line.strip()]
        said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        return (said or lines or ["pytest said nothing"])[0 if said else -1]

    def interrupt(self) -> None:
        """End it in good order. Once: a second Ctrl-C must not stop the boards' switching off."""
        if not self.interrupted:
            self.interrupted = True
            self._ends_at = time.monotonic() + END_S
            with contextlib.suppress(ProcessLookupError):  # its workers too, or they wait for 5 s
                os.killpg(self._process.pid, signal.SIGINT)

    def close(self) -> None:
        """See that it is over: asked first, then killed."""
        if self._process.poll() is None:
            self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(self._ends_at - time.monotonic(), 1.0))
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._ours.close()

    def _ended(self) -> bool:
        if time.monotonic() > self._ends_at:
            self.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LOOK_S)
            return True
        return False

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        before: dict[signal.Signals, Any] = {}

        def heard(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.interrupt()

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                before[number] = signal.signal(number, heard)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self.close()


def _held(folder: Path) -> int:
    """Return a descriptor that holds a folder, for us and for pytest. Raises BenchError, OSError.

    A run that was killed has a moment to end.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    end = time.monotonic() + KILLED_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(descriptor)
                raise BenchError(
                    f"{folder}: another run writes its report there: let it end, or name "
                    "another folder"
                ) from None
            time.sleep(LOOK_S)
        else:
            return descriptor


def is_part(order: Order) -> bool:
    """Say whether an order names some of our suites, and not all."""
    ours = suites().resolve()
    asked = [path.resolve() for path in order.suites]
    return bool(asked) and ours not in asked and any(ours in path.parents for path in asked)


def listed(order: Order, folder: Path) -> list[dict[str, Any]]:
    """Return the tests of an order, with what each needs and lacks. Raises BenchError."""
    going = Run(order, folder, "--collect-only", "-q", "-n", "0")
    found = list(going.follow())
    wrong = [line for line in found if line["kind"] == "suite error"]
    if wrong:
        raise SuiteError("\n".join(f"{line['where']}: {line['why']}" for line in wrong))
    if going.code not in (0, 5):
        raise SuiteError(going.complaint)
    return [line for line in found if line["kind"] == "item"]
