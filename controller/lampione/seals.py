"""AES-CCM by `cryptography` over the protocol's keys: what intake and downlink share."""

from collections import OrderedDict

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol import seal

CACHED_KEYS = 200_000  # of half a kilobyte: a city's, and the boots before


class Ciphers:
    """AES-CCM objects by (node, epoch), the least used ones forgotten; one direction an instance.

    A key is derived for every frame of an unknown epoch but kept only once something opened, so
    that forged epochs push nothing out.
    """

    def __init__(self, limit: int = CACHED_KEYS):
        self._limit = limit
        self._kept: OrderedDict[tuple[str, bytes], AESCCM] = OrderedDict()

    def get(self, node: str, label: bytes) -> AESCCM | None:
        """Return a cipher that is kept."""
        found = self._kept.get((node, label))
        if found is not None:
            self._kept.move_to_end((node, label))
        return found

    def forget(self, node: str) -> None:
        """Drop what its last key opened."""
        for known in [known for known in self._kept if known[0] == node]:
            del self._kept[known]

    def keep(self, node: str, label: bytes, cipher: AESCCM) -> None:
        """Keep a cipher that has proved itself."""
        self._kept[(node, label)] = cipher
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)


def ccm(key: bytes) -> AESCCM:
    """Return AES-CCM with the protocol's tag."""
    return AESCCM(key, tag_length=seal.TAG_BYTES)


def seal_down(
    cipher: AESCCM, kind: int, node: str, epoch: bytes, session: bytes, counter: int, body: bytes
) -> bytes:
    """Return a sealed frame to a node. Raises RangeError."""
    header = seal.down_header(kind, epoch, session, counter)
    return header + cipher.encrypt(header, body, header + node.encode())
