"""What is needed once goes to the module that needs it, and is forgotten with that.

Most of a node's `__init__` run once a boot, called from a module that is forgotten then; in a class
they would stay in memory for ever. So what only such a module calls is moved into it:

- functions, and methods whose name no other class has;
- `__init__`: `C(x)` becomes `new_C(x)`, which makes an empty C and does what `__init__` did.

Only what can be moved surely is: plain functions without decorators, functions inside or `yield`
(what they make could outlive the module and hold its tables), called and not handed on, by names
that are bound once. A class that is derived from or handed on keeps its `__init__`.

Where the other module was imported by a function, what moves brings its imports inside itself:
nothing is loaded earlier than before.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lampione_hil.linking.groups import forgotten
from lampione_hil.linking.merge import Import, implied
from lampione_hil.linking.scopes import Names, Scope, Use
from lampione_hil.linking.words import THEIRS

_Function = ast.FunctionDef | ast.AsyncFunctionDef
Target = tuple[str, str]  # (module, name); a module: (module, "")


@dataclass(frozen=True)
class _Alias:
    """An import of something in a module."""

    module: str
    node: Import
    alias: ast.alias
    scope: Scope
    target: Target

    @property
    def here(self) -> str:
        return self.alias.asname or self.alias.name.split(".")[0]


def move(known: "Known", more: Iterable[str] = ()) -> None:
    """Move what is called only by modules that will be forgotten.

    Args:
        known: the program, which is changed.
        more: modules that will be, too.
    """
    trees = known.trees
    once = {name for tree in trees.values() for name in forgotten(tree, trees)}.union(more)
    while any(
        [_move_functions(known, once), _move_starts(known, once), _move_methods(known, once)]
    ):
        pass


class _Facts:
    """One module, read once until it is changed."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.names = Names(name, tree)
        self.uses: dict[tuple[Scope, str], list[Use]] = {}
        for use in self.names.uses:
            self.uses.setdefault((use.scope.find(use.name), use.name), []).append(use)
        self.attributes: Counter[str] = Counter()
        self.asked: set[tuple[str, str]] = set()  # (name, attribute)
        self.texts: set[str] = set()
        self.bases: set[str] = set()
        self.methods: list[str] = []
        self.classes: list[str] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self.attributes[node.attr] += 1
                if isinstance(node.value, ast.Name):
                    self.asked.add((node.value.id, node.attr))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.add(node.value)
            elif isinstance(node, ast.ClassDef):
                self.classes.append(node.name)
                self.bases |= {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                self.methods += [n.name for n in node.body if isinstance(n, _Function)]


class Known:
    """The program as it stands, read again where it was changed.

    Args:
        trees: every module by its dotted name.
        scripts: what it begins with; what they mention stays.
    """

    def __init__(self, trees: dict[str, ast.Module], scripts: Sequence[ast.Module]) -> None:
        self.trees = trees
        self.packages = {name.rpartition(".")[0] for name in trees}
        self.spoken = {word for script in scripts for word in _mentions(script)}
        self._facts: dict[str, _Facts] = {}
        self.given: set[ast.AST] = set()  # names that stand for what was moved
        self.changed(*trees)

    def changed(self, *modules: str) -> None:
        """Read what was changed."""
        for name in modules:
            ast.fix_missing_locations(self.trees[name])
            self._facts[name] = _Facts(name, self.trees[name])
        facts = self._facts.values()
        self.names = {name: one.names for name, one in self._facts.items()}
        self.texts = {text for one in facts for text in one.texts}
        self.bases = {self.origin((n, b)) for n, one in self._facts.items() for b in one.bases}
        self.methods = Counter(name for one in facts for name in one.methods)
        self.classes = Counter(name for one in facts for name in one.classes)
        self.aliases: dict[Target, list[_Alias]] = {}
        self.reached: set[Target] = set()  # as attributes of a module
        for module, one in self._facts.items():
            for node, alias, scope, _ in one.names.imports:
                target = self.target(module, node, alias)
                found = _Alias(module, node, alias, scope, self.origin(target))
                self.aliases.setdefault(found.target, []).append(found)
                if not target[1]:
                    self.reached |= {(target[0], a) for name, a in one.asked if name == found.here}

    def asking(self, word: str) -> dict[str, int]:
        """Return {module: how often it says an attribute}."""
        return {n: one.attributes[word] for n, one in self._facts.items() if word in one.attributes}

    def target(self, module: str, node: Import, alias: ast.alias) -> Target:
        """Return what an import names; ("", "") where that is not said."""
        if isinstance(node, ast.Import):
            return (alias.name, "") if alias.asname or "." not in alias.name else ("", "")
        base = node.module or ""
        if node.level:
            inside = module.split(".")
            inside = inside[: len(inside) - node.level + (module in self.packages)]
            base = ".".join([*inside, *filter(None, [base])])
        below = f"{base}.{alias.name}"
        return (below, "") if below in self.trees else (base, alias.name)

    def origin(self, target: Target) -> Target:
        """Return what a thing is where it is made."""
        while target[1] and target[0] in self.trees:
            bound = self.names[target[0]].top.bound.get(target[1], [])
            if len(bound) != 1 or not isinstance(bound[0], ast.alias):
                break
            there = next(i for i in self.names[target[0]].imports if i[1] is bound[0])
            target = self.target(target[0], there[0], there[1])
        return target

    def of(self, holder: ast.ClassDef, method: ast.stmt) -> None:
        """Note whose method a function was, for `words`, if the class' name says it."""
        if isinstance(method, _Function) and method.args.args and self.classes[holder.name] == 1:
            method.args.args[0].of = holder.name  # type: ignore[attr-defined]

    def own(self, module: str, name: str) -> list[Use]:
        """Return the uses of a module's name in it, but for where it is made."""
        top = self.names[module].top
        uses = self._facts[module].uses.get((top, name), ())
        return [use for use in uses if use.node not in top.bound[name]]

    def at(self, alias: _Alias) -> list[Use]:
        """Return the uses of what an import names, but for imports."""
        home = _home(alias, self.names[alias.module])
        uses = self._facts[alias.module].uses.get((home, alias.here), ())
        return [use for use in uses if use.field != "alias" and use.node not in self.given]

    def users(self, module: str, name: str, once: set[str]) -> list[list[_Alias]]:
        """Return how the modules that call a thing import it, if all of them will be forgotten.

        Nothing where it is not surely so.
        """
        if (module, name) in self.reached or name in self.spoken:
            return []
        if len(self.names[module].top.bound[name]) != 1:
            return []
        callers: dict[str, list[_Alias]] = {}
        for alias in self.aliases.get((module, name), []):
            uses, top = self.at(alias), self.names[alias.module].top
            if not all((_called(u) and u.scope is not top) or _asked(u) for u in uses):
                return []
            if alias.scope is not top and any(_asked(u) for u in uses):
                return []
            if any(_called(u) for u in uses):
                callers.setdefault(alias.module, []).append(alias)
        return [*callers.values()] if once.difference([module]).issuperset(callers) else []


def _mentions(script: ast.Module) -> Iterator[str]:
    for node in ast.walk(script):
        for word in vars(node).values():
            if isinstance(word, str):
                yield from word.split(".")


def _home(alias: _Alias, names: Names) -> Scope:
    return alias.scope.find(alias.here) if alias.scope is not names.top else names.top


def _called(use: Use) -> bool:
    return isinstance(use.parent, ast.Call) and use.parent.func is use.node


def _asked(use: Use) -> bool:
    """Say whether it stands in isinstance(x, C)."""
    call = use.parent
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "isinstance"
        and call.args[0] is not use.node
    )


def _plain(node: ast.AST) -> bool:
    """Say whether a function leaves nothing behind that is its own."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    given = node.args
    if given.vararg or given.kwarg or given.kwonlyargs:
        return False
    if not all(_simple(value) for value in given.defaults):
        return False
    return not any(
        isinstance(
            inside,
            ast.FunctionDef
            | ast.AsyncFunctionDef
            | ast.ClassDef
            | ast.Lambda
            | ast.Yield
            | ast.YieldFrom
            | ast.GeneratorExp
            | ast.Global
            | ast.Nonlocal,
        )
        or (isinstance(inside, ast.Name) and inside.id == "super")
        for statement in node.body
        for inside in ast.walk(statement)
    )


def _stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _returns(node: ast.FunctionDef) -> bool:
    return any(isinstance(inside, ast.Return) for inside in ast.walk(node))


def _simple(node: ast.expr) -> bool:
    return all(
        isinstance(n, ast.Constant | ast.UnaryOp | ast.USub | ast.Tuple | ast.Load)
        for n in ast.walk(node)
    )


def _move_functions(known: Known, once: set[str]) -> bool:
    found = False
    for module, tree in known.trees.items():
        for node in [*tree.body]:
            if isinstance(node, ast.FunctionDef) and not known.own(module, node.name):
                users = known.users(module, node.name, once)
                if _moved(known, module, node, users):
                    tree.body.remove(node)
                    for alias in known.aliases.get(
                        (module, node.name), []
                    ):  # of those who no more call it
                        if alias.alias in alias.node.names:
                            _cut(known.trees[alias.module], alias)
                            known.changed(alias.module)
                    known.changed(module)
                    found = True
    return found


def _move_starts(known: Known, once: set[str]) -> bool:
    found = False
    for module, tree in known.trees.items():
        for holder in tree.body:
            if not isinstance(holder, ast.ClassDef) or holder.bases or holder.decorator_list:
                continue
            start = next((n for n in holder.body if getattr(n, "name", "") == "__init__"), None)
            if not isinstance(start, ast.FunctionDef) or (module, holder.name) in known.bases:
                continue
            if not all(_asked(use) for use in known.own(module, holder.name)):
                continue
            users = known.users(module, holder.name, once)
            if _moved(known, module, start, users, holder.name):
                _take(holder, start)
                known.changed(module)
                found = True
    return found


def _take(holder: ast.ClassDef, method: ast.stmt) -> None:
    holder.body.remove(method)
    if not holder.body:
        holder.body.append(ast.Pass())


def _move_methods(known: Known, once: set[str]) -> bool:
    """Make functions of methods that one module alone calls, whose names say which they are."""
    found = False
    for module, tree in known.trees.items():
        for holder in tree.body:
            if isinstance(holder, ast.ClassDef):
                for method in [*holder.body]:
                    known.of(holder, method)
                    if isinstance(method, ast.FunctionDef) and _moves(known, module, method, once):
                        _take(holder, method)
                        known.changed(module)
                        found = True
    return found


def _moved(
    known: Known, module: str, node: ast.FunctionDef, users: list[list[_Alias]], start: str = ""
) -> bool:
    if not users or not _plain(node) or (start and _returns(node)):
        return False
    moves = [Move(known, module, node, aliases, start) for aliases in users]
    if not all(move.sure for move in moves):
        return False
    for move in moves:
        move.write()
    return True


def _moves(known: Known, module: str, method: ast.FunctionDef, once: set[str]) -> bool:
    """Move a method where that is sure; say whether it was."""
    word = method.name
    users = known.asking(word)
    if len(users) != 1 or word[:2] == "__" or known.methods[word] != 1:
        return False
    if word in THEIRS or word in known.texts or word in known.spoken:
        return False
    ((user, count),) = users.items()
    if user not in once or user == module or not _plain(method):
        return False
    calls = [
        (node, node.func)
        for node in ast.walk(known.trees[user])
        if isinstance(node, ast.Call)
        if isinstance(node.func, ast.Attribute)
        if node.func.attr == word
    ]
    move = Move(known, module, method, [], where=user)
    if len(calls) != count or not move.sure:
        return False  # also handed on
    move.write()
    for call, function in calls:
        call.args.insert(0, function.value)
        call.func = ast.Name(move.name, ast.Load())
    known.changed(user)
    return True


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
        aliases: list[_Alias],
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
            home = _home(alias, self._names)
            if home is self._names.top:
                for use in self._known.at(alias):
                    if _called(use) and isinstance(use.node, ast.Name):
                        use.node.id = self.name
                names = (n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
                if not self._start or alias.here not in names:
                    _cut(tree, alias)
            else:
                there = ast.Name(alias.here, ast.Store())
                self._known.given.add(there)
                _cut(tree, alias, ast.Assign([there], ast.Name(self.name, ast.Load())))


def _cut(tree: ast.Module, alias: _Alias, *more: ast.stmt) -> None:
    """Take out an import, and put statements in its place."""
    node = alias.node
    node.names.remove(alias.alias)
    for holder in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(holder, name, None)
            if isinstance(body, list) and node in body:
                at = body.index(node)
                body[at : at + 1] = [*([node] if node.names else []), *more]
