"""MicroPython's raw REPL over a serial port: mpremote's transport, with an end to every wait.

The only file that imports mpremote. Its reads go through `Line`, which knows the deadline; its own
`read_until`, a byte at a time, is replaced by one that takes what is there.
"""

import ast
import contextlib
import os
import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from lampione_hil.real.errors import (
    BoardCodeError,
    BoardSilentError,
    CablePulledError,
    NoBoardError,
    NotMicroPythonError,
)
from lampione_hil.real.line import Line

BAUD = 115200
_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_TRY_S = 0.6  # a node needs about that to stop; a second Ctrl-C would cut its last words short
_TRIES = 3
_STRAY = "unexpected read during raw paste"
_PIECE = 1024
_SHOWN = 60

Told = Callable[[int, int], None]  # (bytes done, bytes in all)


class _Transport(SerialTransport):  # type: ignore[misc]
    """mpremote's transport on a `Line`."""

    def __init__(self, line: Line) -> None:
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = line.port
        self.mounted = False
        self.serial: Any = line
        self.is_pty = True

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = 10,
        data_consumer: Callable[[bytes], None] | None = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """Return what comes, up to `ending`, or without it when the time is over."""
        del min_num_bytes, timeout  # the line's deadline holds
        line: Line = self.serial
        end = time.monotonic() + timeout_overall if timeout_overall is not None else line.deadline
        data, seen = b"", 0
        while True:
            new = line.some()
            if new:
                data += new
                at = data.find(ending, max(0, seen - len(ending)))
                if at >= 0:
                    line.put_back(data[at + len(ending) :])
                    data = data[: at + len(ending)]
                if data_consumer:
                    data_consumer(data[seen:])
                if at >= 0:
                    return data
                seen = len(data)
            if time.monotonic() > min(end, line.deadline):
                return data


class Repl:
    """A board at its raw prompt; what ran on it is interrupted. A context manager.

    Leaving it closes the port; the board stays at its prompt until `reset`.
    """

    def __init__(self, line: Line) -> None:
        self.port = line.port
        self._line = line
        self._transport = _Transport(line)

    @classmethod
    def open(
        cls,
        port: str,
        *,
        baud: int = BAUD,
        timeout_s: float = 10,
        soft_reset: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Self:
        """Interrupt what runs on the board at `port`, a path or a URL of pyserial.

        Args:
            port: a path, or a URL such as rfc2217://host:port.
            baud: of a real UART.
            timeout_s: for the prompt to come.
            soft_reset: forget what ran before, which turns every pin off; else pins stay.
            check: called during every wait; what it raises ends the wait.

        Raises NoBoardError, PortBusyError, PortPermissionError, BoardSilentError,
        NotMicroPythonError, CablePulledError.
        """
        repl = cls(Line(port, baud))
        repl.check = check
        try:
            repl.enter(timeout_s)
            if soft_reset:
                repl.soft_reset(timeout_s)
        except BaseException:
            repl._line.close()
            raise
        return repl

    @property
    def check(self) -> Callable[[], None] | None:
        """What is called during every wait."""
        return self._line.check

    @check.setter
    def check(self, check: Callable[[], None] | None) -> None:
        self._line.check = check

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._line.close()

    def enter(self, timeout_s: float = 10) -> None:
        """Interrupt what runs and bring up the raw prompt.

        Raises BoardSilentError, NotMicroPythonError, CablePulledError.
        """
        line = self._line
        line.allow(timeout_s)
        heard = b""
        while line.left_s > 0:
            line.write(b"\r\x03")
            said = self._transport.read_until(1, b">", timeout_overall=_TRY_S)
            line.write(b"\r\x01")
            said += self._transport.read_until(1, _BANNER, timeout_overall=_TRY_S)
            if said.endswith(_BANNER) and self._in_step():
                self._transport.in_raw_repl = True
                return
            heard += said
        if not heard:
            raise line.silent()
        raise NotMicroPythonError(
            f"{self.port}: no MicroPython answers (it says {_shown(heard)}): install it with "
            "`lampione flash --micropython IMAGE`"
        )

    def _in_step(self) -> bool:
        """Whether the prompt answers; what it said before that, to earlier tries, is read."""
        line = self._line
        word = os.urandom(4).hex()
        line.write(f"print({word[:4]!r}+{word[4:]!r})".encode() + b"\x04")
        for ending in (word.encode(), b"\x04", b"\x04>"):
            said = self._transport.read_until(1, ending, timeout_overall=_TRY_S)
            if not said.endswith(ending):
                return False
        line.put_back(b">")
        return True

    def soft_reset(self, timeout_s: float = 10) -> None:
        """Start MicroPython anew, without main.py. Raises BoardSilentError, CablePulledError."""
        self._line.allow(timeout_s)
        self._transport.read_until(1, b">")
        self._line.write(b"\x04")
        for ending in (b"soft reboot\r\n", _BANNER):
            if not self._transport.read_until(1, ending).endswith(ending):
                raise self._line.silent()

    def exec(
        self,
        code: str | bytes,
        timeout_s: float = 10,
        heard: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run code on the board; return what it prints, which `heard` gets as it comes.

        Raises BoardCodeError, BoardSilentError, CablePulledError.
        """
        self.begin(code, timeout_s)
        return self.end(timeout_s, heard)

    def eval(self, expression: str, timeout_s: float = 10) -> Any:
        """Return the value of an expression that has a literal. Raises as `exec` does."""
        said = self.exec(f"print(repr({expression}))", timeout_s)
        try:
            return ast.literal_eval(said.strip().decode())
        except (ValueError, SyntaxError):
            raise NotMicroPythonError(
                f"{self.port}: {expression} gives {_shown(said)}, which is not what was expected"
            ) from None

    def begin(self, code: str | bytes, timeout_s: float = 10) -> None:
        """Start code that is to be talked with: `readline`, `send`, and `end` at last."""
        why = ""
        for _ in range(_TRIES):
            self._line.allow(timeout_s)
            try:
                self._transport.exec_raw_no_follow(code)
                return
            except TransportError as error:
                why = str(error)
                if _STRAY not in why:
                    break
                self.enter(timeout_s)  # the chip's own log, say; the code did not arrive whole
        raise self._lost(why)

    def readline(self, timeout_s: float = 10) -> str | None:
        """Return a line that the running code prints; None when it is over (call `end`).

        Raises BoardSilentError, CablePulledError.
        """
        self._line.allow(timeout_s)
        data = b""
        while True:
            byte = self._line.some()
            for at, one in enumerate(byte):
                if one == 4:
                    self._line.put_back(byte[at:])
                    return None
                if one == 10:
                    self._line.put_back(byte[at + 1 :])
                    return (data + byte[:at]).strip().decode(errors="replace")
            data += byte
            if self._line.left_s < 0:
                raise self._line.silent()

    def send(self, data: bytes) -> None:
        """Send bytes to the code that runs, which reads them from sys.stdin.buffer.

        A 3 would be Ctrl-C. Raises BoardSilentError, CablePulledError.
        """
        self._line.write(data)

    def end(self, timeout_s: float = 10, heard: Callable[[bytes], None] | None = None) -> bytes:
        """Wait for the end of the code; return what it printed and nobody read.

        Raises BoardCodeError, BoardSilentError, CablePulledError.
        """
        self._line.allow(timeout_s)
        try:
            said, wrong = self._transport.follow(None, heard)
        except TransportError:
            raise self._line.silent() from None
        if wrong:
            raise BoardCodeError(self.port, wrong.decode(errors="replace"))
        return bytes(said)

    def write_file(self, path: str, data: bytes, progress: Told | None = None) -> None:
        """Put a file in place, whole or not at all: written beside it, then renamed.

        Its folder is there. Raises as `exec` does.
        """
        new = path + ".new"
        self.exec(f"_f=open({new!r},'wb')\n_w=_f.write")
        for at in range(0, len(data), _PIECE):
            self.exec(f"_w({data[at : at + _PIECE]!r})")
            if progress:
                progress(min(at + _PIECE, len(data)), len(data))
        self.exec(f"_f.close()\nimport os\nos.rename({new!r},{path!r})")

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError, and as `exec` does."""
        try:
            self.exec(f"_f=open({path!r},'rb')")
        except BoardCodeError as error:
            if "ENOENT" in error.last:
                raise FileNotFoundError(path) from None
            raise
        found = b""
        while piece := self.eval(f"_f.read({_PIECE})"):
            found += piece
        self.exec("_f.close()")
        return found

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        self.exec(f"import os\ntry: os.remove({path!r})\nexcept OSError: pass")

    def sha256(self, path: str) -> bytes | None:
        """Return a file's SHA-256, None when there is none."""
        said = self.exec(
            "import hashlib\n"
            f"try:\n with open({path!r},'rb') as _f:\n"
            "  _h=hashlib.sha256()\n  _b=bytearray(512)\n"
            "  while (_n:=_f.readinto(_b)): _h.update(memoryview(_b)[:_n])\n"
            "  print(_h.digest().hex())\n"
            "except OSError: print()",
            30,
        )
        return bytes.fromhex(said.strip().decode()) or None

    def reset(self) -> None:
        """Reset the chip; it starts as at power-on. The port stays open."""
        with contextlib.suppress(CablePulledError):  # a chip with USB of its own takes it along
            self.begin("import machine\nmachine.reset()")

    def wait_text(self, pattern: str, timeout_s: float) -> re.Match[str] | None:
        """Return the first match of `pattern` in a line that the board prints; None: none came.

        A port that goes away with the board's reset, and comes back, is opened anew.
        """
        end = time.monotonic() + timeout_s
        text = b""
        while time.monotonic() < end:
            try:
                text += self._line.some()
            except CablePulledError:
                if not self._reopen(end):
                    raise
            while b"\n" in text:
                line, _, text = text.partition(b"\n")
                if match := re.search(pattern, line.strip().decode(errors="replace")):
                    self._line.put_back(text)
                    return match
        return None

    def _reopen(self, end: float) -> bool:
        self._line.close()
        while time.monotonic() < end:
            try:
                line = Line(self.port, BAUD)
            except NoBoardError:
                time.sleep(0.05)
            else:
                line.check = self._line.check
                self._line = self._transport.serial = line
                return True
        return False

    def _lost(self, why: str) -> BoardSilentError:
        return BoardSilentError(
            f"{self.port}: the board no longer follows ({why}): did something else write to its "
            "port? Run this again"
        )


def _shown(data: bytes) -> str:
    """Return the end of what a board said, in one line."""
    return repr(data[-_SHOWN:].decode("latin-1"))
