"""Telnet with COM-PORT-OPTION (RFC 854, RFC 2217), the server's side, without I/O."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, ECHO, SGA, COM_PORT = 0, 1, 3, 44
_ACCEPTED = (BINARY, ECHO, SGA, COM_PORT)
SIGNATURE, BAUD, DATASIZE, PARITY, STOPSIZE, CONTROL = range(6)
MODEM_STATE, SUSPEND, RESUME, LINE_MASK, MODEM_MASK, PURGE = 7, 8, 9, 10, 11, 12
_ANSWER = 100  # of a command: its number and this
_CTS_DSR = 0x30  # nothing drives the lines of a development board: its bridge holds them so
_LONGEST = 256  # bytes of a subnegotiation; what is longer is not for us
# SET-CONTROL: (question, on, off) of what is a switch
_BREAK, _DTR, _RTS = (4, 5, 6), (7, 8, 9), (10, 11, 12)
_PURGE_TO_CLIENT, _PURGE_TO_BOARD = 1, 2


def escaped(data: bytes) -> bytes:
    """Return data as it travels: each IAC twice."""
    return data.replace(b"\xff", b"\xff\xff")


@dataclass
class Events:
    """Who is to be told."""

    data: Callable[[bytes], None]  # for the board
    lines: Callable[[bool, bool], None]  # DTR, RTS
    purge: Callable[[bool, bool], None]  # what is on its way to the client, to the board


@dataclass
class Session:
    """One client: `take` what it sends, and send it `out` (the caller empties it)."""

    events: Events
    out: bytearray = field(default_factory=bytearray)
    suspended: bool = False  # the client wants nothing now
    baud: int = 115200
    _settings: dict[int, int] = field(
        default_factory=lambda: {DATASIZE: 8, PARITY: 1, STOPSIZE: 1}, init=False
    )
    _switches: dict[tuple[int, int, int], bool] = field(
        default_factory=lambda: {_BREAK: False, _DTR: False, _RTS: False}, init=False
    )
    _flow: int = 1  # none
    _ours: set[int] = field(default_factory=lambda: {BINARY, COM_PORT}, init=False)
    _theirs: set[int] = field(default_factory=lambda: {BINARY, COM_PORT}, init=False)
    _welcomed: bool = False
    _state: str = "data"
    _command: int = 0
    _sub: bytearray | None = None

    def __post_init__(self) -> None:
        for option in (BINARY, COM_PORT):
            self.out += bytes((IAC, WILL, option, IAC, DO, option))

    def take(self, data: bytes) -> None:
        """Do what a piece of the stream says, wherever it is cut."""
        plain = bytearray()
        for byte in data:
            if self._state == "data":
                if byte == IAC:
                    self._state = "iac"
                else:
                    self._byte(byte, plain)
            elif self._state == "iac":
                self._state = "data"
                if byte == IAC:
                    self._byte(byte, plain)
                elif byte in (DO, DONT, WILL, WONT):
                    self._command, self._state = byte, "option"
                elif byte == SB:
                    self._sub = bytearray()
                elif byte == SE:
                    self._flush(plain)  # in the order in which it came
                    sub, self._sub = self._sub, None
                    self._subnegotiation(bytes(sub or b""))
            else:
                self._state = "data"
                self._option(self._command, byte)
        self._flush(plain)

    def _byte(self, byte: int, plain: bytearray) -> None:
        if self._sub is None:
            plain.append(byte)
        elif len(self._sub) < _LONGEST:
            self._sub.append(byte)

    def _flush(self, plain: bytearray) -> None:
        if plain:
            self.events.data(bytes(plain))
            plain.clear()

    def _option(self, command: int, option: int) -> None:
        """Answer a change; what only confirms our own wish, or changes nothing, is not answered."""
        mine = command in (DO, DONT)
        agreed = self._ours if mine else self._theirs
        if option == COM_PORT and command in (DO, WILL):
            self._welcome()
        if command in (DO, WILL):
            if option in agreed:
                return
            if option in _ACCEPTED:
                agreed.add(option)
                answer = WILL if mine else DO
            else:
                answer = WONT if mine else DONT
        else:
            if option not in agreed:
                return
            agreed.remove(option)
            answer = WONT if mine else DONT
        self.out += bytes((IAC, answer, option))

    def _welcome(self) -> None:
        """Tell the state of the lines, once it is certain that the client knows what that is."""
        if not self._welcomed:
            self._welcomed = True
            self._say(MODEM_STATE, bytes((_CTS_DSR,)))

    def _say(self, command: int, value: bytes) -> None:
        body = bytes((COM_PORT, command + _ANSWER)) + value
        self.out += bytes((IAC, SB)) + escaped(body) + bytes((IAC, SE))

    def _subnegotiation(self, body: bytes) -> None:
        if len(body) < 2 or body[0] != COM_PORT:
            return
        self._welcome()  # one that has heard our offer first need not have answered it
        command, value = body[1], body[2:]
        if command == SIGNATURE:
            self._say(command, b"Lampione virtual board")
        elif command == BAUD and len(value) == 4:
            self.baud = struct.unpack(">I", value)[0] or self.baud  # 0 asks
            self._say(command, struct.pack(">I", self.baud))
        elif command in self._settings and len(value) == 1:
            self._settings[command] = value[0] or self._settings[command]
            self._say(command, bytes((self._settings[command],)))
        elif command == CONTROL and len(value) == 1:
            self._say(command, bytes((self._control(value[0]),)))
        elif command == MODEM_STATE:
            self._say(command, bytes((_CTS_DSR,)))
        elif command in (SUSPEND, RESUME):
            self.suspended = command == SUSPEND
        elif command in (LINE_MASK, MODEM_MASK) and len(value) == 1:
            self._say(command, value)
            if command == MODEM_MASK:
                self._say(MODEM_STATE, bytes((_CTS_DSR & value[0],)))
        elif command == PURGE and len(value) == 1:
            self.events.purge(bool(value[0] & _PURGE_TO_CLIENT), bool(value[0] & _PURGE_TO_BOARD))
            self._say(command, value)

    def _control(self, value: int) -> int:
        """Set or tell; return what is so now."""
        for names, on in self._switches.items():
            if value in names:
                question, yes, no = names
                if value != question:
                    self._switches[names] = value == yes
                    if names != _BREAK and on != (value == yes):
                        self.events.lines(self._switches[_DTR], self._switches[_RTS])
                return yes if self._switches[names] else no
        if value in (1, 2, 3):
            self._flow = value  # nobody is ever held up here: the line has no flow control
        return self._flow if value < 4 else value
