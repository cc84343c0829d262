"""From arguments to an exit code: finds the command, and turns every error into one line."""

import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lampione.cli import parser
from lampione.cli.errors import (
    FAILED,
    INTERRUPTED,
    OK,
    PIPE,
    UNKNOWN_NODE,
    UNREACHABLE,
    USAGE,
    CliError,
)
from lampione.cli.output import prepare_streams, wrapped
from lampione.desk.text import clean

_CORE_CODES = {"no core": UNREACHABLE, "unknown": UNKNOWN_NODE, "usage": USAGE}
_NEGATIVE = re.compile(r"-[0-9][0-9.]*(ms|s|m|h|d)")


def _handler(name: str) -> Callable[[Any], int]:
    module, _, function = name.partition(":")
    found: Callable[[Any], int] = getattr(importlib.import_module(module), function)
    return found


def _expected(error: Exception) -> tuple[str, int] | None:
    """Return the line and exit code of an error that is not a bug of ours, else None."""
    if isinstance(error, CliError):
        return str(error), error.code
    # Without importing what is not loaded: an error's class is loaded when it is raised.
    for module, name in (
        ("lampione.core.client", "CoreError"),
        ("lampione.seeds", "SeedError"),
        ("lampione.keys", "KeyFileError"),
        ("lampione.alarms.load", "RulesError"),
        ("lampione.broker", "BrokerError"),
        ("lampione.broker_url", "BrokerUrlError"),
        ("lampione.serve", "ServeError"),
        ("lampione.core.folder", "FolderError"),
        ("lampione.store", "StoreError"),
        ("lampione.provision.errors", "ProvisionError"),
        ("lampione.provision.rows", "ListError"),
        ("lampione.export", "ExportError"),
        ("lampione.desk.configs", "NotChosen"),
        ("lampione_hil.interpreter", "NoInterpreterError"),
        ("lampione_hil.board", "BenchError"),
        ("lampione_hil.firmware", "CompileError"),
    ):
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, getattr(loaded, name)):
            if name in ("BrokerUrlError", "ListError"):
                return str(error), USAGE
            return str(error), _CORE_CODES.get(getattr(error, "kind", ""), FAILED)
    if isinstance(error, EOFError):  # Ctrl-D where something is asked for
        return "the input ended before that was answered: nothing was done", USAGE
    if isinstance(error, TimeoutError):
        return str(error) or "no answer in time", FAILED
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", FAILED
    return None


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return the exit code."""
    prepare_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone (`| head`): quietly end
        _let_go()
        return PIPE
    except Exception as error:
        if os.environ.get("LAMPIONE_DEBUG"):
            raise
        expected = _expected(error)
        if expected is None:
            expected = (
                f"unexpected {type(error).__name__}: {error} "
                "(LAMPIONE_DEBUG=1 shows where; please report it)",
                FAILED,
            )
        # What people and nodes wrote may be part of it.
        words = "\n".join(map(clean, expected[0].split("\n")))
        words = f"lampione: {words}"
        if sys.stderr.isatty():
            words = "\n".join(map(wrapped, words.split("\n")))
        print(words, file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # a full disk: that has been said
            _let_go()
        return expected[1]
    return code


def _let_go() -> None:
    """Give up what was not printed: the interpreter's own flush at exit would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> int:
    for argument in arguments:  # argparse would take it for an option
        if _NEGATIVE.fullmatch(argument):
            raise CliError(f"{argument!r} is a negative time: write {argument[1:]}", USAGE)
    try:
        options = parser.parse(arguments)
    except SystemExit as end:  # argparse has said what is wrong, or has printed help
        return end.code if isinstance(end.code, int) else FAILED
    if options.version:
        from importlib.metadata import version

        print(f"lampione {version('lampione')}")
        return OK
    if options.ssh is None:
        return _handler(options.handler)(options)
    from lampione.cli.over_ssh import socket_of

    there = options.state if options.own_state else None
    command = options.command
    if command == "config":
        command += f" {options.action}"
    with socket_of(options.ssh, there, command) as options.state:
        return _handler(options.handler)(options)
