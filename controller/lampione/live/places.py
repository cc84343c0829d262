"""Where each node stands, by its name, of the fleet's file."""

import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lampione.api import Placed


def read(state: Path) -> dict[str, Placed]:
    """Return where each node stands, by its name, as the fleet's file of this state folder says.

    Without such a file, Milan's. Without the checks of `seeds`, which cost a quarter of a second:
    a file that cannot be read only leaves the places unknown.
    """
    packaged = Path(__file__).resolve().parents[1]
    for path in (
        state / "fleet.toml",
        packaged / "_seeds" / "milan.toml",
        packaged.parents[1] / "seeds" / "milan.toml",
    ):
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
            sites = {site["id"]: site for site in document["sites"]}
            profiles = document.get("profiles", {})
            return {
                n["id"]: _placed(n, sites.get(n["site"], {}), profiles.get(n.get("profile"), {}))
                for n in document["nodes"]
            }
        except FileNotFoundError:
            continue
        except (
            OSError,
            ArithmeticError,
            RecursionError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ):
            break
    return {}


def _text(found: Any) -> str | None:
    return found if isinstance(found, str) else None


def _placed(node: dict[str, Any], site: dict[str, Any], profile: dict[str, Any]) -> Placed:
    return {
        "site": str(node["site"]),
        "name": str(site.get("name", node["site"])),
        "latitude": _degrees(node.get("latitude", site.get("latitude"))),
        "longitude": _degrees(node.get("longitude", site.get("longitude"))),
        "approximate": bool(site.get("approximate", False)) and "latitude" not in node,
        "profile": str(node.get("profile", "")),
        "planned": bool(node.get("planned", False)),
        "feeder": _text(node.get("feeder")),
        "radio": _text(node.get("radio", profile.get("radio"))),
    }


def _degrees(found: Any) -> float | None:
    return float(found) if isinstance(found, int | float) else None


def names(placed: Mapping[str, Placed]) -> dict[str, str]:
    """Return each node's site, as people call it."""
    return {node: place["name"] for node, place in placed.items()}


def places(state: Path) -> dict[str, str]:
    """Return each node's site by the node's name, see `read`."""
    return names(read(state))


class Places:
    """The same, read again only when the file is another one."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._stamp: tuple[int, int] | None = None
        self._placed: dict[str, Placed] = {}
        self._sites: dict[str, str] | None = None
        self._lock = threading.Lock()

    def read(self) -> dict[str, str]:
        """Return each node's site by name; the same object while nothing changed."""
        with self._lock:
            try:
                status = (self._state / "fleet.toml").stat()
                stamp = status.st_mtime_ns, status.st_ino
            except OSError:
                stamp = None
            if self._sites is None or stamp != self._stamp:
                self._stamp, self._placed = stamp, read(self._state)
                self._sites = names(self._placed)
            return self._sites

    def placed(self) -> dict[str, Placed]:
        """Return where each node stands."""
        self.read()
        return self._placed
