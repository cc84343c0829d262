"""Native code inside an .mpy file, and the loops in it (Xtensa, as mpy-cross emits it).

The file: py/persistentcode.c of MicroPython, version 6. The instructions: Xtensa Instruction Set
Architecture, 2 bytes where the low four bits are 8 or more, else 3.
"""

import ast
from collections.abc import Iterator

_STRINGS = (5, 6)  # MP_PERSISTENT_OBJ_STR, _BYTES: with a zero behind them
_NUMBERS = (7, 8, 9)  # _INT, _FLOAT, _COMPLEX: as text
_BYTECODE = 0


def function_alone(source: str, name: str) -> str:
    """Return a module's text with one function, and its constants, alone.

    Raises KeyError when it has no such function.
    """
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    kept = ["import micropython\nfrom micropython import const\n"]
    found = False
    for node in tree.body:
        text = "".join(lines[node.lineno - 1 : node.end_lineno])
        if isinstance(node, ast.FunctionDef) and node.name == name:
            found = True
            kept.append("@micropython.viper\n" + text)
        elif isinstance(node, ast.Assign) and "= const(" in text:
            kept.append(text)
    if not found:
        raise KeyError(name)
    return "".join(kept)


def _uint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[at]
        at += 1
        value = value << 7 | byte & 127
        if byte < 128:
            return value, at


def functions(mpy: bytes) -> list[bytes]:
    """Return the code of every native function of a file, in its order.

    Raises ValueError for a file of another version, or with constants of a kind that no stage has.
    """
    if mpy[:2] != b"M\x06":
        raise ValueError("not an .mpy file of version 6")
    names, at = _uint(mpy, 4)
    objects, at = _uint(mpy, at)
    for _ in range(names):
        size, at = _uint(mpy, at)
        if not size & 1:  # else one that every firmware knows, by its number
            at += (size >> 1) + 1
    for _ in range(objects):
        kind = mpy[at]
        at += 1
        if kind in (*_STRINGS, *_NUMBERS):
            size, at = _uint(mpy, at)
            at += size + (kind in _STRINGS)
        elif kind > 4:
            raise ValueError(f"a constant of kind {kind}")
    found: list[bytes] = []
    at = _walk(mpy, at, found)
    if at != len(mpy):
        raise ValueError("not read to its end")
    return found


def _walk(mpy: bytes, at: int, found: list[bytes]) -> int:
    head, at = _uint(mpy, at)
    code = mpy[at : at + (head >> 3)]
    at += head >> 3
    if head & 3 != _BYTECODE:
        found.append(code)
        _, at = _uint(mpy, at)  # the scope's flags
    if head & 4:
        children, at = _uint(mpy, at)
        for _ in range(children):
            at = _walk(mpy, at, found)
    return at


def instructions(code: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (place, bytes, word) of every instruction; the constants at the beginning are none."""
    jump = int.from_bytes(code[:3], "little")
    if jump & 63 != 6:
        raise ValueError("no jump over the constants")
    at = 4 + (jump >> 6)
    while at < len(code):
        size = 2 if code[at] & 15 >= 8 else 3
        yield at, size, int.from_bytes(code[at : at + size], "little")
        at += size


def _jump(word: int) -> int | None:
    """Return how far a jump or a branch leads from 4 bytes behind its place; None for others."""
    kind, sort = word & 15, word >> 4 & 3
    if kind == 6 and sort == 0:
        bits, shift = 18, 6  # J
    elif kind == 6 and sort == 1:
        bits, shift = 12, 12  # BEQZ and the like
    elif kind == 7 or (kind == 6 and (sort == 2 or word >> 6 & 3 >= 2)):
        bits, shift = 8, 16  # BEQ and the like
    else:
        return None
    far = word >> shift
    return far - (far >> bits - 1 << bits)


def loop_bytes(code: bytes) -> int:
    """Return the bytes of the longest loop: from a backward jump's target to that jump's end."""
    longest = 0
    for _, size, word in instructions(code):
        far = _jump(word)
        if far is not None and far < -4:
            longest = max(longest, size - 4 - far)
    return longest
