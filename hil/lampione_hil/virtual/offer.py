"""The owner of offered virtual boards: a bench, and a socket at which it is told what to do."""

import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from lampione_hil.board import BenchError
from lampione_hil.virtual import offered
from lampione_hil.virtual.bench import VirtualBench
from lampione_hil.virtual.boards import VirtualBoard
from lampione_hil.virtual.offered import Offered
from lampione_hil.virtual.world import World

_REQUEST_S = 5.0
_MOST = 4096


class Offer:
    """A context manager: boards on one bench, written down for every tool to find.

    `over` is set when the last of them was stopped.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self._boards: dict[str, VirtualBoard] = {}
        self._lock = threading.Lock()  # one request, or one new board, at a time

    def __enter__(self) -> Self:
        path = offered.prepare()
        pid = os.getpid()
        offered.offered()  # drops what is stale, our own pid's too
        offered.forget(pid)
        self._listener = socket.socket(socket.AF_UNIX)
        beside = path / f".{pid}.sock"
        beside.unlink(missing_ok=True)
        self._listener.bind(str(beside))
        self._listener.listen()
        beside.rename(offered.socket_of(pid))  # who finds it can connect
        self._bench = VirtualBench(folder=offered.images_of(pid))
        try:
            self._bench.start()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._serve, name="offered boards", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the bench runs."""
        return self._bench.alive

    def close(self) -> None:
        """End all boards and leave nothing behind."""
        for name in list(self._boards):
            offered.take_back(name)
        self._bench.close()
        self._listener.close()
        offered.forget(os.getpid())

    def start(
        self,
        prefix: str,
        count: int,
        *,
        files: Mapping[str, bytes] | None = None,
        flash_bytes: int = 2 << 20,
        rom_bytes: int = 0,
        bare: bool = False,
        world: Callable[[int], World],
    ) -> list[Offered]:
        """Make `count` boards called PREFIX-1, ... (numbers that are taken are left out), and
        switch them on.

        Args:
            files: on their flash.
            rom_bytes, bare: see VirtualBench.board.
            world: makes the world of the board with that number.

        Raises BenchError, OSError.
        """
        image = self._bench.folder / "first.image"
        made: list[Offered] = []
        number = 0
        while len(made) < count:
            number += 1
            name = f"{prefix}-{number}"
            serial = b"\x02" + hashlib.sha256(name.encode()).digest()[:5]
            claim = Offered(name, serial.hex(), "", "", os.getpid(), "")
            try:
                offered.put(claim, new=True)
            except FileExistsError:
                continue
            with self._lock:
                try:
                    board = self._bench.board(
                        name,
                        None if made else files,
                        flash_bytes=flash_bytes,
                        rom_bytes=rom_bytes,
                        unique_id=serial,
                        bare=bare,
                        world=world(number),
                    )
                    if not made:
                        board.snapshot(image)
                    else:
                        board.restore(image)
                    board.power_on()
                    self._boards[name] = board
                    made.append(self._write_down(board))
                except BaseException:
                    offered.take_back(name)
                    raise
        return made

    def _write_down(self, board: VirtualBoard) -> Offered:
        entry = Offered(
            board.name,
            board.serial_number,
            board.port,
            board.rfc2217,
            os.getpid(),
            str(board.flash),
        )
        offered.put(entry)
        return entry

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_REQUEST_S)
                with connection.makefile("rb") as requests:
                    line = requests.readline(_MOST)
                if line:  # else somebody wanted to see whether we are here
                    connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")
            if not self._boards and self.over.is_set():
                return

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            op, name = request.pop("op"), request.pop("name")
            with self._lock:
                return self._do(op, self._boards[name], **request)
        except (BenchError, OSError) as error:
            return {"error": str(error)}
        except (ValueError, TypeError, LookupError, AttributeError):
            return {"error": "the owner of the board does not understand that"}

    def _do(self, op: str, board: VirtualBoard, **arguments: Any) -> dict[str, Any]:
        if op == "power":
            (board.power_on if arguments["on"] else board.power_off)()
        elif op == "reset":
            board.reset()
        elif op == "unplug":
            board.unplug()
        elif op == "plug":
            board.plug()
        elif op == "cut":
            board.cut_power_at_write(int(arguments["write"]))
        elif op == "stop":
            self._stop(board)
            return {}
        elif op != "state":
            raise ValueError(op)
        if op in ("unplug", "plug"):
            self._write_down(board)
        state = board.state()
        return {"on": state["powered"], "boots": state["boots"]}

    def _stop(self, board: VirtualBoard) -> None:
        self._bench.remove(board)
        offered.take_back(board.name)
        del self._boards[board.name]
        if not self._boards:
            self.over.set()
