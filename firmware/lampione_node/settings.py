"""The node's settings from a small file on flash: checked, with defaults that keep the lamp lit.

A bad value is replaced by its default and named; a bad part is left out; with a bad broker,
Wi-Fi, name or shard the node stays off the network and follows its program alone.
"""

import json

_NUMBERS = (  # part ("": at the top), key, default, least, most
    ("", "report_interval_s", 60, 1, 3600),
    ("", "health_interval_s", 900, 1, 86_400),
    ("", "outbox_bytes", 524_288, 16_384, 16_777_216),
    ("lamp", "design_percent", 100, 1, 100),
    ("broker", "port", 1883, 1, 65_535),
    ("broker", "tls", False, False, True),
)
_TEXTS = (
    ("", "node shard"),
    ("wifi", "ssid password"),
    ("broker", "host ca cert key user password"),
)
_NEEDED = ("node", "shard", "ssid", "host")


def check(given) -> tuple:
    """Return (settings, faults): every key in place, and a line for each value that was wrong.

    Texts that may be absent are then "". "wifi" and "broker" are None when absent; "broker"
    also when anything that the network needs is wrong. `given` is changed.
    """
    faults = []
    if type(given) is not dict:
        faults.append("settings: not an object")
        given = {}
    for part in ("lamp", "parts", "wifi", "broker"):
        value = given.get(part)
        if value is not None and type(value) is not dict:
            faults.append(part + ": not an object")
            value = {}
        given[part] = value
    for part in ("lamp", "parts"):
        given[part] = given[part] or {}
    offline = False
    for part, key, default, least, most in _NUMBERS:
        group = given[part] if part else given
        if group is None:
            continue
        value = group.setdefault(key, default)
        if type(value) is not type(default) or not least <= value <= most:
            faults.append("%s: %d to %d" % (key, least, most))
            group[key] = default
            offline = offline or part == "broker"
    for part, keys in _TEXTS:
        group = given[part] if part else given
        for key in keys.split() if group is not None else ():
            value = group[key] = group.get(key) or ""
            bad = type(value) is not str or (key in _NEEDED and not value)
            if bad or (not part and any(c in value for c in "/+#.$ ")):
                faults.append(part + " " + key + ": bad text")
                group[key] = ""
                offline = True
    broker = given["broker"]
    if broker and broker["tls"] and not broker["ca"]:
        faults.append("broker ca: needed for tls")
        offline = True
    if offline:
        given["broker"] = None
    parts = given["parts"]
    for name in list(parts):
        pins = parts[name]
        if type(pins) is not dict or not all(type(pin) in (int, str) for pin in pins.values()):
            faults.append("parts " + name + ": not pins")
            del parts[name]
    return given, faults


def load(path: str = "/settings.json") -> tuple:
    """Return (settings, faults) of the file at `path`; never raises."""
    try:
        with open(path) as file:
            given = json.load(file)
    except OSError:
        return check({})[0], [path + ": no such file"]
    except Exception:
        return check({})[0], [path + ": not JSON"]
    return check(given)
