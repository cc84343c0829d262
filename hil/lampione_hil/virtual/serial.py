"""A board's serial line: its own terminal on one side, the port for mpremote on the other."""

import contextlib
import os
import pty
import selectors
import termios
import time
import tty
from collections.abc import Callable

from lampione_hil.virtual import spawn
from lampione_hil.virtual.console import Console

_LOOK_S = 0.002
_BUSY_S = 1.0  # a program that never waits is interrupted wherever it is
_QUEUE = 65536
_PATIENCE_S = 1.0  # what a reader of the port has not taken by then is gone, as on a real line
_MOST = 1 << 20
_PROMPT = b">>> "
_CTRL_C = b"\x03"


class SerialLine:
    """Two pseudo-terminals and what flows between them.

    The port stays for the board's whole life; its own terminal is new at each boot, so that no
    boot inherits a setting or a key from the one before.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        changed: Callable[[], None],
        interrupt: Callable[[bool], bool | None],
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.console = Console()
        self.at_prompt = False  # main.py is over
        self._selector = selector
        self._changed = changed
        self._interrupt = interrupt
        self._after = after
        self._waits_s = 0.0  # since when a Ctrl-C has
        self._looks = False  # whether one looks after it
        self._open = False  # the board can take input
        self._prompted = False  # the REPL has shown itself since this boot
        self._terminal = -1  # master side of the board's own terminal
        self._in = bytearray()  # from the host, until the board can take it
        self._out = bytearray()  # to the host, until it takes it
        self._taken_s = 0.0  # when it last took something
        self.heard: Callable[[bytes], None] | None = None  # who else is shown all that is printed
        self._diverted: Callable[[bytes], None] | None = None  # who takes it instead of a program
        self._host = self._host_slave = -1
        self.port = ""
        self.plug()

    def plug(self) -> None:
        """The cable is in: there is a port."""
        if self._host >= 0:
            return
        # The slave side stays open here: otherwise each leaving mpremote would hang the line up.
        self._host, self._host_slave = pty.openpty()
        self.port = os.ttyname(self._host_slave)
        tty.setraw(self._host_slave, termios.TCSANOW)
        os.set_blocking(self._host, False)
        self._selector.register(self._host, selectors.EVENT_READ, self._host_ready)

    def unplug(self) -> None:
        """The cable is out: the port is gone, also for whoever has it open."""
        if self._host >= 0:
            self._selector.unregister(self._host)
            os.close(self._host)
            os.close(self._host_slave)
            self._host = self._host_slave = -1
            self.port = ""
            self.forget()
            self._out.clear()

    def power_on(self) -> None:
        """Forget what was said before."""
        self.console.power_on()
        self._in.clear()
        self._out.clear()
        if self._host >= 0:
            termios.tcflush(self._host_slave, termios.TCIOFLUSH)

    def forget(self) -> None:
        """Drop what was typed and not taken."""
        self._in.clear()

    def open(self) -> int:
        """Make the terminal of a new boot; return its slave side, which is the caller's to close.

        Nothing is touched on its way. Ctrl-C interrupts a program that takes it, else it is a
        byte as any other; where that cannot be told apart, the terminal makes a signal of it.
        """
        self._terminal, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[0] &= ~(termios.ICRNL | termios.IXON | termios.INLCR | termios.IGNCR)
        attributes[1] &= ~termios.OPOST
        attributes[3] &= ~(termios.ICANON | termios.ECHO)
        if spawn.SEES_SIGNALS:
            attributes[3] &= ~termios.ISIG
        else:
            attributes[3] |= termios.ISIG | termios.NOFLSH
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        os.set_blocking(self._terminal, False)
        self._selector.register(self._terminal, selectors.EVENT_READ, self._board_ready)
        self._open = self._prompted = self.at_prompt = self.console.binary = False
        return slave

    def interrupts(self, on: bool) -> None:
        """Let Ctrl-C interrupt the program, or be a byte as any other."""
        self.console.binary = not on
        if self._terminal >= 0 and not spawn.SEES_SIGNALS:
            attributes = termios.tcgetattr(self._terminal)
            if on:
                attributes[3] |= termios.ISIG
            else:
                attributes[3] &= ~termios.ISIG
            termios.tcsetattr(self._terminal, termios.TCSANOW, attributes)

    def hang_up(self) -> None:
        """End the terminal of a boot."""
        self._open = False
        if self._terminal >= 0:
            self._selector.unregister(self._terminal)
            os.close(self._terminal)
            self._terminal = -1

    def close(self) -> None:
        """End the port too."""
        self.hang_up()
        self.unplug()

    def ready(self, *, raw: bool) -> None:
        """The board takes input now; `raw`: first of all, back into the raw REPL."""
        self._open = True
        if raw:
            self._in[:0] = b"\x01"
        self._push()

    def prompt(self) -> None:
        """main.py is over: no input until the prompt is there, as a Ctrl-C would end it all."""
        self.at_prompt = True
        self._open = self._prompted
        self._push()

    def divert(self, taker: Callable[[bytes], None] | None) -> None:
        """Give what comes from the host to somebody else, who speaks in bytes; None: no more."""
        self._diverted = taker
        self.console.binary = taker is not None

    def type(self, data: bytes) -> None:
        """Send to the board as if somebody typed."""
        if self._diverted is not None:
            self._diverted(data)
        elif len(self._in) < _QUEUE:
            self._in += data
            self._push()

    def show(self, data: bytes) -> None:
        """Show what the board printed."""
        data = self.console.take(data)
        if _PROMPT in data:
            self._prompted = True
            if self.at_prompt and not self._open:
                self._open = True
                self._push()
        if self.heard is not None:
            self.heard(data)
        now = time.monotonic()
        if not self._out:
            self._taken_s = now
        elif now - self._taken_s > _PATIENCE_S or len(self._out) > _MOST:
            self._out.clear()  # nobody reads the port
        self._out += data
        self._pour()
        self._changed()

    def drain(self) -> None:
        """Show what the board has printed already."""
        while self._terminal >= 0:
            try:
                data = os.read(self._terminal, 16384)
            except OSError:
                break
            if not data:
                break
            self.show(data)

    def _host_ready(self, events: int) -> None:
        if events & selectors.EVENT_READ:
            with contextlib.suppress(OSError):
                self.type(os.read(self._host, 4096))
        if events & selectors.EVENT_WRITE:
            self._pour()

    def _pour(self) -> None:
        if self._host < 0:
            self._out.clear()
            return
        with contextlib.suppress(OSError):
            del self._out[: os.write(self._host, self._out[:4096])]
            self._taken_s = time.monotonic()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        self._selector.modify(self._host, events, self._host_ready)

    def _push(self) -> None:
        if not self._open or self._terminal < 0:
            return
        with contextlib.suppress(OSError):
            # A terminal's line takes little at a time, and drops what is beyond.
            piece = self._in[:1024]
            at = piece.find(_CTRL_C)
            sent = self._ctrl_c() if at == 0 else False
            if sent is None:
                self._selector.modify(self._terminal, selectors.EVENT_READ, self._board_ready)
                return
            if sent:
                del self._in[:1]
            else:
                length = at if at > 0 else 1 if at == 0 else len(piece)
                del self._in[: os.write(self._terminal, piece[:length])]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._in else 0)
        self._selector.modify(self._terminal, events, self._board_ready)

    def _ctrl_c(self) -> bool | None:
        """Interrupt the program: True. False: it takes the byte instead. None: later."""
        now = time.monotonic()
        self._waits_s = self._waits_s or now
        sent = self._interrupt(now - self._waits_s > _BUSY_S)
        if sent is not None:
            self._waits_s = 0.0
        elif not self._looks:
            self._looks = True
            self._after(_LOOK_S, self._look)
        return sent

    def _look(self) -> None:
        self._looks = False
        self._push()

    def _board_ready(self, events: int) -> None:
        if events & selectors.EVENT_READ:
            try:
                data = os.read(self._terminal, 16384)
            except BlockingIOError:  # drained since the selector has seen it
                data = b""
            except OSError:  # hung up: the process is at its end, and reaped soon
                self.hang_up()
                return
            if data:
                self.show(data)
        if events & selectors.EVENT_WRITE:
            self._push()
