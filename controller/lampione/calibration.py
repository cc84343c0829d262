"""What was measured of single units at the bench: beside the fleet's file, over what it says.

    {"version": 1, "nodes": {"bligny-1": {"sound": {"offset_cdb": -120}}}}

`lampione provision` writes it from its list; whoever makes a node's config from the fleet's file
takes it in, so that a push never sends a unit back to its maker's values.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

from lampione_hil.put import put

from lampione.seeds import Seed, SeedError

FILE = "calibration.json"
Calibrations = dict[str, dict[str, dict[str, int]]]
"""Node to part to setting to number."""


def load(folder: Path) -> Calibrations:
    """Return what is known; nothing where there is no file. Raises SeedError."""
    path = folder / FILE
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != 1:
            raise SeedError(f"{path} is of another version than this program knows: update it")
        return _checked(document["nodes"])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SeedError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, SeedError):
            raise
        raise SeedError(f"{path} holds no calibrations: restore it from its backup") from None


def _checked(nodes: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Calibrations:
    found = {
        node: {part: dict(settings.items()) for part, settings in parts.items()}
        for node, parts in nodes.items()
    }
    for parts in found.values():
        for settings in parts.values():
            if any(type(value) is not int for value in settings.values()):
                raise ValueError("not a number")
    return found


def keep(folder: Path, node: str, parts: Mapping[str, Mapping[str, int]]) -> None:
    """Keep a node's calibration, instead of the one before. Raises SeedError, OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        known = load(folder)
        if known.get(node, {}) == parts:
            return
        known[node] = {part: dict(settings) for part, settings in parts.items()}
        text = json.dumps({"version": 1, "nodes": known}, indent=1, sort_keys=True)
        put(folder / FILE, f"{text}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def applied(seed: Seed, found: Calibrations) -> Seed:
    """Return a fleet with these over its nodes' own. Raises SeedError."""
    nodes = []
    for node in seed.nodes:
        measured = found.get(node.id)
        if measured:
            own = node.calibration
            both = {
                part: own.get(part, {}) | measured.get(part, {}) for part in {**own, **measured}
            }
            node = node.model_copy(update={"calibration": both})  # noqa: PLW2901
            try:
                seed.parts_of(node)
            except ValueError as error:
                raise SeedError(f"the calibration of {node.id}: {error}") from None
        nodes.append(node)
    return seed.model_copy(update={"nodes": tuple(nodes)})
