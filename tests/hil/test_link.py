"""Modules linked into few files: what they do is what they did, under both Pythons."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter
from lampione_hil.firmware import CompileError, host_march
from lampione_hil.linking.link import LinkError, link
from lampione_hil.linking.shorten import shorten

MAIN = "from p import app\napp.main()\n"


def texts(trees: dict[str, ast.Module]) -> dict[str, str]:
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def linked(modules: dict[str, str], main: str = MAIN) -> dict[str, str]:
    trees = {name: ast.parse(source) for name, source in modules.items()}
    found = link(trees, [ast.parse(main)])
    return texts(found)


def shortened(modules: dict[str, str]) -> dict[str, str]:
    trees = {name: ast.parse(source) for name, source in modules.items()}
    shorten(trees, [ast.parse(MAIN)])
    return texts(trees)


def laid_out(folder: Path, modules: dict[str, str]) -> Path:
    for name, source in modules.items():
        package = any(other.startswith(name + ".") for other in modules)
        path = folder / (name.replace(".", "/") + ("/__init__.py" if package else ".py"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return folder


def said(folder: Path) -> tuple[str, str]:
    """Return what the program says under Python and under MicroPython."""
    both = subprocess.run(
        [sys.executable, "-c", MAIN], cwd=folder, capture_output=True, text=True, check=False
    )
    assert both.returncode == 0, both.stderr
    return both.stdout, interpreter.run(["-c", MAIN], path=[folder]).decode()


LOW = "def f(): return 'low'\n"


def programs_of(path: Path) -> dict[str, dict[str, str]]:
    """Return {what a program is about: {module: source}}."""
    found: dict[str, dict[str, str]] = {}
    for text in path.read_text("utf-8").split("\n== ")[1:]:
        name, *modules = text.split("\n-- ")
        found[name] = dict(module.split("\n", 1) for module in modules)
    return found


PROGRAMS = programs_of(Path(__file__).with_name("link_programs.txt"))
DIFFER = {"statements in their order"}  # a dependency is first, whatever stands before its import


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_linked_program_says_the_same(name: str, tmp_path: Path) -> None:
    modules = {"p": "", **{f"p.{one}": text for one, text in PROGRAMS[name].items()}}
    before, after = dict(modules), linked(modules)
    assert len(after) < len(before)
    heard = []
    short = shortened(after)
    for folder, sources in (("before", before), ("after", after), ("short", short)):
        laid_out(tmp_path / folder, {"micropython": "const = int", **sources})
        heard.append(said(tmp_path / folder))
    if name in DIFFER:
        assert sorted(heard[0][0].split()) == sorted(heard[1][0].split())
        assert heard[1][0] == heard[1][1]
    else:
        assert heard[0] == heard[1]
    assert heard[1] == heard[2]


def test_a_file_is_what_one_root_needs() -> None:
    """Roots: app, node (of a function), three parts (one at a time), a driver of two of them."""
    modules = {
        "p": "",
        "p.app": "from .low import f\ndef main():\n    from .node import run\n    run(f)\n",
        "p.low": LOW,
        "p.node": "from .clock import c\nfrom .parts import build\ndef run(f): build(1)\n",
        "p.clock": "from .low import f\ndef c(): return f()\n",
        "p.parts": "def build(n):\n    if n:\n        from .one import One as Part\n    else:\n"
        "        from .two import Two as Part\n    return Part()\n"
        "def net():\n    from .up import up\n    from .radio import radio\n    return up, radio\n",
        "p.parts.one": "from ..bus import bus\nfrom ..rare import rare\nfrom ..mine import mine\n"
        "class One: f = bus, rare, mine\n",
        "p.parts.two": "from ..bus import bus\nfrom ..rare import rare\nclass Two: f = bus, rare\n",
        "p.bus": "def bus(): return 1\n",
        "p.rare": f"def rare(): return {'x' * 400!r}\n",
        "p.mine": "def mine(): return 1\n",
        "p.parts.up": "from ..clock import c\ndef up(): return c()\n",
        "p.parts.radio": "def radio(): return 1\n",
    }
    found = linked(modules)
    assert sorted(found) == [
        "p",
        "p.app",
        "p.node",
        "p.parts_one",
        "p.parts_two",
        "p.parts_up",  # and radio, imported beside it
        "p.rare",  # for two of them, and not small
    ]
    assert "def f(" in found["p.app"]
    for name in ("c", "build", "bus", "run"):  # the bus is small
        assert f"def {name}(" in found["p.node"], name
    assert "def mine(" in found["p.parts_one"]
    assert "from .parts_up import up, radio" in found["p.node"]
    assert found["p.parts_two"].startswith("from .node import bus\nfrom .rare import rare\n")


def test_a_name_is_plain_in_its_root_and_readable_elsewhere() -> None:
    found = linked({"p": "", "p.app": "from .a import f as g\ndef f(): g()\nmain = f", "p.a": LOW})
    assert "def f():\n    f2()" in found["p.app"]
    assert "def f2():" in found["p.app"]


REFUSED = {
    "from p.a import *": "p.app:3: from p.a import *",
    "from math import *": "p.app:3: from math import *",
    "if n:\n    from . import a": "p.app:4: p.a is imported under a condition",
    "try:\n    from .a import f\nexcept ImportError:\n    pass": "p.app:4: p.a is imported under",
    "class C:\n    from .a import f": "p.app:4: p.a is imported under",
    "import p.a": "p.app:3: import p.a without a name of its own",
    "from . import a\nb = a": "p.app:4: p.a is used as a value",
    "from . import a\nb = getattr(a, 'f')": "p.app:4: p.a is used as a value",
    "from . import a\na.f = 1": "p.app:4: p.a.f is written to",
    "from . import a\ndef g():\n    del a.f": "p.app:5: p.a.f is written to",
    "from . import a\na.g()": "p.app:4: p.a has no g",
    "from .a import g": "p.app:3: p.a has no g",
    "from . import a\nprint(a.__file__)": "p.app:4: p.a has no __file__",
    "def g():\n    from . import a\n    return a": "p.app:5: p.a is used as a value",
    "def g(x):\n    from . import a\n    a = x\n    return a.f": "p.app:5: a is a module and",
    "print(__name__)": "p.app:3: __name__ would tell of p.app",
    "def g(): return globals()": "p.app:3: globals would tell of p.app",
    "class n:\n    n = n": "p.app:4: n is of the class and of the module",
    "from .b import g": "imports p.",  # in a circle
}


@pytest.mark.parametrize("lines", REFUSED)
def test_what_is_not_sure_is_refused(lines: str) -> None:
    modules = {
        "p": "",
        "p.app": f"from .low import f as low\nn = 1\n{lines}\ndef main(): pass\n",
        "p.low": LOW,
        "p.a": "from .low import f as low\ndef f(): return low()\n",
        "p.b": "from .app import n\ndef g(): return n\n",
    }
    if "def g" in lines and "import a" in lines:
        modules["p.a2"] = "def h(): pass\n"
        modules["p.a"] += "from .a2 import h\n"
    if "p.b" not in REFUSED[lines] and "circle" not in REFUSED[lines] and "from .b" not in lines:
        del modules["p.b"]
    with pytest.raises(LinkError) as refused:
        linked(modules)
    assert REFUSED[lines] in str(refused.value)


NAMES = ("f", "g", "h", "min", "n")


@st.composite
def programs(draw: st.DrawFn) -> dict[str, str]:
    """Modules that import from those before them under colliding names; each tells what it sees."""
    count = draw(st.integers(2, 5))
    modules: dict[str, str] = {}
    made: list[list[str]] = []  # names of each module
    for number in range(count):
        lines: list[str] = []
        mine: list[str] = []
        for other in range(number):
            for there in draw(st.lists(st.sampled_from(made[other]), unique=True, max_size=2)):
                here = draw(st.sampled_from(NAMES))
                lazy = draw(st.integers(0, 4)) == 0
                if lazy or here in mine:
                    name = f"lazy{len(lines)}"
                    text = f"from .m{other} import {there} as {here}\n    return show({here})"
                    lines.append(f"def {name}():\n    {text}")
                    mine.append(name)
                else:
                    lines.append(f"from .m{other} import {there} as {here}")
                    mine.append(here)
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=3)):
            if name in mine:
                continue
            sees = draw(st.sampled_from([*NAMES, *mine, name]))
            hidden = draw(st.sampled_from(["_", *NAMES]))
            known = sees in mine or sees in ("min", name) or sees == hidden
            inside = f"    {hidden} = {number}\n    return show({sees if known else number})"
            inside = draw(
                st.sampled_from([inside, f"    return [show({hidden}) for {hidden} in (1,)]"])
            )
            plain = f"{name} = {number}"
            lines.append(draw(st.sampled_from([plain, f"def {name}(a=0):\n{inside}"])))
            mine.append(name)
        show = "def show(x):\n    return x if isinstance(x, (int, str, list)) else type(x).__name__"
        made.append(mine)
        calls = ", ".join(
            f"{name}() if callable({name}) else {name}" for name in mine if name != "min"
        )
        tell = f"def tell{number}():\n    return [{number}, {calls}]"
        modules[f"p.m{number}"] = "\n".join([show, *lines, tell]) + "\n"
    imports = "".join(f"from .m{n} import tell{n}\n" for n in range(count))
    tells = ", ".join(f"tell{n}()" for n in range(count))
    return {"p": "", "p.app": f"{imports}def main(): return [{tells}]\n", **modules}


def outcome(modules: dict[str, str]) -> object:
    """Run a program's main in this Python; the modules are gone afterwards."""

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            import importlib.util

            if name not in modules:
                return None
            package = any(one.startswith(name + ".") for one in modules)
            return importlib.util.spec_from_loader(name, Finder, is_package=package)  # type: ignore[arg-type]

        @staticmethod
        def create_module(spec: object) -> None:
            return None

        @staticmethod
        def exec_module(module: object) -> None:
            exec(modules[module.__name__], vars(module))  # type: ignore[attr-defined]

    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
    try:
        import importlib

        return importlib.import_module("p.app").main()
    except (RecursionError, UnboundLocalError) as error:
        return type(error)
    finally:
        sys.meta_path.remove(Finder)  # type: ignore[arg-type]
        for name in [one for one in sys.modules if one.partition(".")[0] == "p"]:
            del sys.modules[name]


@settings(max_examples=150, deadline=None)
@given(programs())
def test_any_program_does_what_it_did(modules: dict[str, str]) -> None:
    assert outcome(linked(modules)) == outcome(modules)
    assert outcome(shortened(linked(modules))) == outcome(modules)


def test_a_small_node_holds_only_what_it_needs() -> None:
    try:
        interpreter.command()
        host_march()
    except (interpreter.NoInterpreterError, CompileError) as error:
        pytest.skip(str(error))
    from benchmarks import memory

    assert sorted(memory.imported(memory.SMALL)) == [
        "lampione_light",
        "lampione_node",
        "lampione_node.app",
        "lampione_node.drivers_dimmer",
        "lampione_node.drivers_ics43434",
        "lampione_node.drivers_sht45",
        "lampione_node.lamp",
        "lampione_node.lighting",
        "lampione_node.node",
        "lampione_node.outbox",
        "lampione_node.parts_climate",
        "lampione_node.parts_sound",
        "lampione_node.sensing_flat",
        "lampione_node.sensing_sound",
        "lampione_node.uplink",
        "lampione_node.wifi",
    ]
