"""Short names, and the most used ones first, since a board keeps every name in memory.

Arguments that nobody names in a call become letters, the same ones in every function; for the rest
see `words`.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping

from lampione_hil.linking.scopes import Names, Scope
from lampione_hil.linking.words import letters, shorten_words

# Code says a name by its number in the file, in one byte up to 127; names that are also texts of up
# to ten characters are one.
_ONE_BYTE = 120
_TEXT = 10


def shorten(trees: Mapping[str, ast.Module], scripts: Iterable[ast.Module]) -> None:
    """Give all modules of a program short names; what `scripts` spell is left alone."""
    shorten_words(trees, scripts)
    called = [
        n.arg for tree in trees.values() for n in ast.walk(tree) if isinstance(n, ast.keyword)
    ]
    if None in called:  # a call with a dictionary of arguments
        return
    for name, tree in trees.items():
        _arguments(Names(name, tree), {*called})


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


def _arguments(names: Names, fixed: set[str | None]) -> None:
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
        short = next(name for name in letters() if name not in spelled[scope])
        for node, field, inside in places:
            setattr(node, field, short)
            spell(inside, short)
