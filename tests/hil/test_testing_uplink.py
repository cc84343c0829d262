"""The other end of a node's radio, on both clocks: what it hears, answers and orders."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.testing import rig
from lampione_hil.testing.links import HubLink, Link, loopback
from lampione_hil.testing.node import Nodes, compiled
from lampione_hil.testing.stand import BrokenBenchError, Rig, Stand
from lampione_hil.testing.uplink import TOPICS, Uplink
from lampione_hil.virtual import World
from lampione_protocol import schema

LEVEL, DONE = 1, 1
QUIET = World(street=None, air=None)


@pytest.fixture(params=["virtual", "wall"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Nodes, Uplink, Stand]]:
    stand = Stand(Rig(rig.virtual(1), tmp_path), "a test", [], request.param)
    stand.world = lambda: QUIET
    nodes = Nodes(stand, lambda march: compiled(None, march))
    try:
        clock = stand.clock
        assert stand.bench is not None
        link: Link = HubLink(stand.bench.hub) if clock.virtual else loopback(TOPICS)
        nodes.broker = link.endpoint
        uplink = Uplink(link, clock, nodes.keys)
        yield nodes, uplink, stand
        uplink.close()
    except (BrokenBenchError, NoInterpreterError) as error:
        pytest.skip(str(error))
    finally:
        stand.close()


def copies(uplink: Uplink, node: Any) -> set[int]:
    return set(uplink.copies(node).values())


def test_a_node_is_heard_and_obeys(bench: tuple[Nodes, Uplink, Stand]) -> None:
    nodes, uplink, stand = bench
    node = nodes(report_interval_s=1)
    hello = uplink.wait_hello(node)
    assert hello["boot"] == 1
    assert uplink.state(node) == b"online"
    counter = uplink.send(node, LEVEL, level=40, ramp=0, for_s=600)
    assert uplink.outcome(node, counter)["level"] == 40
    assert node.pwm_duty(10) == round(65535 * 0.4)
    stand.clock.wait(lambda: len(uplink.of(node, schema.REPORT)) >= 3, "three reports", 20)
    starts = [report["start"] for report in uplink.of(node, schema.REPORT)]
    assert starts == sorted(starts)
    assert {kind for kind, _ in uplink.frames(node)} >= {schema.REPORT, schema.RESULT}
    assert len(uplink.frames(node, schema.RESULT)) == len(uplink.results(node, counter))
    assert copies(uplink, node) == {1}, "what is acknowledged is not sent again"
    assert uplink.errors == []


def test_a_broker_goes_and_comes_back(bench: tuple[Nodes, Uplink, Stand]) -> None:
    nodes, uplink, stand = bench
    node = nodes(report_interval_s=1)
    uplink.wait_hello(node)
    uplink.broker(False)
    stand.clock.run_for(3)
    seen = len(uplink.of(node, schema.REPORT))
    uplink.broker(True)
    stand.clock.wait(lambda: len(uplink.of(node, schema.REPORT)) >= seen + 4, "what it kept", 60)
    numbers = sorted(number for _, _, number in uplink.raw(node))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "none is missing"
    assert uplink.errors == []


def test_what_cannot_be_opened_is_told(bench: tuple[Nodes, Uplink, Stand]) -> None:
    nodes, uplink, stand = bench
    node = nodes(report_interval_s=1)
    nodes.keys[node.name] = bytes(32)  # another's
    stand.clock.wait(lambda: uplink.hellos(node) or uplink.errors, "an error", 20)
    assert "InvalidTag" in uplink.errors[0]
    assert uplink.hellos(node) == []
