"""The operators of a controller: names, roles and PINs, in `operators.json` of its folder.

Without the file there is one-man mode: whoever may open the socket may do everything, by the name
that the system knows him by. A PIN is kept as a scrypt hash (RFC 7914) with a salt of its own.
"""

import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lampione import private
from lampione.room.tries import Tries
from lampione.room.who import CONFIGURE, ROLES, Role, Seat, Who

FILE = "operators.json"
PIN_LEAST, PIN_MOST = 4, 64
NAME_MAX = 80  # letters of a name in the audit
_WRONG = "name and PIN do not fit; whoever has a PIN gives it"
_SALT = os.urandom(16)
_N, _R, _P = 1 << 14, 8, 1  # 16 MiB and some 50 ms a try
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


class OperatorsError(Exception):
    """The file cannot be used, or a change cannot be made; the text says why."""


class RefusedEntryError(OperatorsError):
    """Somebody was not let in. deed: what the audit is to hear of it; None: nothing more."""

    def __init__(self, text: str, deed: Mapping[str, Any] | None) -> None:
        super().__init__(text)
        self.deed = deed


class Operator(NamedTuple):
    """One operator. salt, hash: of the PIN; None: there is none."""

    role: Role
    salt: bytes | None = None
    hash: bytes | None = None


def _hashed(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=32)


def check_name(name: str) -> str:
    """Return a name that can be an operator's. Raises OperatorsError."""
    if not _NAME.fullmatch(name):
        raise OperatorsError(f"{name!r} cannot be a name: use a-z, 0-9, '.', '_', '-', 32 at most")
    return name


def load(path: Path) -> dict[str, Operator] | None:
    """Return the operators by name; None: there is no file. Raises OperatorsError."""
    try:
        found: Any = json.loads(private.read(path))
        return {check_name(name): _operator(one) for name, one in found["operators"].items()}
    except FileNotFoundError:
        return None
    except private.NotPrivateError as error:
        raise OperatorsError(str(error)) from None
    except OSError as error:
        raise OperatorsError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise OperatorsError(f"{path} is not a file of operators") from None


def _operator(one: Any) -> Operator:
    pin = one.get("pin")
    if one["role"] not in ROLES:
        raise ValueError
    if pin is None:
        return Operator(one["role"])
    salt, digest = bytes.fromhex(pin["salt"]), bytes.fromhex(pin["scrypt"])
    if len(salt) < 16 or len(digest) != 32:
        raise ValueError
    return Operator(one["role"], salt, digest)


def save(path: Path, operators: dict[str, Operator]) -> None:
    """Write the file, mode 0600; without operators there is none. Raises OSError."""
    if not operators:
        path.unlink(missing_ok=True)
        return
    found: dict[str, Any] = {}
    for name, one in sorted(operators.items()):
        found[name] = {"role": one.role}
        if one.salt is not None and one.hash is not None:
            found[name]["pin"] = {"salt": one.salt.hex(), "scrypt": one.hash.hex()}
    private.put(path, json.dumps({"operators": found}, indent=2).encode())


def changed(
    operators: dict[str, Operator] | None, name: str, role: Role | None, pin: str | None
) -> dict[str, Operator]:
    """Return operators with one added or changed. Raises OperatorsError.

    Args:
        role: None: as it is. pin: None: as it is; "": none any more.
    """
    found = dict(operators or {})
    before = found.get(check_name(name))
    if role is None and before is None:
        raise OperatorsError(f"{name} is new: say the role, {', '.join(ROLES)}")
    if role is not None and role not in ROLES:
        raise OperatorsError(f"{role!r} is no role: {', '.join(ROLES)}")
    one = Operator(role or before.role, *(before[1:] if before else ()))  # type: ignore[union-attr]
    if pin is not None:
        if pin and not PIN_LEAST <= len(pin) <= PIN_MOST:
            raise OperatorsError(f"a PIN has {PIN_LEAST} to {PIN_MOST} letters or digits")
        salt = os.urandom(16)
        one = Operator(one.role, salt, _hashed(pin, salt)) if pin else Operator(one.role)
    found[name] = one
    return _governed(found)


def still(before: dict[str, Operator] | None, operators: dict[str, Operator], seat: Seat) -> Who:
    """Return what somebody is who was there before the operators changed."""
    who = seat.who
    one, was = operators.get(who.operator), (before or {}).get(who.operator)
    if one is None:
        return who._replace(role="view", why=f"{who.operator} is no operator any more")
    if one.hash is not None and not (seat.said and was is not None and was.hash == one.hash):
        return who._replace(role="view", why=f"{who.operator} has a PIN that was not given")
    why = None if one.role == who.role else "it was changed"
    return who._replace(role=one.role, why=why, by_pin=who.by_pin and one.hash is not None)


def said(pin: str | None) -> str | None:
    """Say what became of a PIN, for the audit: never the PIN."""
    return None if pin is None else "changed" if pin else "none"


def without(operators: dict[str, Operator] | None, name: str) -> dict[str, Operator]:
    """Return operators without one. Raises OperatorsError."""
    found = dict(operators or {})
    if found.pop(name, None) is None:
        raise OperatorsError(f"there is no operator {name!r}")
    return _governed(found)


def _governed(operators: dict[str, Operator]) -> dict[str, Operator]:
    if operators and all(one.role != CONFIGURE for one in operators.values()):
        raise OperatorsError(f"somebody has to keep the role {CONFIGURE}")
    return operators


class Doorkeeper:
    """Says who somebody is. Who fails waits longer and longer."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._tries = Tries(now)

    def operators(self) -> dict[str, Operator] | None:
        """Return all there are. Raises OperatorsError."""
        return load(self._path)

    def arrived(self, user: str, terminal: str) -> Who:
        """Return who a user of this machine is before he says it. Raises OperatorsError."""
        operators = self.operators()
        if operators is None:
            return Who(user, CONFIGURE, terminal)
        one = operators.get(user)
        if one is None:
            return Who(user, "view", terminal, f"{user} is no operator: say who you are")
        if one.hash is not None:
            return Who(user, "view", terminal, f"{user} has a PIN that was not given")
        return Who(user, one.role, terminal)

    def enter(self, name: str, pin: str | None, terminal: str) -> Who:
        """Return who somebody is that says so. Slow: a try takes 50 ms.

        Raises OperatorsError, RefusedEntryError.
        """
        operators = self.operators()
        if operators is None:
            try:
                return Who(check_name(name), CONFIGURE, terminal)
            except OperatorsError as error:
                raise self._refused(str(error), name, known=False) from None
        one = operators.get(name)
        wait_s = self._tries.wait_s(name)
        if wait_s:
            text = f"too many tries for {name[:NAME_MAX]!r}: wait {wait_s:.0f} s"
            raise self._refused(text, name, known=one is not None, tried=False)
        if not _fits(one, pin):
            raise self._refused(_WRONG, name, known=one is not None)
        assert one is not None
        self._tries.passed(name)
        return Who(name, one.role, terminal, by_pin=one.hash is not None)

    def _refused(
        self, text: str, name: str, *, known: bool, tried: bool = True
    ) -> RefusedEntryError:
        times = self._tries.failed(name, known=known, tried=tried)
        if times is None:
            return RefusedEntryError(text, None)
        of = None if known else "all names of no operator"
        return RefusedEntryError(text, {"operator": name[:NAME_MAX], "tries": times, "of": of})


def _fits(one: Operator | None, pin: str | None) -> bool:
    """Say whether this is the PIN; it takes as long for nobody's name."""
    if one is not None and one.hash is None:
        return True
    salt, hash_ = (_SALT, bytes(32)) if one is None else (one.salt or b"", one.hash or b"")
    return hmac.compare_digest(_hashed(pin or "", salt), hash_) and pin is not None
