"""The node's side, under MicroPython: what a report allocates, what the code weighs."""

from pathlib import Path

from lampione import seeds
from lampione_hil import interpreter

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


def _street() -> dict[str, dict[str, int | str]]:
    """Return the parts of Milan's fullest profile."""
    return seeds.load().profiles["street"].parts.settings()


def rows() -> Rows:
    """Bytes allocated for one report, the code, memory free and its growth, the code a module.

    Five minutes: two virtual hours, and 240 reports over TLS at one a second.
    """
    script = ALLOCATIONS.format(values=sample.steps(1))
    encode, seal = map(int, interpreter.run(["-c", script], path=PATH).split())
    yield Row("encode_alloc_bytes", encode, "B", goal="0")
    yield Row("seal_alloc_bytes", seal, "B")
    street = memory.imported(_street())
    yield Row("node_mpy_kb", sum(street.values()) / 1000, "kB", "all parts", goal="<= 45")
    small = memory.imported(memory.SMALL)  # its goal is that of all: the lighting came after it
    yield Row("node_mpy_small_kb", sum(small.values()) / 1000, "kB", "sound, climate, lamp")
    settled, later = memory.growth_bytes(120)
    yield Row("node_growth_bytes", later - settled, "B", "two virtual hours", goal="0")
    start, settled, later, code = memory.over_tls(120)
    yield Row("node_free_kb", memory.free_kb(start, later, code), "kB", goal=">= 40")
    yield Row("node_tls_growth_bytes", later - settled, "B", "120 reports over TLS", goal="0")
    start, _, later, code = memory.over_tls(60, _street())
    yield Row("node_street_free_kb", memory.free_kb(start, later, code), "kB", "all parts")
    for name, what, parts in (
        ("node_rom", "sound, climate, lamp", memory.SMALL),
        ("node_rom_street", "all parts", _street()),
    ):
        start, _, later, code = memory.over_tls(60, parts, rom=True)
        yield Row(f"{name}_code_kb", code / 1000, "kB", f"{what}, code in a ROM partition")
        yield Row(f"{name}_free_kb", memory.free_kb(start, later, code), "kB", what, goal=">= 40")
        settled, later = memory.growth_bytes(120, parts=parts, rom=True)
        yield Row(f"{name}_growth_bytes", later - settled, "B", "two virtual hours", goal="0")
    for name, size in street.items():
        yield Row(f"mpy {name}", size, "B")
