"""The node's memory: what is free on a board, told from the simulated one.

A node (a profile's parts, lamp, network) runs as it ships, on a virtual board whose heap of 320 KiB
holds as many words of 64 bits as a board's 160 KiB hold of 32. Its main.py prints
`gc.mem_alloc()` before the node is imported and, after a collection, while it runs, and which
modules it holds; nothing in the firmware knows of it.

How that becomes a board's kilobytes (1000 bytes):

    used = (alloc - alloc at the start) / 2 + (buffers + code) / 2
    free = 161 - 16 - 26 - used

Half, since an object's words are pointers or small integers, twice as wide here as there. Bytes
are not: half of them is added again. They are the node's buffers, BUFFER_BYTES, and the code with
its names, for which the bytes of the .mpy files of the modules that it holds stand. By this count
an import takes 1.5 times its file, as was measured on the chip.

161 kB are free at the prompt of the official ESP32 image without PSRAM; Wi-Fi takes 16 kB and a
TLS connection 26 kB of the system's heap beside MicroPython's. On the unix port mbedTLS has its
buffers outside the MicroPython heap too (a connection is seen in it with 5 kB, on both: the
objects of `ssl`), so nothing counts twice.

A node whose code lies in a ROM partition (`rom=True`) runs its bytecode where it is: names and
constants stay in flash, too. Native code does not, so for `code` stand the whole .mpy files of
those modules that have any.

Not in the count: the I2S driver's 20 kB of DMA buffers, which come from the system's heap and
which nobody has measured on a chip beside Wi-Fi and TLS.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lampione_hil import romfs
from lampione_hil.firmware import ESP32, compile_tree
from lampione_hil.partitions import ROM_BYTES
from lampione_hil.virtual import VirtualBench, VirtualBoard

PROMPT_KB = 161
WIFI_KB = 16
TLS_KB = 26
# The sound's 3600, its bins 1024, classes and hour 384, sums 108; MQTT 2 * 576; the outbox and its
# three readers 4 * 56; the Hello's 51; the ciphers' blocks 64 and AES keys 2 * 280; headers 45.
BUFFER_BYTES = 7_212

SMALL = {
    "sound": {"i2s": 0, "sck": 14, "ws": 15, "sd": 16},
    "climate": {"i2c": 0, "scl": 8, "sda": 9},
    "lamp": {"pin": 5},
}

MAIN = b"""
import gc, sys
gc.collect()
start = gc.mem_alloc()
import asyncio
gc.collect()
start -= gc.mem_alloc()
async def look():
    known = 0
    while True:
        await asyncio.sleep(%d)
        if len(sys.modules) != known:
            known = len(sys.modules)
            print("modules", *sys.modules)
        gc.collect()
        print("heap", gc.mem_alloc())
asyncio.create_task(look())
gc.collect()
start += gc.mem_alloc()  # the looks' own memory is not the node's
print("heap", start, "at the start")
from lampione_node import app
app.main()
"""


def files(look_s: int, settings: Mapping[str, object]) -> dict[str, bytes]:
    """Return a flash that tells its heap every `look_s` seconds: SMALL parts, and `settings`."""
    text = {
        "node": "heap",
        "shard": "test",
        "broker": {"host": "127.0.0.1", "port": 1},
        "wifi": {"ssid": "lampione", "password": "lampione"},
        "parts": SMALL,
        **settings,
    }
    return {
        **compile_tree(),
        "/main.py": MAIN % look_s,
        "/settings.json": json.dumps(text).encode(),
        "/node.key": bytes(range(32)),
    }


def _made(bench: VirtualBench, flash: dict[str, bytes], rom: bool) -> VirtualBoard:
    """Return a board with this flash; its code is in the ROM partition instead where `rom`."""
    if not rom:
        return bench.board("heap", flash)
    left = {path: data for path, data in flash.items() if not path.startswith("/lib/")}
    left["/slot"] = b"r"
    board = bench.board("heap", left, rom_bytes=ROM_BYTES)
    board.write_rom(romfs.image(flash))
    return board


def told(board: VirtualBoard) -> list[int]:
    """Return the bytes allocated that a board has told, the first at its start."""
    found = [line.split() for line in board.console().splitlines() if line.startswith("heap ")]
    assert found, board.console()
    assert found[0][2:] == ["at", "the", "start"], "the console's end only: fewer looks, please"
    return [int(words[1]) for words in found]


def code_bytes(board: VirtualBoard, native: bool = False) -> dict[str, int]:
    """Return the .mpy bytes of each of our modules that a board has told to hold.

    native: of those only that have native code, whose .mpy names an architecture.
    """
    lines = [line.split()[1:] for line in board.console().splitlines() if line[:8] == "modules "]
    assert lines, board.console()
    compiled = compile_tree(march=ESP32)
    found = {}
    for name in sorted(set(lines[-1])):
        for path in (name, name + ".__init__"):
            data = compiled.get(f"/lib/{path.replace('.', '/')}.mpy")
            if data is not None and (not native or data[2] >> 2):
                found[name] = len(data)
    return found


def imported(parts: Mapping[str, object]) -> dict[str, int]:
    """Return the .mpy bytes of each module that a node with these parts holds, network and all."""
    with VirtualBench() as bench:
        board = bench.board("heap", files(1, {"parts": parts}))
        board.power_on()
        board.wait_console(r"modules .*lampione_node\.uplink.*\n.*heap \d+")
        return code_bytes(board)


def free_kb(start: int, alloc: int, code: int) -> float:
    """Return what is free on a board with Wi-Fi and TLS up, of bytes allocated here."""
    used = (alloc - start + BUFFER_BYTES + code) / 2
    return PROMPT_KB - WIFI_KB - TLS_KB - used / 1000


def growth_bytes(
    minutes: int, settle: int = 10, parts: Mapping[str, object] = SMALL, rom: bool = False
) -> tuple[int, int]:
    """Run for virtual minutes without a network; return bytes at minute `settle` and at the end."""
    with VirtualBench(clock="virtual") as bench:
        board = _made(bench, files(60, {"parts": parts}), rom)
        board.power_on()
        bench.run_for(minutes * 60 + 30)
        heap = told(board)
    assert len(heap) == minutes + 1, "it did not run all the time"
    return heap[settle], heap[minutes]


def over_tls(
    reports: int, parts: Mapping[str, object] = SMALL, rom: bool = False
) -> tuple[int, int, int, int]:
    """Send reports, one a second, over TLS; return bytes allocated: start, after a tenth, end.

    The fourth is the code it holds in memory.

    Args:
        parts: of the node.
        rom: its code lies in a ROM partition.

    Raises AssertionError unless every one of them has been acknowledged.
    """
    from tests.brokers import Broker, Tls
    from tests.node.controller import Controller
    from tests.node.test_mqtt_tls import Authority

    with tempfile.TemporaryDirectory() as name, VirtualBench() as bench:
        folder = Path(name)
        city = Authority(folder, "city")
        with Broker("nats", folder, tls=Tls(city.pem, *city.issue("127.0.0.1"))) as broker:
            controller = Controller(broker)
            place = {"host": "127.0.0.1", "port": broker.port, "tls": True, "ca": "/ca.der"}
            flash = files(1, {"broker": place, "report_interval_s": 1, "parts": parts})
            board = _made(bench, {**flash, "/ca.der": city.der.read_bytes()}, rom)
            controller.keys["heap"] = flash["/node.key"]
            board.power_on()

            def all_there() -> bool:
                return controller.marks["heap"] >= reports

            controller.wait_for("reports", all_there, reports * 1.5 + 30)
            heap = told(board)
            code = sum(code_bytes(board, native=rom).values())
            controller.close()
    return heap[0], min(heap[3 : 4 + reports // 10]), min(heap[-3:]), code
