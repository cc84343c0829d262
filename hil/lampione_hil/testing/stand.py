"""What one test holds of a bench: boards taken by lock, their clock; all off at the end."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.partitions import ROM_BYTES
from lampione_hil.put import put
from lampione_hil.testing import rig as rigs
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.locks import LOOK_S, Lock, folder
from lampione_hil.testing.rig import BoardTable, RigFile
from lampione_hil.virtual import VirtualBench, World

PATIENCE_S = 300.0  # for a board that another worker of this run holds
FLASH_BYTES = 4 << 20
# Of lampione_hil.real.errors: what no firmware can do.
_FAULTS = ("NoBoardError", "PortBusyError", "PortPermissionError", "CablePulledError")


class BrokenBenchError(BenchError):
    """The bench, not the firmware, is at fault: told once, then the board is left alone."""


@dataclass
class Rig:
    """The fixture `rig`: a bench as this run has it.

    place: of this run: locks of virtual boards, and what is known to be broken.
    firmware: the folder of the firmware under test; None: ours.
    """

    file: RigFile
    place: Path
    firmware: Path | None = None
    micropython: dict[str, str] = field(default_factory=dict)  # of real boards, as they say
    _locks: dict[str, Lock] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.file.name

    def lacks(self, needs: Iterable[str], count: int = 1) -> str:
        """Say in words what the rig has not for a test; "" when it has everything."""
        wanted = frozenset(needs)
        able = self.able(wanted)
        if not able:
            return rigs.lacks(self.file, wanted)
        if len(able) < count:
            return f"the test needs {count} boards, rig {self.name} has {len(able)}"
        broken = self.broken()
        if len([b for b in able if b.name not in broken]) < count:
            said = {broken[b.name] for b in able if b.name in broken}
            return f"the bench is broken: {'; '.join(sorted(said))}"
        return ""

    def able(self, needs: frozenset[str]) -> list[BoardTable]:
        """Return the boards that have all capabilities."""
        return [b for b in self.file.boards if needs <= rigs.capabilities(b, self.file)]

    def broken(self) -> dict[str, str]:
        """Return {board: why} of what failed in this run, on any worker."""
        return {path.name: path.read_text() for path in (self.place / "broken").glob("[!.]*")}

    def mark_broken(self, board: str, why: str) -> None:
        """Leave a board alone for the rest of this run."""
        (self.place / "broken").mkdir(parents=True, exist_ok=True)
        put(self.place / "broken" / board, why.encode())

    def lock(self, board: BoardTable) -> Lock:
        """Return the lock of a board."""
        if board.name not in self._locks:
            real = board.kind == "real"
            place = folder() if real else self.place / "locks"
            self._locks[board.name] = Lock(place, board.shown if real else board.name)
        return self._locks[board.name]

    def hold(self, needs: frozenset[str], why: str, patience_s: float = PATIENCE_S) -> BoardTable:
        """Take the lock of a board that has all capabilities.

        Raises BrokenBenchError when none becomes free.
        """
        end = time.monotonic() + patience_s
        while True:
            broken = self.broken()
            able = [b for b in self.able(needs) if b.name not in broken]
            for board in able:
                if self.lock(board).take(why):
                    return board
            if not able or time.monotonic() > end:
                held = "; ".join(f"{b.name} by {self.lock(b).holder}" for b in able)
                raise BrokenBenchError(
                    f"no board is free within {patience_s:g} s: {held}: end that, or wait for it"
                )
            time.sleep(LOOK_S)


class Stand:
    """The boards of one test. Closing it switches everything off."""

    def __init__(
        self, rig: Rig, test: str, needs: Iterable[str], kind: str, count: int = 1
    ) -> None:
        self.rig = rig
        self.test = test
        self.needs = frozenset(needs)
        self.kind = kind
        self.bench: VirtualBench | None = None
        self.taken: list[tuple[BoardTable, Any]] = []
        self.world: Callable[[], World] = World
        self._clock: Clock | None = None
        # Two tests that each hold a board and wait for another's would wait for ever.
        self._several = Lock(rig.place / "locks", "several boards") if count > 1 else None

    @property
    def clock(self) -> Clock:
        """The clock of its boards."""
        if self._clock is None:
            bench = self._start() if self.rig.file.virtual else None
            self._clock = Clock(bench, self.kind if bench is not None else "wall")
            self._clock.last_words = self.last_words
        return self._clock

    def _start(self) -> VirtualBench:
        if self.bench is None:
            bench = VirtualBench(clock="virtual" if self.kind == "virtual" else "wall")
            try:
                bench.start()
            except (BenchError, NoInterpreterError) as error:
                for board in self.rig.file.boards:
                    self.rig.mark_broken(board.name, str(error))
                raise BrokenBenchError(str(error)) from None
            self.bench = bench
        return self.bench

    def take(self, world: World | None = None, **more: Any) -> Any:
        """Return one more board: locked, off, its files blank.

        `world`, `more`: of a virtual board, see VirtualBench.board.
        """
        why = f"{self.test}, rig {self.rig.name}"
        if self._several is not None and not self.taken:
            try:
                self._several.wait(why, PATIENCE_S)
            except BenchError as error:
                raise BrokenBenchError(str(error)) from None
        table = self.rig.hold(self.needs, why)
        try:
            if table.kind == "virtual":
                world = world or self.world()
                rom_bytes = ROM_BYTES if table.rom else 0
                more = {"flash_bytes": FLASH_BYTES, "rom_bytes": rom_bytes, **more}
                board: Any = self._start().board(table.name, world=world, **more)
            else:
                board = self._real(table)
        except BaseException as error:
            self.rig.lock(table).release()
            if isinstance(error, BenchError) and not isinstance(error, BrokenBenchError):
                self.rig.mark_broken(table.name, f"{table.name}: {error}")
                raise BrokenBenchError(f"{table.name}: {error}") from error
            raise
        self.taken.append((table, board))
        return board

    def _real(self, table: BoardTable) -> Any:
        from lampione_hil.testing.hardware import blank_board

        board = blank_board(table, self.rig.file)
        try:
            if table.name not in self.rig.micropython:
                found = str(board.evaluate("__import__('sys').version"))
                self.rig.micropython[table.name] = found.rpartition("; ")[2]
        except BaseException:
            with contextlib.suppress(BenchError, OSError):
                self._release(table, board)
            raise
        return board

    def _release(self, table: BoardTable, board: Any) -> None:
        try:
            if table.kind == "real" and board.running:
                _ = board.port  # raises when the cable is out: then no failure is the firmware's
        finally:
            if "power" in board.capabilities:  # without a switch there is nothing to switch
                board.power_off()
            if table.kind == "real":
                board.close()

    def blame(self, error: BaseException | None) -> bool:
        """Say whether an error is the bench's own; its boards are then left alone."""
        errors = sys.modules.get("lampione_hil.real.errors")
        kinds = () if errors is None else tuple(getattr(errors, name) for name in _FAULTS)
        if not isinstance(error, kinds):
            return False
        for table, _ in self.taken:
            self.rig.mark_broken(table.name, f"{table.name}: {error}")
        return True

    def last_words(self) -> str:
        """Return the ends of the consoles, to be shown with an error."""
        words = []
        for table, board in self.taken:
            with contextlib.suppress(BenchError, OSError):
                text = board.console().strip()[-1500:]
                words.append(f"\nthe console of {table.name} ends with:\n{text}")
        return "".join(words)

    def close(self) -> None:
        """Switch every board off, whatever happened, and give the locks back.

        Raises BrokenBenchError when one does not go off.
        """
        wrong = []
        for table, board in reversed(self.taken):
            try:
                self._release(table, board)
            except (BenchError, OSError) as error:
                self.rig.mark_broken(table.name, f"{table.name}: {error}")
                wrong.append(f"{table.name}: {error}")
            finally:
                self.rig.lock(table).release()
        self.taken = []
        if self._several is not None:
            self._several.release()
        if self.bench is not None:
            self.bench.close()
            self.bench = None
        if wrong:
            raise BrokenBenchError("; ".join(wrong))
