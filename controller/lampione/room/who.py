"""Who asks, and what an operation of the core's socket needs: view, operate or configure."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, NamedTuple

Role = Literal["view", "operate", "configure"]
ROLES: tuple[Role, ...] = ("view", "operate", "configure")  # each may what those before it may
ITSELF = "lampione"

OPERATE: Role = "operate"
CONFIGURE: Role = "configure"
NEEDS: dict[str, Role] = {
    "send": OPERATE,
    "lock": OPERATE,
    "unlock": OPERATE,
    "note": OPERATE,
    "alarm": OPERATE,
    "deliver": OPERATE,
    "deed": OPERATE,
    "configure": CONFIGURE,
    "revert": CONFIGURE,
    "adopt": CONFIGURE,
    "rekey": CONFIGURE,
    "plan": CONFIGURE,
    "store": CONFIGURE,
    "operator": CONFIGURE,
}
"""Operations that are not here are for everybody who may look."""

WITH: dict[tuple[str, str], Role] = {("rollout", "do"): CONFIGURE}
"""Operations that need more once a request has this parameter."""


class Who(NamedTuple):
    """Who acts.

    operator: the name that stands in the audit. terminal: where, for people.
    why: why the role is no higher, for people. by_pin: a PIN proves the name.
    """

    operator: str
    role: Role
    terminal: str = ""
    why: str | None = None
    by_pin: bool = False


class NotAllowedError(Exception):
    """Whoever asks may not; the text says what it needs."""


@dataclass(eq=False)
class Seat:
    """One connection; `enter` puts somebody else on it. said: he said who he is, with his PIN."""

    who: Who
    said: bool = False


SEAT: ContextVar[Seat] = ContextVar("SEAT")
"""Of the request that is answered."""


def present() -> Who:
    """Return who asks; this program itself outside of a connection."""
    seat = SEAT.get(None)
    return Who(ITSELF, CONFIGURE) if seat is None else seat.who


def needed(op: str, parameters: object = None) -> Role:
    """Return the least role that an operation needs."""
    role = NEEDS.get(op, "view")
    if isinstance(parameters, dict):
        for (other, name), more in WITH.items():
            if other == op and parameters.get(name) is not None:
                role = more if ROLES.index(more) > ROLES.index(role) else role
    return role


def check(who: Who, op: str, parameters: object = None) -> None:
    """Raise NotAllowedError where it is not for this role."""
    role = needed(op, parameters)
    if ROLES.index(who.role) < ROLES.index(role):
        why = f": {who.why}" if who.why else ""
        raise NotAllowedError(f"{op} needs the role {role}, and {who.operator} has {who.role}{why}")
