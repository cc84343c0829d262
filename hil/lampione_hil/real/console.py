"""The one reader of a real board's serial line.

A thread has the port open and keeps what comes. It lends the open port to whoever speaks the REPL,
waits for one that is gone to come back, under whatever name, and every wait has an end.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator

from lampione_hil.board import BenchError, BoardTimeoutError
from lampione_hil.real.errors import (
    BoardSilentError,
    NoBoardError,
    PortBusyError,
    PortPermissionError,
)
from lampione_hil.real.heard import Heard
from lampione_hil.real.line import Line

_AGAIN_S = 0.1  # between two looks for a port that is not there
_LEND_S = 10.0
BACK_S = 15.0  # a board that has power again is on the bus by then
PULSE_S = 0.1
_STAYS = (PortBusyError, PortPermissionError)  # what does not go by itself


class SerialConsole:
    """See above.

    Args:
        find: returns the port's name or URL now; raises BenchError when it is gone.
        name: the board's.
        baud: bits a second.
    """

    def __init__(self, find: Callable[[], str], *, name: str, baud: int) -> None:
        self._find = find
        self._name = name
        self._baud = baud
        self._heard = Heard()
        self._line: Line | None = None  # while there is a port
        self._why: BenchError | None = None  # why there is none
        self._looks = 0  # how often it was looked for
        self._lent = False
        self._reading = False  # the thread looks at the line right now
        self._over = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read; does nothing when it reads."""
        with self._changed:
            if self._thread is None:
                self._over = False
                self._thread = threading.Thread(
                    target=self._run, name=f"console of {self._name}", daemon=True
                )
                self._thread.start()

    def settle(self) -> None:
        """Begin to read, and return when the port is open or surely not there."""
        self.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._line or self._why, BACK_S):
                raise BoardSilentError(f"{self._name}: its port hangs: pull its cable")

    def close(self) -> None:
        """End the reader and close the port."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._over = True
            self._changed.notify_all()
        if thread is not None:
            thread.join(_LEND_S)

    # What it heard

    @property
    def boots(self) -> int:
        """How often the board has started since the reader began."""
        with self._changed:
            return self._heard.boots

    def text(self) -> str:
        """Return the end of what the board said."""
        with self._changed:
            return self._heard.tail.decode("utf-8", "replace")

    def forget(self) -> None:
        """Drop what was said so far."""
        with self._changed:
            self._heard.forget()

    def expect_start(self) -> None:
        """The bench starts the board now."""
        with self._changed:
            self._heard.expect_start()

    def wait(self, test: Callable[[str], str | None], what: str, timeout_s: float) -> str:
        """Wait until `test` of the text returns something; return that.

        Raises BoardTimeoutError, with the end of the console and what is wrong with the port.
        """
        self.start()
        found: str | None = None

        def there() -> bool:
            nonlocal found
            found = test(self._heard.tail.decode("utf-8", "replace"))
            return found is not None

        with self._changed:
            if self._changed.wait_for(there, timeout_s) and found is not None:
                return found
            gone = f" (its port: {self._why})" if self._why is not None else ""
            text = self._heard.tail.decode("utf-8", "replace")
        raise BoardTimeoutError(
            f"{self._name}: {what} not within {timeout_s:g} s{gone}; the console ends with:\n"
            + text[-1500:]
        )

    def wait_pattern(self, pattern: str, timeout_s: float) -> str:
        """Wait for a regular expression; return what matched. See `wait`."""
        compiled = re.compile(pattern)

        def test(text: str) -> str | None:
            found = compiled.search(text)
            return found and found[0]

        return self.wait(test, repr(pattern), timeout_s)

    def wait_boots(self, count: int, timeout_s: float) -> None:
        """Wait until the board has started `count` times; see `wait`."""
        self.wait(lambda _: "" if self._heard.boots >= count else None, f"{count} boots", timeout_s)

    # The port

    def wait_port(self, timeout_s: float = BACK_S) -> None:
        """Wait until the port is open. Raises what keeps it from being so."""
        self.start()
        with self._changed:
            seen = self._looks + 1  # a look that is under way may have begun before this

            def over() -> bool:
                stays = self._looks > seen and isinstance(self._why, _STAYS)
                return stays or self._line is not None

            self._changed.wait_for(over, timeout_s)
            if self._line is None:
                raise self._why or NoBoardError(f"{self._name}: no port: look at its cable")

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until the port is gone; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._why is not None, timeout_s)

    @contextlib.contextmanager
    def lent(self) -> Iterator[Line]:
        """Lend the open port: nobody else reads it until the end of the block.

        Raises NoBoardError and others when there is none.
        """
        self.wait_port()
        try:
            with self._changed:
                self._lent = True
                if not self._changed.wait_for(lambda: not self._reading, _LEND_S):
                    raise BoardSilentError(f"{self._name}: its port hangs: pull its cable")
                line = self._line
            if line is None:
                raise NoBoardError(f"{self._name}: its port has just gone: look at its cable")
            yield line
        finally:
            with self._changed:
                self._lent = False
                self._changed.notify_all()

    def write(self, data: bytes) -> None:
        """Type on the line. Raises BenchError."""
        with self.lent() as line:
            line.write(data)

    def pulse(self) -> None:
        """Reset the board: RTS pulls EN low, DTR leaves GPIO0 alone. Raises BenchError."""
        with self.lent() as line:
            line.lines(dtr=False, rts=True)
            time.sleep(PULSE_S)
            self.expect_start()
            line.lines(dtr=False, rts=False)

    # The thread

    def _run(self) -> None:
        line: Line | None = None
        while True:
            with self._changed:
                self._reading = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._over or not self._lent)
                if self._over:
                    self._line = None
                    break
                self._reading = True
            try:
                if line is None:
                    line = Line(self._find(), self._baud)
                    self._found(line, None)
                data = line.some()
            except BenchError as error:
                if line is not None:
                    line.close()
                line = None
                self._found(None, error)
                with self._changed:
                    self._reading = False
                    self._changed.wait_for(lambda: self._over, _AGAIN_S)
                continue
            if data:
                with self._changed:
                    self._heard.take(data)
        if line is not None:
            line.close()

    def _found(self, line: Line | None, why: BenchError | None) -> None:
        with self._changed:
            self._line = line
            self._why = why
            self._looks += 1
            self._changed.notify_all()
