"""What a node that stands at its prompt is asked, by the modules of its own firmware.

What these scripts print holds no secret. The firmware's modules may be joined to fewer files
(`lampione_hil.linking`), so a part is looked for under both names.
"""

ABOUT = """
import binascii, json, os, struct, sys
import machine
def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
found = {"cause": machine.reset_cause(), "slot": sys.path[-1]}
given = None
try:
    given = json.loads(_read("/settings.json"))
    for part in ("wifi", "broker"):
        group = given.get(part)
        if group:
            group["password"] = bool(group.get("password"))
    found["settings"] = given
except Exception:
    pass
numbers = _read("/state/numbers")[:-4]
if len(numbers) >= 10:
    found["boot"], found["counter"], found["acked"] = struct.unpack(">HII", numbers[:10])
box = {}
try:
    for entry in os.ilistdir("/outbox"):
        box[entry[0]] = entry[3] if len(entry) > 3 else 0
except OSError:
    pass
found["box"] = box
del given, numbers
print(json.dumps(found))
"""

# The levels without the node's program: its own lamp module drives the output and its own meter
# reads. Whatever happens, the lamp ends at its design level; one that is locked is left dark.
LAMP = """
import asyncio, gc, json, machine, sys
gc.collect()
from lampione_node import config, light, settings
def _part(name):
    for path in ("lampione_node." + name.replace(".", "_"), "lampione_node." + name):
        try:
            __import__(path)
            return sys.modules[path]
        except ImportError:
            pass
def _found():
    for slot in ("good", "old"):
        whole = config.load("/config", slot)
        if whole:
            try:
                change = lambda given: config.overlay(given, whole[2])
                return settings.load("/settings.json", change)[0]
            except Exception:
                pass
    return settings.load("/settings.json")[0]
class _At:
    wait_ms = 1000
    def __init__(self, percent):
        self.percent = percent
    def level(self, _):
        return self.percent * 100, 3, 0
async def _power(meter, gear):
    if meter:
        said = await meter.measure()
        return said[2] if said else None
    if gear:
        try:
            said = await _part("drivers.d4i").energy(gear)
            return said[1] if said else None
        except Exception:
            return None
async def _steady(meter, gear):
    # two words that agree: a driver takes its time, and so does the meter
    before = await _power(meter, gear)
    for _ in range({looks}):
        await asyncio.sleep_ms({settle_ms})
        now = await _power(meter, gear)
        if now is not None and before is not None and abs(now - before) <= 5:
            return now
        before = now
    return before
async def _test():
    found = _found()
    parts = found["parts"]
    lamp = light.light(found)
    if not lamp:
        print(json.dumps(dict(error="no lamp")))
        return
    if lamp.source:
        print(json.dumps(dict(error="locked")))
        return
    out = lamp.output
    gear = getattr(out, "gear", None)
    meter = task = None
    if "energy" in parts:
        part = parts["energy"]
        tx, rx = machine.Pin(part["tx"]), machine.Pin(part["rx"])
        uart = machine.UART(part["uart"], baudrate=9600, tx=tx, rx=rx, rxbuf=256)
        meter = _part("drivers.pzem").Pzem(uart, part.get("address", 1))
    print(json.dumps(dict(lamp=found["lamp"], metered=bool(meter or gear))))
    try:
        for percent in {levels!r}:
            lamp.source = _At(percent)
            lamp.update()
            if gear:
                task = asyncio.create_task(out.run(lambda *_: None))
            await asyncio.sleep_ms({settle_ms} + (800 if gear else 0))
            if task:
                # its turn is over: the line is free for the meter
                task.cancel()
            power = await _steady(meter, gear)
            print(json.dumps(dict(asked=percent, level=lamp.level_percent, power=power)))
    finally:
        lamp.source = None
        lamp.update()
        if gear:
            task = asyncio.create_task(out.run(lambda *_: None))
            await asyncio.sleep_ms(800)
            task.cancel()
    print(json.dumps(dict(level=lamp.level_percent)))
asyncio.run(_test())
asyncio.new_event_loop()
"""
