"""What a run needs before a board is touched: for the command and the screen alike."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lampione import calibration, seeds
from lampione.broker_url import BrokerUrl
from lampione.config.model import Wifi
from lampione.core.folder import make_private
from lampione.provision import boards, ca, wifi
from lampione.provision.commission import Bench, Stopped
from lampione.provision.controller import Controller
from lampione.provision.errors import ProvisionError
from lampione.provision.queue import Queue
from lampione.provision.rows import Row

RECORDS = "records"
JOBS = 4
INTERVAL_S = 3
Ask = Callable[[str], Wifi]
"""Asks for the network of nodes that have none; gets the first one's name."""


class NoControllerError(ProvisionError):
    """A sign-off needs a controller, and none runs."""


class UnsaidError(ProvisionError):
    """Something has to be said that cannot be guessed."""


@dataclass(frozen=True)
class Order:
    """How a run is to be done.

    records: where they are filed; None: in the controller's folder.
    wifi: a file, for rows that name none. no_wifi: nodes have a network without.
    interval_s: of the reports during the sign-off.
    """

    state: Path
    broker: str | None = None
    ca: Path | None = None
    records: Path | None = None
    labels: Path | None = None
    wifi: Path | None = None
    no_wifi: bool = False
    sign_off: bool = True
    replace: bool = False
    new_key: bool = False
    interval_s: int = INTERVAL_S
    jobs: int = JOBS
    wait_s: float = 0.0

    @property
    def records_folder(self) -> Path:
        """Return where records are filed."""
        return self.records or self.state / RECORDS


@contextlib.contextmanager
def prepared(order: Order, seed: seeds.Seed, queue: Queue, ask: Ask) -> Iterator[Bench]:
    """Yield what the boards of a run have in common; people are asked, files read before.

    Raises ProvisionError, BrokerUrlError, SeedError, OSError.
    """
    make_private(order.state)
    found = calibration.load(order.state)
    for row in queue.rows:
        if row.calibration:
            calibration.keep(order.state, row.node, row.calibration)
            found[row.node] = row.calibration
    seed = calibration.applied(seed, found)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    with _controller(order) as controller:
        yield Bench(
            seed=seed,
            state=order.state,
            authority=ca.Authority.open(
                order.ca or ca.default_folder(), seed.fleet.name, apart_from=order.state
            ),
            broker=_broker(order, controller),
            hands=boards.RealHands(check),
            controller=controller,
            wifi=_networks(order, seed, queue.left(), ask),
            sign_off=order.sign_off,
            replace=order.replace,
            new_key=order.new_key,
            labels=order.labels,
            interval_s=order.interval_s,
            stop=stop,
        )


def lacking(order: Order, seed: seeds.Seed, rows: Sequence[Row]) -> list[str]:
    """Return the nodes whose network nobody has said."""
    if order.no_wifi or order.wifi is not None:
        return []
    return [r.node for r in rows if r.wifi is None and seed.radio_of(seed.node(r.node)) is None]


@contextlib.contextmanager
def _controller(order: Order) -> Iterator[Controller | None]:
    """Connect to the controller; without a sign-off it need not run."""
    try:
        controller = Controller.open(order.state)
    except ProvisionError as error:
        if order.sign_off:
            raise NoControllerError(error.why, error.do) from None
        yield None
        return
    with controller:
        yield controller


def _broker(order: Order, controller: Controller | None) -> BrokerUrl:
    """Return the broker as nodes reach it. Raises BrokerUrlError, UnsaidError."""
    given = BrokerUrl.of(order.broker, os.environ)
    if given is not None:
        return given
    if controller is None:
        raise UnsaidError("no controller runs", "say with --broker how nodes reach the broker")
    url = BrokerUrl.parse(controller.broker())
    if url.user is not None:
        raise UnsaidError(
            f"the controller's broker {url} asks for a password",
            "say with --broker as whom nodes come, with ?password-file=FILE",
        )
    return url


def _networks(
    order: Order, seed: seeds.Seed, rows: Sequence[Row], ask: Ask
) -> Callable[[Row], Wifi | None]:
    """Return the networks of all rows. Raises ProvisionError, and what `ask` does."""
    files = {row.wifi for row in rows if row.wifi is not None}
    found = {path: wifi.read(path) for path in sorted(files)}
    common = None if order.wifi is None else wifi.read(order.wifi)
    nodes = lacking(order, seed, rows)
    if nodes:
        common = ask(nodes[0])
    return lambda row: common if row.wifi is None else found[row.wifi]
