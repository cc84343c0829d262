"""Who may publish and subscribe what. A client is known by its certificate's common name.

A node has its own topics and its group's wave, nothing else; the session of a shard reads what
the shard's nodes say and writes what is said to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lampione_protocol import topics

from lampione import seeds
from lampione.provision.errors import ProvisionError

INGEST = "ingest-"  # and the shard: the name, and the MQTT client id, of what reads it


@dataclass(frozen=True)
class Client:
    """One client. Topics are MQTT's, `+` stands for any node."""

    name: str
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]


def clients(seed: seeds.Seed, nodes: Iterable[str], shards: Iterable[str] = ()) -> list[Client]:
    """Return the rules of nodes and of every shard's session, sorted by name.

    Args:
        nodes: those that may connect.
        shards: besides those of the fleet's file.

    Raises ProvisionError.
    """
    found = [_session(shard) for shard in {*seed.shards, *shards}]
    for node in set(nodes):
        if node.startswith(INGEST):
            raise ProvisionError(
                f"a node is called {node}: names that begin with {INGEST} are the controller's",
                "give it another name in the fleet's file",
            )
        found.append(_node(seed, node))
    return sorted(found, key=lambda client: client.name)


def _session(shard: str) -> Client:
    reads = tuple(topics.topic(shard, "+", leaf) for leaf in (topics.UP, topics.STATE))
    return Client(INGEST + shard, (topics.topic(shard, "+", topics.DOWN),), reads)


def _node(seed: seeds.Seed, node: str) -> Client:
    shard = seed.shard_of(node)
    says = [topics.topic(shard, node, leaf) for leaf in (topics.UP, topics.STATE)]
    hears = [topics.topic(shard, node, topics.DOWN)]
    group = seed.group_of(node)
    if group is not None:
        wave = topics.topic(shard, group[0], topics.WAVE)
        says.append(wave)
        hears.append(wave)
    return Client(node, tuple(says), tuple(hears))
