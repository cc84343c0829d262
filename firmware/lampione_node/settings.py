"""The node's settings from a small file on flash: checked, with defaults that keep the lamp lit.

A bad value is replaced by its default and named; a bad part is left out; with a bad broker,
Wi-Fi, name or shard the node stays off the network and follows its program alone.
"""

import json

# Key, default, least and most: of a number's value, of a text's length. As text it takes half
# the room that tuples would.
_RULES = """report_interval_s 60 1 510
health_interval_s 900 1 86400
outbox_bytes 524288 16384 16777216
node "" 1 32
shard "" 1 32
lamp.design_percent 100 1 100
lamp.rated_w 0 0 1000
wifi.ssid "" 1 32
wifi.password "" 0 64
broker.host "" 1 253
broker.port 1883 1 65535
broker.tls false 0 1
broker.ca "" 0 64
broker.cert "" 0 64
broker.key "" 0 64
broker.user "" 0 64
broker.password "" 0 64"""


def check(given) -> tuple:
    """Return (settings, faults): every key in place, and a line for each value that was wrong.

    Texts that may be absent are then "". "wifi" and "broker" are None when absent, and both
    when anything that the network needs is wrong. `given` is changed.
    """
    faults = []
    offline = False
    if type(given) is not dict:
        faults.append("settings: not an object")
        given = {}
    for part, group in (("lamp", {}), ("parts", {}), ("wifi", None), ("broker", None)):
        value = given.get(part)
        if type(value) is dict:
            group = value
        elif value is not None:
            faults.append(part + ": not an object")
            group = {}
        given[part] = group
    for rule in _RULES.split("\n"):
        name, default, least, most = rule.split()
        part, _, key = name.rpartition(".")
        group = given[part] if part else given
        if group is None:
            continue
        default = json.loads(default)
        value = group.get(key)
        if value is None:
            value = default
        size = len(value) if isinstance(value, str) else value
        if type(value) is not type(default) or not int(least) <= size <= int(most):
            faults.append(name + ": " + least + " to " + most)
            offline = offline or default == "" or part == "broker"
            value = default
        group[key] = value
    broker = given["broker"]
    if broker and broker["tls"] and not broker["ca"]:
        faults.append("broker.ca: needed for tls")
        offline = True
    if any(c in given["node"] + given["shard"] for c in "/+#.$ "):
        faults.append("node, shard: no / + # . $ or space")
        offline = True
    if offline:
        given["broker"] = given["wifi"] = None
    parts = given["parts"]
    for name in list(parts):
        pins = parts[name]
        if type(pins) is not dict or not all(
            type(pins[key]) is (str if key in ("kind", "eq") else int) for key in pins
        ):
            faults.append("parts." + name + ": not pins")
            del parts[name]
    return given, faults


def load(path: str = "/settings.json", change=None) -> tuple:  # type: ignore[no-untyped-def]
    """Return (settings, faults) of the file at `path`; raises what `change` does, nothing else.

    `change(given)` returns what is to be checked in place of what the file says.
    """
    faults = []
    given = {}
    try:
        with open(path) as file:
            given = json.load(file)
    except OSError:
        faults = [path + ": no such file"]
    except Exception:
        faults = [path + ": not JSON"]
    if change:
        given = change(given)
    given, wrong = check(given)
    return given, faults or wrong
