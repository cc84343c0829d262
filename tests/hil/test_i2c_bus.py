"""A virtual board's I2C bus, as the program sees it."""

from lampione_hil.virtual import VirtualBench, World

from tests.hil.parts import Notes

MAIN = b"""
import gc, machine
bus = machine.I2C(0, scl=9, sda=8)
print(bus.scan(), bus.writeto(0x33, b"abc"), bus.readfrom(0x33, 4))
print(bus.readfrom_mem(0x33, 0x12, 2), bus.readfrom_mem(0x33, 0x1234, 3, addrsize=16))
bus.writeto_mem(0x33, 0xabcd, bytearray(b"xy"), addrsize=16)
print(bus.readfrom(0x33, 5))
bus.writevto(0x33, (b"1", b"34"))
held = bytearray(b"......")
bus.readfrom_into(0x33, memoryview(held)[2:5])
print(bytes(held))
bus.writeto(0x33, bytes(range(200)))
print(sum(bus.readfrom(0x33, 300)))
two = bytearray(2)
bus.readfrom_mem_into(0x33, 0x56, two)
before = gc.mem_alloc()
bus.readfrom_mem_into(0x33, 0x56, two)
print(gc.mem_alloc() - before, bytes(two))
try:
    bus.readfrom(0x34, 1)
except OSError as error:
    print("error", error.errno)
"""


def test_what_is_written_and_read() -> None:
    with VirtualBench(clock="virtual") as bench:
        world = World(street=None, air=None, i2c=[Notes()])
        board = bench.board("one", {"/main.py": MAIN}, world=world)
        board.power_on()
        bench.run_for(1)
        assert board.console().splitlines()[:7] == [
            "[51] 3 b'cba\\xee'",
            "b'\\x12\\xee' b'4\\x12\\xee'",
            "b'yx\\xcd\\xab\\xee'",
            "b'..431.'",
            str(sum(range(200)) + 100 * 0xEE),
            "0 b'V\\xee'",
            "error 19",
        ]
