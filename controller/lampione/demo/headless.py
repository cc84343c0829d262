"""The demo without a screen: the table as it fills, then whether all of it arrived."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from lampione.cli.fleet import print_nodes
from lampione.cli.output import Printer
from lampione.core.client import Client, every_node
from lampione.desk import present

LOOK_S = 0.2
TABLE_LEAST_S = 5.0
GRACE_S = 10.0  # for what is under way when the time is up


@dataclass(frozen=True)
class Verdict:
    """What a demo's run came to."""

    nodes: int
    reported: int
    silent: tuple[str, ...]  # those that never reported, or stopped
    all_reported_after_s: float | None
    stored: int
    missing: int
    lost: int
    refused: int
    duplicates: int

    @property
    def good(self) -> bool:
        """Every node has reported, and nothing is missing."""
        return (
            self.reported == self.nodes
            and not self.silent
            and not self.missing
            and not self.lost
            and not self.refused
        )


class Headless:
    """Watches a fleet for a while.

    Args:
        core: a connection.
        nodes: the ids that must report.
        interval_s: between two reports.
        sites: node id to its site's name.
        check: called often; raises when something that must run has ended.
    """

    def __init__(
        self,
        core: Client,
        nodes: Collection[str],
        interval_s: int,
        sites: dict[str, str],
        out: Printer,
        check: Callable[[], None],
    ) -> None:
        self._core = core
        self._nodes = nodes
        self._interval_s = interval_s
        self._sites = sites
        self._out = out
        self._check = check
        self._began = time.monotonic()
        self._all_after_s: float | None = None

    def run(self, for_s: float | None, ended: threading.Event) -> Verdict:
        """Print the table now and then, for so long or until `ended`; return the verdict.

        Once `ended` is set it judges at once, by what has arrived.
        """
        self._watch(for_s, ended)
        return self._settle(ended)

    def _watch(self, for_s: float | None, ended: threading.Event) -> None:
        end = None if for_s is None else self._began + for_s
        every_s = max(TABLE_LEAST_S, float(self._interval_s))
        table_at = self._began
        while not ended.is_set() and (end is None or time.monotonic() < end):
            rows = self._look()
            if self._all_after_s is None and all(r["report_at"] is not None for r in rows):
                self._all_after_s = time.monotonic() - self._began
                table_at = time.monotonic()
            if time.monotonic() >= table_at:
                self._print(rows)
                table_at = time.monotonic() + every_s
            ended.wait(LOOK_S)

    def _look(self) -> list[dict[str, Any]]:
        self._check()
        found = {row["node"]: row for row in every_node(self._core)}
        return [
            {**found[name], "site": self._sites.get(name)} for name in self._nodes if name in found
        ]

    def _print(self, rows: list[dict[str, Any]]) -> None:
        if self._out.as_json:
            for row in rows:
                self._out.json(present.flat(row))
            return
        now = time.time()
        done = sum(row["report_at"] is not None for row in rows)
        self._out.line()
        self._out.line(
            f"{present.clock(now)}  {time.monotonic() - self._began:.0f} s after power-on, "
            f"{done} of {len(self._nodes)} nodes have reported"
        )
        print_nodes(self._out, rows, now)

    def _settle(self, ended: threading.Event) -> Verdict:
        """Wait a little for what is under way, then judge."""
        end = time.monotonic() + GRACE_S
        while True:
            verdict = self._judge()
            if ended.is_set():
                return verdict
            if verdict.good or time.monotonic() > end:
                self._print(self._look())
                return verdict
            ended.wait(LOOK_S)

    def _judge(self) -> Verdict:
        rows = self._look()
        now = time.time()
        late = tuple(
            name
            for name in self._nodes
            if not any(r["node"] == name and not present.is_stale(r, now) for r in rows)
        )
        return Verdict(
            nodes=len(self._nodes),
            reported=sum(row["report_at"] is not None for row in rows),
            silent=late,
            all_reported_after_s=self._all_after_s,
            stored=sum(row["stored"] for row in rows),
            missing=sum(row["missing"] for row in rows),
            lost=sum(row["lost"] for row in rows),
            refused=sum(row["refused"] for row in rows),
            duplicates=sum(row["duplicates"] for row in rows),
        )


def print_verdict(verdict: Verdict, out: Printer) -> None:
    """Say what the run came to."""
    if out.as_json:
        out.json({"summary": {**verdict.__dict__, "good": verdict.good}})
        return
    out.line()
    after = verdict.all_reported_after_s
    out.line(
        f"{verdict.reported} of {verdict.nodes} nodes reported"
        + ("" if after is None else f", all {after:.1f} s after power-on")
    )
    out.line(
        f"{verdict.stored} frames stored, {verdict.missing} missing, {verdict.lost} lost, "
        f"{verdict.refused} refused, {verdict.duplicates} resent and dropped"
    )
    if verdict.silent:
        out.line(f"silent: {', '.join(verdict.silent)}")
    good, colour = ("fine", "green") if verdict.good else ("not all arrived", "red")
    out.line(out.paint(good, colour))
