"""The config on flash: which one runs, and what it changes of the settings.

    /config/good    the last one confirmed
    /config/old     the one before
    /config/new     staged, or on trial
    /config/trial   what becomes of `new`: [stage 1][trial s 2][counter of the "apply" 4][CRC-32 4]

A config is a file of

    [version 2][size 2][first 8 bytes of the blob's SHA-256][CRC-32 of these 12 bytes] blob

Nothing is rewritten in place: `new` grows until it is whole, the marker is written beside and
renamed, and every other step is one rename. A marker of START makes `new` run at the next boot,
which turns it into RUN; a boot that finds RUN goes back; KEEP is a confirmation under way, and a
boot ends it. A marker that cannot be read counts as RUN.
"""

import json
import os
from binascii import crc32
from hashlib import sha256
from struct import pack, unpack

from lampione_light.layout import (
    GROUP,
    LAMP,
    PARTS,
    RADIO,
    REPORTING,
    SIZE_MAX,
    ConfigError,
    fields,
    sections,
)
from micropython import const

FOLDER = "/config"  # and this below the root of the file system
SETTINGS = "/settings.json"
HEADER = const(16)
START = const(1)
RUN = const(2)
KEEP = const(3)

CONFIRMED = const(0)
TRIAL = const(1)
DAMAGED = const(2)

_HEAD = ">HH8s"
_MARK = ">BHI"
_MARKER = const(11)
_DIGEST = const(8)


def _checked(data: bytes) -> bytes:
    return data + crc32(data).to_bytes(4, "big")


def header(version: int, size: int, digest: bytes) -> bytes:
    """Return what a config's file begins with."""
    return _checked(pack(_HEAD, version, size, digest))


def read_header(folder: str, slot: str) -> "tuple | None":
    """Return (version, size, digest, bytes here) of a slot; None: there is no such thing."""
    try:
        with open(folder + "/" + slot, "rb") as file:
            head = file.read(HEADER)
            if len(head) == HEADER and head == _checked(head[:-4]):
                return unpack(_HEAD, head[:-4]) + (file.seek(0, 2) - HEADER,)
    except OSError:
        pass
    return None


def load(folder: str, slot: str) -> "tuple | None":
    """Return (version, digest, blob) of a slot; None unless it is whole."""
    head = read_header(folder, slot)
    if head is None or head[1] != head[3] or not 0 < head[1] <= SIZE_MAX:
        return None
    try:
        with open(folder + "/" + slot, "rb") as file:
            file.seek(HEADER)
            blob = file.read(head[1])
    except OSError:
        return None
    return (head[0], head[2], blob) if sha256(blob).digest()[:_DIGEST] == head[2] else None


def mark(folder: str, stage: int, trial_s: int, counter: int) -> None:
    """Say what becomes of `new`. Raises OSError."""
    path = folder + "/trial"
    with open(path + ".new", "wb") as file:
        file.write(_checked(pack(_MARK, stage, trial_s, counter)))
    os.rename(path + ".new", path)


def unmark(folder: str) -> bool:
    """Leave `new` where it is, no longer on trial; False where the flash refuses."""
    try:
        os.remove(folder + "/trial")
    except OSError:
        return False
    return True


def _marker(folder: str) -> tuple:
    try:
        with open(folder + "/trial", "rb") as file:
            found = file.read(_MARKER)
    except OSError:
        return 0, 0, 0
    whole = len(found) == _MARKER and found == _checked(found[:-4])
    return unpack(_MARK, found[:-4]) if whole else (RUN, 0, 0)


def keep(folder: str) -> bool:
    """Make `new`, marked KEEP, the good one; False: it is not whole any more. Raises OSError.

    Can be done again from the start, wherever it was cut.
    """
    whole = load(folder, "new") is not None
    if whole:
        if load(folder, "good"):  # a damaged one is not worth the old one's place
            os.rename(folder + "/good", folder + "/old")
        os.rename(folder + "/new", folder + "/good")
    os.remove(folder + "/trial")
    return whole


def lasting(blob: "bytes | None") -> bytes:
    """Return a hash of the sections that count at boot only."""
    found = {}
    for section, content in sections(blob) if blob else ():
        if section in (GROUP, REPORTING, PARTS, RADIO):
            found[section] = content
    all_of_them = sha256()
    for section in sorted(found):
        all_of_them.update(bytes([section]) + len(found[section]).to_bytes(2, "big"))
        all_of_them.update(found[section])
    return all_of_them.digest()


def overlay(given, blob: bytes) -> dict:  # type: ignore[no-untyped-def]
    """Return the settings with what a config says of them. Raises ValueError; changes `given`.

    A part of the settings that the config does not name stays as it is.
    """
    if type(given) is not dict:
        given = {}
    for section, content in sections(blob):
        if section == LAMP:
            lamp = given.get("lamp")
            if type(lamp) is not dict:
                lamp = given["lamp"] = {}
            values = fields(LAMP, content)
            lamp["design_percent"] = values[0]
            lamp["rated_w"] = values[3]
        elif section == REPORTING:
            given["report_interval_s"], given["health_interval_s"] = fields(REPORTING, content)[:2]
        elif section in (PARTS, RADIO):
            said = json.loads(content)
            if type(said) is not dict:
                raise ConfigError("object", section)
            if section == PARTS:
                parts = given.get("parts")
                if type(parts) is dict and "lamp" in parts and "lamp" not in said:
                    raise ConfigError("lamp", section)
                given["parts"] = said
            else:
                for name in ("wifi", "broker"):
                    if name in said:
                        given[name] = said[name]
    return given


def start(settings, root: str = "") -> tuple:  # type: ignore[no-untyped-def]
    """Return (settings, faults) of this boot, with the config that runs in it.

    Args:
        settings: the module.
        root: of the file system.

    `settings["config"]` has "version" (0: the settings' file alone) and "state"; if there is one
    its "digest" and "blob"; on trial "trial_s" and the "counter" of the apply; after a trial that
    came to nothing "reverted", its version.
    """
    folder = root + FOLDER
    path = root + SETTINGS
    config = {"version": 0, "state": CONFIRMED}
    slots = ["good", "old"]
    stage, trial_s, counter = _marker(folder)
    if stage == START:
        try:
            # On flash before anything of it runs: what ends this boot ends the trial.
            mark(folder, RUN, trial_s, counter)
            slots.insert(0, "new")
        except OSError:
            stage = RUN
    elif stage == KEEP:
        try:
            keep(folder)
        except OSError as error:  # the next boot tries again
            print("lampione: config", repr(error))
    if stage == RUN:
        _revert(config, folder)
    try:
        there = os.listdir(folder)
    except OSError:
        there = []
    for slot in slots:
        found = load(folder, slot)
        if found:
            config["version"], config["digest"], config["blob"] = found
            try:
                made = settings.load(path, lambda given: overlay(given, found[2]))
            except Exception as error:
                print("lampione: config", slot, repr(error))
            else:
                if slot == "new":
                    config["state"] = TRIAL
                    config["trial_s"] = trial_s
                    config["counter"] = counter
                made[0]["config"] = config
                return made
        if slot == "new":
            _revert(config, folder)
        elif slot in there or "old" in there:
            config["state"] = DAMAGED
    made = settings.load(path)
    config["version"] = 0
    config["digest"] = config["blob"] = None
    made[0]["config"] = config
    return made


def _revert(config: dict, folder: str) -> None:
    head = read_header(folder, "new")
    config["reverted"] = head[0] if head else 0
    unmark(folder)
