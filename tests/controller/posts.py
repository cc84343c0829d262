"""Posts with the real firmware: a bench, a broker and a controller's process on one folder."""

import json
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from lampione import keys, seeds, wanted
from lampione.broker import LocalBroker
from lampione.config import blob, flash
from lampione.core.client import Client
from lampione.demo import processes
from lampione_hil import firmware
from lampione_hil.virtual import VirtualBoard
from lampione_hil.virtual.bench import VirtualBench

from tests.brokers import free_port


class Posts:
    """Boards get their first config on flash; `told` says so to the controller.

    Args:
        ends: ends everything.
        fleet: the fleet's file.
        names: of the nodes that get keys.
    """

    def __init__(self, state: Path, ends: ExitStack, fleet: str, names: Collection[str]) -> None:
        self.state = state
        (state / "fleet.toml").write_text(fleet)
        self._seed = seeds.load(state / "fleet.toml")
        keys.new(state / keys.FILE, list(names))
        self.keys = keys.load(state / keys.FILE)
        self.bench = VirtualBench("wall", state / "bench")
        ends.callback(self.bench.close)
        self.bench.start()
        broker = LocalBroker(state / "broker")
        self.port = broker.start(free_port()).port
        ends.callback(broker.stop)
        self.core = processes.Core(state, self.port)
        ends.callback(lambda: self.core.close())
        self._compiled = firmware.compile_tree()
        self._configs: dict[str, str] = {}

    def board(self, node: str) -> VirtualBoard:
        """Make a node's board; it is off."""
        config = blob.encode(wanted.of(self._seed, node, {}))
        self._configs[node] = config.hex()
        settings = seeds.settings(
            self._seed, node, host="127.0.0.1", port=self.port, ssid="lampione"
        )
        files = {
            **self._compiled,
            "/settings.json": json.dumps(settings).encode(),
            flash.GOOD: flash.file_of(flash.FIRST_VERSION, config),
            "/node.key": self.keys[node],
        }
        return self.bench.board(node, files)

    def told(self) -> None:
        """Wait for the controller, and tell it which configs the boards have."""
        self.core.wait()
        with Client.open(self.state) as client:
            client.call("adopt", configs=self._configs, version=flash.FIRST_VERSION)
