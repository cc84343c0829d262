"""The demo's lampposts: virtual boards with the shipping firmware, a key and settings each."""

import functools
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lampione_hil.virtual.bench import VirtualBench
from lampione_hil.virtual.lamppost import lamppost
from lampione_hil.virtual.sound import SAMPLE_HZ, Floats, Recording, Street, SyntheticStreet
from lampione_hil.virtual.traffic import TrafficStreet

from lampione import keys, seeds, wanted
from lampione.cli.errors import USAGE, CliError
from lampione.config import blob, flash
from lampione.config.model import NodeConfig
from lampione.demo.fleet_file import health_interval_s

SPL_DB = 70.0
# A minute of street takes a second to compute: a few are made, and heard from several places.
STREETS = (SyntheticStreet(seed=1), SyntheticStreet(seed=2), SyntheticStreet(seed=3))
SSID = "lampione"


@functools.cache
def _minute(street: SyntheticStreet) -> Floats:
    return street.signal()


@dataclass(frozen=True)
class Along(Street):
    """A street from another place: its minute begins later, and it is nearer or farther."""

    street: SyntheticStreet
    later_s: float
    gain_db: float

    def key(self) -> str:
        """See Street."""
        return f"{self.street.key()} {self.later_s} s later, {self.gain_db} dB"

    def signal(self) -> Floats:
        """See Street."""
        whole = np.roll(_minute(self.street), -round(self.later_s * SAMPLE_HZ))
        return np.asarray(whole * 10 ** (self.gain_db / 20))


@dataclass(frozen=True)
class Sounds:
    """What the microphones hear.

    replay: a WAV file for all of them, at `spl_db` (unweighted Leq of the whole file); None:
        synthetic streets, a different one for each.
    dump: a folder for the samples that were delivered.
    """

    replay: Path | None
    spl_db: float
    dump: Path | None

    def street(self, n: int) -> Street:
        """Return what the n-th lamppost hears."""
        if self.replay is not None:
            return Recording(self.replay, self.spl_db)
        return Along(STREETS[n % len(STREETS)], 11.0 * n % 60, 4.0 - 5.5 * n % 9)

    def compute(self, nodes: int, folder: Path) -> Callable[[], None]:
        """Begin to compute what so many hear into `folder`; return what waits for it.

        What is returned raises CliError for a recording that cannot be used.
        """
        folder.mkdir(parents=True, exist_ok=True)
        alike = 1 if self.replay is not None else len(STREETS)
        pool = ThreadPoolExecutor(2, thread_name_prefix="sounds")
        made = [
            pool.submit(self._compute, range(first, nodes, alike), folder) for first in range(alike)
        ]

        def wait() -> None:
            try:
                for one in made:
                    one.result()
            except ValueError as error:
                raise CliError(str(error), USAGE) from None
            finally:
                pool.shutdown()
                _minute.cache_clear()

        return wait

    def _compute(self, nodes: range, folder: Path) -> None:
        for n in nodes:
            self.street(n).samples(folder)


def _config(config: NodeConfig, settings: dict[str, Any]) -> NodeConfig:
    """Return a config with the intervals and parts of a board's settings."""
    tables = config.model_dump()
    tables["reporting"] |= {
        name: settings[name] for name in ("report_interval_s", "health_interval_s")
    }
    tables["parts"] = settings["parts"]
    return NodeConfig.model_validate(tables)


class Lampposts:
    """All of a fleet's running nodes on one bench; `close` ends them."""

    def __init__(self, folder: Path) -> None:
        self.bench = VirtualBench("wall", folder)
        self.configs: dict[str, bytes] = {}  # that the boards have from the start

    def start(self) -> None:
        """Start the bench. Raises NoInterpreterError."""
        self.bench.start()

    def build(
        self,
        seed: seeds.Seed,
        secrets: keys.Keys,
        firmware: Mapping[str, bytes],
        sounds: Sounds,
        port: int,
        interval_s: int,
    ) -> None:
        """Make the boards and write their flash; the power stays off."""
        for n, node in enumerate(seed.running):
            settings = seeds.settings(
                seed,
                node.id,
                host="127.0.0.1",
                port=port,
                report_interval_s=interval_s,
                health_interval_s=health_interval_s(interval_s),
                ssid=SSID,
            )
            parts = settings["parts"]
            # These microphones hear as they should, and these gas cells have long been warm.
            parts.get("sound", {}).pop("eq", None)
            if "gases" in parts:
                parts["gases"]["warm_min"] = 0
            config = blob.encode(_config(wanted.of(seed, node.id, secrets.groups), settings))
            self.configs[node.id] = config
            world = lamppost(
                n,
                sounds.street(n),
                traffic=TrafficStreet(seed=n) if "radar" in parts else None,
            )
            world.dump = sounds.dump
            self.bench.board(
                node.id,
                {
                    **firmware,
                    "/settings.json": json.dumps(settings).encode(),
                    flash.GOOD: flash.file_of(flash.FIRST_VERSION, config),
                    "/node.key": secrets[node.id],
                },
                world=world,
            )

    def power_on(self) -> None:
        """Switch all boards on."""
        for board in self.bench.boards.values():
            board.power_on()

    def check(self) -> None:
        """Raise CliError when the bench, and all boards with it, has ended by itself."""
        if not self.bench.alive:
            raise CliError("the boards' process has ended: start the demo anew")

    def close(self) -> None:
        """Switch all off and end the bench."""
        self.bench.close()
