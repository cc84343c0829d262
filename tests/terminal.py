"""A terminal for tests: tmux, with keys sent and the screen read as a person would."""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TMUX = shutil.which("tmux")
WAIT_S = 30.0


class Terminal:
    """One program in a tmux of its own. Ended with the `with`."""

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="terminal-")
        self._socket = Path(self._folder.name) / "tmux"
        self._log = Path(self._folder.name) / "output"
        columns, lines = size
        said = " ".join(f"{key}={shlex.quote(text)}" for key, text in (environment or {}).items())
        line = f"env {said} {shlex.join(command)} 2>&1; echo ended with $?; exec sleep 600"
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), line
        )
        self._tmux("pipe-pane", "-o", f"cat >> {shlex.quote(str(self._log))}")

    def _tmux(self, *arguments: str) -> str:
        assert TMUX is not None
        done = subprocess.run(
            [TMUX, "-S", str(self._socket), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
        )
        return done.stdout

    @property
    def screen(self) -> str:
        """Return what is seen."""
        return self._tmux("capture-pane", "-p")

    @property
    def output(self) -> bytes:
        """Return everything that the program has written."""
        return self._log.read_bytes() if self._log.exists() else b""

    @property
    def written(self) -> int:
        """Return how many bytes the program has written."""
        return self._log.stat().st_size if self._log.exists() else 0

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names, such as Enter, Escape, C-p."""
        self._tmux("send-keys", *keys)

    def write(self, text: str) -> None:
        """Type letters."""
        self._tmux("send-keys", "-l", text)

    def until(self, what: str, sees: Callable[[str], bool], wait_s: float = WAIT_S) -> str:
        """Wait until the screen shows it; return the screen."""
        end = time.monotonic() + wait_s
        while True:
            screen = self.screen
            if sees(screen):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"never seen: {what}\n{screen}")
            time.sleep(0.05)  # between two looks at another process

    def sees(self, *texts: str, wait_s: float = WAIT_S) -> str:
        """Wait until all of these are seen; return the screen."""
        return self.until(", ".join(texts), lambda screen: all(t in screen for t in texts), wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tmux("kill-server")
        self._folder.cleanup()
