"""What a node says on its console when it has started."""

from collections.abc import Mapping
from dataclasses import dataclass

from lampione_protocol import schema
from lampione_protocol.codec import decode
from lampione_protocol.errors import ProtocolError

from lampione_hil.real.repl import Repl

START_S = 60.0  # an ESP32 is there within seconds; a slot that hangs is given up after 30 s
_PATTERN = r"^lampione hello ([0-9a-f]+) (\S*) ?(\S*)$"


@dataclass(frozen=True)
class Hello:
    """The node's Hello, its slot's folder and its name (empty without settings)."""

    values: Mapping[str, object]
    folder: str
    name: str

    @property
    def firmware(self) -> str:
        """The version, as people write it."""
        number = self.values["firmware"]
        if not isinstance(number, int):
            return "unknown"
        return f"{number >> 12}.{number >> 6 & 63}.{number & 63}"


def wait_hello(repl: Repl, timeout_s: float = START_S) -> Hello | None:
    """Return what a node that starts says, None when nothing comes in time.

    Raises CablePulledError.
    """
    match = repl.wait_text(_PATTERN, timeout_s)
    if match is None:
        return None
    try:
        found = decode(schema.HELLO_FIELDS, bytes.fromhex(match[1]), 0, len(match[1]) // 2)
    except (ProtocolError, ValueError):
        return None
    names = [field[0] for field in schema.HELLO_FIELDS]
    return Hello(dict(zip(names, found, strict=False)), match[2], match[3])
