"""The configs that nodes were given, as the store keeps them: sealed by a key of each node."""

import os
import time

from cryptography.exceptions import InvalidTag
from lampione_protocol import seal

from lampione.config.blob import digest
from lampione.fleet.node import NodeState
from lampione.seals import ccm
from lampione.store import StoredConfig, TelemetryStore

KEPT = 16  # configs of a node
_NONCE = 13


def _kept_key(node: NodeState) -> bytes:
    """Whoever reads the database alone learns no secret of a config's."""
    return seal.hmac_sha256(node.key, b"lampione config kept")[:16]


def sealed_for(node: NodeState, blob: bytes) -> bytes:
    """Return a config as it may be kept."""
    nonce = os.urandom(_NONCE)
    return nonce + ccm(_kept_key(node)).encrypt(nonce, blob, None)


def unsealed(node: NodeState, sealed: bytes) -> bytes | None:
    """Return a config that was kept; None: the node has another key now."""
    try:
        return ccm(_kept_key(node)).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
    except InvalidTag:
        return None


class KeptConfigs:
    """The store of them."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store = store

    def find(self, node: NodeState, version: int) -> tuple[bytes, StoredConfig] | None:
        """Return a config that is kept; None: there is none, or the node has another key now."""
        kept = self._store.config(node.id, version)
        blob = None if kept is None else unsealed(node, kept.sealed)
        return None if kept is None or blob is None else (blob, kept)

    def keep(self, node: NodeState, version: int, blob: bytes, confirmed: float | None) -> None:
        """Keep one. confirmed: Unix seconds; None: it is not."""
        self._store.add_config(
            StoredConfig(
                node.id, version, digest(blob), sealed_for(node, blob), time.time(), confirmed
            ),
            KEPT,
        )
