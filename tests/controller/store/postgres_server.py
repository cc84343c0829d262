"""A real PostgreSQL for tests: one server a session, one database a test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.brokers import free_port, wait_until

CAREFUL, PASSWORD = "careful", "open sesame"
_LEAST = 14


def programs() -> Path:
    """Return the folder of the newest PostgreSQL; skips the test when there is none."""
    found = [
        (int(path.parent.parent.name), path.parent)
        for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if path.parent.parent.name.isdigit()
    ]
    beside = shutil.which("postgres")
    if beside is not None and not found:
        found = [(_LEAST, Path(beside).resolve().parent)]
    if not found or max(found)[0] < _LEAST:
        pytest.skip(f"no PostgreSQL {_LEAST} or newer here: install the package postgresql")
    return max(found)[1]


class PostgresServer:
    """A server on a loopback port and a socket in a folder of its own, gone with it."""

    def __init__(self, durable: bool = False) -> None:
        """`durable`: it writes through to the disk, as tests that kill it need."""
        self._programs = programs()
        self._durable = durable
        self._numbers = count(1)
        # PostgreSQL refuses to run as root: then it is the system's user, if there is one.
        self._user: str | None = None
        if os.geteuid() == 0:
            self._user = "postgres"
            try:
                pwd.getpwnam(self._user)
            except KeyError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        # (a socket's path has 107 bytes: pytest's own folders are too long)
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self._run("initdb", "-D", "data", "-U", "lampione", "-A", "trust", "--no-sync",
                      "-E", "UTF8", "--locale=C.UTF-8")  # fmt: skip
            rules = self.folder / "data/pg_hba.conf"
            # One who has to show a password; everybody else may come in.
            rules.write_text(f"host all {CAREFUL} 127.0.0.1/32 md5\n{rules.read_text()}")
            self.start()
            self.execute(f"CREATE USER {CAREFUL} PASSWORD '{PASSWORD}'")
        except BaseException:
            self.close()
            raise

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            user=self._user,
            group=self._user,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {"unix_socket_directories": self.folder, "listen_addresses": "127.0.0.1",
                    "port": self.port, "max_connections": 40, "shared_buffers": "64MB",
                    "max_wal_size": "256MB", "log_min_messages": "warning"}  # fmt: skip
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", *words],
                cwd=self.folder,
                user=self._user,
                group=self._user,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_until("PostgreSQL answers", answers)

    def url(self, database: str, user: str = "lampione") -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; return its address."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run one statement as who may do all."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(sql.encode())

    def kill9(self) -> None:
        """End it as a power cut would; wait until its children have noticed."""
        assert self.process is not None
        of = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [Path("/proc") / pid for pid in of.read_text().split()]
        self._end(signal.SIGKILL)
        wait_until("its children are gone", lambda: not any(map(_lives, children)))

    def stop(self) -> None:
        """End it at once, in good order."""
        self._end(signal.SIGINT)

    def _end(self, sign: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        """End it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _lives(process: Path) -> bool:
    try:
        return ") Z" not in (process / "stat").read_text()
    except OSError:
        return False


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a run."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.new_database()
