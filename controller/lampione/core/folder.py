"""The state folder: private, and with one owner at a time."""

import contextlib
import fcntl
import json
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from lampione import keys, private
from lampione.api import SOCKET

DATABASE = "lampione.db"
LOCK = "core.lock"
BROKER = "broker"
STORE = "store"
_SOCKET_PATH_MAX = 100  # bytes; Linux allows 107, macOS 103


class FolderError(Exception):
    """The folder cannot be used, or another core has it; the text says what to do."""


def make_private(path: Path) -> None:
    """Make a folder that only its owner can look into; one that is there must be so already.

    Raises FolderError.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise FolderError(f"{path} is a file: choose a folder with --state") from None
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}") from None
    _check_private(path)


def _check_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}") from None
    if not stat.S_ISDIR(mode):
        raise FolderError(f"{path} is a file: choose a folder with --state")
    if mode & 0o077:  # somebody's, perhaps shared on purpose: not ours to close
        raise FolderError(
            f"{path} is open to others: run `chmod 700 {shlex.quote(str(path))}`, "
            "or choose another folder with --state"
        )


class StateFolder:
    """Paths of everything the controller keeps."""

    def __init__(self, path: Path):
        self.path = path.absolute()
        self.socket = self.path / SOCKET
        self.database = self.path / DATABASE
        self.keys = self.path / keys.FILE
        self.broker = self.path / BROKER

    @property
    def store(self) -> str | Path:
        """Return where the last controller here keeps its data, as `open_engine` takes it."""
        try:
            return (self.path / STORE).read_text("utf-8").strip() or self.database
        except (FileNotFoundError, NotADirectoryError):
            return self.database
        except UnicodeDecodeError:
            raise FolderError(f"{self.path / STORE} is damaged: start the controller") from None
        except OSError as error:
            raise FolderError(f"{self.path / STORE}: {error.strerror}") from None

    def keep_store(self, url: str | None) -> None:
        """Say where the data is from now on, without a password; None: in this folder."""
        try:
            if url is None:
                (self.path / STORE).unlink(missing_ok=True)
            else:
                private.put(self.path / STORE, f"{url}\n".encode())
        except OSError as error:
            raise FolderError(f"{self.path / STORE}: {error.strerror}") from None

    def prepare(self) -> None:
        """See that the folder is there and private; it is not made here. Raises FolderError."""
        _check_private(self.path)
        if len(os.fsencode(self.socket)) > _SOCKET_PATH_MAX:
            raise FolderError(
                f"{self.path} is too long a path for a socket: choose a shorter one with --state"
            )

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder; the lock goes with the process. Raises FolderError."""
        self.prepare()
        path = self.path / LOCK
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderError(
                    f"a controller runs on {self.path} already{_owner(path)}: "
                    "use it, or end it first"
                ) from None
            os.ftruncate(lock, 0)
            os.pwrite(lock, json.dumps({"pid": os.getpid()}).encode(), 0)
            self.socket.unlink(missing_ok=True)  # of a core that was killed: we hold the lock
            try:
                yield
            finally:
                self.socket.unlink(missing_ok=True)
        finally:
            os.close(lock)


def _owner(path: Path) -> str:
    try:
        return f" (process {int(json.loads(path.read_text())['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
