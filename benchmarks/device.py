"""The node's side, under MicroPython: what a report allocates, what the code weighs."""

from pathlib import Path

from lampione_hil import interpreter
from lampione_hil.firmware import ESP32, compile_tree

from benchmarks import memory, sample
from benchmarks.row import Row, Rows

ROOT = Path(__file__).parent.parent
PATH = (ROOT / "protocol", ROOT / "firmware")

ALLOCATIONS = """
import gc, cryptolib
from lampione_protocol import ccm, codec, schema, seal
values = {values}
buf = bytearray(64)
sealer = seal.UpSealer(ccm.Ccm(cryptolib.aes(bytes(16), 1)), b"bligny-1", b"abcd", 7)
def cost(call):
    call()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    call()
    after = gc.mem_alloc()
    gc.enable()
    return after - before
empty = cost(lambda: None)
print(cost(lambda: codec.encode_into(schema.REPORT_FIELDS, values, buf, 10)) - empty)
print(cost(lambda: sealer.seal(schema.REPORT, 1234, buf, 43)) - empty)
"""


def _mpy_bytes() -> dict[str, int]:
    """Return the compiled size of every module that a full profile imports, as it ships."""
    return {
        path.removeprefix("/lib/").removesuffix(".mpy").replace("/", "."): len(data)
        for path, data in compile_tree(march=ESP32).items()
        if path.endswith(".mpy")
    }


def rows() -> Rows:
    """Bytes allocated for one report, the code, memory free and its growth, the code a module.

    Four minutes: two virtual hours, and 120 reports over TLS at one a second.
    """
    script = ALLOCATIONS.format(values=sample.steps(1))
    encode, seal = map(int, interpreter.run(["-c", script], path=PATH).split())
    yield Row("encode_alloc_bytes", encode, "B", goal="0")
    yield Row("seal_alloc_bytes", seal, "B")
    sizes = _mpy_bytes()
    yield Row("node_mpy_kb", sum(sizes.values()) / 1000, "kB", goal="<= 25")
    settled, later = memory.growth_bytes(120)
    yield Row("node_growth_bytes", later - settled, "B", "two virtual hours", goal="0")
    start, settled, later = memory.over_tls(120)
    yield Row("node_free_kb", memory.free_kb(start, later), "kB", goal=">= 40")
    yield Row("node_tls_growth_bytes", later - settled, "B", "120 reports over TLS", goal="0")
    for name, size in sizes.items():
        yield Row(f"mpy {name}", size, "B")
