"""`network` with a Wi-Fi station whose air the world decides."""

import time

from _wire import ask, info

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
AUTH_OPEN = 0
AUTH_WPA2_PSK = 3

_STATES = (STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD)
_names = {"hostname": "mpy-esp32s3", "country": "XX"}


def hostname(name=None):
    if name is not None:
        _names["hostname"] = name
    return _names["hostname"]


def country(code=None):
    if code is not None:
        _names["country"] = code
    return _names["country"]


class WLAN:
    """Station interface. An access-point interface exists on the board, not in this world."""

    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("the virtual board has no access-point interface")
        self._config = {"pm": 1, "reconnects": -1, "txpower": 20, "channel": 6}

    def _air(self):
        """Return (state, active, rssi dBm)."""
        state, active, rssi, _ = ask(b"n%d" % time.uptime_us(), 4)
        return _STATES[state], bool(active), rssi - 256

    def active(self, flag=None):
        if flag is None:
            return self._air()[1]
        ask(b"V%d,%d" % (bool(flag), time.uptime_us()), 1)
        return bool(flag)

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._air()[1]:
            raise OSError("Wifi Internal Error")
        ask(b"C" + "\0".join((str(time.uptime_us()), ssid or "", key or "")).encode(), 1)

    def disconnect(self):
        ask(b"X%d" % time.uptime_us(), 1)

    def isconnected(self):
        return self._air()[0] == STAT_GOT_IP

    def status(self, what=None):
        state, _, rssi = self._air()
        if what is None:
            return state
        if what == "rssi":
            return rssi
        raise ValueError("unknown status param")

    def ifconfig(self, settings=None):
        if self.isconnected():
            return (info["ip"], "255.255.255.0", "10.20.0.1", "10.20.0.1")
        return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def ipconfig(self, what=None, **settings):
        if what == "addr4":
            return self.ifconfig()[:2]
        return None

    def scan(self):
        if self._air()[2] > -100:
            return [(b"lampione", b"\x02\0\0\0\0\1", 6, self._air()[2], AUTH_WPA2_PSK, False)]
        return []

    def config(self, *names, **settings):
        if settings:
            self._config.update(settings)
            return None
        if names == ("mac",):
            return bytes.fromhex(info["mac"])
        if names == ("rssi",):
            return self._air()[2]
        if names[0] in _names:
            return _names[names[0]]
        return self._config[names[0]]
