"""Short names: which words get one, and that those which must not do not."""

import ast
from pathlib import Path
from typing import Any

import pytest
from lampione.provision import node_scripts
from lampione_hil.firmware import sources
from lampione_hil.linking.shorten import front, shorten
from lampione_hil.linking.slim import slim
from lampione_hil.linking.words import shorten_words

from tests.hil.test_link import texts

STUBS = Path(__file__).parents[2] / ".venv" / "typings"


def short(*lines: str, main: str = "from node import app\napp.main()", **others: str) -> Any:
    """Shorten a package `node` whose app is `lines`, beside other modules of it."""
    modules = {"node": "", "node.app": "\n".join(lines)}
    modules |= {f"node.{name}": source for name, source in others.items()}
    trees = {name: ast.parse(source) for name, source in modules.items()}
    shorten(trees, [ast.parse(main)])
    return texts(trees)


def test_words_of_the_program_get_letters() -> None:
    found = short(
        "from .low import look",
        "class Counter:",
        "    sensor = 3",
        "    def __init__(self, counted, limit=9):",
        "        self._counted = counted",
        "        self._shared = self.limit = limit",
        "    def _step(self, width):",
        "        self._counted += width",
        "        return self._counted",
        "class Failed(ValueError): pass",
        "def main(sensor, counted=1):",
        "    try:",
        "        counter = Counter(sensor, limit=7)",
        "        return counter._step(counted), counter.sensor, counter.limit, look(counter)",
        "    except ValueError as counted:",
        "        return counted",
        low="def look(counter):\n    return counter._shared\n",
    )
    text = found["node.app"]
    for word in ("_counted", "_step", "_shared", "Counter", "look", "width"):
        assert word not in text + found["node.low"], word
    assert "limit=7" in text  # named in a call
    assert "sensor = 3" not in text
    assert "class Failed(ValueError)" in text  # a log tells it
    assert "def main(" in text
    names: dict[str, Any] = {}
    exec(found["node.low"], names)
    imported = text.partition("\n")[0]
    names[imported.rpartition(" ")[2]] = next(v for k, v in names.items() if k[0] != "_")
    exec(text.partition("\n")[2], names)
    assert names["main"](1) == (2, 3, 7, 7)


STAY = {
    "a text spells it": "class A:\n    def fill(self): pass\n    def word(self): pass\n"
    "def main(): return hasattr(A(), 'word')",
    "an attribute of theirs": "import machine\nclass A:\n    def word(self): pass\n"
    "def main(): machine.word()",
    "never the program's own": "def main(x): return x.word",
    "named in a call": "class A:\n    def set(self, word): self.word = word\n"
    "def main(): A().set(word=1)",
    "imported": "from machine import word\ndef main(): return word()",
    "the compiler puts it in": "from micropython import const\nword = const(1 + 2)\n"
    "def main(): return word",
}


@pytest.mark.parametrize("why", STAY)
def test_what_others_may_know_stays(why: str) -> None:
    assert "word" in short(STAY[why])["node.app"]


def test_attributes_of_one_object_are_told_apart() -> None:
    """By its class or what that is derived from; what is given to an unknown object: by all."""
    text = short(
        "class Low:",
        "    def __init__(self): self._first, self._extra = 1, 0",
        "class High(Low):",
        "    def __init__(self):",
        "        Low.__init__(self)",
        "        self._second = 2",
        "class Other:",
        "    def __init__(self): self._third = 3",
        "def main():",
        "    one, other = High(), Other()",
        "    one._extra = 4",
        "    other._extra = 5",
        "    return one._first, one._second, one._extra, other._third, other._extra",
    )["node.app"]
    assert not [word for word in ("first", "second", "third", "extra") if word in text]
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["main"]() == (1, 2, 4, 3, 5)


def test_a_name_is_not_hidden_by_a_local_one() -> None:
    text = short(
        "def helper(): return 1",
        "def another(): return 2",
        "class A:",
        "    word = helper()",
        "    two = another()",
        "def main(a, b):",
        "    for c in range(1): pass",
        "    def inner(d): return helper(), another(), a, b, c, d, A.word, A.two",
        "    return inner(9)",
    )["node.app"]
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["main"](3, 4) == (1, 2, 3, 4, 0, 9, 1, 2)


def test_what_functions_say_most_often_comes_first_in_a_large_module() -> None:
    lines = [f"    a.name{n}.rarely_{n}(a.often.common)" for n in range(130)]
    tree = ast.parse("\n".join(["def main(a):", *lines]))
    front(tree)
    assert ast.unparse(tree).startswith("['common', 'often']\n\ndef main(a):\n")
    tree = ast.parse("\n".join(["def main(a):", *lines[:50]]))
    front(tree)
    assert ast.unparse(tree).startswith("def main(a):")


Shipped = tuple[dict[str, str], set[str], dict[str, str]]


@pytest.fixture(scope="module")
def shipped() -> Shipped:
    """Return the short names of the firmware, its attributes, and what is compiled."""
    firmware, protocol = sources()
    texts = {}
    for folder in (firmware, protocol):
        for path in folder.glob("*/**/*.py"):
            name = path.relative_to(folder).as_posix()[:-3].removesuffix("/__init__")
            texts[name.replace("/", ".")] = path.read_text("utf-8")
    given: dict[str, str] = {}
    members: set[str] = set()

    def noted(trees: dict[str, ast.Module], scripts: list[ast.Module]) -> None:
        nodes = [node for tree in trees.values() for node in ast.walk(tree)]
        members.update(node.attr for node in nodes if isinstance(node, ast.Attribute))
        given.update(shorten_words(trees, scripts))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lampione_hil.linking.shorten.shorten_words", noted)
        scripts = {name: (firmware / name).read_text("utf-8") for name in ("main.py", "boot.py")}
        made = slim(texts, scripts, linked=True)
    return given, members, made


def test_no_name_of_micropython_is_shortened(shipped: Shipped) -> None:
    """Else an attribute of its objects would be asked for by a letter."""
    if not STUBS.is_dir():
        pytest.skip("no type stubs of MicroPython: make check lays them there")
    given, members, _ = shipped
    theirs: set[str] = set()
    for path in STUBS.rglob("*.pyi"):
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                theirs.add(node.id)
            elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                theirs.add(node.name)
    assert len(theirs) > 1000
    public = {word for word in theirs & members if len(word) > 1 and word[0] != "_"}
    assert not sorted(public & given.keys())


def test_what_a_script_at_the_prompt_says_stays(shipped: Shipped) -> None:
    tree = ast.parse(node_scripts.LAMP.format(levels=(), looks=1, settle_ms=1))
    nodes = list(ast.walk(tree))
    said = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    said |= {node.name for node in nodes if isinstance(node, ast.alias | ast.FunctionDef)}
    said |= {node.name for node in nodes if isinstance(node, ast.AsyncFunctionDef)}
    said |= {node.id for node in nodes if isinstance(node, ast.Name) and node.id.startswith("wait")}
    assert not sorted(word for word in said & shipped[0].keys() if word[0] != "_")
    meter = shipped[2]["lampione_node.drivers_pzem"]
    assert "def __init__(" in meter[meter.index("class Pzem") :]
