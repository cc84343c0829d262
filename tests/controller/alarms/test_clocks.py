"""Clocks that were wrong, ours and a node's: what is read for them has an end."""

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from lampione.core.alarm_reads import Hours
from lampione_protocol import schema

from tests.controller.alarms.night import T0, Night

DAY_S = 86400
Read = tuple[float, float, Sequence[str] | None]


def reads(night: Night, *clocks: float) -> list[Read]:
    """Return which hours are read as our clock goes so."""
    found: list[Read] = []
    nothing = np.zeros(0, np.int64), np.zeros((0, 0))

    def hours(since: float, until: float, nodes: Sequence[str] | None) -> Hours:
        found.append((since, until, nodes))
        return Hours(nothing[0], nothing[0], nothing[1], nothing[1])

    core = night.core
    with patch.object(core.alarming._reads, "hours", hours):
        for clock in clocks:
            night.clock.now = clock
            for _ in range(4):
                now = max(core.alarming._tick_at, core.alarming._read_at) + 100
                core.alarming.tick(now, core.broker, core.started)
    return found


def test_our_own_clock_is_set(tmp_path: Path) -> None:
    night = Night(tmp_path, 1, 1, 2, 2)
    try:
        for wrong in (schema.EPOCH_2020, T0 + 4000 * DAY_S, 0):
            found = reads(night, wrong, T0, T0 + 7200)
            assert all(until - since < 3 * DAY_S for since, until, _ in found), found
            assert any(until > T0 for _, until, _ in found), found
    finally:
        night.core.stop()


def test_a_nodes_clock_was_wrong_by_years(tmp_path: Path) -> None:
    night = Night(tmp_path, 1, 1, 3, 2)
    alarming = night.core.alarming
    try:
        reads(night, T0)
        for what in ("hour", "report"):
            alarming._is_late("n-0-0", what, schema.EPOCH_2020)
            alarming._is_late("n-0-1", what, T0 - 7200)
        asked: list[tuple[float, list[str]]] = []

        def series(_: int, since: float, nodes: Sequence[str], __: Sequence[str]) -> list[object]:
            asked.append((since, list(nodes)))
            return []

        with patch.object(alarming._reads, "series", series):
            found = reads(night, T0 + 3700, T0 + 7300)
        assert [nodes for _, nodes in asked] == [["n-0-0"], ["n-0-1"]]
        assert all(since > T0 - 40 * DAY_S for since, _ in asked)
        for since, until, nodes in found:
            assert until - since < (3 if nodes is None else 40) * DAY_S
        assert any(nodes is not None and "n-0-0" in nodes for _, _, nodes in found)
        assert not alarming._late
    finally:
        night.core.stop()
