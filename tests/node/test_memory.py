"""What a node with all its parts leaves free on a board: the benchmark's count, in a short form."""

import pytest
from lampione import seeds

from benchmarks import memory
from tests import virtual_bench

FREE_KB = 40
ROM_FREE_KB = 40
NOISE_BYTES = 128  # which of the tasks waits for what at that instant
boards = virtual_bench.boards


def test_no_growth_without_a_network() -> None:
    settled, later = memory.growth_bytes(12, settle=6)
    assert later - settled <= NOISE_BYTES
    assert settled > 100_000, "the node was not there"


@pytest.mark.soak
def test_no_growth_of_a_whole_profile_in_rom() -> None:
    parts = seeds.load().profiles["street"].parts.settings()
    settled, later = memory.growth_bytes(120, parts=parts, rom=True)
    assert later - settled <= NOISE_BYTES
    assert settled > 80_000, "the node was not there"


def test_enough_is_free_with_tls_up() -> None:
    start, settled, later, code = memory.over_tls(12)
    assert later - settled <= 10 * NOISE_BYTES  # a frame may be on its way
    assert later - start > 80_000, "the node was not there"
    assert code > 25_000, "its modules were not told"
    assert memory.free_kb(start, later, code) >= FREE_KB


def test_a_whole_profile_fits_beside_tls_when_its_code_is_in_rom() -> None:
    parts = seeds.load().profiles["street"].parts.settings()
    start, _, later, code = memory.over_tls(40, parts, rom=True)
    assert later - start > 100_000, "the node was not there"
    assert 5_000 < code < 15_000, "native code alone is in memory"
    assert memory.free_kb(start, later, code) >= ROM_FREE_KB


def test_the_count_knows_what_is_used() -> None:
    """Two bytes here are one there; a buffer's are counted whole."""
    free = memory.free_kb(50_000, 150_000, 30_000)
    assert memory.free_kb(50_000, 170_000, 30_000) == pytest.approx(free - 10)
    assert memory.free_kb(50_000, 150_000, 40_000) == pytest.approx(free - 5)
    assert free < memory.PROMPT_KB - memory.WIFI_KB - memory.TLS_KB - 50
