"""Start MicroPython in a child process with the board's descriptors in their places."""

import contextlib
import fcntl
import importlib.util
import os
import resource
import signal
import sys
import termios
from collections.abc import Iterable, Mapping, Sequence

from lampione_hil import interpreter

FAILED = 120  # exit status of a child that could not become MicroPython
SEES_SIGNALS = sys.platform == "linux"  # whether it can be seen which ones a process takes
# Linux on x86-64: read; poll, select, nanosleep, clock_nanosleep, epoll_wait, pselect6, ppoll.
_READ = "0"
_WAITS = {"7", "23", "35", "230", "232", "270", "271"}
_processors = os.sched_getaffinity(0) if sys.platform == "linux" else set()
_HIGH = 100  # descriptors move up here first, so that none is overwritten on its way down


def prepare() -> None:
    """Load the interpreter once, so that every later fork has it already.

    Raises interpreter.NoInterpreterError.
    """
    interpreter.command()
    if not _external():
        importlib.import_module("micropython_run")


def together(pids: Iterable[int], on: bool) -> None:
    """Keep processes that take turns on the processor where this one is now; else let them go.

    To wake another processor for each turn costs more than the turn.
    """
    if sys.platform == "linux":
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            here = int(file.read().rpartition(")")[2].split()[36])
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(pid, {here} if on else _processors)


def _external() -> bool:
    return bool(os.environ.get(interpreter.VARIABLE))


def spawn(
    arguments: Sequence[str], descriptors: Mapping[int, int], terminal: int | None = None
) -> int:
    """Fork a MicroPython with `descriptors` {number in the child: number here}; return its pid.

    `terminal` is the slave side of the pseudo-terminal that becomes its controlling terminal and
    its standard streams, so that Ctrl-C there (and only there) interrupts it.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        _arrange(descriptors, terminal)
        if _external():
            command = interpreter.command()
            os.execv(command[0], ["micropython", *arguments])  # noqa: S606
        import micropython_run

        status = micropython_run.run_main(["micropython", *arguments])
        os._exit(status & 0xFF)
    finally:  # whatever happens, the supervisor's code never runs twice
        os._exit(FAILED)


def interrupt(pid: int, now: bool) -> bool | None:
    """Send a MicroPython the signal of Ctrl-C when a program runs in it that takes it.

    It handles the signal while a program runs that has not switched that off, and never at its
    prompt, where the signal would end it. The unix port raises KeyboardInterrupt in the midst of
    whatever it does, collecting or writing to a file system too, which no board does. So it is
    interrupted while it waits; None: it is busy. `now`: all the same.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            caught = next(line for line in file if line.startswith("SigCgt:"))
        if not int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1:
            return False
        if not now and not _waits(pid):
            return None
        os.kill(pid, signal.SIGINT)
    except (OSError, StopIteration):
        return False
    return True


def _waits(pid: int) -> bool:
    """Say whether a process waits for input, a descriptor or a time, or cannot be looked at."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            words = file.read().split()
    except OSError:  # not every computer lets its users see that
        return True
    if words[0] == _READ:
        return int(words[1], 16) == 0
    return words[0] in _WAITS


def _arrange(descriptors: Mapping[int, int], terminal: int | None) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for name in (signal.SIGINT, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    places = dict(descriptors)
    if terminal is not None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        places.update({0: terminal, 1: terminal, 2: terminal})
    high = {place: fcntl.fcntl(number, fcntl.F_DUPFD, _HIGH) for place, number in places.items()}
    for place, number in high.items():
        os.dup2(number, place)
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65536)
    previous = 2
    for place in sorted(places):
        os.closerange(previous + 1, max(place, 3))
        previous = max(place, 2)
    os.closerange(previous + 1, limit)
