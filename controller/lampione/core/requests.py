"""What operations have in common: the core's thread, and what a request may hold."""

import asyncio
from collections.abc import Callable
from typing import Any

from lampione.api import Json
from lampione.core.core import Core
from lampione.fleet.node import NodeState

NODES_MAX = 5000


class Bad(Exception):
    """The request cannot be answered: args = (api.ErrorKind, message)."""


class InCore:
    """Asks questions in the core's thread."""

    def __init__(self, core: Core):
        self._core = core

    async def in_core(self, question: Callable[[], Any]) -> Any:
        """Ask in the core's thread."""
        return await asyncio.wrap_future(self._core.ask(question))

    def _node(self, name: str) -> NodeState:
        node = self._core.fleet.find(name)
        if node is None:
            raise Bad("unknown", f"there is no node {name!r} with a key")
        return node


def text(request: dict[str, Json], name: str, default: str | None = "") -> Any:
    """Return a text; a default of "" says that it is required. Raises Bad."""
    value = request.get(name)
    if value is None:
        if default == "":
            raise Bad("request", f"{request['op']} needs {name}")
        return default
    if not isinstance(value, str) or "\0" in value:  # PostgreSQL keeps no NUL
        raise Bad("request", f"{name} is a text")
    return value


def number(request: dict[str, Json], name: str, default: float, low: float, high: float) -> float:
    """Return a number in its range. Raises Bad."""
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Bad("request", f"{name} is a number from {low:g} to {high:g}")
    return value


def names(request: dict[str, Json], *, required: bool) -> list[str] | None:
    """Return the request's nodes; None where it may leave them out, and does. Raises Bad."""
    wanted = request.get("nodes")
    if wanted is None and not required:
        return None
    if (
        not isinstance(wanted, list)
        or not 0 < len(wanted) <= NODES_MAX
        or not all(isinstance(name, str) for name in wanted)
    ):
        raise Bad("request", f"nodes is a list of 1 to {NODES_MAX} names")
    return list(dict.fromkeys(wanted))
