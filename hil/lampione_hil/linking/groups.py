"""Which modules of a program always stand in a board's memory together.

A program begins with what its scripts import and loads more where a function imports: such a
module is a root. What one root alone reaches through imports at the top of modules belongs to it.
What several reach belongs to the nearest root that is sure to be there before them, if that one
needs it too, so that no module is ever loaded by a profile without use for it; but for what is
small or needed by many (see `_MANY`, `_SMALL`). Otherwise those with the same users share a file.
Two roots imported beside each other, and nowhere else, are one.

A module that a function gives to `forget` by its full name is forgotten there: it stands alone, and
nothing of what it needs goes with it.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from lampione_hil.linking.scopes import LinkError

# What this many roots need, or several with no more characters of source than that, goes with the
# nearest common one, used or not: a file of its own takes 200 bytes of a board's memory. Free with
# 4 and 300, with 6 and 300, and with none: 45.9, 46.1 and 45.5 kB for sound, climate and lamp; 9.8,
# 9.6 and 8.9 kB for all parts, each before TLS and by the count of benchmarks/memory.py.
_MANY = 4
_SMALL = 300


@dataclass
class Program:
    """Modules and how they import each other; `scripts` are its entry."""

    top: dict[str, list[str]]  # {module: those it imports when it is loaded, in order}
    later: dict[str, list[str]]  # {module: those that its functions import}
    scripts: list[str]  # modules that the scripts import
    alone: set[str]  # forgotten, or packages that hold others
    size: dict[str, int]
    order: list[str] = field(default_factory=list)  # dependencies first

    def sort(self) -> None:
        """Put the modules in order. Raises LinkError where they go round in a circle."""
        done: dict[str, bool] = {}

        def visit(name: str) -> None:
            done[name] = False
            for there in self.top[name]:
                if there not in done:
                    visit(there)
                elif not done[there]:
                    raise LinkError(f"{name}:1: imports {there}, which imports it")
            done[name] = True
            self.order.append(name)

        for name in self.top:
            if name not in done:
                visit(name)

    def reach(self, start: str) -> set[str]:
        """Return all that is loaded with a module, itself among it."""
        found = {start}
        waiting = [start]
        while waiting:
            for name in self.top[waiting.pop()]:
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found


def forgotten(tree: ast.AST, modules: Iterable[str]) -> set[str]:
    """Return the modules that `forget("a.b", ...)` names."""
    texts = {
        text.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("forget")
        for text in call.args
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    }
    return texts.intersection(modules)


def beside(body: ast.AST) -> Iterable[list[ast.ImportFrom | ast.Import]]:
    """Yield the imports that stand together in one block of a function, two or more."""
    for holder in ast.walk(body):
        for name in ("body", "orelse", "finalbody"):
            run: list[ast.ImportFrom | ast.Import] = []
            statements = getattr(holder, name, None)
            for node in [*statements, None] if isinstance(statements, list) else []:
                if isinstance(node, ast.ImportFrom | ast.Import):
                    run.append(node)
                else:
                    if len(run) > 1:
                        yield run
                    run = []


def group(program: Program, together: Iterable[list[str]]) -> list[tuple[str, list[str]]]:
    """Return for each file the module that it is named by and all of them, dependencies first.

    That is the root or, where there is none, the largest.

    `together` names roots that stand beside each other where they are imported.
    """
    _join(program, together)
    roots = list(dict.fromkeys([*program.scripts, *(n for m in program.later.values() for n in m)]))
    before = _before(program)
    loads = {root: program.reach(root) for root in roots}
    users: dict[str, set[str]] = {name: set() for name in program.top}
    for root, inside in loads.items():
        for name in inside - {root}:
            users[name].add(root)
    for name, later in program.later.items():
        for there in later:
            users[there].add(name)
    places: dict[str, object] = {}

    def place(name: str) -> object:
        if name not in places:
            places[name] = _place(name)
        return places[name]

    def _place(name: str) -> object:
        if name in program.alone or name not in before:
            return name
        above = [root for root in roots if root in before[name] and root != name]
        owner = max(above, key=lambda root: len(before[root]), default="")
        if owner:
            rest = program.reach(name).difference(*(loads[root] for root in above))
            few = len(users[name]) > 1 and sum(program.size[one] for one in rest) <= _SMALL
            many = len(users[name]) >= _MANY
            many = many and all(len(users[n]) >= _MANY or name in before[n] for n in rest)
            if not rest or ((few or many) and not rest & program.alone):
                # Of what will be forgotten nothing is kept.
                return ("with", owner) if owner in program.alone else place(owner)
        return name if name in loads else frozenset(users[name])

    files: dict[object, list[str]] = {}
    for name in program.order:
        files.setdefault(place(name), []).append(name)
    largest = {key: max(those, key=lambda n: program.size[n]) for key, those in files.items()}
    return [(key if isinstance(key, str) else largest[key], those) for key, those in files.items()]


def _join(program: Program, together: Iterable[list[str]]) -> None:
    """Let the first of what is only ever imported beside each other import the others."""
    imported = [*program.scripts]
    for names in (*program.top.values(), *program.later.values()):
        imported += names
    for run in together:
        only = [n for n in run if imported.count(n) == 1 and n not in program.alone]
        for name in only[1:]:
            program.top[only[0]].append(name)
            for names in program.later.values():
                if name in names:
                    names.remove(name)


def _before(program: Program) -> dict[str, set[str]]:
    """Return for each module that can be reached those that are sure to be there before it."""
    sources: dict[str, set[str]] = {}
    waiting = [*program.scripts]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        for there in (*program.top[name], *program.later[name]):
            sources.setdefault(there, set()).add(name)
            if there not in seen:
                seen.add(there)
                waiting.append(there)
    before = {name: {name} if name in program.scripts else set(seen) for name in seen}
    changed = True
    while changed:
        changed = False
        for name in seen.difference(program.scripts):
            found = {name}.union(set.intersection(*(before[one] for one in sources[name])))
            if found != before[name]:
                before[name] = found
                changed = True
    return before
