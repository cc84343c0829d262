"""Short words for what only the program itself knows, since a board keeps every name in memory.

Attributes, methods, functions, classes and global names become letters. A word has the same letter
wherever it stands; two words may have the same one where they never meet: not as attributes of one
class (with what it is derived from), nor as names of one file. So a file says few different names,
and each of them often. What stays as it is:

- what a text spells (`hasattr(part, "fill_hour")`), scripts, the names of arguments in a call,
  what is imported from outside the program, and what its modules are called;
- errors' classes, which a log tells;
- attributes that the program never gives to an object of its own, and those that objects of
  MicroPython have as well (`THEIRS`): who is asked for one of these, nobody knows here.
"""

import ast
import builtins
import keyword
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lampione_hil.linking.scopes import Names, Use

_Function = ast.FunctionDef | ast.AsyncFunctionDef

# Attributes of MicroPython's objects that the firmware uses for its own, too.
# tests/hil/test_words.py looks for missing ones in the type stubs.
_ATTRIBUTES = """
accept active add any buf close commit config connect count decode degrees duty_u16 encode end
error execute fill find function get index load locked log measure name next open path poll pos
post publish put raw read reason run seek send set setup shape start state status step stop
subscribe sum update values verify_mode
"""
THEIRS = frozenset(_ATTRIBUTES.split())
# What scripts at a board's prompt say (controller/lampione/provision/node_scripts.py).
_SAID = """
Pzem address energy gear lamp level level_percent light load measure output overlay run source
update wait_ms
"""
PROMPT = frozenset(_SAID.split())


@dataclass
class _Word:
    """Where a word stands, and what it must not be mixed up with."""

    places: list[tuple[ast.AST, str]] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)
    meets: set[tuple[str, str]] = field(default_factory=set)  # classes and files that have it
    hidden: set[str] = field(default_factory=set)  # by locals, somewhere
    made: bool = False  # by the program
    loose: bool = False  # given to an object that may be of any class


def shorten_words(trees: Mapping[str, ast.Module], scripts: Iterable[ast.Module]) -> dict[str, str]:
    """Give the words of a program short names; return {word: its name}.

    Args:
        trees: the files of the program by their dotted names; they are changed.
        scripts: what it begins with; what they spell is left alone.
    """
    found = _Words(trees)
    for script in scripts:
        for node in ast.walk(script):
            found.fixed |= {w for w in vars(node).values() if isinstance(w, str)} | {*spelled(node)}
    given = found.choose()
    found.write(given)
    return given


def spelled(node: ast.AST) -> Iterator[str]:
    """Yield the words that others may know by a node: a call's arguments, texts."""
    if isinstance(node, ast.keyword) and node.arg:
        yield node.arg
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from node.value.split(".")


def letters() -> Iterator[str]:
    """Yield a, b ... aa, ab ... without keywords and builtins."""
    one = "abcdefghijklmnopqrstuvwxyz"
    for word in (*one, *(first + second for first in one for second in one)):
        if not keyword.iskeyword(word) and not hasattr(builtins, word):
            yield word


class _Words:
    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self.fixed: set[str] = {*PROMPT}
        self._trees = trees
        self._names = {name: Names(name, tree) for name, tree in trees.items()}
        self._words: dict[str, _Word] = {}
        self._family = families(trees.values())
        self._attributes: set[str] = set()
        self._imports: list[tuple[ast.alias, str, bool]] = []  # of the program's own
        for name, tree in trees.items():
            self._aliases = {
                id(alias): self._base(name, node)
                for node in ast.walk(tree)
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in node.names
            }
            self._look(name, tree)
        self.fixed |= {word for word in self._words if word[:2] == "__"}
        self.fixed |= self._attributes.intersection(THEIRS)
        self.fixed |= _errors(trees.values())

    def _base(self, name: str, node: ast.Import | ast.ImportFrom) -> str:
        if isinstance(node, ast.Import):
            return ""
        inside = name.split(".")
        package = any(other.startswith(name + ".") for other in self._trees)
        inside = inside[: len(inside) - node.level + package] if node.level else []
        return ".".join([*inside, *filter(None, [node.module])])

    def _word(self, word: str, file: str, node: ast.AST, where: str) -> _Word:
        found = self._words.setdefault(word, _Word())
        found.places.append((node, where))
        found.files[file] += 1
        return found

    def _look(self, file: str, tree: ast.Module) -> None:
        names = self._names[file]
        classes = {
            id(node): self._family[holder.name]
            for holder in ast.walk(tree)
            if isinstance(holder, ast.ClassDef)
            for node in ast.walk(holder)
        }
        foreign = set()
        # The compiler puts these in wherever it finds the word.
        constants = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("const(")
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for use in names.uses:
            scope = use.scope.find(use.name)
            if use.field == "alias":
                foreign |= self._look_alias(file, use, scope is names.top)
            elif scope.kind == "class":
                found = self._word(use.name, file, use.node, use.field)
                found.meets.add(("class", classes[id(use.node)]))
                found.made = True
                self._attributes.add(use.name)
            elif use.name in constants:
                self.fixed.add(use.name)
            elif scope is names.top and use.name in scope.bound:
                found = self._word(use.name, file, use.node, use.field)
                found.meets.add(("file", file))
                found.hidden |= use.scope.seen()
                found.made = True
                if use.scope.kind == "class":
                    found.meets.add(("class", classes[id(use.node)]))
            elif scope is names.top:
                self._words.setdefault(use.name, _Word()).meets.add(("file", file))
                self.fixed.add(use.name)  # a builtin
        owners = selfs(tree, names, self._family)
        for node in ast.walk(tree):
            self.fixed |= {*spelled(node)}
            if isinstance(node, ast.Attribute):
                found = self._word(node.attr, file, node, "attr")
                self._attributes.add(node.attr)
                owner = owners.get(id(node.value))
                if owner:
                    found.meets.add(("class", self._family[owner]))
                if not isinstance(node.ctx, ast.Load):
                    found.made = found.made or bool(owner)
                    found.loose = found.loose or not owner
                if isinstance(node.value, ast.Name) and node.value.id in foreign:
                    self.fixed.add(node.attr)

    def _look_alias(self, file: str, use: Use, top: bool) -> set[str]:
        """Note an import; return the name here of what is not of the program."""
        alias = use.node
        assert isinstance(alias, ast.alias)
        base = self._aliases[id(alias)]
        here = alias.asname or alias.name.split(".")[0]
        if base in self._trees and alias.name in self._names[base].top.bound:
            there = self._word(alias.name, file, alias, "name")
            there.meets.add(("file", base))
            there.made = True
            self._imports.append((alias, here, top))
            if top:
                mine = self._word(here, file, alias, "asname")
                mine.meets.add(("file", file))
                mine.made = True
            return set()
        self.fixed |= {*alias.name.split("."), here}
        if top:
            self._words.setdefault(here, _Word()).meets.add(("file", file))
        return {here} if base not in self._trees and alias.name not in self._trees else set()

    def choose(self) -> dict[str, str]:
        """Return a short name for each word that may have one."""
        taken: dict[str, set[tuple[str, str]]] = {}  # {name: what has it}
        said: dict[str, set[str]] = {}  # {file: its names}
        anywhere = {("class", one) for one in self._family.values()}
        mine = []
        for word, found in self._words.items():
            if found.loose:
                found.meets |= anywhere
            if found.made and word not in self.fixed:
                mine.append(word)
            else:
                taken.setdefault(word, set()).update(found.meets)
                for file in found.files:
                    said.setdefault(file, set()).add(word)
        pool = [*letters()]
        given = {}
        for word in sorted(
            mine, key=lambda word: (-len(self._words[word].files), -len(self._words[word].places))
        ):
            found = self._words[word]
            free = (
                name
                for name in pool
                if name not in found.hidden and not taken.get(name, set()) & found.meets
            )
            name = min(
                free,
                key=lambda name: sum(
                    2 + len(name) for file in found.files if name not in said.get(file, ())
                ),
            )
            given[word] = name
            taken.setdefault(name, set()).update(found.meets)
            for file in found.files:
                said.setdefault(file, set()).add(name)
        return given

    def write(self, given: Mapping[str, str]) -> None:
        """Write the names."""
        for word, name in given.items():
            for node, where in self._words[word].places:
                if isinstance(node, ast.Global):
                    node.names = [name if one == word else one for one in node.names]
                elif not isinstance(node, ast.alias):
                    setattr(node, where, name)
        for alias, here, top in self._imports:
            alias.name = given.get(alias.name, alias.name)
            name = given.get(here, here) if top else here
            alias.asname = None if name == alias.name else name


def _errors(trees: Iterable[ast.Module]) -> set[str]:
    """Return the names of the classes of errors, MicroPython's among them."""
    bases = [
        (node.name, ast.unparse(base))
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    found = {n for n in dir(builtins) if n.endswith(("Exception", "Error"))}
    while more := {name for name, base in bases if base in found and name not in found}:
        found |= more
    return found


def families(trees: Iterable[ast.Module]) -> dict[str, str]:
    """Return for each class one of those that it shares objects with; classes go by their names."""
    bases: dict[str, set[str]] = {}
    for tree in trees:
        called = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                bases.setdefault(node.name, set()).update(called.get(one, one) for one in found)
    family = {name: name for name in bases}
    for name, found in bases.items():
        for base in found & {*bases}:
            old, new = family[name], family[base]
            family = {one: new if by == old else by for one, by in family.items()}
    return family


def _classes(tree: ast.Module, family: Iterable[str]) -> dict[str, str]:
    """Return {name here: class} of the program's classes that a file makes or imports."""
    found = {n.name: n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name: a.name for a in node.names if a.name in family}
    return found


def selfs(tree: ast.Module, names: Names, family: Mapping[str, str]) -> dict[int, str]:
    """Return {the node of a `self`, or of what is made of a class where it stands: the class}."""
    classes = _classes(tree, family)
    methods: dict[int, str] = {}  # {argument's node: class}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and getattr(node, "of", "") in family:
            methods[id(node)] = node.of  # type: ignore[attr-defined]  # see `moving.of`
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = node.value.func
            if isinstance(made, ast.Name) and made.id in classes:
                methods[id(node.targets[0])] = classes[made.id]
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, _Function) and not method.decorator_list and method.args.args:
                    methods[id(method.args.args[0])] = node.name
    found = {}
    for use in names.uses:
        bound = use.scope.find(use.name).bound.get(use.name, [])
        if len(bound) == 1 and id(bound[0]) in methods:
            found[id(use.node)] = methods[id(bound[0])]
    return found
