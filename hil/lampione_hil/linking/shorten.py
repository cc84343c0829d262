"""Short names for what a traceback does not tell, since a board keeps every name in memory.

Arguments that nobody names in a call become letters, the same ones in every function. Private
attributes do, too: where all that a program says of one is `self._name`, its letter is its class'
own and others use it again; the rest have one that is the program's. Functions, classes, what is
public and what stands in a text keep theirs.
"""

import ast
import builtins
import keyword
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from lampione_hil.linking.scopes import Names, Scope

_Function = ast.FunctionDef | ast.AsyncFunctionDef

# Code says a name by its number in the file, in one byte up to 127; names that are also texts of up
# to ten characters are one.
_ONE_BYTE = 120
_TEXT = 10


def shorten(trees: Mapping[str, ast.Module], scripts: Iterable[ast.Module]) -> None:
    """Give all modules of a program short names; what `scripts` spell is left alone."""
    fixed = set()
    for tree in trees.values():
        fixed |= {word for node in ast.walk(tree) for word in _fixed(node)}
    for script in scripts:
        for node in ast.walk(script):
            fixed |= {w for w in vars(node).values() if isinstance(w, str)} | {*_fixed(node)}
    names = {name: Names(name, tree) for name, tree in trees.items()}
    _attributes(trees, names, fixed)
    called = [
        n.arg for tree in trees.values() for n in ast.walk(tree) if isinstance(n, ast.keyword)
    ]
    if None not in called:  # no call with a dictionary of arguments
        fixed = {word for word in called if word}
    for found in names.values():
        _arguments(found, fixed)


def front(tree: ast.Module) -> None:
    """Give the names that a module's functions use most the numbers that take one byte.

    The compiler counts names as it finds them, in the module's own statements first, so a list
    of them is the first: code that is made and thrown away when the module is loaded.
    """
    names = Names("", tree)
    count: Counter[str] = Counter()
    for use in names.uses:
        if use.scope.kind != "module" and use.scope.find(use.name) is names.top:
            count[use.name] += 1
    count.update({use.name: 1 for use in names.uses if use.field == "arg"})
    for function in tree.body:
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute):
                count[node.attr] += 1
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                count[node.value] += 1
    if len(count) > _ONE_BYTE:
        often = [word for word, uses in count.most_common() if uses > 2 and len(word) <= _TEXT]
        words: list[ast.expr] = [ast.Constant(word) for word in often[:_ONE_BYTE]]
        tree.body.insert(0, ast.Expr(ast.List(words, ast.Load())))


def _fixed(node: ast.AST) -> Iterator[str]:
    """Yield the words of a node that others may know: a call's arguments, texts, imports."""
    if isinstance(node, ast.keyword) and node.arg:
        yield node.arg
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from node.value.split(".")
    elif isinstance(node, ast.alias):
        yield from node.name.split(".")
        yield node.asname or ""


def letters(taken: set[str]) -> Iterator[str]:
    """Yield a, b ... aa, ab ... without keywords and what is taken."""
    one = "abcdefghijklmnopqrstuvwxyz"
    for word in (*one, *(first + second for first in one for second in one)):
        if word not in taken and not keyword.iskeyword(word) and not hasattr(builtins, word):
            yield word


def _arguments(names: Names, fixed: set[str]) -> None:
    spelled: dict[Scope, set[str]] = {}  # in a scope and those inside

    def spell(scope: Scope | None, word: str) -> None:
        while scope:
            spelled.setdefault(scope, set()).add(word)
            scope = scope.parent

    uses: dict[tuple[Scope, str], list[tuple[ast.AST, str, Scope]]] = {}
    for use in names.uses:
        spell(use.scope, use.name)
        uses.setdefault((use.scope.find(use.name), use.name), []).append(
            (use.node, use.field, use.scope)
        )
    for (scope, word), places in uses.items():
        given = any(isinstance(node, ast.arg) for node in scope.bound.get(word, ()))
        if scope.kind != "function" or not given or len(word) < 2 or word in fixed:
            continue
        if any(field not in ("arg", "id") for _, field, _ in places):
            continue
        short = next(letters(spelled[scope]))
        for node, field, inside in places:
            setattr(node, field, short)
            spell(inside, short)


def _attributes(
    trees: Mapping[str, ast.Module], names: Mapping[str, Names], fixed: set[str]
) -> None:
    private: set[str] = set()
    spelled = set(fixed)
    places: dict[str, list[tuple[ast.Attribute, str]]] = {}  # with its class, if by `self`
    family = _families(trees.values())
    for name, tree in trees.items():
        selfs = _selfs(tree, names[name])
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                places.setdefault(node.attr, []).append((node, selfs.get(id(node.value), "")))
                if isinstance(node.ctx, ast.Store) and node.attr[0] == "_" != node.attr[1:2]:
                    private.add(node.attr)
        for use in names[name].uses:
            if use.scope.find(use.name).kind in ("module", "class"):
                spelled.add(use.name)
    private -= spelled
    spelled |= {*places}
    own: dict[str, Counter[str]] = {}  # {family: {attribute: how often}}
    common: Counter[str] = Counter()
    for word in sorted(private):
        classes = [family.get(one, "") for _, one in places[word]]
        if all(classes):
            for one in classes:
                own.setdefault(one, Counter())[word] += 1
        else:
            common[word] += len(classes)
    pool = letters(spelled)
    shared = [next(pool) for _ in range(max(map(len, own.values()), default=0))]
    given = {word: next(pool) for word, _ in common.most_common()}
    short = {
        (one, word): letter
        for one, words in own.items()
        for (word, _), letter in zip(words.most_common(), shared, strict=False)
    }
    for word in private:
        for node, one in places[word]:
            node.attr = given.get(word) or short[family[one], word]


def _families(trees: Iterable[ast.Module]) -> dict[str, str]:
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


def _selfs(tree: ast.Module, names: Names) -> dict[int, str]:
    """Return {the node of a `self`: its class}."""
    methods: dict[int, str] = {}  # {argument's node: class}
    for node in ast.walk(tree):
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
