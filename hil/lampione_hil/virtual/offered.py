"""The virtual boards that `lampione board start` offers to any tool: who they are, how to reach
their owner.

One folder a user: NAME.json a board, and for the process that owns it a socket, PID.sock, and a
folder of flash images, PID.bench. An owner that no longer answers at its socket is gone, however
it ended: what it left is removed by whoever looks next.
"""

import json
import os
import shutil
import socket
import stat
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError

VARIABLE = "LAMPIONE_BOARDS"
ANSWER_S = 30.0
_CONNECT_S = 5.0
_LOOK_S = 0.02
_SOCKET_PATH_MAX = 100  # bytes; Linux allows 107, macOS 103
_MOST = 1 << 16


@dataclass(frozen=True)
class Offered:
    """A virtual board that runs now. `port` and `rfc2217` are empty while its cable is out."""

    name: str
    serial_number: str
    port: str
    rfc2217: str
    pid: int  # of its owner
    flash: str  # its image

    @property
    def plugged(self) -> bool:
        """Whether a tool can reach it."""
        return bool(self.port)


def folder() -> Path:
    """Return the folder of this user's boards; it need not be there."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"lampione-boards-{os.getuid()}"


def prepare() -> Path:
    """Make the folder; one that is there must be this user's alone. Raises BenchError."""
    path = folder()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise BenchError(f"{path} is not yours alone: choose another folder with {VARIABLE}")
    if len(os.fsencode(path / "1234567.sock")) > _SOCKET_PATH_MAX:
        raise BenchError(f"{path} is too long a path for a socket: choose another with {VARIABLE}")
    return path


def socket_of(pid: int) -> Path:
    """Return the socket of an owner."""
    return folder() / f"{pid}.sock"


def images_of(pid: int) -> Path:
    """Return the folder of an owner's flash images."""
    return folder() / f"{pid}.bench"


def put(board: Offered, *, new: bool = False) -> None:
    """Write a board down. Raises FileExistsError when it is `new` and its name is taken."""
    path = folder() / f"{board.name}.json"
    beside = folder() / f".{board.name}.{os.getpid()}"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(board), file)
    try:
        if new:
            os.link(beside, path)  # whole, and only when there is none
        else:
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def take_back(name: str) -> None:
    """Strike a board off."""
    (folder() / f"{name}.json").unlink(missing_ok=True)


def offered() -> list[Offered]:
    """Return the boards that run, by name; what dead owners left is removed."""
    found, alive = [], {}
    for path in sorted(folder().glob("[!.]*.json")):
        board = _read(path)
        if board is None:
            continue
        if board.pid not in alive:
            alive[board.pid] = _answers(board.pid)
        if alive[board.pid]:
            found.append(board)
        else:
            path.unlink(missing_ok=True)
            forget(board.pid)
    return sorted(found, key=lambda board: (len(board.name), board.name))


def forget(pid: int) -> None:
    """Remove what an owner has left, its boards' entries apart."""
    shutil.rmtree(images_of(pid), ignore_errors=True)
    socket_of(pid).unlink(missing_ok=True)  # last: who waits for its end looks at this


def find(name: str) -> Offered:
    """Return a board by name or serial number. Raises BenchError when none such runs."""
    boards = offered()
    for board in boards:
        if name in (board.name, board.serial_number):
            return board
    names = ", ".join(board.name for board in boards)
    raise BenchError(
        f"no virtual board {name!r} runs: "
        + (f"there are {names}" if names else "start one with `lampione board start`")
    )


def ask(pid: int, op: str, name: str, **arguments: object) -> dict[str, Any]:
    """Have the owner do something with one of its boards; return its answer.

    Raises BenchError with what it says, or that it is gone.
    """
    try:
        with _connect(pid) as connection:
            connection.settimeout(ANSWER_S)
            connection.sendall(json.dumps({"op": op, "name": name, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline(_MOST))
    except TimeoutError:
        raise BenchError(f"{name}: its owner, process {pid}, does not answer") from None
    except (OSError, ValueError):
        raise BenchError(f"{name}: its owner, process {pid}, is gone") from None
    if "error" in answer:
        raise BenchError(str(answer["error"]))
    return dict(answer)


def wait_gone(pid: int) -> None:
    """Wait until an owner without boards has tidied up. Raises BenchError when it does not."""
    end = time.monotonic() + ANSWER_S
    while socket_of(pid).exists():
        if time.monotonic() > end:
            raise BenchError(f"the owner of the boards, process {pid}, does not end")
        time.sleep(_LOOK_S)


def _read(path: Path) -> Offered | None:
    try:
        return Offered(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _connect(pid: int) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_CONNECT_S)
        connection.connect(str(socket_of(pid)))
    except BaseException:
        connection.close()
        raise
    return connection


def _answers(pid: int) -> bool:
    try:
        _connect(pid).close()
    except TimeoutError:
        return True  # it is there, and busy
    except OSError:
        return False
    return True
