"""Programs beside ours: run to their end, with a limit, and what went wrong in words."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lampione_hil.board import BenchError

_LINES = 3  # of what a program said when it failed: the reason stands at the end


class OutsideError(BenchError):
    """A program that the bench needs is missing, failed or did not end."""


def _words(value: object) -> object:
    try:
        return tuple(shlex.split(value)) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"{value!r} is no command line: {error}") from None


# A command line as people write it, or its words. No shell reads it.
Words = Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)]


def run(command: Sequence[str], *, timeout_s: float, install: str = "") -> str:
    """Run a command line; return what it printed, errors too. Raises OutsideError.

    install: what to type where the program is not there.
    """
    shown = shlex.join(command)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its children end with it
        )
    except FileNotFoundError:
        what = install or "say its whole path in the rig file"
        raise OutsideError(f"there is no program {command[0]}: {what}") from None
    except OSError as error:
        raise OutsideError(f"`{shown}` cannot be run: {error.strerror}") from None
    with process:
        try:
            text = process.communicate(timeout=timeout_s)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise OutsideError(
                f"`{shown}` did not end within {timeout_s:g} s: run it by hand to see why"
            ) from None
    if process.returncode:
        said = "; ".join(text.strip().splitlines()[-_LINES:]) or "it said nothing"
        raise OutsideError(f"`{shown}` ended with {process.returncode}: {said}")
    return text


class Hook(BaseModel):
    """What is done before a run and undone after it, such as a place that is acquired."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Words
    after: Words | None = None
    timeout_s: float = Field(default=60.0, gt=0)


@contextmanager
def around(hooks: Sequence[Hook]) -> Iterator[None]:
    """Run the hooks around a run: backwards at its end, and only what was done is undone.

    Raises OutsideError.
    """
    with ExitStack() as stack:
        for hook in hooks:
            run(hook.before, timeout_s=hook.timeout_s)
            if hook.after is not None:
                stack.callback(run, hook.after, timeout_s=hook.timeout_s)
        yield
