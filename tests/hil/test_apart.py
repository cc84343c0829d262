"""Methods that lie on flash until they are called: they do what they did, under both Pythons."""

import ast
from pathlib import Path

import pytest
from lampione_hil import interpreter
from lampione_hil.linking.apart import set_apart
from lampione_hil.linking.known import Known
from lampione_hil.linking.link import LinkError, link
from lampione_hil.linking.moving import move
from lampione_hil.linking.shorten import shorten

from tests.hil.test_link import MAIN, laid_out, said, texts

RARE = """
from .forget import forget
def rare(function):
    return function
def call(name, *given):
    name = 'p.' + name
    try:
        return __import__(name, None, None, ('run',)).run(*given)
    finally:
        forget(name)
"""
FORGET = """
import sys
def forget(name):
    sys.modules.pop(name, None)
    if hasattr(sys.modules['p'], name[2:]):
        delattr(sys.modules['p'], name[2:])
"""
APP = """
import sys
from .box import Box, walk
def main():
    box = Box([1, 2])
    print(box.total(3), box.total(by=4), box.parent.text())
    print(walk(box.slow(2)))
    try:
        box.broken()
    except ValueError as error:
        print('broken', error.args)
    print([name for name in sys.modules if name.startswith('p.box_')])
"""
BOX = """
from .rare import rare
from . import low
from .low import scale
_bias = [10]
def walk(work):
    found = []
    try:
        while True:
            found.append(work.send(None))
    except StopIteration as end:
        return found, end.value
def only_here(n):
    return n * scale
class Wait:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        yield self.n
    __await__ = __iter__
class Box:
    @rare
    def __init__(self, content):
        self.content = content
        self.parent = low.Low()
    @rare
    def total(self, by=2):
        self.helped = only_here(by)
        return sum(self.content) + self.helped + _bias[0] + self.plain()
    def plain(self):
        return 1000
    @rare
    async def slow(self, n):
        for i in range(n):
            await Wait(i)
        return self.total(n)
    @rare
    def broken(self):
        raise ValueError(3)
"""
LOW = "scale = 100\nclass Low:\n    def text(self): return 'low'\n"
PROGRAM = {"p": "", "p.app": APP, "p.box": BOX, "p.low": LOW, "p.rare": RARE, "p.forget": FORGET}


def apart(modules: dict[str, str]) -> tuple[dict[str, ast.Module], dict[str, str]]:
    trees = {name: ast.parse(source, name) for name, source in modules.items()}
    scripts = [ast.parse(MAIN)]
    found = set_apart(Known(trees, scripts))
    move(Known(trees, scripts), found)
    return trees, found


def test_what_is_rare_is_loaded_for_each_call(tmp_path: Path) -> None:
    try:
        interpreter.command()
    except interpreter.NoInterpreterError as error:
        pytest.skip(str(error))
    trees, found = apart(PROGRAM)
    assert found == {f"p.box_{name}": "p.box" for name in ("init", "total", "slow", "broken")}
    after = texts(trees)
    assert "def only_here" in after["p.box_total"]
    assert "range" not in after["p.box"]
    linked = link(trees, [ast.parse(MAIN)], found)
    assert len(linked) < len(trees)
    kept = texts(linked)
    shorten(linked, [ast.parse(MAIN)])
    heard = []
    for number, sources in enumerate((PROGRAM, after, kept, texts(linked))):
        heard.append(said(laid_out(tmp_path / str(number), sources)))
    assert heard == [heard[0]] * 4
    assert heard[0][0] == heard[0][1]
    assert heard[0][0].endswith("[]\n"), "all forgotten"


@pytest.mark.parametrize(
    "method",
    [
        "def m(self, *all): pass",
        "def m(self, *, x=1): pass",
        "def m(self):\n  global n\n  n = 2",
        "def m(self): return n",
    ],
)
def test_what_cannot_stand_apart_is_refused(method: str) -> None:
    change = "n = 1\ndef change():\n global n\n n = 2\n"
    box = f"from .rare import rare\n{change}class Box:\n @rare\n {method}\n"
    with pytest.raises(LinkError, match="m cannot stand apart"):
        apart({**PROGRAM, "p.box": box})


def test_two_of_one_name_are_refused() -> None:
    box = BOX + "class Other:\n    @rare\n    def total(self): pass\n"
    with pytest.raises(LinkError, match="box_total is there already"):
        apart({**PROGRAM, "p.box": box})
