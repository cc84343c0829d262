"""Sunrise and sunset by NOAA's algorithm (Meeus), within a minute up to 72 degrees of latitude.

The upper limb touches the horizon: the centre is 90.833 degrees from the zenith, refraction and
half a disc. Good for single-precision floats: only what varies within a day is computed in minutes.
"""

import math

ALWAYS_UP = 1
ALWAYS_DOWN = -1

_ZENITH = math.radians(90.833)
_J2000_DAYS = 7304.5  # from J2000.0 to 2020-01-01T00:00Z


def _position(days: float) -> tuple:
    """Return (declination in rad, equation of time in minutes) so many days after J2000.0."""
    longitude = math.radians((280.46646 + 0.98564736 * days) % 360)
    anomaly = math.radians((357.52911 + 0.98560028 * days) % 360)
    node = math.radians((125.04 - 0.05295377 * days) % 360)
    centre = (
        1.9146 * math.sin(anomaly)
        + 0.019993 * math.sin(2 * anomaly)
        + 0.000289 * math.sin(3 * anomaly)
    )
    apparent = longitude + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    obliquity = math.radians(23.43929 - 3.56e-7 * days + 0.00256 * math.cos(node))
    declination = math.asin(math.sin(obliquity) * math.sin(apparent))
    y = math.tan(obliquity / 2)
    y *= y
    e = 0.016708634 - 1.151e-9 * days
    equation = (
        y * math.sin(2 * longitude)
        - 2 * e * math.sin(anomaly)
        + 4 * e * y * math.sin(anomaly) * math.cos(2 * longitude)
        - 0.5 * y * y * math.sin(4 * longitude)
        - 1.25 * e * e * math.sin(2 * anomaly)
    )
    return declination, 4 * math.degrees(equation)


def noon(day: int, longitude: int) -> int:
    """Return the instant of a day's solar noon; longitude as for `event`."""
    minutes = 720 - longitude / 25000
    minutes -= _position(_J2000_DAYS + day + minutes / 1440)[1]
    return day * 86400 + int(minutes * 60 + 0.5)


def event(day: int, latitude: int, longitude: int, rises: bool) -> tuple:
    """Return (when, what): of a local day's sunrise or sunset, what is 0.

    Args:
        day: of the place's own calendar, since 2020-01-01.
        latitude, longitude: north and east, in 0.00001 degrees.

    On a day without it `when` is the day's solar noon, and `what` ALWAYS_UP or ALWAYS_DOWN. Times
    are seconds since 2020-01-01T00:00:00Z.
    """
    phi = math.radians(latitude / 100000)
    noon_min = 720 - longitude / 25000  # of the mean sun, after the day's 00:00 UTC
    minutes = noon_min
    for _ in range(3):  # the sun moves on until the event: a minute at high latitudes
        declination, equation = _position(_J2000_DAYS + day + minutes / 1440)
        height = math.cos(_ZENITH) - math.sin(phi) * math.sin(declination)
        swing = math.cos(phi) * math.cos(declination)  # at a pole 0, or below it by rounding
        if not -swing < height < swing:
            return noon(day, longitude), ALWAYS_DOWN if height > 0 else ALWAYS_UP
        angle_min = 4 * math.degrees(math.acos(height / swing))
        minutes = noon_min - equation + (-angle_min if rises else angle_min)
    return day * 86400 + int(minutes * 60 + 0.5), 0
