"""Power cuts at random writes and erases: the node always boots, nothing acknowledged is lost.

How many is a parameter of the long form: LAMPIONE_CUTS=10000 make soak. A failure names the seed;
LAMPIONE_SEED plays it again.
"""

import itertools
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lampione_hil import outbox
from lampione_hil.board import BenchError, BoardTimeoutError
from lampione_hil.firmware import compile_tree
from lampione_hil.flashing import Stopped, flash
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.links import HubLink
from lampione_hil.testing.parts import EVENTS, OPS
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_light import layout

from tests import virtual_bench
from tests.hil.test_flash import other
from tests.node.controller import KEY, node_files

LONG = int(os.environ.get("LAMPIONE_CUTS", "10000"))
SEED = int(os.environ.get("LAMPIONE_SEED", "1"))
PIN = 5
DUTY = 65535 * 80 // 100
LAMP = {"design_percent": 80}
SURE, TRIAL = range(2)
DONE = 1


class CutError(Exception):
    """The power has failed."""


class Post:
    """A node on the virtual clock, its controller, and what has been promised."""

    def __init__(self, bench: VirtualBench, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.bench = bench
        files = node_files("cuts", KEY, 1883, shard="hil", lamp=LAMP, outbox_bytes=1 << 17)
        self.board = bench.board("cuts", files, world=World(street=None, air=None))
        self.clock = Clock(bench, "virtual")
        self.uplink = Uplink(HubLink(bench.hub), self.clock, {"cuts": KEY})
        self.cuts = 0
        self.confirmed = 0  # the version that the node has said is confirmed
        self.offered = 0

    def arm(self) -> None:
        """Let the power fail at some write or erase from now on."""
        kept = self.chance.choice([0.0, 0.3, 0.7, 1.0])
        if self.chance.random() < 0.2:
            self.board.cut_power_at_erase(self.chance.randrange(1, 4), kept)
        else:
            self.board.cut_power_at_write(self.chance.randrange(1, 40), kept)

    def disarm(self) -> None:
        """Let it not fail."""
        self.board.cut_power_at_write(0)
        self.board.cut_power_at_erase(0)

    def wait(self, what: str, test: Any, within_s: float = 60.0) -> Any:
        """Wait until something holds. Raises CutError when the power fails first."""

        def seen() -> Any:
            if not self.board.running:
                raise CutError
            return test()

        return self.clock.wait(seen, what, within_s)

    def up(self) -> None:
        """Switch it on and wait until the node runs, or the power fails."""
        count = len(self.uplink.hellos(self.board))
        self.board.power_on()
        self.wait("its hello", lambda: len(self.uplink.hellos(self.board)) > count)

    def look(self) -> None:
        """Switch it on without cuts: it boots, burns, and knows what it has promised."""
        self.disarm()
        board, uplink = self.board, self.uplink
        known = max((seq for _, _, seq in uplink.raw(board)), default=0)
        self.up()
        assert board.pwm_duty(PIN) == DUTY
        assert uplink.errors == []
        hello = uplink.hellos(board)[-1]
        assert hello["first_seq"] > known, "a number is given twice"
        version = hello["config_version"]
        assert version >= self.confirmed, "a confirmed config was lost"
        assert version <= self.offered
        assert hello["config_state"] in (SURE, TRIAL)

    def report(self) -> None:
        """Let it report until the power fails."""
        with suppress(CutError):
            self.up()
            for _ in range(60):
                self.clock.run_for(1)
                if not self.board.running:
                    break

    def configure(self) -> None:
        """Push and confirm a config until the power fails."""
        board, uplink = self.board, self.uplink
        with suppress(CutError):
            self.up()
            self.arm()
            self.offered = version = self.offered + 1
            blob = bytes([layout.FORMAT, layout.LAMP, 0, 1, 80, 200, 2, 0]) + bytes(
                self.chance.randrange(256) for _ in range(512)
            )

            def ask(op: str) -> int:
                counter = uplink.setup(board, OPS[op], version, blob)
                self.wait(op, lambda: uplink.results(board, counter))
                return int(uplink.results(board, counter)[-1]["outcome"])

            ask("offer")
            uplink.chunks(board, version, blob)
            self.wait("every chunk", lambda: ask("apply") == DONE)
            if ask("confirm") == DONE:
                self.confirmed = version
            self.clock.run_for(5)

    def end(self) -> None:
        """See that nothing is missing but what the node has told of."""
        self.look()
        board, uplink = self.board, self.uplink
        self.clock.run_for(60)
        have = {seq for _, _, seq in uplink.raw(board)}
        told = {e["argument"] for e in uplink.events(board, EVENTS["outbox damaged"])}
        oldest = uplink.hellos(board)[-1]["oldest_held"]
        missing = set(range(min(have), max(have))) - have - told
        assert {seq for seq in missing if seq >= oldest} == set()
        self.board.power_off()


bench = virtual_bench.fixture("virtual", "function")


def cut(bench: VirtualBench, count: int, seed: int) -> None:
    """Cut so often, two in three while it reports, one in three while it is configured."""
    post = Post(bench, seed)
    try:
        post.up()
        post.board.power_off()
        while post.cuts < count:
            if post.cuts % 3 == 2:
                post.disarm()
                post.configure()
            else:
                post.arm()
                post.report()
            if not post.board.running:
                post.cuts += 1
            post.board.power_off()
            if post.cuts % 4 == 3:
                post.look()
                post.board.power_off()
        post.end()
    except (AssertionError, BoardTimeoutError) as error:
        raise AssertionError(f"seed {seed}, after {post.cuts} cuts: {error}") from error


@pytest.mark.timeout(300)
def test_cuts_while_it_reports_and_is_configured(bench: VirtualBench) -> None:
    cut(bench, 190, SEED)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(-(-LONG // 500)))
def test_ten_thousand_cuts(bench: VirtualBench, block: int) -> None:
    cut(bench, 500, SEED + block)


def flash_cuts(folder: Path, count: int, seed: int) -> None:
    """Cut while new firmware is written beside what runs: what is in the outbox stays."""
    chance = random.Random(seed)
    old = compile_tree()
    new = itertools.cycle([other(old), old])
    with VirtualBench(folder=folder) as bench:
        files = {**node_files("flash", KEY, 1, broker=None), **old}
        board = bench.board("flash", files, world=World(street=None, air=None))
        before = committed(board, r"lampione node")
        for number in range(count):
            board.power_on()
            board.wait_console("lampione node")
            board.cut_power_at_write(chance.randrange(1, 60), chance.choice([0.0, 0.5, 1.0]))
            with suppress(BenchError):
                flash(board.port, next(new), check=lambda: stop(board))
            board.power_off()
            board.cut_power_at_write(0)
            after = committed(board, r"lampione node")
            assert after[: len(before)] == before, f"seed {seed}, cut {number}"
            before = after


def stop(board: VirtualBoard) -> None:
    """End a flash whose board has no power."""
    if not board.running:
        raise Stopped


def committed(board: VirtualBoard, runs: str) -> list[Any]:
    """Start it, switch it off; return what its outbox holds."""
    board.power_on()
    board.wait_console(runs, 30)
    board.power_off()
    return outbox.messages(board, KEY)


def test_cuts_while_it_is_flashed(tmp_path: Path) -> None:
    flash_cuts(tmp_path / "bench", 10, SEED)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(-(-LONG // 400)))
def test_a_thousand_cuts_while_it_is_flashed(tmp_path: Path, block: int) -> None:
    # Every start begins a segment of the outbox, which has room for 128: after that the oldest go.
    flash_cuts(tmp_path / "bench", 40, SEED + block)
