"""What a board does not need, taken out of the sources before they are compiled.

A board has 160 kB of memory and holds every module that it imports there, so the one source that
hosts and nodes share is cut for it. Every cut is plain and leaves behaviour as it is:

- constants (whole numbers, texts, bytes) stand where they are used, across modules too;
- what nothing mentions is left out: imports, functions, classes, methods, whole modules that
  cannot be reached from main.py. A name counts as mentioned wherever the same word stands, as a
  name, an attribute or a text: the cut errs towards keeping;
- what is called by a module alone that is forgotten goes with it (see `moving`), and what is
  marked as rare lies in files of its own (see `apart`);
- modules that always stand together become one (see `link`), and what only the program itself
  knows gets short names (see `shorten`): tracebacks say those;
- of a schema's field a node reads kind, bits, low and high, in columns (see `fields`). What people
  read falls away, and its name becomes 0.
"""

import ast
from collections.abc import Iterator, Mapping

from lampione_hil.linking import fields
from lampione_hil.linking.apart import set_apart
from lampione_hil.linking.known import Known
from lampione_hil.linking.link import link
from lampione_hil.linking.moving import move
from lampione_hil.linking.shorten import front, shorten

Constant = int | str | bytes


def slim(
    sources: Mapping[str, str], roots: Mapping[str, str], linked: bool = False
) -> dict[str, str]:
    """Return the modules that a board needs, cut.

    Args:
        sources: {dotted name: source}; a package by its own name.
        roots: scripts that stay as they are (main.py, boot.py); what they mention is kept. Without
            any the modules all stay.
        linked: joined to few files, and with short names.

    Raises SyntaxError, with the module's name as `filename`, and LinkError.
    """
    trees = {name: ast.parse(source, name) for name, source in sources.items()}
    starts = [ast.parse(source, name) for name, source in roots.items()]
    if starts:
        trees = _reached(trees, starts)
    fields.spread(trees)
    constants = {name: _constants(tree) for name, tree in trees.items()}
    for name, tree in trees.items():
        _put_constants(name, tree, constants)
    for tree in trees.values():
        _drop_annotations(tree)
    apart = set_apart(Known(trees, starts)) if linked else {}
    _prune_all(trees, starts)
    if linked:
        move(Known(trees, starts), apart)
        _prune_all(trees, starts)
    if starts:
        trees = _reached(trees, [*starts, *(trees[name] for name in apart)]) | {
            name: trees[name] for name in apart
        }
    if linked:
        trees = link(trees, starts, apart)
        shorten(trees, starts)
        for tree in trees.values():
            front(tree)
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def _drop_annotations(tree: ast.Module) -> None:
    """Take out what says a type, but for viper, to which it means something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            node.returns = None
            for inside in ast.walk(node.args):
                if isinstance(inside, ast.arg):
                    inside.annotation = None


def _value(node: ast.expr, known: Mapping[str, Constant]) -> Constant | None:
    """Return what an expression of literals and known constants is, else None."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "const":
        return _value(node.args[0], known)
    if isinstance(node, ast.Constant) and type(node.value) in (int, str, bytes):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, known)
        return -value if isinstance(value, int) else None
    return None


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield every name that is bound, as often as it is: assigned, an argument, a definition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Global):
            yield from node.names


def _constants(tree: ast.Module) -> dict[str, Constant]:
    """Return the names in capitals that a module gives one literal value, once."""
    bound = list(_bound(tree))
    found: dict[str, Constant] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = _value(node.value, found)
            if value is not None and name.isupper() and bound.count(name) == 1:
                found[name] = value
    return found


def _imports(module: str, tree: ast.AST, known: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield (name here, dotted name) of all that is imported from the modules known."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                # A module's own name is a level, a package's is not: it holds its __init__.
                inside = module.split(".")
                package = any(other.startswith(module + ".") for other in known)
                inside = inside[: len(inside) - node.level + package]
                base = ".".join([*inside, *filter(None, [base])])
            for alias in node.names:
                yield alias.asname or alias.name, f"{base}.{alias.name}"


class _Put(ast.NodeTransformer):
    def __init__(
        self, names: Mapping[str, Constant], modules: Mapping[str, Mapping[str, Constant]]
    ) -> None:
        self._names = names
        self._modules = modules

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self._names:
            return ast.Constant(self._names[node.id])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            constants = self._modules.get(node.value.id, {})
            if node.attr in constants:
                return ast.Constant(constants[node.attr])
        self.generic_visit(node)
        return node


def _put_constants(
    module: str, tree: ast.Module, constants: Mapping[str, Mapping[str, Constant]]
) -> None:
    names = dict(constants[module])
    modules = {}
    bound = set(_bound(tree))
    for here, there in _imports(module, tree, constants):
        base, _, name = there.rpartition(".")
        if here in bound:
            continue
        if there in constants:
            modules[here] = constants[there]
        elif name in constants.get(base, {}):
            names[here] = constants[base][name]
    _Put(names, modules).visit(tree)


def _words(tree: ast.AST) -> Iterator[str]:
    """Yield every word that could mention a definition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _prune_all(trees: Mapping[str, ast.Module], starts: list[ast.Module]) -> None:
    while True:
        mentioned = {word for tree in (*trees.values(), *starts) for word in _words(tree)}
        if not sum([_prune(tree, mentioned) for tree in trees.values()]):
            break


def _prune(tree: ast.Module, mentioned: set[str]) -> int:
    """Take out what is not mentioned; return how many pieces that were."""
    here = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    cut = 0
    for holder in ast.walk(tree):
        body = getattr(holder, "body", None)
        if not isinstance(body, list):
            continue
        kept = []
        for node in body:
            if isinstance(node, ast.ImportFrom):
                names = [a for a in node.names if (a.asname or a.name) in here or a.name == "*"]
                cut += len(node.names) - len(names)
                node.names = names
                if not names:
                    continue
            elif isinstance(holder, ast.Module | ast.ClassDef) and _unused(node, mentioned):
                cut += 1
                continue
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            kept.append(node)
        holder.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return cut


def _unused(node: ast.stmt, mentioned: set[str]) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name not in mentioned and not node.name.startswith("__")
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        plain = _value(node.value, {}) is not None or isinstance(node.value, ast.Tuple)
        return plain and node.targets[0].id not in mentioned
    return False


def _reached(trees: Mapping[str, ast.Module], starts: list[ast.Module]) -> dict[str, ast.Module]:
    """Return the modules that scripts reach by imports."""
    reached: set[str] = set()
    waiting = [("", start) for start in starts]
    while waiting:
        for _, there in _imports(*waiting.pop(), trees):
            parts = there.split(".")
            for end in range(1, len(parts) + 1):
                name = ".".join(parts[:end])
                if name in trees and name not in reached:
                    reached.add(name)
                    waiting.append((name, trees[name]))
    return {name: tree for name, tree in trees.items() if name in reached}
