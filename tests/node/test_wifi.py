"""Joining Wi-Fi, with the network module played by the test."""

from tests.node import micro

# A station that joins `delay` looks after connect(), and can lose the network.
_HEAD = """
import asyncio, json, sys

class Wlan:
    def __init__(self, kind=0):
        self.calls = []
        self.up = False
        self.delay = 2
        self.code = 1010
    def active(self, on):
        self.calls.append("on" if on else "off")
        if not on:
            self.up = False
    def connect(self, ssid, password):
        if self.delay is None:
            raise OSError("Wifi Internal Error")
        self.calls.append([ssid, password])
        self.left = self.delay
    def isconnected(self):
        if not self.up and self.calls and self.calls[-1] not in ("on", "off"):
            self.left -= 1
            self.up = self.left < 0
        return self.up
    def status(self, what=None):
        return -61 if what == "rssi" else self.code

class Network:
    STA_IF = 0
    WLAN = Wlan
sys.modules["network"] = Network
from lampione_node import wifi
wifi._LOOK_MS = 1

def say(*what):
    print(json.dumps(what))

async def until(condition):
    while not condition():
        await asyncio.sleep_ms(1)
"""


def wifi(script: str) -> list[object]:
    return micro.run(_HEAD + script)


def test_joins_and_does_nothing_when_joined() -> None:
    said = wifi("""
async def main():
    wlan = Wlan()
    await wifi.ensure(wlan, "Vettabbia", "acqua")
    await wifi.ensure(wlan, "Vettabbia", "acqua")
    say(wlan.calls, wifi.rssi(wlan))
asyncio.run(main())
""")
    assert said == [[["on", ["Vettabbia", "acqua"]], -61]]


def test_gives_up_in_time_and_leaves_the_radio_off() -> None:
    said = wifi("""
async def main():
    wlan = Wlan()
    wlan.code = 202
    wlan.delay = 10000
    for _ in range(2):
        try:
            await wifi.ensure(wlan, "Vettabbia", "wrong", 20)
        except wifi.WifiError as error:
            say(error.args[0], wlan.calls, wifi.rssi(wlan))
    wlan.delay = None
    try:
        await wifi.ensure(wlan, "Vettabbia", "wrong", 20)
    except wifi.WifiError as error:
        say(error.args[0], wlan.calls[-1])
    wlan.delay = 10000
    task = asyncio.create_task(wifi.ensure(wlan, "Vettabbia", "acqua", 100000))
    await until(lambda: wlan.calls[-1] == ["Vettabbia", "acqua"])
    task.cancel()
    await asyncio.sleep_ms(1)
    say(wlan.calls[-1])
asyncio.run(main())
""")
    once = ["on", ["Vettabbia", "wrong"], "off"]
    assert said == [
        [202, once, None],
        [202, once * 2, None],
        ["Wifi Internal Error", "off"],
        ["off"],
    ]


def test_keeps_it_joined_under_the_supervisor() -> None:
    said = wifi("""
checks = []
async def main():
    net = wifi.Wifi({"ssid": "a", "password": "b"}, look_s=0.001)
    say(net.joined(), net.rssi())
    task = asyncio.create_task(net.run(lambda: checks.append(1)))
    await until(lambda: net.joins == 1)
    wlan = net._wlan
    wlan.up = False  # lost
    wlan.calls.append("on")
    await until(lambda: net.joins == 2)
    seen = len(checks)
    await until(lambda: len(checks) > seen + 5)
    say(net.joined(), net.rssi(), net.joins)
asyncio.run(main())
""")
    assert said == [[False, None], [True, -61, 2]]


def test_without_settings_the_network_is_there() -> None:
    said = wifi("""
del sys.modules["network"]
async def main():
    net = wifi.Wifi(None, look_s=0.001)
    checks = []
    asyncio.create_task(net.run(lambda: checks.append(1)))
    await until(lambda: len(checks) > 3)
    say(net.joined(), net.rssi(), net.joins, "network" in sys.modules)
asyncio.run(main())
""")
    assert said == [[True, None, 0, False]]
