"""Prints what encoding and sealing allocate, in bytes, a message a line. Runs on MicroPython."""

import gc

from cryptolib import aes  # type: ignore[import-not-found]
from lampione_protocol import ccm, codec, names, schema, seal


def measure(fields: tuple, values: list, buf: bytearray, sealer: seal.UpSealer) -> tuple:
    """Return bytes allocated by (the measuring, encode_into, UpSealer.seal)."""
    alloc = gc.mem_alloc  # type: ignore[attr-defined]
    a = alloc()
    b = alloc()
    end = codec.encode_into(fields, values, buf, seal.UP_HEADER)
    c = alloc()
    sealer.seal(schema.REPORT, 1, buf, end)
    d = alloc()
    return b - a, c - b, d - c


def main() -> None:
    """Measure every message with each field at its low end, its high end, and unknown."""
    buf = bytearray(64)
    sealer = seal.UpSealer(ccm.Ccm(aes(bytes(16), 1)), b"node", bytes(4), 1)
    a = gc.mem_alloc()  # type: ignore[attr-defined]
    bytearray(100)
    print("control", gc.mem_alloc() - a, 0)  # type: ignore[attr-defined]
    for _, name, fields in names.ALL_MESSAGES:
        for at in (3, 4, None):
            values: list = []
            for field in fields:
                if field[1] == "y":
                    values.append(bytes(field[2] // 8))
                elif field[1] == "t":
                    values.append(b"x" * (field[2] // 8))
                else:
                    low = field[3] if field[1] == "c" else None
                    values.append(low if at is None else field[at])
            gc.collect()
            gc.disable()
            empty, encode, sealed = measure(fields, values, buf, sealer)
            gc.enable()
            print(name, encode - empty, sealed - empty)


main()
