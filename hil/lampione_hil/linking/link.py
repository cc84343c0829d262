"""Modules that always stand together in a board's memory, made one.

A board pays some 200 bytes for a module, 8 and more for each name that one imports from another,
and a .mpy file holds every name that it uses once more. So the modules of a program are linked
into few files, by what imports what (see `groups`): nothing here knows a module's name.

In a linked file the modules follow each other, dependencies first; what was imported among them
is used directly, what they import from elsewhere stands at the top, once. Where two modules have
a name in common one of them gets a digit behind it. A file has the name of its root, in the
outermost package: `node.parts.climate` becomes `node.parts_climate`, since a package is a module,
too. What scripts import, and what is forgotten by its name, keeps its own.

What cannot be treated surely is refused: imports of modules at the top under a condition, with a
star, or by a dotted name without `as`; a module used as a value or written to; `__name__` and the
like, which would tell another module's.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from lampione_hil.linking.groups import Program, beside, forgotten, group
from lampione_hil.linking.merge import File, Import, Merger, Module, Thing, implied
from lampione_hil.linking.scopes import LinkError

__all__ = ["LinkError", "link"]


def link(
    trees: Mapping[str, ast.Module],
    scripts: Sequence[ast.Module],
    apart: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, ast.Module]:
    """Return the files of a program by their dotted names, a package by its own.

    Args:
        trees: every module of the program by its dotted name; they are changed.
        scripts: what it begins with, left as it is.
        apart: modules that are loaded and forgotten by another one, not by `import`: {name: it}.

    Raises LinkError.
    """
    packages = {parent for name in trees for parent in _parents(name) if parent in trees}
    modules = {
        name: Module(name, tree)
        for name, tree in trees.items()
        if name not in packages or not all(isinstance(node, ast.Pass) for node in tree.body)
    }
    known = _Known(trees, modules, packages)
    starts = [there for script in scripts for there in known.started(script)]
    program = Program({}, {}, [name for name in starts if name in modules], set(), {})
    together: list[list[str]] = []
    for name, module in modules.items():
        program.size[name] = len(ast.unparse(module.tree))
        together += known.edges(program, module)
        program.alone |= forgotten(module.tree, modules)
    for name, by in apart.items():
        program.later[by].append(name)
        program.alone.add(name)
    kept = {*starts, *program.alone}
    held = {parent for name in kept for parent in _parents(name)}
    held |= {name.partition(".")[0] for name in trees}
    program.alone |= held & {*modules} - {*starts}
    kept |= held
    program.sort()
    spelled = {word for script in scripts for word in _spelled(script)}
    files = []
    for root, members in group(program, together):
        name = root if root in kept else _flat(root, trees)
        words = spelled if root in starts else set()
        files.append(File([modules[one] for one in members], root, name, words))
    merger = Merger(modules, files, packages)
    made = {file.name: merger.tree(file) for file in files}
    for parent in [parent for name in made for parent in _parents(name)]:
        made.setdefault(parent, ast.Module([], []))
    return made


def _spelled(script: ast.Module) -> Iterator[str]:
    for node in ast.walk(script):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _flat(name: str, taken: Mapping[str, ast.Module]) -> str:
    """Return a name in the outermost package."""
    package, dot, rest = name.partition(".")
    flat = package + dot + rest.replace(".", "_")
    return name if flat in taken else flat


class _Known:
    """The program's modules, to tell what an import names."""

    def __init__(
        self, trees: Mapping[str, ast.Module], modules: Mapping[str, Module], packages: set[str]
    ) -> None:
        self._trees = trees
        self._modules = modules
        self._packages = packages

    def started(self, script: ast.Module) -> Iterator[str]:
        """Yield the modules that a script imports."""
        for node in ast.walk(script):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self._trees)
            elif isinstance(node, ast.ImportFrom) and node.module in self._trees:
                for alias in node.names:
                    below = f"{node.module}.{alias.name}"
                    yield below if below in self._trees else node.module or ""

    def edges(self, program: Program, module: Module) -> list[list[str]]:
        """Note what a module imports; return the modules that stand beside each other there."""
        name = module.name
        top = program.top.setdefault(name, [])
        top += [parent for parent in _parents(name) if parent in self._modules]
        program.later.setdefault(name, [])
        there: dict[int, str] = {}
        for node, alias, scope, sure in module.names.imports:
            thing = module.things[id(alias)] = self._thing(module, node, alias)
            if not sure:
                module.unsure.add(id(alias))
            if not thing.ours or thing.module == name:
                continue
            if not sure:
                raise module.names.error(node, f"{thing.module} is imported under a condition")
            for by in implied(node):
                late = scope.kind == "function" and not by
                those = (program.later if late else program.top).setdefault(by or name, [])
                for one in (*_parents(thing.module), thing.module):
                    if one in self._modules and one != (by or name) and one not in those:
                        those.append(one)
            if "" in implied(node):
                there[id(node)] = thing.module
        runs = []
        for holder in ast.walk(module.tree):
            if isinstance(holder, ast.FunctionDef | ast.AsyncFunctionDef):
                for nodes in beside(holder):
                    runs.append([there[id(node)] for node in nodes if id(node) in there])
        return runs

    def _thing(self, module: Module, node: Import, alias: ast.alias) -> Thing:
        """Return what an import names. Raises LinkError."""
        if isinstance(node, ast.Import):
            if "." in alias.name and not alias.asname:
                raise module.names.error(node, f"import {alias.name} without a name of its own")
            return Thing(alias.name, "", alias.name in self._trees)
        base = node.module or ""
        if node.level:
            inside = module.name.split(".")
            inside = inside[: len(inside) - node.level + (module.name in self._packages)]
            base = ".".join([*inside, *filter(None, [node.module])])
        if alias.name == "*":
            raise module.names.error(node, f"from {base} import *")
        below = f"{base}.{alias.name}"
        named = base in self._modules and alias.name in self._modules[base].bound
        if named and below in self._trees:
            raise module.names.error(node, f"{below} is a module and a name")
        if below in self._trees:
            return Thing(below, "")
        if not named and base in self._trees:
            raise module.names.error(node, f"{base} has no {alias.name}")
        return Thing(base, alias.name, named)
