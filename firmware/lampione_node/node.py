"""The node, running: what its tasks share, and what concerns more than one of them."""

import asyncio
import gc
from time import ticks_add, ticks_diff, ticks_ms

import machine
from micropython import const

from .drivers import health
from .forget import forget
from .identity import read_key
from .post import INFO, LAMP_CHANGED, OVERRIDE_ENDED, TASK_RESTARTED, WARNING
from .report import FAULT_CLOCK, FAULT_NETWORK, FAULT_OUTBOX

VERSION = (0, 1, 0)

_REBOOT_MS = const(3000)  # for the result of a reboot to go out
_FAULT_SETTINGS = const(1)
_FAULT_LAMP = const(4)
# The lamp's reasons
_SENSOR = const(2)
_OVERRIDE = const(3)
_GROUP = const(5)
_BOOSTS_MS = const(60000)  # who walks up and down fills no flash
_TRIAL = const(1)  # a config's state
_DAMAGED = const(2)


class Node:
    """Everything of one boot, as `assemble` makes it."""

    def __init__(self) -> None:
        self.lamp = self.lighting = self.burn = self.dust = None
        self.post = self.clock = self.state = self.commands = self.supervisor = None
        self.uplink = self.wifi = self.config = self.about = None
        self.setup = None  # made when it is needed, and forgotten: 8 kB
        self.faults = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        if self.config["state"] == _TRIAL:
            self._make_setup().begin()
        gc.collect()
        gc.threshold(gc.mem_free() // 4)
        print("lampione node %s boot %d epoch %s firmware %d.%d.%d" % self.about)
        await self.supervisor.run()

    def on_fault(self, name: str, text: str, restarts: int) -> None:
        print("lampione:", name, text)
        if restarts & (restarts - 1) == 0:  # the first, second, fourth ...: hours cost no flash
            self.post.event(TASK_RESTARTED, WARNING, restarts)
            self.post.log(WARNING, name + " " + text)

    def status(self) -> tuple:
        faults = self.faults
        if self.config["state"] == _DAMAGED:
            faults |= _FAULT_SETTINGS
        if self.lamp and self.lamp.error:
            faults |= _FAULT_LAMP
        if not self.clock.quality():
            faults |= FAULT_CLOCK
        lighting = self.lighting
        if self.state.failed or self.post.outbox.failed or (lighting and lighting.orders.failed):
            faults |= FAULT_OUTBOX
        uplink = self.uplink
        if not uplink or not uplink.connected:
            faults |= FAULT_NETWORK
        refused = sum(uplink.refused) if uplink else 0
        rssi = self.wifi.rssi() if uplink else None
        return faults, rssi, self.supervisor.restarts, refused

    async def run_lamp(self, check_in) -> None:  # type: ignore[no-untyped-def]
        lamp = self.lamp
        was = lamp.reason, lamp.author
        failed = None
        boosted_ms = ticks_add(ticks_ms(), -_BOOSTS_MS)
        while True:
            check_in()
            await lamp.step()
            lamp.update()
            self.burn.step()
            if lamp.error and not failed:
                print("lampione: lamp", repr(lamp.error))
                self.post.log(WARNING, "lamp " + repr(lamp.error))
            failed = lamp.error
            now = lamp.reason, lamp.author
            if now == was:
                continue
            if was[0] == _OVERRIDE and now[0] <= _GROUP:
                self.post.event(OVERRIDE_ENDED, INFO, lamp.level_percent)
            boosts = was[0] in (_SENSOR, _GROUP) or now[0] in (_SENSOR, _GROUP)
            if boosts:
                if ticks_diff(ticks_ms(), boosted_ms) < _BOOSTS_MS:
                    continue  # told later, if it lasts
                boosted_ms = ticks_ms()
            self.post.event(LAMP_CHANGED, INFO, lamp.level_percent | now[0] << 7 | now[1] << 11)
            was = now

    async def run_commands(self, check_in) -> None:  # type: ignore[no-untyped-def]
        while True:
            check_in()
            await self.commands.step()
            if self.post.exhausted:
                machine.reset()
            if self.setup and self.setup.rest():
                self.setup = None

    def on_clean(self) -> bool:
        dust = self.dust
        if not dust or not dust.cleans or dust.states[0] in (health.SILENT, health.ABSENT):
            return False
        self._cleaning = asyncio.create_task(dust.clean())
        return True

    def _make_setup(self):  # type: ignore[no-untyped-def]
        gc.collect()
        from .setup import Setup

        setup = Setup(self.commands, self.post, self.config, self.on_reboot)
        setup.on_config = self._light_by
        self.setup = setup
        return setup

    def on_config(self, kind: int, counter: int, buf: bytearray, start: int, end: int) -> None:
        """Take a Setup or a Config's piece; what that needs is loaded for it."""
        (self.setup or self._make_setup()).take(kind, counter, buf, start, end)

    def _light_by(self, blob) -> None:  # type: ignore[no-untyped-def]
        """Light by another config from now on; None: by the settings' file alone.

        Raises ValueError for one that is damaged.
        """
        if self.lighting:
            self.lighting.configure(blob)
            if blob and self.lighting.sensed.fault:
                raise ValueError("config")

    def on_reboot(self, seq: int) -> None:
        self._rebooting = asyncio.create_task(self._reboot(seq))

    async def _reboot(self, seq: int) -> None:
        for _ in range(_REBOOT_MS // 50):
            if not self.uplink or self.uplink.published >= seq:
                break
            await asyncio.sleep_ms(50)
        self.state.acked = self.post.outbox.acked
        self.state.save()
        machine.reset()


def _say_hello(name: str) -> None:
    from .hello import facts, say

    say(name, facts(VERSION, 0, None))


def run(settings: dict, faults: list, lamp) -> None:  # type: ignore[no-untyped-def]
    """Run until Ctrl-C; return at once when this node has no name or no key."""
    if not settings["node"]:
        _say_hello("")
        print("lampione: no name in /settings.json: the lamp burns, nothing else runs")
        return
    try:
        key = read_key("/node.key")
    except (OSError, ValueError):
        _say_hello(settings["node"])
        print("lampione: no key of 32 bytes in /node.key: the lamp burns, nothing else runs")
        return
    node = Node()
    from .assemble import assemble

    assemble(node, settings, faults, lamp, key, VERSION)
    del assemble, settings, key
    forget("lampione_node.assemble", "lampione_node.hello")
    asyncio.run(node.run())
