"""What is needed once is forgotten with the module that needs it, and all does what it did."""

import ast
from pathlib import Path

import pytest
from lampione_hil import interpreter
from lampione_hil.linking.known import Known
from lampione_hil.linking.link import link
from lampione_hil.linking.moving import move
from lampione_hil.linking.shorten import shorten

from tests.hil.test_link import MAIN, laid_out, said, texts

APP = """
import sys
def forget(name):
    del sys.modules[name]
    delattr(sys.modules['p'], name[2:])
def main():
    from .once import start
    made = start('abc')
    forget('p.once')
    print(made.show(), made.again(3).show())
"""
ONCE = """
from .a import Box, fill
from .b import _size
def start(text):
    if text:
        from .c import Plain as Part
    else:
        from .d import Other as Part
    box = Box(fill(text), size=2)
    box.part = Part(box)
    box.parts()
    box._grow()
    return box
def _size2():
    return _size
"""
A = """
from .b import _size, Base
import sys
from sys import byteorder as order
step = 4
def _grow(by):
    return by
def fill(text, to=8):
    list = [one for one in text if one != 'b']
    return helper(list, to)
def helper(found, to):
    return (found, to, step, order == sys.byteorder)
class Box:
    kind = 'box'
    def __init__(self, content, *, size=1):
        self.content = content
        self.size = size
    def _grow(self):
        self.size += _grow(step)
        self.few = Few(self, step)
        self.few.n += len(_size)
    def parts(self):
        self.all = [Few(self, n) for n in range(2)]
    def again(self, n):
        other = Box(self.content, size=n)
        other.part = self.part
        return other
    def show(self):
        return (self.kind, self.content, self.size, self.part.told())
class Few:
    def __init__(self, box, n=1):
        self.box, self.n = box, n
"""
B = "_size = [1, 2]\nclass Base:\n    def told(self): return (self.name, self.got)\n"
C = """
from .e import Wire, max as most
class Plain:
    name = 'plain'
    def __init__(self, box):
        from .d import late as Driver
        self.wire = Wire(most, Driver)
        self.box = box
    def told(self):
        return (self.name, self.wire.both)
"""
D = """
from .b import Base
class Other(Base):
    name = 'other'
    def __init__(self, box):
        self.got = box.size
def late(): return 'late'
"""
E = """
max = 7
class Wire:
    def __init__(self, n, made):
        self.both = (n, made())
"""
PROGRAM = {"p": "", "p.app": APP, "p.once": ONCE, "p.a": A, "p.b": B, "p.c": C, "p.d": D, "p.e": E}


def moved(modules: dict[str, str]) -> dict[str, ast.Module]:
    trees = {name: ast.parse(source, name) for name, source in modules.items()}
    move(Known(trees, [ast.parse(MAIN)]))
    return trees


def test_what_is_needed_once_is_where_it_is_needed(tmp_path: Path) -> None:
    try:
        interpreter.command()
    except interpreter.NoInterpreterError as error:
        pytest.skip(str(error))
    heard = []
    files = [PROGRAM, texts(moved(PROGRAM))]
    trees = link(moved(PROGRAM), [ast.parse(MAIN)])
    files.append(texts(trees))
    shorten(trees, [ast.parse(MAIN)])
    files.append(texts(trees))
    for number, sources in enumerate(files):
        heard.append(said(laid_out(tmp_path / str(number), sources)))
    assert heard == [heard[0]] * 4
    assert heard[0][0] == heard[0][1]
    after = files[1]
    assert "def new_Plain(" in after["p.once"]
    assert "def new_Wire(" in after["p.once"]
    assert "__init__" not in after["p.c"] + after["p.e"]
    assert "def fill" in after["p.once"]
    assert "def helper" in after["p.once"]
    assert "def _grow" in after["p.once"]
    assert "def _grow" not in after["p.a"]


STAYS = {
    "it makes another of its own": "class A:\n def __init__(self): self.n = [A]\n",
    "something is derived from it": "class A:\n def __init__(self): pass\nclass B(A): pass\n",
    "it is derived": "class B: pass\nclass A(B):\n def __init__(self): pass\n",
    "it hands on what is inside": "class A:\n def __init__(self): self.f = lambda: self\n",
    "it returns": "class A:\n def __init__(self):\n  if self: return\n  self.n = 1\n",
    "it changes a global": "n = 1\nclass A:\n def __init__(self):\n  global n\n  n = 2\n",
    "it reads one that changes": (
        "n = 1\ndef f():\n global n\n n = 2\nclass A:\n def __init__(self): self.n = n\n"
    ),
    "it reads a constant of the compiler's": (
        "from micropython import const\nimport time\n_N = const(time.x)\n"
        "class A:\n def __init__(self): self.n = _N\n"
    ),
    "a builtin is something else there": "class A:\n def __init__(self): self.n = len('')\n",
}


@pytest.mark.parametrize("why", STAYS)
def test_what_is_not_sure_stays(why: str) -> None:
    app = "from .forget import forget\ndef main():\n from .once import f\n f()\n forget('p.once')\n"
    once = "from .a import A\nlen = 3\ndef f():\n return A()\n"
    modules = {"p": "", "p.app": app, "p.forget": "def forget(name): pass\n", "p.once": once}
    after = texts(moved({**modules, "p.a": STAYS[why]}))
    assert after["p.a"] == ast.unparse(ast.parse(STAYS[why])), why
    plain = "class A:\n def __init__(self): self.n = 1\n"
    assert "__init__" not in texts(moved({**modules, "p.a": plain}))["p.a"]


@pytest.mark.parametrize(
    "use", ["print(A)", "g = A", "g = [A]", "isinstance(A, A)", "from . import a\n a.A()"]
)
def test_what_is_handed_on_stays(use: str) -> None:
    app = "from .forget import forget\ndef main():\n from .once import f\n f()\n forget('p.once')\n"
    once = f"from .a import A\ndef f():\n A()\n {use}\n"
    modules = {"p": "", "p.app": app, "p.forget": "def forget(name): pass\n", "p.once": once}
    plain = "class A:\n def __init__(self): self.n = 1\n"
    assert "__init__" in texts(moved({**modules, "p.a": plain}))["p.a"]
    asked = {**modules, "p.once": once.replace(use, "isinstance(use, A)"), "p.a": plain}
    assert "__init__" not in texts(moved(asked))["p.a"]


def test_what_is_needed_elsewhere_too_stays() -> None:
    app = (
        "from .forget import forget\nfrom .a import A, f\ndef main():\n A()\n f()\n"
        " from .once import h\n h()\n forget('p.once')\n"
    )
    once = "from .a import A, f, g\ndef h():\n A().m()\n f()\n g()\n"
    a = "class A:\n def __init__(self): self.n = 1\n def m(self): pass\ndef f(): f\ndef g(): pass\n"
    modules = {"p": "", "p.app": app, "p.forget": "def forget(name): pass\n", "p.once": once}
    after = texts(moved({**modules, "p.a": a}))["p.a"]
    assert "__init__" in after
    assert "def f" in after
    assert "def g" not in after, "only once calls it"
    assert "def m" not in after
