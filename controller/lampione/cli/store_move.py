"""`store move`: one store into another."""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator

from lampione.cli.errors import OK
from lampione.cli.output import Printer, printer
from lampione.core.folder import LOCK, StateFolder
from lampione.store.engine import open_carrier, path_of
from lampione.store.move import Carrier, Progress, check
from lampione.store.move import move as carry

_DRAW_S = 0.2
_SAY_S = 10.0  # between two lines where none can be drawn over
_STEPS = {"copy": "copying", "compare": "comparing", "finish": "finishing"}


def move(options: argparse.Namespace) -> int:
    """`lampione store move FROM TO`."""
    out = printer(options)
    with contextlib.ExitStack() as held:
        for where in (options.source, options.target):
            held.enter_context(_alone(where))
        source = _open(held, options.source, target=False)
        target = _open(held, options.target, target=True)
        if options.dry_run:
            return _plan(out, source, target)
        progress = _Progress(out)
        try:
            done = carry(source, target, progress.tell, time.time())
        finally:
            progress.wipe()
    if out.as_json:
        out.json({"done": True, **done._asdict(), "seconds": round(progress.seconds, 3)})
        return OK
    again = f", {done.frames - done.copied:,} of them before" if done.resumed else ""
    out.line(f"{done.frames:,} frames of {done.nodes:,} nodes are in {options.target}{again};")
    out.line("every day of every node was compared")
    return OK


def _open(held: contextlib.ExitStack, where: str, *, target: bool) -> Carrier:
    carrier = open_carrier(where, target=target)
    held.callback(carrier.close)
    return carrier


@contextlib.contextmanager
def _alone(where: str) -> Iterator[None]:
    """Hold the state folder that a file is in. Raises FolderError when a controller has it."""
    path = path_of(where)
    if path is not None and (path.absolute().parent / LOCK).exists():
        with StateFolder(path.absolute().parent).owned():
            yield
    else:
        yield


def _plan(out: Printer, source: Carrier, target: Carrier) -> int:
    goes_on = check(source, target)
    frames, nodes, there = source.count(), len(source.rows("nodes")), target.count()
    if out.as_json:
        out.json({"frames": frames, "nodes": nodes, "there": there, "resumes": goes_on})
        return OK
    out.line(f"{frames:,} frames of {nodes:,} nodes would be carried over")
    if goes_on:
        out.line(f"{there:,} are there already: the move goes on")
    return OK


class _Progress:
    """A line that is drawn over on a terminal, else one now and then."""

    def __init__(self, out: Printer) -> None:
        # People's is apart from the result; a program's is all on one stream.
        self._out = out if out.as_json else Printer(as_json=False, stream=sys.stderr)
        self._began_s = time.monotonic()
        self._next_s = 0.0
        self._step = ""

    def tell(self, at: Progress) -> None:
        """Show how far it is."""
        now = time.monotonic()
        if at.step == self._step and now < self._next_s:
            return
        self._step = at.step
        self._next_s = now + (_DRAW_S if self._out.live or self._out.as_json else _SAY_S)
        part = at.frames / at.total if at.total else 1.0
        if self._out.as_json:
            self._out.json(
                {
                    "step": at.step,
                    "frames": at.frames,
                    "total": at.total,
                    "frames_per_s": round(at.rate),
                    "left_s": None if at.left_s is None else round(at.left_s),
                }
            )
            return
        left = "" if at.left_s is None else f", {_span(at.left_s)} left"
        text = (
            f"{_STEPS[at.step]} {at.frames:,} of {at.total:,} frames, {part:.0%}, "
            f"{at.rate:,.0f} a second{left}"
        )
        if self._out.live:
            self._out.raw(f"\r{text}\x1b[K")
        else:
            self._out.line(text)

    def wipe(self) -> None:
        """Take the line away."""
        if self._out.live:
            self._out.raw("\r\x1b[K")

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began_s


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
