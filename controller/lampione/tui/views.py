"""The table of views: names to jump by, keys, classes, and the command that says the same."""

from importlib import import_module
from typing import NamedTuple

from lampione.tui.view import View


class Place(NamedTuple):
    """One view.

    key: jumps to it from everywhere; "" for those that are seldom wanted.
    target: module and class, imported when it is first seen.
    twin: the command whose `--json` says the same; NODE stands for a node's name.
    """

    name: str
    key: str
    target: str
    twin: tuple[str, ...]
    summary: str

    def make(self) -> View:
        """Return a new view."""
        module, _, kind = self.target.partition(":")
        view: View = getattr(import_module(module), kind)()
        return view


VIEWS = (
    Place("fleet", "1", "lampione.tui.fleet_view:FleetView", ("nodes",), "all nodes, live"),
    Place("map", "2", "lampione.tui.map:MapView", ("map",), "the district, a letter a node"),
    Place("alarms", "3", "lampione.tui.alarms:AlarmsView", ("alarms",), "what is broken"),
    Place("node", "4", "lampione.tui.node:NodeView", ("show", "NODE"), "one node"),
    Place(
        "commission",
        "5",
        "lampione.tui.commission:CommissionView",
        ("boards",),
        "boards on USB become nodes",
    ),
    Place(
        "rollouts",
        "6",
        "lampione.tui.rollouts:RolloutsView",
        ("config", "rollouts"),
        "configs on their way to nodes, in stages",
    ),
    Place(
        "bench",
        "7",
        "lampione.tui.bench:BenchView",
        ("hil", "list", "--smoke"),
        "tests of firmware on boards, measured",
    ),
    Place(
        "audit", "8", "lampione.tui.audit:AuditView", ("audit",), "who did what, and its outcome"
    ),
    Place(
        "attach",
        "",
        "lampione.tui.attach:AttachView",
        ("attach",),
        "the node on a USB cable, whatever its radio does",
    ),
    Place("locks", "", "lampione.tui.locks:LocksView", ("locks",), "lamps that are locked off"),
    Place(
        "notes", "", "lampione.tui.notes:NotesView", ("notes",), "what a shift leaves to the next"
    ),
)
BY_NAME = {place.name: place for place in VIEWS}
FIRST = "fleet"
