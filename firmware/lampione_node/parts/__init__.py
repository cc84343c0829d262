"""The parts of a node's profile, a file each: what a part measures, when, and its statistics.

A part has `sensor`, its first bit on the wire; `states`, a list of drivers.health for that bit and
those after it; `period_s`, how often its task checks in; `run(check_in)`; and
`fill(values, duration_ms)`, which puts what it measured since the last call into a Report. Where
it has more to say it also has `fill_health(values)`, `fill_raw(values)` and `fill_hour(hour)`.
"""

# A list: of a constant tuple's texts a board would hold copies.
NAMES = ["climate", "particulates", "gases", "sound", "radar", "light", "energy", "tilt"]


def build(name: str, machine, part, post, air):
    """Return a part; only those that a profile names are imported.

    Args:
        name: one of NAMES.
        machine: where its bus comes from.
        part: what the settings say of it.
        post: takes its events.
        air: sensing.air.Air, shared by all.

    Raises KeyError, TypeError, ValueError or OSError where the settings are wrong.
    """
    if name == "climate":
        from .climate import Climate as Part
    elif name == "particulates":
        from .particulates import Particulates as Part
    elif name == "gases":
        from .gases import Gases as Part
    elif name == "sound":
        from .sound import Sound as Part
    elif name == "radar":
        from .radar import Radar as Part
    elif name == "light":
        from .ambient import Ambient as Part
    elif name == "energy":
        from .energy import Energy as Part
    elif name == "tilt":
        from .tilt import Tilt as Part
    else:
        raise ValueError(name)
    return Part(machine, part, post, air)
