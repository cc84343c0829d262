"""Which name of a module means what: a local of a function, a name of the module, or neither.

The rules are those that MicroPython and Python share: a name bound in a function is its own
unless `global` or `nonlocal` says otherwise; a class' names are seen by its body, not by its
methods; a comprehension's variable stays inside it, while its first source, like defaults,
decorators and annotations, is read outside.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field


class LinkError(ValueError):
    """A module that cannot be treated surely; the text names it and the line."""


@dataclass(eq=False)
class Scope:
    """What one module, class, function or comprehension binds."""

    kind: str  # "module", "class", "function", "comprehension"
    parent: "Scope | None"
    bound: dict[str, list[ast.AST]] = field(default_factory=dict)
    outer: dict[str, bool] = field(default_factory=dict)  # {name: True by `global`}

    def module(self) -> "Scope":
        """Return the module's."""
        return self.parent.module() if self.parent else self

    def find(self, name: str) -> "Scope":
        """Return the scope that holds a name which stands here; the module's for free names."""
        scope: Scope | None = self
        while scope and scope.parent:
            if scope.outer.get(name):
                break
            if name in scope.bound and (scope is self or scope.kind != "class"):
                return scope
            scope = scope.parent
        return self.module()

    def seen(self) -> set[str]:
        """Return the names that hide the module's, for what stands here."""
        names: set[str] = set()
        scope: Scope | None = self
        while scope and scope.parent:
            if scope is self or scope.kind != "class":
                names |= {name for name in scope.bound if name not in scope.outer}
            scope = scope.parent
        return names


@dataclass(frozen=True)
class Use:
    """A word of the source that is a name there: `getattr(node, field)`."""

    node: ast.AST
    field: str  # "id", "name", "arg", "names" of global, "alias" of imports
    name: str
    scope: Scope
    parent: ast.AST | None


class Names(ast.NodeVisitor):
    """Every use of a name in a module, and its imports.

    `imports` has (statement, alias, scope, whether it surely runs where it stands).
    """

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.top = self._scope = Scope("module", None)
        self.uses: list[Use] = []
        self.imports: list[tuple[ast.Import | ast.ImportFrom, ast.alias, Scope, bool]] = []
        self._module = module
        self._parent: ast.AST | None = None
        self._sure: list[ast.stmt] = tree.body
        self.visit(tree)

    def error(self, node: ast.AST, text: str) -> LinkError:
        """Return what is wrong at a node."""
        return LinkError(f"{self._module}:{getattr(node, 'lineno', 0)}: {text}")

    def globals(self) -> Iterator[tuple[Use, bool]]:
        """Yield each use of a name of the module, or of none: a builtin; whether it is the former.

        Raises LinkError where it may be the class' or the module's.
        """
        for use in self.uses:
            found = use.scope.find(use.name)
            if found is self.top:
                yield use, use.name in self.top.bound
            elif (
                use.scope.kind == "class"
                and use.name in self.top.bound
                and isinstance(getattr(use.node, "ctx", None), ast.Load)
            ):
                raise self.error(use.node, f"{use.name} is of the class and of the module")

    def generic_visit(self, node: ast.AST) -> None:
        """Visit what is inside, with `node` as its parent."""
        outside, self._parent = self._parent, node
        super().generic_visit(node)
        self._parent = outside

    def _use(self, node: ast.AST, kind: str, name: str, bind: bool) -> None:
        scope = self._scope
        if bind:
            while scope.kind == "comprehension" and isinstance(self._parent, ast.NamedExpr):
                assert scope.parent
                scope = scope.parent
            if scope.outer.get(name):
                scope.module().bound.setdefault(name, []).append(node)
            elif name not in scope.outer:
                scope.bound.setdefault(name, []).append(node)
        self.uses.append(Use(node, kind, name, self._scope, self._parent))

    def _all(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._use(node, "id", node.id, not isinstance(node.ctx, ast.Load))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        outside, holder = self._scope, self._parent
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        arguments += [one for one in (given.vararg, given.kwarg) if one]
        self._parent = node
        if not isinstance(node, ast.Lambda):
            self._use(node, "name", node.name, True)
            self._all(*node.decorator_list, node.returns)
        self._all(*given.defaults, *given.kw_defaults, *[one.annotation for one in arguments])
        self._scope = Scope("function", outside)
        for one in arguments:
            self._use(one, "arg", one.arg, True)
        self._all(*(node.body if isinstance(node.body, list) else [node.body]))
        self._scope, self._parent = outside, holder

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outside = self._scope
        self._use(node, "name", node.name, True)
        self._all(*node.decorator_list, *node.bases, *node.keywords)
        self._scope = Scope("class", outside)
        self._all(*node.body)
        self._scope = outside

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        outside, holder = self._scope, self._parent
        self._parent = node
        self.visit(node.generators[0].iter)
        self._scope = Scope("comprehension", outside)
        for i, part in enumerate(node.generators):
            self._all(part.target, part.iter if i else None, *part.ifs)
        if isinstance(node, ast.DictComp):
            self._all(node.key, node.value)
        else:
            self.visit(node.elt)
        self._scope, self._parent = outside, holder

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._use(node, "name", node.name, True)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:
            self._scope.outer[name] = True
            self._use(node, "names", name, False)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            self._scope.outer[name] = False

    def visit_Match(self, node: ast.Match) -> None:
        raise self.error(node, "match is not known on boards")

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        sure = self._scope.kind == "function" or any(node is one for one in self._sure)
        for alias in node.names:
            self._use(alias, "alias", alias.asname or alias.name.split(".")[0], True)
            self.imports.append((node, alias, self._scope, sure))

    visit_Import = visit_ImportFrom = _import
