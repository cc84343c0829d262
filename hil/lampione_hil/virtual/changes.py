"""What the host changes in the world of a board that may be running."""

from typing import Any

from lampione_hil.virtual.life import Life


def change(life: Life, what: str, *arguments: Any) -> object:
    """Change a world in the way `what` names; return what a "call" gives.

    Raises ValueError where there is no such change or part.
    """
    world = life.world
    if what == "unplug":
        part, unplugged = arguments
        was = part in world.unplugged
        world.unplug(part, unplugged)
        if life.powered and was != unplugged:
            life.supply(part, not unplugged)
    elif what == "fault":
        world.fault(*arguments)
    elif what == "set":
        path, attributes = arguments
        target = world.target(path)
        for attribute in attributes:
            if not hasattr(target, attribute):
                raise ValueError(f"{path} has no {attribute!r}")
        for attribute, value in attributes.items():
            setattr(target, attribute, value)
    elif what == "wifi":
        (up,) = arguments
        life.station.set_up(up, life.now_us())
    elif what == "rssi":
        (world.rssi_dbm,) = arguments
    elif what == "air":
        (air,) = arguments
        world.air = air
        for device in world.i2c.values():
            device.move(air)
    elif what == "microvolts":
        pin, value = arguments
        world.microvolts[pin] = value
    elif what == "level":
        pin, value = arguments
        world.levels[pin] = value
    elif what == "call":
        path, method, values = arguments
        return getattr(world.target(path), method)(*values)
    else:
        raise ValueError(f"the world has no {what!r}")
    return None
