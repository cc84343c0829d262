"""Who works at this command: said to the controller once a connection."""

import argparse
import getpass
import os
import sys
from pathlib import Path

from lampione import private
from lampione.cli.errors import FAILED, USAGE, CliError
from lampione.core.client import Client

PIN_FILE = "LAMPIONE_PIN_FILE"


def enter(client: Client, options: argparse.Namespace) -> str | None:
    """Say who works here, when the options do; return the PIN. Raises CliError, CoreError."""
    if options.operator is None:
        return None
    pin = _pin(client, options)
    client.call("enter", operator=options.operator, pin=pin, terminal=terminal())
    return pin


def terminal() -> str:
    """Return the name of the terminal, for the audit; "" where there is none."""
    try:
        return os.ttyname(sys.stdin.fileno()).removeprefix("/dev/")
    except (OSError, ValueError):
        return ""


def _pin(client: Client, options: argparse.Namespace) -> str | None:
    """Return the PIN, when this operator has one and it is known or can be asked for."""
    if os.environ.get(PIN_FILE):
        return of_file(Path(os.environ[PIN_FILE]))
    name = options.operator
    if not any(one["pin"] for one in client.call("operators") if one["name"] == name):
        return None
    return ask(f"PIN of {name}: ")


def ask(prompt: str) -> str:
    """Ask for a PIN without showing it. Raises CliError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise CliError(f"there is no terminal to ask for a PIN: name a file by {PIN_FILE}", USAGE)
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise CliError("no PIN was given") from None


def of_file(path: Path) -> str:
    """Return the PIN of a file that nobody else can read: its first line. Raises CliError."""
    try:
        lines = private.read(path).decode().splitlines()
    except private.NotPrivateError as error:
        raise CliError(str(error), FAILED) from None
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}", FAILED) from None
    except UnicodeDecodeError:
        raise CliError(f"{path} is not text", FAILED) from None
    if not lines or not lines[0]:
        raise CliError(f"{path} holds no PIN", FAILED)
    return lines[0]
