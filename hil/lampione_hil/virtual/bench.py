"""A bench of virtual boards: the caller's side."""

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from socket import SHUT_RDWR, socketpair
from types import TracebackType
from typing import Any, Literal, Self

from lampione_hil.board import BenchError
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import chip
from lampione_hil.virtual import world as worlds
from lampione_hil.virtual.boards import VirtualBoard
from lampione_hil.virtual.control import HubControl
from lampione_hil.virtual.flash import Flash
from lampione_hil.virtual.home import Settings
from lampione_hil.virtual.world import World

START_S = 20.0
ANSWER_S = 30.0


class VirtualBench:
    """Boards that run the real firmware on this computer.

    A context manager. The boards live in a process of their own, the supervisor, and end with
    this object or with the process that made it, in whatever way that ends.

    Args:
        clock: "wall": boards run in real time. "virtual": time passes in `run_for` only, as fast
            as the boards compute, and the same program always does the same; whatever address
            boards connect to, they reach the bench's own MQTT broker, `hub`.
        folder: where flash images and computed sound are kept; None: a temporary folder, deleted
            at the end.
    """

    def __init__(
        self, clock: Literal["wall", "virtual"] = "wall", folder: Path | None = None
    ) -> None:
        if clock not in ("wall", "virtual"):
            raise ValueError(f"clock {clock!r}: wall or virtual")
        self.clock = clock
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="lampione-bench-")
            folder = Path(self._temporary.name)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.boards: dict[str, VirtualBoard] = {}
        self._hub = HubControl(self)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._number = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the supervisor.

        Raises NoInterpreterError where no MicroPython can be run, BenchError when it cannot start.
        """
        ours, theirs = socketpair()
        environment = dict(os.environ)
        package = str(Path(__file__).parents[2])
        # The caller's own parts of a world must be found there too.
        environment["PYTHONPATH"] = os.pathsep.join([package, *filter(None, sys.path)])
        environment.pop("MICROPYPATH", None)
        environment["OPENBLAS_NUM_THREADS"] = "1"  # of numpy: a process with threads must not fork
        log = self.folder / "supervisor.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "lampione_hil.virtual.supervisor",
                    str(theirs.fileno()),
                    self.clock,
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment,
                start_new_session=True,  # Ctrl-C in the caller's terminal is the caller's
            )
        theirs.close()
        self._socket = ours
        self._connection = Connection(os.dup(ours.fileno()))
        started: Future[Any] = Future()
        self._waiting[0] = started
        self._listener = threading.Thread(target=self._listen, name="virtual bench", daemon=True)
        self._listener.start()
        try:
            started.result(START_S)
        except BenchError as error:
            self.close()
            raise NoInterpreterError(str(error)) from None
        except TimeoutError:
            text = log.read_text(errors="replace")
            self.close()
            raise BenchError(f"the virtual bench did not start: {text[-500:]}") from None

    @property
    def supervisor_pid(self) -> int:
        """The process id of the supervisor. Raises BenchError when the bench is closed."""
        if self._process is None:
            raise BenchError("the virtual bench is closed")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """Switch every board off and end the supervisor."""
        if self._connection is not None:
            with self._lock:
                # A mere close would not wake the listener, nor reach the supervisor under it.
                self._socket.shutdown(SHUT_RDWR)
            self._listener.join(5)
            self._connection.close()
            self._socket.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def board(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        flash_bytes: int = 2 << 20,
        flash_endurance: int = 0,
        rom_bytes: int = 0,
        unique_id: bytes | None = None,
        world: World | None = None,
        heap_bytes: int = 320 * 1024,
        autorestart: bool = True,
        bare: bool = False,
        ticks_base_ms: int = 0,
    ) -> VirtualBoard:
        """Make a board, with the power off.

        Args:
            name: names its flash image too; one that is there already is taken up again.
            files: written to its flash.
            flash_bytes: of the file system; a multiple of 4096.
            flash_endurance: a block that was erased more often fails: some of its bits stay low, as
                a program finds when it reads back what it wrote; 0: none ever does.
            rom_bytes: of a partition for ROMFS; a multiple of 4096. A bare chip has one when the
                table says so that esptool wrote.
            unique_id: 6 bytes, the chip's MAC address; None: made from the name.
            world: what it senses; None: World(), a street and a day.
            heap_bytes: for the program, the simulated modules not counted. 320 KiB are as many
                words of 64 bits as 160 KiB are of 32.
            autorestart: boot again after machine.reset(), a soft reset or the watchdog, as a
                board does; False: stay off then.
            bare: a chip as it comes from the factory: nothing runs until esptool has written a
                program to it, over `rfc2217`; then MicroPython does, whatever was written.
            ticks_base_ms: where `ticks_ms` starts at each boot; 2**30 - n wraps after n ms.
        """
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} cannot name a board")
        if world is not None and world.dump is not None and self.clock == "virtual":
            raise ValueError("the sound is dumped with the wall clock only")
        if unique_id is None:
            unique_id = b"\x02" + (name.encode() * 5)[:3] + _sum(name)
        if len(unique_id) != 6:
            raise ValueError("a unique id has 6 bytes")
        if bare:
            rom_bytes = chip.ROM_MOST
        flash = Flash(self.folder / f"{name}.flash", flash_bytes, rom_bytes)
        settings = Settings(
            name=name,
            flash=flash.path,
            chip_flash=flash.path.with_suffix(".chip"),
            bare=bare,
            control=flash.control,
            flash_bytes=flash_bytes,
            flash_endurance=flash_endurance,
            rom_bytes=rom_bytes,
            unique_id=unique_id,
            heap_bytes=heap_bytes,
            autorestart=autorestart,
            ticks_base_ms=ticks_base_ms,
            world=worlds.start(world or World(), self.folder, name),
        )
        port = self.ask("board", settings)
        board = VirtualBoard(self, name, unique_id.hex(), flash, port)
        self.boards[name] = board
        if files:
            board.write_files(files)
        return board

    def remove(self, board: VirtualBoard) -> None:
        """End a board; its flash image goes too."""
        self.ask("remove", board.name)
        del self.boards[board.name]
        board.flash.unlink(missing_ok=True)
        for path in (board.flash.with_suffix(".control"), board.chip_flash):
            path.unlink(missing_ok=True)

    def wire(
        self,
        one: VirtualBoard,
        pin: int,
        two: VirtualBoard,
        other: int,
        kind: str = "level",
        **about: float,
    ) -> None:
        """Connect pins of two boards, or of one, that are off; `wires` lists the kinds.

        about: of "volts": full_uv, the microvolts that a full duty gives; tau_s of the filter.
        Raises BenchError: one is on, or has a part there already; the kind needs the wall clock.
        """
        self.ask("wire", (one.name, pin), (two.name, other), kind, about)

    def run_for(self, seconds: float, *, timeout_s: float = 3600.0) -> float:
        """Let virtual time pass; return the time since the bench began, in seconds.

        Raises ValueError on a bench with the wall clock, BenchError after `timeout_s` real seconds.
        """
        if self.clock != "virtual":
            raise ValueError('run_for is for VirtualBench(clock="virtual")')
        return float(self.ask("run_for", seconds, timeout_s=timeout_s))

    @property
    def hub(self) -> HubControl:
        """The broker between the boards. Raises ValueError on a bench with the wall clock."""
        if self.clock != "virtual":
            raise ValueError('there is a hub in VirtualBench(clock="virtual") only')
        return self._hub

    def trace_hash(self) -> str:
        """Return a hash of all that boards did on pins and buses or published, with its times."""
        return str(self.ask("trace_hash"))

    def ask(self, name: str, *arguments: object, timeout_s: float = ANSWER_S) -> Any:
        """Ask the supervisor. Raises BenchError with what it says, or that it is gone."""
        future: Future[Any] = Future()
        with self._lock:
            if self._connection is None:
                raise BenchError("the virtual bench is closed")
            self._number += 1
            number = self._number
            self._waiting[number] = future
            try:
                self._connection.send((number, name, pickle.dumps(arguments)))
            except OSError:
                raise BenchError(f"the virtual bench is gone: {self._log()}") from None
        try:
            return future.result(timeout_s)
        except TimeoutError:
            raise BenchError(f"no answer to {name} within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(number, None)

    def _listen(self) -> None:
        connection = self._connection
        while connection is not None:
            try:
                number, good, value = connection.recv()
            except (EOFError, OSError, TypeError):
                break
            future = self._waiting.get(number)
            if future is None or future.done():
                continue
            if good:
                future.set_result(value)
            else:
                future.set_exception(BenchError(value))
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(BenchError(f"the virtual bench is gone: {self._log()}"))

    def _log(self) -> str:
        try:
            return (self.folder / "supervisor.log").read_text(errors="replace")[-2000:].strip()
        except OSError:
            return ""


def _sum(name: str) -> bytes:
    import zlib

    return zlib.crc32(name.encode()).to_bytes(4, "big")[:2]
