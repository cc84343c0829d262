"""One function's way from its module to another, and what has to come along."""

import ast
import copy
from collections.abc import Mapping

from lampione_hil.linking.known import Alias, Known, called, home
from lampione_hil.linking.merge import implied


class Move:
    """One function's way from its module to another.

    Args:
        known: the program.
        module: where it is.
        node: the function.
        aliases: how it, or the class, is imported where it goes to.
        start: the class whose `__init__` it is.
        where: it goes to, if nothing says so.
        name: it gets there; a free one of its own if empty.
    """

    def __init__(
        self,
        known: Known,
        module: str,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        aliases: list[Alias],
        start: str = "",
        where: str = "",
        name: str = "",
    ) -> None:
        self._known = known
        self._from = module
        self._node = node
        self._aliases = aliases
        self._start = start
        self._to = where or aliases[0].module
        self._names = known.names[self._to]
        self._words = {use.name for use in self._names.uses}
        self._late = bool(aliases) and all(a.scope is not self._names.top for a in aliases)
        self.name = name or self._fresh(f"new_{start}" if start else node.name)
        self._words.add(self.name)
        self._needed: dict[str, list[ast.Name]] = {}
        self._brought: list[ast.stmt] = []
        self._renamed: dict[str, str] = {}
        self.sure = self._plan()

    def _fresh(self, word: str) -> str:
        inside = {n.id for n in ast.walk(self._node) if isinstance(n, ast.Name) and _stored(n)}
        inside |= {n.arg for n in ast.walk(self._node) if isinstance(n, ast.arg)}
        name, count = word, 1
        while name in self._words or name in inside:
            count += 1
            name = f"{word}{count}"
        return name

    def _plan(self) -> bool:
        """Find what it needs where it goes to; say whether all of that can be had."""
        names, needed = self._known.names[self._from], self._needed
        inside = {*ast.walk(self._node)} - {self._node}
        for use in names.uses:
            if use.node in inside and use.scope.find(use.name) is names.top:
                if not isinstance(use.node, ast.Name):
                    return False
                needed.setdefault(use.name, []).append(use.node)
        if self._start:
            needed.setdefault(self._start, [])
        for name in needed:
            bound = names.top.bound.get(name)
            if bound is None:
                if name in self._names.top.bound:
                    return False  # a builtin that has another meaning there
                continue
            if len(bound) != 1 or not self._stays(bound[0]):
                return False
            here = name
            if not self._late:
                here = self._there(name) or self._fresh(name)
                self._words.add(here)
                self._renamed[name] = here
                if self._there(name):
                    continue
            self._brought.append(self._import(name, here))
        self._imply()
        return True

    def _stays(self, bound: ast.AST) -> bool:
        """Say whether a global can be imported: the compiler keeps no `_X = const(...)`."""
        for node in self._known.trees[self._from].body:
            if isinstance(node, ast.Assign) and bound in node.targets:
                return "const(" not in ast.unparse(node.value)
        for _, alias, _, sure in self._known.names[self._from].imports:
            if alias is bound:
                return sure
        return isinstance(bound, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)

    def _there(self, name: str) -> str:
        """Return what a thing is called where the function goes to; empty: it is not there."""
        wanted = self._known.origin((self._from, name))
        top = self._names.top
        names = [a.here for a in self._known.aliases.get(wanted, []) if a.scope is top]
        if wanted[0] == self._to:
            names.append(wanted[1])
        return next((name for name in names if len(top.bound[name]) == 1), "")

    def _import(self, name: str, here: str) -> ast.stmt:
        module, word = self._known.origin((self._from, name))
        package, _, last = module.rpartition(".")
        if word:
            return ast.ImportFrom(module, [ast.alias(word, None if word == here else here)], 0)
        alias = ast.alias(last, None if last == here else here)
        return ast.ImportFrom(package, [alias], 0) if package else ast.Import([alias])

    def _imply(self) -> None:
        """Mark late imports, for `link`, by the modules with which that is loaded; "": this one.

        That is the one the function comes from; and for this one, where who calls it came from.
        """
        if self._late:
            first = {by for alias in self._aliases for by in implied(alias.node)}
            mine = [n for n in self._brought if getattr(n, "module", "") == self._from]
            for node in self._brought:
                by = {self._from} if mine and node not in mine else first
                node.implied = by  # type: ignore[attr-defined]

    def _spelled(self, names: Mapping[str, str]) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Write the names that it needs as they are to be; return a copy."""
        for name, places in self._needed.items():
            for place in places:
                place.id = names.get(name, name)
        return copy.deepcopy(self._node)

    def write(self) -> None:
        """Put it there, and let those who called it call it there."""
        node = self._spelled(self._renamed)
        self._spelled({})
        for inside in ast.walk(node):
            if isinstance(inside, ast.ImportFrom) and inside.level:
                there = self._known.target(self._from, inside, ast.alias(""))[0]
                inside.module, inside.level = there, 0
        node.name = self.name
        tree = self._known.trees[self._to]
        if self._start:
            me = node.args.args.pop(0).arg
            if node.args.defaults and len(node.args.defaults) > len(node.args.args):
                node.args.defaults.pop(0)
            made = ast.Call(
                ast.Name(self._renamed.get(self._start, self._start), ast.Load()), [], []
            )
            node.body = [
                ast.Assign([ast.Name(me, ast.Store())], made),
                *(n for n in node.body if not isinstance(n, ast.Pass)),
                ast.Return(ast.Name(me, ast.Load())),
            ]
        if self._late:
            node.body = [*self._brought, *node.body]
        else:
            tree.body[:0] = self._brought
        tree.body.append(node)
        self._call()
        self._known.changed(self._to)

    def _call(self) -> None:
        """Let those who called it where it was call it where it is."""
        tree = self._known.trees[self._to]
        for alias in self._aliases:
            scope = home(alias, self._names)
            if scope is self._names.top:
                for use in self._known.at(alias):
                    if called(use) and isinstance(use.node, ast.Name):
                        use.node.id = self.name
                names = (n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
                if not self._start or alias.here not in names:
                    cut(tree, alias)
            else:
                there = ast.Name(alias.here, ast.Store())
                self._known.given.add(there)
                cut(tree, alias, ast.Assign([there], ast.Name(self.name, ast.Load())))


def cut(tree: ast.Module, alias: Alias, *more: ast.stmt) -> None:
    """Take out an import, and put statements in its place."""
    node = alias.node
    node.names.remove(alias.alias)
    for holder in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(holder, name, None)
            if isinstance(body, list) and node in body:
                at = body.index(node)
                body[at : at + 1] = [*([node] if node.names else []), *more]


def _stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)
