"""Keeps the node joined to its Wi-Fi."""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

_JOIN_MS = const(20_000)
_LOOK_MS = const(250)


class WifiError(Exception):
    """The network was not joined; `args[0]` is the driver's status (201: none, 202: password)."""


async def ensure(wlan, ssid: str, password: str, timeout_ms: int = _JOIN_MS) -> None:
    """Return when `wlan`, a network.WLAN station, is joined; join it first if need be.

    Raises WifiError after `timeout_ms`; the radio is then switched off, so that the next try
    starts from nothing.
    """
    if wlan.isconnected():
        return
    joined = False
    try:
        wlan.active(True)
        wlan.connect(ssid, password)
        start_ms = ticks_ms()
        while not wlan.isconnected():
            if ticks_diff(ticks_ms(), start_ms) > timeout_ms:
                raise WifiError(wlan.status())
            await asyncio.sleep_ms(_LOOK_MS)
        joined = True
    except OSError as error:  # "Wifi Internal Error" of a driver in disorder
        raise WifiError(str(error))
    finally:
        if not joined:
            wlan.active(False)


def rssi(wlan) -> int | None:
    """Return the signal in dBm, None when it is not joined or the driver does not know."""
    try:
        return wlan.status("rssi") if wlan.isconnected() else None
    except (OSError, ValueError):
        return None


class Wifi:
    """The node's network: `settings` is the "wifi" part of /settings.json, or None.

    Without it the network is there already: joined() is always true, run() only checks in.
    `wlan` is a network.WLAN station; None makes one when it is needed.
    """

    def __init__(self, settings, wlan=None, look_s=2):
        if settings and not wlan:
            import network

            wlan = network.WLAN(network.STA_IF)
        self._settings = settings
        self._wlan = wlan
        self._look_ms = int(look_s * 1000)
        self.joins = 0

    def joined(self) -> bool:
        """Return whether there is a network."""
        return not self._settings or self._wlan.isconnected()

    def rssi(self) -> int | None:
        """Return the signal in dBm, or None."""
        return rssi(self._wlan) if self._settings else None

    async def run(self, check_in) -> None:
        """Keep it joined, for the supervisor (period: 30 s). Raises WifiError."""
        while True:
            check_in()
            if not self.joined():
                await ensure(self._wlan, self._settings["ssid"], self._settings["password"])
                self.joins += 1
            await asyncio.sleep_ms(self._look_ms)
