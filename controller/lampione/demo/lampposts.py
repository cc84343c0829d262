"""The demo's lampposts: virtual boards with the shipping firmware, a key and settings each."""

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lampione_hil.virtual.air import PlausibleDay
from lampione_hil.virtual.bench import VirtualBench
from lampione_hil.virtual.sound import Recording, Street, SyntheticStreet
from lampione_hil.virtual.world import World

from lampione import seeds
from lampione.cli.errors import USAGE, CliError

SPL_DB = 70.0
# A minute of sound takes a second to compute and 12 MB to keep: a few streets are shared.
STREETS = ((1, 72.0), (2, 65.0), (3, 69.0), (4, 61.0))
SSID = "lampione"


@dataclass(frozen=True)
class Sounds:
    """What the microphones hear.

    replay: a WAV file for all of them, at `spl_db` (unweighted Leq of the whole file); None: a
        few synthetic streets.
    dump: a folder for the samples that were delivered.
    """

    replay: Path | None
    spl_db: float
    dump: Path | None

    def streets(self) -> tuple[Street, ...]:
        """Return the streets that are shared out."""
        if self.replay is not None:
            return (Recording(self.replay, self.spl_db),)
        return tuple(SyntheticStreet(seed=seed, spl_db=spl) for seed, spl in STREETS)


def compute_sounds(sounds: Sounds, folder: Path) -> Callable[[], None]:
    """Begin to compute the sounds into `folder`; return what waits for them.

    What is returned raises CliError for a recording that cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(2, thread_name_prefix="sounds")
    made = [pool.submit(street.samples, folder) for street in sounds.streets()]

    def wait() -> None:
        try:
            for one in made:
                one.result()
        except ValueError as error:
            raise CliError(str(error), USAGE) from None
        finally:
            pool.shutdown()

    return wait


class Lampposts:
    """All of a fleet's running nodes on one bench. A context manager: `close` ends them."""

    def __init__(self, folder: Path) -> None:
        self.bench = VirtualBench("wall", folder)
        self._lock = threading.Lock()
        self._on = False

    def start(self) -> None:
        """Start the bench. Raises NoInterpreterError."""
        self.bench.start()

    def build(
        self,
        seed: seeds.Seed,
        keys: Mapping[str, bytes],
        firmware: Mapping[str, bytes],
        sounds: Sounds,
        port: int,
        interval_s: int,
    ) -> None:
        """Make the boards and write their flash; the power stays off."""
        streets = sounds.streets()
        for n, node in enumerate(seed.running):
            settings = seeds.settings(
                seed,
                node.id,
                host="127.0.0.1",
                port=port,
                report_interval_s=interval_s,
                health_interval_s=max(15, min(15 * interval_s, 900)),
                ssid=SSID,
            )
            self.bench.board(
                node.id,
                {
                    **firmware,
                    "/settings.json": json.dumps(settings).encode(),
                    "/node.key": keys[node.id],
                },
                world=World(
                    street=streets[n % len(streets)], air=PlausibleDay(seed=n), dump=sounds.dump
                ),
            )

    def power_on(self) -> None:
        """Switch all boards on."""
        for board in self.bench.boards.values():
            board.power_on()

    def close(self) -> None:
        """Switch all off and end the bench."""
        self.bench.close()
