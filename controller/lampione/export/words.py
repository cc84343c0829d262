"""What the columns of the data that is given away mean, for people who have never seen a node."""

from lampione_protocol import hour, names

_PARTICLES = "mass concentration of particles below {} µm"
_STATE = "what the node says of its sensor: {}"

SENSORS = {
    "particulates": "particles",
    "no2": "nitrogen dioxide",
    "o3": "ozone",
    "climate": "temperature and humidity of the air",
    "sound": "microphone",
    "radar": "traffic radar",
    "light": "ambient light",
    "energy": "energy meter",
    "tilt": "tilt of the lamppost",
}

COMMON = {
    "at": "begin of the interval, or the instant, UTC; by the time of arrival where the node's "
    "clock was not set",
    "node": "name of the lamppost's node",
    "site": "name of the place where the lamppost stands",
    "latitude": "of the site, WGS 84",
    "longitude": "of the site, WGS 84",
    "position_approximate": "the position was read off a map, and not surveyed",
    "clock": "how far the time can be trusted: set by a time server (ntp) or by the controller, "
    "kept since it was last set (holdover), or not set",
    "correction_set": "number of the corrections that the sensors' values went through; 0: none; "
    "as the node last said it before",
} | {f"valid_{name}": f"the values of this sensor are good: {SENSORS[name]}" for name in SENSORS}

MEANINGS: dict[str, dict[str, str]] = {
    "Report": {
        "duration_s": "length of the interval",
        "pm1": _PARTICLES.format("1"),
        "pm2_5": _PARTICLES.format("2.5"),
        "pm10": _PARTICLES.format("10"),
        "no2": "mole fraction of nitrogen dioxide",
        "o3": "mole fraction of ozone",
        "temperature": "temperature of the air",
        "humidity": "relative humidity of the air",
        "laeq": "equivalent continuous sound level, A-weighted",
        "lafmax": "highest sound level, A-weighted, time weighting F",
        "la10": "sound level exceeded 10 % of the interval, A-weighted, F",
        "la50": "sound level exceeded 50 % of the interval, A-weighted, F",
        "la90": "sound level exceeded 90 % of the interval, A-weighted, F: the background",
        "lceq": "equivalent continuous sound level, C-weighted",
        "sound_valid": "share of the interval with valid sound",
        "vehicles_toward": "vehicles that came towards the lamppost",
        "vehicles_away": "vehicles that went away from it",
        "speed_mean": "mean speed of the vehicles; not told for fewer than three",
        "speed_max": "highest speed of a vehicle; not told for fewer than three",
        "presence": "share of the interval with somebody near",
        "ambient_light": "illuminance at the lamppost's head",
        "lamp_level": "level of the lamp at the end of the interval",
        "lamp_reason": "why the lamp has that level",
        "lamp_power": "power that the lamp takes",
        "faults": "what is wrong with the node",
    },
    "Health": {
        "correction_set": COMMON["correction_set"],
        "energy": "energy that the lamp has taken since it was installed",
        "burn_hours": "hours that the lamp has burnt",
        "voltage": "voltage of the mains",
        "board_temperature": "temperature of the node's computer",
        "rssi": "strength of the radio's signal",
        "tilt": "angle of the lamppost against upright",
        "free_heap": "free memory of the node",
        "uptime": "time since the node's last start",
        "outbox_depth": "reports on the node that the controller has not confirmed",
        "outbox_drops": "reports that were dropped for want of room, ever",
        "task_restarts": "tasks restarted since the node's last start",
        "refused_frames": "frames that the node refused since its last start",
        "idle": "share of the time in which the node's computer had nothing to do",
    }
    | {f"state_{name}": _STATE.format(SENSORS[name]) for name in SENSORS},
    "Hour": {
        "part": f"which part of the hour's histograms: 0 to {hour.FIRST_SPEED_PART - 1} sound "
        f"levels in steps of 1 dB from {hour.LEVEL_LOW_DB} dB, the others speeds in steps of "
        f"{hour.SPEED_STEP_KMH} km/h; {hour.BINS_A_PART} bins each",
        "vehicles_toward": "vehicles of the hour that came towards the lamppost",
        "vehicles_away": "vehicles of the hour that went away from it",
        "v85": "speed that 85 % of the vehicles keep below; not told for fewer than three",
        "v85_too_few": "1: fewer than 100 vehicles, too few for a V85 that means something",
        "occupancy": "share of the hour with a vehicle in the beam; not told for fewer than three "
        "vehicles",
    }
    | {f"bin_{n}": f"count of bin {n} of the part" for n in range(hour.BINS_A_PART)},
    "Raw": {
        "duration_s": "length of the interval",
        "pm1": _PARTICLES.format("1") + ", as the sensor gave it",
        "pm2_5": _PARTICLES.format("2.5") + ", as the sensor gave it",
        "pm10": _PARTICLES.format("10") + ", as the sensor gave it",
        "no2_working": "voltage of the working electrode of the cell for nitrogen dioxide",
        "no2_auxiliary": "voltage of its auxiliary electrode",
        "o3_working": "voltage of the working electrode of the cell for ozone",
        "o3_auxiliary": "voltage of its auxiliary electrode",
        "temperature": "temperature of the air at the interval's end",
        "humidity": "relative humidity of the air at the interval's end",
    },
    "Event": {
        "code": "what happened",
        "severity": "how bad it is",
        "argument": "a number that belongs to it; docs/protocol.md has its meaning by code",
    },
}

assert set(SENSORS) == set(names.SENSORS)
