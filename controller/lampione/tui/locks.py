"""The lamps that are locked off, and the questions before one is locked or unlocked."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from lampione.desk.darkness import darkness
from lampione.desk.present import clock
from lampione.desk.text import age, clean
from lampione.tui.dialogs import Ask, Confirm
from lampione.tui.table import Col, Table
from lampione.tui.view import View

COLUMNS = (
    Col("node", 14, lambda tag, _: clean(tag["node"])),
    Col("site", 20, lambda tag, _: clean(tag["site"]), least=110),
    Col("locked by", 10, lambda tag, _: clean(tag["operator"])),
    Col("since", 11, lambda tag, _: clock(tag["at"], "%m-%d %H:%M"), least=110),
    Col("for", 4, lambda tag, now: age(now - tag["at"]), right=True),
    Col("lamp", 12, lambda tag, now: darkness(tag["row"], now)),
    Col("why", 0, lambda tag, _: ("warn", clean(tag["reason"]))),
)


class LocksView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "unlock", "Unlock"),
        Binding("L", "lock", "Lock another"),
    ]
    AUTO_FOCUS = "Table"

    def body(self) -> Iterable[Any]:
        """One line a lock."""
        self.table = Table(
            COLUMNS, lambda tag: tag["node"], self.desk.now, empty="no lamp is locked: L locks one"
        )
        yield self.table

    def renew(self, changed: frozenset[str]) -> None:
        """Show what is new."""
        if changed & {"tags", "sites", "nodes"}:
            sites = self.desk.sites
            rows = [
                {**tag, "site": _site(sites, node), "row": self.desk.fleet.get(node)}
                for node, tag in sorted(self.desk.tags.items())
            ]
            self.table.show(rows)
        elif "clock" in changed:
            self.table.refresh()

    def here(self) -> str | None:
        """Return the node under the cursor."""
        return None if self.table.row is None else str(self.table.row["node"])

    def on_table_opened(self) -> None:
        """Enter on a lock takes it off."""
        self.action_unlock()

    def action_unlock(self) -> None:
        """Take the lock under the cursor off."""
        node = self.here()
        if node is not None:
            unlock(self, node)

    def action_lock(self) -> None:
        """Lock another lamp: its name is asked for."""
        ask_node(self)


def _site(sites: Mapping[str, Any], node: str) -> str:
    return str(sites.get(node, {}).get("name", ""))


def ask_node(view: View) -> None:
    """Ask which lamp, and lock it."""

    def known(text: str) -> None:
        if view.desk.fleet.get(text.strip()) is None:
            raise ValueError(f"there is no node {text.strip()!r}")

    if view.may_act():
        view.ask_for(
            Ask("lock which lamp off?", check=known), lambda text: lock(view, text.strip())
        )


def lock_or_unlock(view: View, node: str) -> None:
    """Lock a lamp; of one that is locked, take the lock off."""
    (unlock if node in view.desk.tags else lock)(view, node)


def lock(view: View, node: str) -> None:
    """Ask why, then for the node's name, and lock it."""
    if not view.may_act():
        return
    tag = view.desk.tags.get(node)
    if tag is not None:
        view.say(f"{node} is locked by {tag['operator']}: {tag['reason']}", "warning")
        return
    site = _site(view.desk.sites, node)

    def why(reason: str) -> None:
        question = Confirm(
            f"lock {node} off?",
            [
                f"1 lamp{f', {clean(site)}' if site else ''}: dark at once, and dark it stays,",
                "whatever anybody or any program says, until the lock is taken off.",
                f"why: {clean(reason)}",
            ],
            typed=node,
        )
        view.confirm(
            question,
            lambda: view.act("lock", f"lock {node}", node=node, reason=reason, confirm=node),
        )

    title = f"why is {node} to be locked off? everybody reads it"
    view.ask_for(Ask(title, check=_said), why)


def unlock(view: View, node: str) -> None:
    """Ask, with a reason unless a PIN proves that its author does it, and take the lock off."""
    if not view.may_act():
        return
    tag = view.desk.tags.get(node)
    if tag is None:
        view.say(f"{node} is not locked", "warning")
        return
    lines = [
        f"{clean(tag['operator'])} locked it {age(view.desk.now() - tag['at'])} ago: "
        f"{clean(tag['reason'])}"
    ]
    follows = "1 lamp follows its program again, at once."
    who = view.desk.who or {}
    author = tag["operator"] == who.get("operator")
    if author and who.get("by_pin"):
        view.confirm(
            Confirm(f"take the lock off {node}?", [*lines, follows]),
            lambda: view.act("unlock", f"unlock {node}", node=node),
        )
        return
    if author:
        lines.append("That it was you no PIN proves, so this needs a reason.")
    lines += ["Is nobody at the lamp? Say how you know; the audit keeps it.", follows]
    whose = "" if author else "of somebody else "
    view.ask_for(
        Ask(f"take the lock {whose}off {node}?", lines, check=_said),
        lambda reason: view.act("unlock", f"unlock {node}", node=node, reason=reason),
    )


def _said(text: str) -> None:
    if not text.strip():
        raise ValueError("say why")
