"""CPython and MicroPython, asked the same about the light, answer the same."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.light import configs
from tests.light.configs import BEGIN, CHANGES, END, NODE, NOW, ORDERS, SENSED
from tests.light.peer import alike
from tests.light.reference import Config, Order, Senses
from tests.light.test_sun import PLACES
from tests.peer import Peer

same_peer = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
ASKED = st.lists(st.tuples(st.one_of(st.none(), NOW, NOW), SENSED, ORDERS), max_size=6)


def put(
    peer: Peer, blob: bytes, node: bytes, asked: list[tuple[int | None, Senses, tuple[Order, ...]]]
) -> object:
    told = [
        (now, (s.dark, s.reduction, s.fault, s.burn_h, s.celsius), orders)
        for now, s, orders in asked
    ]
    return alike(peer, "level", [blob.hex(), node.decode(), told])


@same_peer
@given(configs.configs(), NODE, ASKED)
def test_levels(
    peer: Peer,
    config: Config,
    node: bytes,
    asked: list[tuple[int | None, Senses, tuple[Order, ...]]],
) -> None:
    put(peer, configs.blob(config), node, asked)


@same_peer
@given(configs.configs(), ASKED, st.data())
def test_damaged_configs(
    peer: Peer,
    config: Config,
    asked: list[tuple[int | None, Senses, tuple[Order, ...]]],
    data: st.DataObject,
) -> None:
    blob = bytearray(configs.blob(config))
    for bit in data.draw(st.lists(st.integers(0, len(blob) * 8 - 1), max_size=3)):
        blob[bit >> 3] ^= 1 << (bit & 7)
    put(peer, bytes(blob[: data.draw(st.integers(0, len(blob)))]), b"x", asked)
    put(peer, data.draw(st.binary(max_size=40)), b"x", asked)


def test_the_sun(peer: Peer) -> None:
    """To the second: the host's MicroPython has floats of 64 bits, as here."""
    alike(peer, "sun", PLACES)


@pytest.mark.parametrize("offset_min", [-60, 0, 60, 345, 660])
def test_local_time(peer: Peer, offset_min: int) -> None:
    instants = list(range(BEGIN, END, 86400 * 97 + 4711))
    instants += [change + n for change in CHANGES for n in range(-7200, 7201, 600)]
    for summer_time in (0, 1):
        alike(peer, "civil", [(now, offset_min, summer_time) for now in instants])
