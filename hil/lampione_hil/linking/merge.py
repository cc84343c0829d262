"""One file of several modules: their names told apart, their imports of each other dissolved."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from lampione_hil.linking.scopes import LinkError, Names, Scope, Use

# What the compiler itself knows, imported or not.
_COMPILER = ("micropython", "const")
# What would tell of another module than before.
_TELLING = {"globals", "locals", "vars", "dir", "eval", "exec", "__import__"}
_TELLING |= {"__name__", "__file__", "__path__", "__package__"}

Import = ast.Import | ast.ImportFrom


def implied(node: Import) -> set[str]:
    """Return the modules with which is loaded what an import names (see `moving`); "": its own."""
    found: set[str] = getattr(node, "implied", {""})
    return found


@dataclass(frozen=True)
class Thing:
    """What a name stands for: `name` of a module, or, where that is empty, a module.

    `ours` is False for what is not of the program: `import time` is ("time", "", False).
    """

    module: str
    name: str
    ours: bool = True


class Module:
    """A module: its names, and the thing behind each alias that it imports."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name = name
        self.tree = tree
        self.names = Names(name, tree)
        self.things: dict[int, Thing] = {}
        self.unsure: set[int] = set()  # aliases that are imported under a condition
        self.globals = [*self.names.globals()]
        self.bound = self.names.top.bound
        # By functions, through `global`: such a name is read where it is, never copied.
        self.rebound = {u.name for u, mine in self.globals if mine and u.scope.outer.get(u.name)}
        # The compiler puts these in wherever it finds the word.
        self.constants: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("const("):
                self.constants |= {n.id for n in node.targets if isinstance(n, ast.Name)}
        self.words = {use.name for use in self.names.uses}
        self.words |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg}


@dataclass(eq=False)
class File:
    """The modules of a file, dependencies first, and the names that things have in it."""

    modules: list[Module]
    root: str
    name: str
    kept: set[str]  # names that scripts know
    names: dict[Thing, str] = field(default_factory=dict)
    uses: dict[Thing, list[tuple[str, Scope]]] = field(default_factory=dict)  # as it is spelled
    free: set[str] = field(default_factory=set)


def _absolute(use: Use) -> bool:
    """Say whether it stands in `__import__(name, ...)` without a level: nothing tells it where."""
    call = use.parent
    return use.name == "__import__" and isinstance(call, ast.Call) and len(call.args) < 5


class Merger:
    """All files, and what each name means across them."""

    def __init__(self, modules: dict[str, Module], files: list[File], packages: set[str]) -> None:
        self._modules = modules
        self._packages = packages
        self._of = {module.name: file for file in files for module in file.modules}
        self._members: dict[int, Thing] = {}  # `x.a`, by the node
        for file in files:
            self._look(file)
        for far in (False, True):
            for file in files:
                self._name(file, far)

    def meaning(self, module: Module, name: str) -> Thing:
        """Return what a global name of a module stands for, followed through imports."""
        own = Thing(module.name, name)
        if name in module.rebound or len(module.bound[name]) > 1:
            return own
        node = module.bound[name][0]
        thing = own if id(node) in module.unsure else module.things.get(id(node), own)
        if thing.ours and thing.name and thing != own:
            found = self.meaning(self._modules[thing.module], thing.name)
            if found.ours and found.name in self._modules[found.module].rebound:
                return own  # a copy of what it was at the import
            return found
        return thing

    def origin(self, thing: Thing) -> Thing:
        """Return what a thing of ours is where it is made."""
        return self.meaning(self._modules[thing.module], thing.name)

    def called(self, thing: Thing) -> str:
        """Return the name of a thing of ours in its own file."""
        return self._of[thing.module].names[thing]

    # -- what a file uses

    def _look(self, file: File) -> None:
        for module in file.modules:
            for use in module.names.uses:
                scope = use.scope.find(use.name)
                if scope is not module.names.top:
                    self._look_local(module, use, scope)
                elif use.name not in module.bound:
                    file.free.add(use.name)
                    if use.name in _TELLING and len(file.modules) > 1 and not _absolute(use):
                        raise module.names.error(use.node, f"{use.name} would tell of {file.name}")
                else:
                    thing = self.meaning(module, use.name)
                    if thing.ours and not thing.name:
                        if use.field == "alias":
                            continue
                        spelled, thing = "", self._member(module, use, thing)
                        there = self._modules[thing.module] if thing.ours else None
                        if there and thing.name in there.rebound and self._of[there.name] != file:
                            raise module.names.error(
                                use.node, f"{thing.name} of {there.name} changes"
                            )
                    else:
                        spelled = use.name
                    file.uses.setdefault(thing, []).append((spelled, use.scope))

    def _look_local(self, module: Module, use: Use, scope: Scope) -> None:
        """Look at a name of a function that may be an imported module."""
        found = [module.things.get(id(node)) for node in scope.bound[use.name]]
        thing = next((one for one in found if one and one.ours and not one.name), None)
        if thing is None or use.field == "alias":
            return
        if any(one != thing for one in found):
            raise module.names.error(use.node, f"{use.name} is a module and something else")
        whole = len(self._of[thing.module].modules) == 1 if thing.module in self._of else True
        if whole and not isinstance(use.parent, ast.Attribute):
            return
        member = self._member(module, use, thing)
        if not member.ours or self._of[member.module] != self._of[thing.module]:
            raise module.names.error(use.node, f"{member.name} is not of {thing.module} itself")

    def _member(self, module: Module, use: Use, thing: Thing) -> Thing:
        """Return what `x.a` is for a module x. Raises LinkError."""
        node = use.parent
        if not isinstance(node, ast.Attribute) or node.value is not use.node:
            raise module.names.error(use.node, f"{thing.module} is used as a value")
        if not isinstance(node.ctx, ast.Load):
            raise module.names.error(use.node, f"{thing.module}.{node.attr} is written to")
        there = self._modules.get(thing.module)
        if not there or node.attr not in there.bound:
            raise module.names.error(use.node, f"{thing.module} has no {node.attr}")
        found = self.meaning(there, node.attr)
        if found.ours and not found.name:
            raise module.names.error(use.node, f"{thing.module}.{node.attr} is a module")
        self._members[id(node)] = found
        return found

    # -- the names of a file

    def _name(self, file: File, far: bool) -> None:
        place = {module.name: i for i, module in enumerate(file.modules)}
        place[file.root] = -1

        def order(thing: Thing) -> int:
            return place[thing.module] if thing.ours and thing.module in place else len(place)

        taken = set(file.names.values())
        for thing in sorted(file.uses, key=order):
            other = thing.ours and self._of[thing.module] != file
            if other != far:
                continue
            wanted = self.called(thing) if far else thing.name or thing.module
            name, count = wanted.replace(".", "_"), 1
            while name in taken or not self._fits(file, thing, name):
                count += 1
                name = f"{wanted}{count}".replace(".", "_")
            if thing.module == file.root and thing.ours and name != thing.name in file.kept:
                raise LinkError(f"{file.root}:1: {thing.name} cannot keep its name")
            file.names[thing] = name
            taken.add(name)

    def _fits(self, file: File, thing: Thing, name: str) -> bool:
        if name in _COMPILER and not thing.ours:
            return True
        if name in file.free:
            return False
        if any(name != spelled and name in scope.seen() for spelled, scope in file.uses[thing]):
            return False
        mine = self._modules[thing.module] if thing.ours else None
        return not (mine and thing.name in mine.constants) or not any(
            name in module.words for module in file.modules if module is not mine
        )

    # -- the file

    def tree(self, file: File) -> ast.Module:
        """Return a file's tree."""
        made = ast.Module([], [])
        for thing, name in file.names.items():
            if not thing.ours:
                alias = ast.alias(thing.name or thing.module)
                alias.asname = None if name == alias.name else name
                made.body.append(
                    ast.ImportFrom(thing.module, [alias], 0) if thing.name else ast.Import([alias])
                )
        made.body.sort(key=lambda node: getattr(node, "module", ""))
        brought: set[Thing] = set()
        for module in file.modules:
            mine = {self.meaning(module, u.name) for u, bound in module.globals if bound}
            mine |= {self._members[id(n)] for n in ast.walk(module.tree) if id(n) in self._members}
            for thing, name in file.names.items():
                if thing in mine - brought and thing.ours and self._of[thing.module] != file:
                    brought.add(thing)
                    made.body.append(self.bring(file, thing, name))
            _Rewriter(self, file, module, self._members).visit(module.tree)
            made.body += module.tree.body
        _gather(made)
        return made

    def bring(self, file: File, thing: Thing, name: str) -> ast.stmt:
        """Return the import of a thing of any file, or of none of ours, as `name`."""
        if not thing.ours:
            alias = ast.alias(thing.name or thing.module, name)
            made: Import = ast.Import([alias])
            if thing.name:
                made = ast.ImportFrom(thing.module, [alias], 0)
        else:
            there = self._of[thing.module].name if thing.module in self._of else thing.module
            package, _, last = there.rpartition(".")
            beside = package == file.name.rpartition(".")[0] and file.name not in self._packages
            if thing.name:
                alias = ast.alias(self.called(thing), name)
                made = ast.ImportFrom(last if beside else there, [alias], int(beside))
            elif package:
                alias = ast.alias(last, name)
                made = ast.ImportFrom(None if beside else package, [alias], int(beside))
            else:
                alias = ast.alias(last, name)
                made = ast.Import([alias])
        if alias.asname == alias.name:
            alias.asname = None
        return made


class _Rewriter(ast.NodeTransformer):
    """Writes a module's names as its file has them."""

    def __init__(
        self, merger: Merger, file: File, module: Module, members: dict[int, Thing]
    ) -> None:
        self._merger = merger
        self._file = file
        self._module = module
        self._members = members
        self._aliases = {id(use.node): use for use in module.names.uses if use.field == "alias"}
        self._scopes = {id(use.node): use.scope for use in module.names.uses}
        for use, bound in module.globals:
            if bound and use.field != "alias":
                thing = merger.meaning(module, use.name)
                if thing not in file.names:
                    continue  # a module, whose attributes are written out
                if not isinstance(use.node, ast.Global):
                    setattr(use.node, use.field, file.names[thing])

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        thing = self._members.get(id(node))
        if thing is None:
            self.generic_visit(node)
            return node
        assert isinstance(node.value, ast.Name)
        if self._scopes[id(node.value)].find(node.value.id) is self._module.names.top:
            return ast.Name(self._file.names[thing], ast.Load())
        node.attr = self._merger.called(thing)
        return node

    def visit_Global(self, node: ast.Global) -> ast.Global:
        merger, module, names = self._merger, self._module, self._file.names
        node.names = [
            names[merger.meaning(module, name)] if name in module.bound else name
            for name in node.names
        ]
        return node

    def _import(self, node: Import) -> list[ast.stmt]:
        return [made for alias in node.names for made in self._alias(alias)]

    visit_Import = visit_ImportFrom = _import

    def _alias(self, alias: ast.alias) -> Iterator[ast.stmt]:
        use = self._aliases[id(alias)]
        module, names = self._module, self._file.names
        thing = module.things[id(alias)]
        name = use.name
        if use.scope.find(name) is module.names.top:
            own = Thing(module.name, name)
            if self._merger.meaning(module, name) != own:
                return  # known in all the file
            name = names[own]
        if thing.ours and thing.name:
            thing = self._merger.origin(thing)
            if use.scope is module.names.top and thing in names:
                there = ast.Name(names[thing], ast.Load())
                yield ast.Assign([ast.Name(name, ast.Store())], there)
                return
        yield self._merger.bring(self._file, thing, name)


def _gather(tree: ast.Module) -> None:
    """Write what is imported in one go from one module in one statement."""
    for holder in ast.walk(tree):
        body = getattr(holder, "body", None)
        if isinstance(body, list):
            kept: list[ast.stmt] = []
            for node in body:
                last = kept[-1] if kept else None
                if (
                    isinstance(node, ast.ImportFrom)
                    and isinstance(last, ast.ImportFrom)
                    and (node.module, node.level) == (last.module, last.level)
                ):
                    last.names += node.names
                else:
                    kept.append(node)
            holder.body = kept  # type: ignore[attr-defined]
    ast.fix_missing_locations(tree)
