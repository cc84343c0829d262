"""Views of the fleet that people keep by name: filter, order, columns; a file of the user's own."""

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from lampione import private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
MOST = 100


class SavedError(ValueError):
    """The file, or a name, cannot be used; the text says why."""


class SavedView(NamedTuple):
    """See `Fleet.arrange`."""

    words: str = ""
    sort: str = "node"
    descending: bool = False
    faults_only: bool = False
    columns: tuple[str, ...] = ()


def place() -> Path:
    """Return where the file is: LAMPIONE_VIEWS, or XDG_CONFIG_HOME/lampione/views.json."""
    chosen = os.environ.get("LAMPIONE_VIEWS")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "lampione" / "views.json"


def load(path: Path) -> dict[str, SavedView]:
    """Return the views by name. Raises SavedError."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {check(name): _view(one) for name, one in sorted(found.items())}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SavedError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise SavedError(f"{path} is not a file of views") from None


def _view(one: Any) -> SavedView:
    view = SavedView(**{**one, "columns": tuple(one.get("columns", ()))})
    for value, default in zip(view, SavedView(), strict=True):
        if type(value) is not type(default):
            raise TypeError
    if not all(isinstance(key, str) for key in view.columns):
        raise TypeError
    return view


def check(name: str) -> str:
    """Return a name that can be a view's. Raises SavedError."""
    if not _NAME.fullmatch(name):
        raise SavedError(f"{name!r} cannot be a name: letters, digits, '.', '_', '-', 32 at most")
    return name


def save(path: Path, name: str, view: SavedView) -> None:
    """Keep a view. Raises SavedError."""
    views = load(path)
    views[check(name)] = view
    if len(views) > MOST:
        raise SavedError(f"{MOST} views are kept: remove one")
    _put(path, views)


def remove(path: Path, name: str) -> None:
    """Forget a view. Raises SavedError."""
    views = load(path)
    if views.pop(name, None) is None:
        raise SavedError(f"there is no view {name!r}: {', '.join(views) or 'none is kept'}")
    _put(path, views)


def _put(path: Path, views: dict[str, SavedView]) -> None:
    content = json.dumps({name: view._asdict() for name, view in sorted(views.items())}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private.put(path, content.encode())
    except OSError as error:
        raise SavedError(f"{path}: {error.strerror}") from None
