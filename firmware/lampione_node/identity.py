"""Who this node is: its key, the epoch of this boot, and the ciphers that follow from them."""

import os

from cryptolib import aes
from lampione_protocol.ccm import Ccm
from lampione_protocol.schema import HELLO
from lampione_protocol.seal import (
    EPOCH_BYTES,
    KEY_BYTES,
    DownOpener,
    UpSealer,
    down_key,
    hello_key,
    seal_hello,
    up_key,
)
from micropython import const

_ECB = const(1)


def read_key(path: str) -> bytes:
    """Return K_node. Raises OSError when there is none, ValueError when it is not 32 bytes."""
    with open(path, "rb") as file:
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ValueError(len(key))
    return key


def _ccm(key: bytes) -> Ccm:
    return Ccm(aes(key, _ECB))


class Identity:
    """The node's seals for one boot. K_node itself is not kept.

    Args:
        node: the node's id.
        key: K_node, 32 bytes.
        boot: which boot this is.

    `epoch` is drawn anew: a node cannot know whether its flash is an old image of itself.
    """

    def __init__(self, node: str, key: bytes, boot: int) -> None:
        name = node.encode()
        self.boot = boot
        self.epoch = os.urandom(EPOCH_BYTES)
        self.sealer = UpSealer(_ccm(up_key(key, self.epoch)), name, self.epoch, boot)
        self.opener = DownOpener(_ccm(down_key(key, self.epoch)), name, self.epoch)
        self._hello = hello_key(key)  # a cipher for each Hello: they are hours apart
        self._name = name

    def seal_hello(self, buf: bytearray, end: int) -> int:
        """Seal the Hello in `buf[HELLO_HEADER:end]`; return the frame's end."""
        return seal_hello(_ccm(self._hello), self._name, os.urandom(9), HELLO, buf, end)
