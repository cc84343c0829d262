"""The firmware's own source files in CPython, over integers of 32 bits that wrap, or refuse to.

That is what the board's compiler would make of them, operation by operation.
"""

import ast
import types
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
SENSING = FIRMWARE / "lampione_node" / "sensing"


class LeftRange(ArithmeticError):
    """A signed result does not fit in 32 bits."""


class Word:
    """A signed 32-bit machine word. Results wrap, or raise LeftRange when `strict` is set."""

    __slots__ = ("flipped", "v")
    strict = False

    def __init__(self, value: int, flipped: bool = False) -> None:
        self.v = ((value + 2**31) & 0xFFFFFFFF) - 2**31
        self.flipped = flipped

    def made(self, value: int, *, free: bool = False) -> "Word":
        if Word.strict and not free and not -(2**31) <= value < 2**31:
            raise LeftRange(f"{value} = 2^{np.log2(float(abs(value))):.2f}")
        return Word(value)

    def __add__(self, other: "Word") -> "Word":
        return self.made(self.v + other.v)

    def __sub__(self, other: "Word") -> "Word":
        # (v ^ sign) - sign is there to extend a sign on 64 bits; here its wrap gives v back
        return self.made(self.v - other.v, free=self.flipped)

    def __mul__(self, other: "Word") -> "Word":
        return self.made(self.v * other.v)

    def __floordiv__(self, other: "Word") -> "Word":
        return self.made(self.v // other.v)

    def __lshift__(self, other: "Word") -> "Word":
        value = self.v << other.v
        return self.made(value, free=value == 2**31)

    def __rshift__(self, other: "Word") -> "Word":
        return Word(self.v >> other.v)

    def __and__(self, other: "Word") -> "Word":
        return Word(self.v & other.v)

    def __or__(self, other: "Word") -> "Word":
        return Word(self.v | other.v)

    def __xor__(self, other: "Word") -> "Word":
        return Word(self.v ^ other.v, flipped=other.v == -(2**31))

    def __lt__(self, other: "Word") -> bool:
        return self.v < other.v

    def __gt__(self, other: "Word") -> bool:
        return self.v > other.v

    def __ge__(self, other: "Word") -> bool:
        return self.v >= other.v

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Word) and self.v == other.v

    def __bool__(self) -> bool:
        return self.v != 0

    def __neg__(self) -> "Word":
        return self.made(-self.v)

    __hash__ = None  # type: ignore[assignment]


class Unsigned:
    """An unsigned 32-bit word, of which the chain uses the right shift."""

    def __init__(self, word: Word) -> None:
        self.v = word.v & 0xFFFFFFFF

    def __rshift__(self, other: Word) -> Word:
        return Word(self.v >> other.v)


class Pointer:
    """Memory as viper sees it: `ptr32` (array 'i') or `ptr16` (array 'H')."""

    def __init__(self, memory: "array[int]") -> None:
        self.memory = memory

    def __getitem__(self, index: Word) -> Word:
        assert index.v >= 0
        return Word(self.memory[index.v])

    def __setitem__(self, index: Word, word: Word) -> None:
        assert index.v >= 0
        self.memory[index.v] = word.v


class Words(ast.NodeTransformer):
    """Make every integer literal in a viper function a Word."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if type(node.value) is int:
            return ast.Call(ast.Name("Word", ast.Load()), [node], [])
        return node


def viper(function: Callable[..., Any]) -> Callable[..., int | None]:
    def call(*arguments: Any) -> int | None:
        made = [Word(a) if isinstance(a, int) else Pointer(a) for a in arguments]
        result = function(*made)
        return None if result is None else int(result.v)

    return call


def machine(name: str) -> dict[str, Any]:
    """Return the viper functions and constants of a firmware file, over Words."""
    tree = ast.parse((SENSING / f"{name}.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.Assign)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            node.args.args = [ast.arg(a.arg) for a in node.args.args]
            node.returns = None
            node.body = [Words().visit(statement) for statement in node.body]
    names: dict[str, Any] = {
        "micropython": types.SimpleNamespace(viper=viper),
        "const": lambda value: value,
        "int": lambda word: word,
        "uint": Unsigned,
        "Word": Word,
    }
    exec(compile(ast.fix_missing_locations(tree), name, "exec"), names)
    return names


@pytest.fixture(params=[False, True], ids=["wrapping", "refusing"])
def word_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test over either kind."""
    Word.strict = request.param
    yield
    Word.strict = False
