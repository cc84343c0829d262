"""What a board has committed to its outbox, read from its flash: for benches without a network."""

from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol import codec, seal
from lampione_protocol.names import ALL_MESSAGES

from lampione_hil.virtual.boards import VirtualBoard

FIELDS: dict[int, tuple[Any, ...]] = {kind: fields for kind, _, fields in ALL_MESSAGES}


def messages(board: VirtualBoard, key: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Return (type, values in steps by name) of every frame, oldest first; the power must be off.

    `key`: the node's secret of 32 bytes; its name is the board's. Raises BenchError,
    InvalidTag and ProtocolError.
    """
    found = []
    for path in sorted(board.list_files("/outbox")):
        data = board.read_file(path)
        while data:
            frame, data = data[1 : data[0] + 1], data[data[0] + 5 :]
            header = frame[: seal.UP_HEADER]
            cipher = AESCCM(seal.up_key(key, frame[1:5]), seal.TAG_BYTES)
            text = cipher.decrypt(
                header + bytes(3), frame[seal.UP_HEADER :], header + board.name.encode()
            )
            kind = frame[0] & 31
            fields = FIELDS[kind]
            values = codec.decode(fields, text, 0, len(text))
            found.append((kind, {f[0]: v for f, v in zip(fields, values, strict=True)}))
    return found
